//! A client secret: the server shows it once, and it is found by a mark in its description.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use infisical::{
    Error, ErrorKind,
    api::{
        ClientSecretState, CreateLimitedClientSecret, ListClientSecretStates, ReadUniversalAuthSettings,
        ResourceRefusal, RevokeClientSecret,
    },
};
use jiff::Timestamp;

use super::{found, missing, outcome::refuse_own, refusal};
use crate::{
    api::client_secret::{ClientSecret, ClientSecretObservation, ClientSecretParameters},
    connect::{Served, session::Open},
    managed::{
        annotations::duration,
        external::{
            ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
        },
    },
};

/// The keys of the connection Secret.
const SECRET: &str = "clientSecret";
const SECRET_ID: &str = "clientSecretId";
const CLIENT_ID: &str = "clientId";
const HOST: &str = "host";

/// What the server answers of a client secret, and of which identity and server it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    identity_id: String,
    host: String,
    state: ClientSecretState,
}

/// Nothing of a client secret can be changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {}

impl ManagedKind for ClientSecret {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Mark;
    const IS_REFERRED_TO: bool = false;
    const SHOWN_ONCE: bool = true;

    fn id(seen: &Seen) -> &str {
        &seen.state.id
    }

    fn observation(seen: &Seen) -> ClientSecretObservation {
        let ClientSecretState { id, description, created_at, ttl, uses_limit, .. } = &seen.state;
        let (description, _) = without_mark(description);
        ClientSecretObservation {
            id: Some(id.clone()),
            identity_id: Some(seen.identity_id.clone()),
            description: (!description.is_empty()).then(|| description.to_owned()),
            created_at: Some(created_at.to_string()),
            ttl: Some(*ttl),
            num_uses_limit: Some(*uses_limit),
        }
    }

    fn observed_id(observation: &ClientSecretObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &ClientSecretParameters, seen: &Seen) -> Difference<Change> {
        let is_another = |wanted: &&String| !wanted.eq_ignore_ascii_case(&seen.identity_id);
        if let Some(wanted) = wanted.identity_id.as_ref().filter(is_another) {
            return Difference::Fixed(format!(
                "spec.forProvider.identityId is {wanted:?}, and this client secret is of the identity {:?}: make \
                 another ClientSecret, and delete this one",
                seen.identity_id
            ));
        }
        let (description, _) = without_mark(&seen.state.description);
        let numbers = [
            ("ttl", wanted.ttl, seen.state.ttl),
            ("numUsesLimit", wanted.num_uses_limit, seen.state.uses_limit),
        ];
        let number =
            numbers.into_iter().find(|(_, wanted, seen)| wanted.is_some_and(|wanted| wanted != *seen));
        let text = wanted.description.as_deref().map(str::trim).filter(|wanted| *wanted != description);
        match (number, text) {
            (Some((field, wanted, seen)), _) => {
                fixed(field, &wanted.unwrap_or_default().to_string(), &seen.to_string())
            }
            (None, Some(wanted)) => fixed("description", &format!("{wanted:?}"), &format!("{description:?}")),
            (None, None) => Difference::None,
        }
    }

    fn complete(wanted: &ClientSecretParameters) -> Result<(), &'static str> {
        wanted.identity_id.as_ref().map(|_| ()).ok_or("identityId")
    }

    fn seen_in(
        wanted: &ClientSecretParameters,
        shown: &ClientSecretObservation,
    ) -> Option<ClientSecretParameters> {
        (shown.identity_id.is_some() && shown.identity_id != wanted.identity_id)
            .then(|| ClientSecretParameters { identity_id: shown.identity_id.clone(), ..wanted.clone() })
    }

    fn is_held(seen: &Seen, held: &ConnectionDetails) -> bool {
        let value = |key: &str| held.0.get(key).map(Vec::as_slice).unwrap_or_default();
        value(SECRET_ID) == seen.state.id.as_bytes()
            && !value(CLIENT_ID).is_empty()
            && !value(SECRET).is_empty()
            && value(SECRET).starts_with(seen.state.prefix.as_bytes())
    }

    fn is_over(wanted: &ClientSecretParameters, seen: &Seen, now: Timestamp) -> bool {
        let longest = wanted.rotate_after.as_deref().and_then(duration);
        let ttl = Some(Duration::from_secs(seen.state.ttl)).filter(|ttl| !ttl.is_zero());
        [longest, ttl].into_iter().flatten().any(|most| age(seen, now) >= most)
    }

    fn keeps_old(wanted: &ClientSecretParameters, seen: &Seen, now: Timestamp) -> bool {
        wanted.keep_old_for.as_deref().and_then(duration).is_some_and(|kept| age(seen, now) < kept)
    }

    fn connection_details(seen: &Seen) -> ConnectionDetails {
        ConnectionDetails([(HOST.to_owned(), seen.host.clone().into_bytes())].into())
    }
}

/// How old it is, by the time at which the server made it.
fn age(seen: &Seen, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(seen.state.created_at)).unwrap_or_default()
}

fn fixed(field: &str, wanted: &str, seen: &str) -> Difference<Change> {
    Difference::Fixed(format!(
        "spec.forProvider.{field} is {wanted}, and of the client secret it is {seen}, which cannot be changed: it \
         counts for the next one, which rotateAfter makes, or make another ClientSecret"
    ))
}

/// What stands before the mark in a description, and after it.
const MARK_BEGINS: &str = "[crossplane.io/uid: ";
const MARK_ENDS: &str = "]";

/// The author's description with the mark after it.
fn with_mark(description: Option<&str>, mark: Mark<'_>) -> String {
    let mark = format!("{MARK_BEGINS}{}{MARK_ENDS}", mark.0);
    match description.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{text} {mark}"),
        None => mark,
    }
}

/// The author's description, and the mark.
fn without_mark(description: &str) -> (&str, Option<Mark<'_>>) {
    let marked = description.strip_suffix(MARK_ENDS).and_then(|rest| rest.rsplit_once(MARK_BEGINS));
    match marked {
        Some((text, mark)) => (text.trim(), Some(Mark(mark))),
        None => (description.trim(), None),
    }
}

impl Served for ClientSecret {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(ClientSecrets(Arc::clone(open)))
    }
}

/// The routes of client secrets.
struct ClientSecrets(Arc<Open>);

#[async_trait]
impl External<ClientSecret> for ClientSecrets {
    async fn observe(
        &self,
        id: &str,
        wanted: &ClientSecretParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        // The list leaves out those that were revoked; a read by id does not.
        Ok(self.list(wanted).await?.into_iter().find(|seen| seen.state.id == id))
    }

    async fn find(
        &self,
        wanted: &ClientSecretParameters,
        mark: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let mut all = self.list(wanted).await?;
        all.retain(|seen| without_mark(&seen.state.description).1 == Some(mark));
        all.sort_by_key(|seen| seen.state.created_at);
        Ok(all)
    }

    async fn create(&self, wanted: &ClientSecretParameters, mark: Mark<'_>) -> Result<Made, ExternalError> {
        let token = &self.0.token;
        let identity_id = identity(wanted)?;
        refuse_own(&self.0, identity_id)?;
        // Before: what is shown once must not be lost for it.
        let attached = self.0.send(&ReadUniversalAuthSettings { token, identity_id }).await;
        let client_id = attached.map_err(without_login)?.client_id;
        let create = CreateLimitedClientSecret {
            token,
            identity_id,
            description: &with_mark(wanted.description.as_deref(), mark),
            ttl: wanted.ttl.unwrap_or_default(),
            uses_limit: wanted.num_uses_limit.unwrap_or_default(),
        };
        let made = self.0.send(&create).await.map_err(refusal)?;
        // Exposed: to the connection Secret, for which it is.
        let value = made.client_secret.expose().as_bytes().to_vec();
        let details = [
            (SECRET, value),
            (SECRET_ID, made.id.clone().into_bytes()),
            (CLIENT_ID, client_id.into_bytes()),
            (HOST, self.0.host().as_bytes().to_vec()),
        ];
        let details = details.map(|(key, value)| (key.to_owned(), value)).into();
        Ok(Made { id: made.id, details: ConnectionDetails(details) })
    }

    async fn update(
        &self,
        _: &str,
        _: &ClientSecretParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        match *change {}
    }

    async fn delete(&self, id: &str, wanted: &ClientSecretParameters) -> Result<(), ExternalError> {
        let identity_id = identity(wanted)?;
        refuse_own(&self.0, identity_id)?;
        let revoke = RevokeClientSecret { token: &self.0.token, identity_id, client_secret_id: id };
        match self.0.send(&revoke).await {
            Ok(()) | Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(()),
            // The identity may have lost its Universal Auth, and all of them with it.
            Err(error) if self.observe(id, wanted, Read::Fresh).await?.is_some() => Err(error.into()),
            Err(_) => Ok(()),
        }
    }
}

impl ClientSecrets {
    async fn list(&self, wanted: &ClientSecretParameters) -> Result<Vec<Seen>, ExternalError> {
        let identity_id = identity(wanted)?;
        let list = ListClientSecretStates { token: &self.0.token, identity_id };
        let all = found(self.0.send(&list).await)?.unwrap_or_default();
        let seen =
            |state| Seen { identity_id: identity_id.to_owned(), host: self.0.host().to_owned(), state };
        Ok(all.into_iter().filter(|state| !state.is_revoked).map(seen).collect())
    }
}

fn identity(wanted: &ClientSecretParameters) -> Result<&str, ExternalError> {
    wanted.identity_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(|| missing("identityId"))
}

fn without_login(error: Error<ResourceRefusal>) -> ExternalError {
    match error.kind {
        ErrorKind::NotFound => ExternalError::refused(format!(
            "the identity has no Universal Auth, or is not there: make a UniversalAuth for it: {error}"
        )),
        _ => refusal(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID: &str = "5f0e9d2c-0000-4000-8000-000000000001";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn seen() -> Seen {
        let state = json!({
            "id": "c", "description": with_mark(Some("of ci"), Mark(UID)), "clientSecretPrefix": "c633",
            "createdAt": at(0).to_string(), "clientSecretTTL": 7200, "clientSecretNumUses": 1,
            "clientSecretNumUsesLimit": 0, "isClientSecretRevoked": false,
        });
        let (identity_id, host) = ("i".to_owned(), "https://h".to_owned());
        Seen { identity_id, host, state: serde_json::from_value(state).unwrap() }
    }

    fn wanted(value: serde_json::Value) -> ClientSecretParameters {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_author_reads_his_description_and_we_read_our_mark() {
        let table = [
            (Some("of ci "), "of ci [crossplane.io/uid: u]", "of ci"),
            (Some(" "), "[crossplane.io/uid: u]", ""),
            (None, "[crossplane.io/uid: u]", ""),
            (
                Some("[crossplane.io/uid: x]"),
                "[crossplane.io/uid: x] [crossplane.io/uid: u]",
                "[crossplane.io/uid: x]",
            ),
        ];
        for (description, expected, shown) in table {
            let marked = with_mark(description, Mark("u"));
            assert_eq!(marked, expected);
            assert_eq!(without_mark(&marked), (shown, Some(Mark("u"))));
        }
        for foreign in ["", "of ci", "of ci]", "[crossplane.io/uid: u] of ci"] {
            assert_eq!(without_mark(foreign), (foreign, None));
        }
        assert!(with_mark(Some(&"d".repeat(180)), Mark(UID)).len() <= 255, "what the server takes");
    }

    #[test]
    fn what_cannot_be_changed_is_refused_with_what_to_do() {
        let table = [
            (json!({}), None),
            (json!({ "identityId": "I", "description": " of ci", "ttl": 7200, "numUsesLimit": 0 }), None),
            (json!({ "identityId": "x" }), Some("identityId is \"x\"")),
            (json!({ "description": "of cd" }), Some("description is \"of cd\"")),
            (json!({ "ttl": 60 }), Some("ttl is 60")),
            (json!({ "numUsesLimit": 3 }), Some("numUsesLimit is 3")),
        ];
        for (parameters, expected) in table {
            match (ClientSecret::compare(&wanted(parameters.clone()), &seen()), expected) {
                (Difference::None, None) => {}
                (Difference::Fixed(why), Some(part)) => {
                    assert!(why.contains(part) && why.contains("make another ClientSecret"), "{why}");
                }
                (difference, _) => panic!("{parameters}: {difference:?}"),
            }
        }
    }

    #[test]
    fn the_secret_holds_it_if_its_id_and_its_first_letters_are_there() {
        let whole = [(SECRET, "c633f00d"), (SECRET_ID, "c"), (CLIENT_ID, "id")];
        let table = [
            ("all", whole.to_vec(), true),
            ("nothing", vec![], false),
            ("no id", vec![(SECRET, "c633f00d"), (CLIENT_ID, "id")], false),
            ("no client id", vec![(SECRET, "c633f00d"), (SECRET_ID, "c")], false),
            ("no value", vec![(SECRET_ID, "c"), (CLIENT_ID, "id")], false),
            ("the id of another", vec![(SECRET, "c633f00d"), (SECRET_ID, "d"), (CLIENT_ID, "id")], false),
            ("the value of another", vec![(SECRET, "d633f00d"), (SECRET_ID, "c"), (CLIENT_ID, "id")], false),
        ];
        for (reason, pairs, expected) in table {
            let pair = |(key, value): (&str, &str)| (key.to_owned(), value.as_bytes().to_vec());
            let held = ConnectionDetails(pairs.into_iter().map(pair).collect());
            assert_eq!(ClientSecret::is_held(&seen(), &held), expected, "{reason}");
        }
    }

    #[test]
    fn it_is_over_when_it_is_to_be_rotated_or_ends() {
        let hour = wanted(json!({ "rotateAfter": "1h" }));
        let table = [
            ("young", &hour, 3599, false),
            ("old", &hour, 3600, true),
            ("no rotation", &wanted(json!({})), 7199, false),
            ("ended", &wanted(json!({})), 7200, true),
            ("made in the future", &hour, -10_000, false),
        ];
        for (reason, wanted, age, expected) in table {
            assert_eq!(ClientSecret::is_over(wanted, &seen(), at(age)), expected, "{reason}");
        }
    }

    #[test]
    fn the_old_one_is_kept_for_a_while_if_the_author_says_so() {
        let kept = wanted(json!({ "rotateAfter": "1h", "keepOldFor": "1m30s" }));
        for (age, expected) in [(0, true), (89, true), (90, false)] {
            assert_eq!(ClientSecret::keeps_old(&kept, &seen(), at(age)), expected, "{age}");
        }
        assert!(!ClientSecret::keeps_old(&wanted(json!({})), &seen(), at(0)));
    }

    #[test]
    fn the_mark_is_not_shown() {
        let shown = ClientSecret::observation(&seen());
        assert_eq!(shown.description.as_deref(), Some("of ci"));
        assert_eq!(shown.identity_id.as_deref(), Some("i"));
    }
}
