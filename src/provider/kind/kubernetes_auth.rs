//! Kubernetes Auth: an identity has one at most, whose name is that of the identity.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use infisical::api::{
    AttachKubernetesAuth, KubernetesAuthSettings, ReadKubernetesAuth, RemoveKubernetesAuth, TokenTerms,
    UpdateKubernetesAuth,
};

use super::{
    deleted, found, missing,
    outcome::{refuse_own, unlicensed},
    token_terms::{other, other_terms, shown_addresses, wanted_addresses},
};
use crate::{
    api::kubernetes_auth::{
        KubernetesAuth, KubernetesAuthObservation, KubernetesAuthParameters, TokenReviewerMode,
    },
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// What the server answers of Kubernetes Auth, and of which identity it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    identity_id: String,
    settings: KubernetesAuthSettings,
}

impl ManagedKind for KubernetesAuth {
    type Seen = Seen;
    type Change = KubernetesAuthSettings;
    const FOUND_BY: FoundBy = FoundBy::Key;
    const IS_REFERRED_TO: bool = false;

    fn id(seen: &Seen) -> &str {
        &seen.identity_id
    }

    fn observation(seen: &Seen) -> KubernetesAuthObservation {
        let settings = &seen.settings;
        let terms = &settings.terms;
        let written = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let list = |text: &Option<String>| names(text.as_deref()).into_iter().map(str::to_owned).collect();
        KubernetesAuthObservation {
            identity_id: Some(seen.identity_id.clone()),
            kubernetes_host: settings.host.clone(),
            kubernetes_ca_certificate: written(&settings.ca_cert),
            verify_tls_certificate: settings.verifies_certificate,
            token_reviewer_mode: settings.token_review_mode.clone(),
            allowed_namespaces: list(&settings.allowed_namespaces),
            allowed_service_account_names: list(&settings.allowed_names),
            allowed_audience: written(&settings.allowed_audience),
            access_token_ttl: terms.ttl,
            access_token_max_ttl: terms.max_ttl,
            access_token_num_uses_limit: terms.uses_limit,
            access_token_trusted_ips: shown_addresses(terms.trusted_addresses.as_deref()),
        }
    }

    fn observed_id(observation: &KubernetesAuthObservation) -> Option<&str> {
        observation.identity_id.as_deref()
    }

    fn compare(wanted: &KubernetesAuthParameters, seen: &Seen) -> Difference<KubernetesAuthSettings> {
        let is_another = |wanted: &&String| !wanted.eq_ignore_ascii_case(&seen.identity_id);
        if let Some(wanted) = wanted.identity_id.as_ref().filter(is_another) {
            return Difference::Fixed(format!(
                "spec.forProvider.identityId is {wanted:?}, and this Kubernetes Auth is of the identity {:?}: make \
                 another KubernetesAuth, and delete this one",
                seen.identity_id
            ));
        }
        let (wanted, seen) = (settings(wanted), &seen.settings);
        let other_names = |wanted: Option<String>, seen: &Option<String>| {
            wanted.filter(|wanted| names(Some(wanted)) != names(seen.as_deref()))
        };
        // The server cuts off white space at both ends: a PEM loses its last newline.
        let other_text = |wanted: Option<String>, seen: &Option<String>| {
            wanted.filter(|wanted| wanted.trim() != seen.as_deref().unwrap_or_default().trim())
        };
        let change = KubernetesAuthSettings {
            terms: other_terms(wanted.terms, &seen.terms),
            host: other_text(wanted.host, &seen.host),
            ca_cert: other_text(wanted.ca_cert, &seen.ca_cert),
            verifies_certificate: other(wanted.verifies_certificate, seen.verifies_certificate.as_ref()),
            reviewer_token: None,
            token_review_mode: other(wanted.token_review_mode, seen.token_review_mode.as_ref()),
            allowed_namespaces: other_names(wanted.allowed_namespaces, &seen.allowed_namespaces),
            allowed_names: other_names(wanted.allowed_names, &seen.allowed_names),
            allowed_audience: other_text(wanted.allowed_audience, &seen.allowed_audience),
        };
        if change == KubernetesAuthSettings::default() {
            Difference::None
        } else {
            Difference::Change(change)
        }
    }

    fn complete(wanted: &KubernetesAuthParameters) -> Result<(), &'static str> {
        wanted.identity_id.as_ref().map(|_| ()).ok_or("identityId")
    }
}

/// Names that the server keeps as one text with commas: a set.
fn names(text: Option<&str>) -> BTreeSet<&str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// What the author wrote, as it is sent.
fn settings(wanted: &KubernetesAuthParameters) -> KubernetesAuthSettings {
    let list = |names: &Option<Vec<String>>| names.as_ref().map(|names| names.join(","));
    KubernetesAuthSettings {
        terms: TokenTerms {
            ttl: wanted.access_token_ttl,
            max_ttl: wanted.access_token_max_ttl,
            uses_limit: wanted.access_token_num_uses_limit,
            period: None,
            trusted_addresses: wanted_addresses(wanted.access_token_trusted_ips.as_deref()),
        },
        host: wanted.kubernetes_host.clone(),
        ca_cert: wanted.kubernetes_ca_certificate.clone(),
        verifies_certificate: wanted.verify_tls_certificate,
        reviewer_token: None,
        token_review_mode: wanted.token_reviewer_mode.map(|TokenReviewerMode::Api| "api".to_owned()),
        allowed_namespaces: list(&wanted.allowed_namespaces),
        allowed_names: list(&wanted.allowed_service_account_names),
        allowed_audience: wanted.allowed_audience.clone(),
    }
}

/// The same, with the texts without which the server does not attach it.
fn whole_settings(wanted: &KubernetesAuthParameters) -> KubernetesAuthSettings {
    let settings = settings(wanted);
    KubernetesAuthSettings {
        allowed_namespaces: settings.allowed_namespaces.or_else(|| Some(String::new())),
        allowed_names: settings.allowed_names.or_else(|| Some(String::new())),
        allowed_audience: settings.allowed_audience.or_else(|| Some(String::new())),
        ..settings
    }
}

/// The parameters that a server without a licence refuses.
const LICENSED: &str = "spec.forProvider.accessTokenTrustedIps, or trust 0.0.0.0/0 and ::/0";

impl Served for KubernetesAuth {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(KubernetesAuths(Arc::clone(open)))
    }
}

/// The routes of Kubernetes Auth.
struct KubernetesAuths(Arc<Open>);

#[async_trait]
impl External<KubernetesAuth> for KubernetesAuths {
    async fn observe(
        &self,
        id: &str,
        _: &KubernetesAuthParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let read = ReadKubernetesAuth { token: &self.0.token, identity_id: id };
        let settings = found(self.0.send(&read).await)?;
        Ok(settings.map(|settings| Seen { identity_id: id.to_owned(), settings }))
    }

    async fn find(
        &self,
        wanted: &KubernetesAuthParameters,
        _: Mark<'_>,
        read: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        Ok(self.observe(id, wanted, read).await?.into_iter().collect())
    }

    async fn create(&self, wanted: &KubernetesAuthParameters, _: Mark<'_>) -> Result<Made, ExternalError> {
        let identity_id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        refuse_own(&self.0, identity_id)?;
        if wanted.kubernetes_host.is_none() {
            return Err(missing("kubernetesHost"));
        }
        let attach =
            AttachKubernetesAuth { token: &self.0.token, identity_id, settings: &whole_settings(wanted) };
        self.0.send(&attach).await.map_err(|error| unlicensed(error, LICENSED))?;
        Ok(Made { id: identity_id.to_owned(), details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        _: &KubernetesAuthParameters,
        change: &KubernetesAuthSettings,
    ) -> Result<ConnectionDetails, ExternalError> {
        refuse_own(&self.0, id)?;
        let update = UpdateKubernetesAuth { token: &self.0.token, identity_id: id, settings: change };
        self.0.send(&update).await.map_err(|error| unlicensed(error, LICENSED))?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, _: &KubernetesAuthParameters) -> Result<(), ExternalError> {
        refuse_own(&self.0, id)?;
        deleted(self.0.send(&RemoveKubernetesAuth { token: &self.0.token, identity_id: id }).await)
    }
}

#[cfg(test)]
mod tests {
    use infisical::secret::ReviewerToken;
    use serde_json::json;

    use super::*;

    fn seen() -> Seen {
        let settings = json!({
            "accessTokenTTL": 2_592_000,
            "accessTokenMaxTTL": 2_592_000,
            "accessTokenNumUsesLimit": 0,
            "accessTokenTrustedIps": [{ "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" }],
            "tokenReviewMode": "api",
            "kubernetesHost": "https://10.0.0.1:6443",
            "allowedNamespaces": "team-b, team-a",
            "allowedNames": " app , ",
            "allowedAudience": "",
            "verifyTlsCertificate": true,
            "caCert": "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
            "tokenReviewerJwt": "marker-jwt",
        });
        Seen { identity_id: "i".to_owned(), settings: serde_json::from_value(settings).unwrap() }
    }

    #[test]
    fn only_what_the_author_wrote_is_compared_and_as_the_server_keeps_it() {
        let ca = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n";
        // What is wanted, and what is sent; nothing where it is so already.
        let table = [
            ("nothing", json!({}), None),
            (
                "it is so already",
                json!({
                    "identityId": "I", "kubernetesHost": "https://10.0.0.1:6443",
                    "kubernetesCaCertificate": ca, "verifyTlsCertificate": true, "tokenReviewerMode": "api",
                    "allowedNamespaces": ["team-a", "team-b"], "allowedServiceAccountNames": ["app"],
                    "allowedAudience": "", "accessTokenTtl": 2_592_000,
                }),
                None,
            ),
            (
                "another host",
                json!({ "kubernetesHost": "https://10.0.0.2:6443" }),
                Some(json!({ "kubernetesHost": "https://10.0.0.2:6443" })),
            ),
            (
                "all namespaces",
                json!({ "allowedNamespaces": [], "allowedServiceAccountNames": ["app", "job"] }),
                Some(json!({ "allowedNamespaces": "", "allowedNames": "app,job" })),
            ),
            (
                "no CA",
                json!({ "kubernetesCaCertificate": "", "verifyTlsCertificate": false }),
                Some(json!({ "caCert": "", "verifyTlsCertificate": false })),
            ),
            ("an audience", json!({ "allowedAudience": "a" }), Some(json!({ "allowedAudience": "a" }))),
            (
                "a TTL",
                json!({ "accessTokenTtl": 60, "accessTokenMaxTtl": 120 }),
                Some(json!({ "accessTokenTTL": 60, "accessTokenMaxTTL": 120 })),
            ),
        ];
        for (reason, parameters, expected) in table {
            let wanted = serde_json::from_value(parameters).unwrap();
            let sent = match KubernetesAuth::compare(&wanted, &seen()) {
                Difference::None => None,
                Difference::Change(change) => Some(serde_json::to_value(change).unwrap()),
                Difference::Fixed(why) => panic!("{reason}: {why}"),
            };
            assert_eq!(sent, expected, "{reason}");
        }
    }

    #[test]
    fn another_identity_is_refused_with_what_to_do() {
        let wanted = KubernetesAuthParameters {
            identity_id: Some("another".to_owned()),
            ..KubernetesAuthParameters::default()
        };
        let Difference::Fixed(why) = KubernetesAuth::compare(&wanted, &seen()) else { panic!("it is fixed") };
        assert!(why.contains("\"another\"") && why.contains("make another"), "{why}");
    }

    #[test]
    fn the_token_of_the_reviewer_is_shown_nowhere() {
        assert_eq!(seen().settings.reviewer_token, Some(ReviewerToken::new("marker-jwt")));
        let shown = serde_json::to_string(&KubernetesAuth::observation(&seen())).unwrap();
        let printed = format!("{:?}", seen());
        assert!(!shown.contains("marker") && !printed.contains("marker"), "{shown} {printed}");
        assert!(shown.contains(r#""allowedNamespaces":["team-a","team-b"]"#), "{shown}");
    }
}
