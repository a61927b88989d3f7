//! Universal Auth: an identity has one at most, whose name is that of the identity.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::api::{
    AttachedUniversalAuth, ConfigureUniversalAuth, ReadUniversalAuthSettings, RemoveUniversalAuth,
    TokenTerms, UniversalAuthSettings, UpdateUniversalAuth,
};

use super::{
    deleted, found, missing,
    outcome::{refuse_own, unlicensed},
    token_terms::{other, other_addresses, other_terms, shown_addresses, wanted_addresses},
};
use crate::{
    api::universal_auth::{UniversalAuth, UniversalAuthObservation, UniversalAuthParameters},
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// What the server answers of Universal Auth, and of which identity it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    identity_id: String,
    attached: AttachedUniversalAuth,
}

impl ManagedKind for UniversalAuth {
    type Seen = Seen;
    type Change = UniversalAuthSettings;
    const FOUND_BY: FoundBy = FoundBy::Key;
    const IS_REFERRED_TO: bool = false;

    fn id(seen: &Seen) -> &str {
        &seen.identity_id
    }

    fn observation(seen: &Seen) -> UniversalAuthObservation {
        let settings = &seen.attached.settings;
        let terms = &settings.terms;
        UniversalAuthObservation {
            identity_id: Some(seen.identity_id.clone()),
            client_id: Some(seen.attached.client_id.clone()),
            access_token_ttl: terms.ttl,
            access_token_max_ttl: terms.max_ttl,
            access_token_num_uses_limit: terms.uses_limit,
            access_token_period: terms.period,
            access_token_trusted_ips: shown_addresses(terms.trusted_addresses.as_deref()),
            client_secret_trusted_ips: shown_addresses(settings.trusted_addresses.as_deref()),
            lockout_enabled: settings.lockout_enabled,
            lockout_threshold: settings.lockout_threshold,
            lockout_duration_seconds: settings.lockout_duration_seconds,
            lockout_counter_reset_seconds: settings.lockout_counter_reset_seconds,
        }
    }

    fn observed_id(observation: &UniversalAuthObservation) -> Option<&str> {
        observation.identity_id.as_deref()
    }

    fn compare(wanted: &UniversalAuthParameters, seen: &Seen) -> Difference<UniversalAuthSettings> {
        let is_another = |wanted: &&String| !wanted.eq_ignore_ascii_case(&seen.identity_id);
        if let Some(wanted) = wanted.identity_id.as_ref().filter(is_another) {
            return Difference::Fixed(format!(
                "spec.forProvider.identityId is {wanted:?}, and this Universal Auth is of the identity {:?}: make \
                 another UniversalAuth, and delete this one",
                seen.identity_id
            ));
        }
        let (wanted, seen) = (settings(wanted), &seen.attached.settings);
        let change = UniversalAuthSettings {
            terms: other_terms(wanted.terms, &seen.terms),
            trusted_addresses: other_addresses(wanted.trusted_addresses, seen.trusted_addresses.as_deref()),
            lockout_enabled: other(wanted.lockout_enabled, seen.lockout_enabled.as_ref()),
            lockout_threshold: other(wanted.lockout_threshold, seen.lockout_threshold.as_ref()),
            lockout_duration_seconds: other(
                wanted.lockout_duration_seconds,
                seen.lockout_duration_seconds.as_ref(),
            ),
            lockout_counter_reset_seconds: other(
                wanted.lockout_counter_reset_seconds,
                seen.lockout_counter_reset_seconds.as_ref(),
            ),
        };
        if change == UniversalAuthSettings::default() { Difference::None } else { Difference::Change(change) }
    }

    fn complete(wanted: &UniversalAuthParameters) -> Result<(), &'static str> {
        wanted.identity_id.as_ref().map(|_| ()).ok_or("identityId")
    }
}

/// What the author wrote, as it is sent.
fn settings(wanted: &UniversalAuthParameters) -> UniversalAuthSettings {
    UniversalAuthSettings {
        terms: TokenTerms {
            ttl: wanted.access_token_ttl,
            max_ttl: wanted.access_token_max_ttl,
            uses_limit: wanted.access_token_num_uses_limit,
            period: wanted.access_token_period,
            trusted_addresses: wanted_addresses(wanted.access_token_trusted_ips.as_deref()),
        },
        trusted_addresses: wanted_addresses(wanted.client_secret_trusted_ips.as_deref()),
        lockout_enabled: wanted.lockout_enabled,
        lockout_threshold: wanted.lockout_threshold,
        lockout_duration_seconds: wanted.lockout_duration_seconds,
        lockout_counter_reset_seconds: wanted.lockout_counter_reset_seconds,
    }
}

/// The parameters that a server without a licence refuses.
const LICENSED: &str =
    "spec.forProvider.accessTokenTrustedIps and clientSecretTrustedIps, or trust 0.0.0.0/0 and ::/0";

impl Served for UniversalAuth {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(UniversalAuths(Arc::clone(open)))
    }
}

/// The routes of Universal Auth.
struct UniversalAuths(Arc<Open>);

#[async_trait]
impl External<UniversalAuth> for UniversalAuths {
    async fn observe(
        &self,
        id: &str,
        _: &UniversalAuthParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let read = ReadUniversalAuthSettings { token: &self.0.token, identity_id: id };
        let attached = found(self.0.send(&read).await)?;
        Ok(attached.map(|attached| Seen { identity_id: id.to_owned(), attached }))
    }

    async fn find(
        &self,
        wanted: &UniversalAuthParameters,
        _: Mark<'_>,
        read: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        Ok(self.observe(id, wanted, read).await?.into_iter().collect())
    }

    async fn create(&self, wanted: &UniversalAuthParameters, _: Mark<'_>) -> Result<Made, ExternalError> {
        let identity_id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        refuse_own(&self.0, identity_id)?;
        let attach =
            ConfigureUniversalAuth { token: &self.0.token, identity_id, settings: &settings(wanted) };
        self.0.send(&attach).await.map_err(|error| unlicensed(error, LICENSED))?;
        Ok(Made { id: identity_id.to_owned(), details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        _: &UniversalAuthParameters,
        change: &UniversalAuthSettings,
    ) -> Result<ConnectionDetails, ExternalError> {
        refuse_own(&self.0, id)?;
        let update = UpdateUniversalAuth { token: &self.0.token, identity_id: id, settings: change };
        self.0.send(&update).await.map_err(|error| unlicensed(error, LICENSED))?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, _: &UniversalAuthParameters) -> Result<(), ExternalError> {
        refuse_own(&self.0, id)?;
        deleted(self.0.send(&RemoveUniversalAuth { token: &self.0.token, identity_id: id }).await)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11";

    fn seen() -> Seen {
        let attached = json!({
            "clientId": "c",
            "accessTokenTTL": 2_592_000,
            "accessTokenMaxTTL": 2_592_000,
            "accessTokenNumUsesLimit": 0,
            "accessTokenPeriod": 0,
            "accessTokenTrustedIps": [
                { "type": "ipv6", "prefix": 0, "ipAddress": "::" },
                { "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" },
            ],
            "clientSecretTrustedIps": [{ "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" }],
            "lockoutEnabled": true,
            "lockoutThreshold": 3,
            "lockoutDurationSeconds": 300,
            "lockoutCounterResetSeconds": 30,
        });
        Seen { identity_id: ID.to_owned(), attached: serde_json::from_value(attached).unwrap() }
    }

    fn wanted(value: serde_json::Value) -> UniversalAuthParameters {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_what_the_author_wrote_is_compared() {
        let addresses = json!([{ "ipAddress": "0.0.0.0/0" }, { "ipAddress": "::/0" }]);
        // What is wanted, and what is sent; nothing where it is so already.
        let table = [
            ("nothing", json!({}), None),
            (
                "it is so already",
                json!({
                    "identityId": ID.to_uppercase(), "accessTokenTtl": 2_592_000,
                    "accessTokenTrustedIps": addresses, "lockoutEnabled": true, "lockoutThreshold": 3,
                }),
                None,
            ),
            (
                "a TTL",
                json!({ "accessTokenTtl": 60, "accessTokenMaxTtl": 2_592_000 }),
                Some(json!({ "accessTokenTTL": 60, "accessTokenMaxTTL": 2_592_000 })),
            ),
            ("a period", json!({ "accessTokenPeriod": 60 }), Some(json!({ "accessTokenPeriod": 60 }))),
            ("uses", json!({ "accessTokenNumUsesLimit": 5 }), Some(json!({ "accessTokenNumUsesLimit": 5 }))),
            (
                "where from",
                json!({ "clientSecretTrustedIps": [{ "ipAddress": "10.0.0.0/8" }] }),
                Some(json!({ "clientSecretTrustedIps": [{ "ipAddress": "10.0.0.0/8" }] })),
            ),
            (
                "lockout",
                json!({ "lockoutEnabled": false, "lockoutDurationSeconds": 60, "lockoutCounterResetSeconds": 5 }),
                Some(json!({
                    "lockoutEnabled": false, "lockoutDurationSeconds": 60, "lockoutCounterResetSeconds": 5,
                })),
            ),
        ];
        for (reason, parameters, expected) in table {
            let sent = match UniversalAuth::compare(&wanted(parameters), &seen()) {
                Difference::None => None,
                Difference::Change(change) => Some(serde_json::to_value(change).unwrap()),
                Difference::Fixed(why) => panic!("{reason}: {why}"),
            };
            assert_eq!(sent, expected, "{reason}");
        }
    }

    #[test]
    fn another_identity_is_refused_with_what_to_do() {
        let another = wanted(json!({ "identityId": "another" }));
        let Difference::Fixed(why) = UniversalAuth::compare(&another, &seen()) else { panic!("it is fixed") };
        assert!(why.contains("\"another\"") && why.contains(ID) && why.contains("make another"), "{why}");
    }

    #[test]
    fn the_client_id_is_shown_and_addresses_in_one_order() {
        let shown = UniversalAuth::observation(&seen());
        assert_eq!(shown.client_id.as_deref(), Some("c"));
        let addresses: Vec<_> = shown.access_token_trusted_ips.iter().map(|it| &*it.ip_address).collect();
        assert_eq!(addresses, ["0.0.0.0/0", "::/0"]);
    }
}
