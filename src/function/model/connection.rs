//! The connection that is handed out: what its keys are and where they come from.
//!
//! A [`Connection`] exists only for a token that the server accepted; the one
//! place that makes it is `act`.

use infisical::{
    api::Organization,
    claims::Claims,
    endpoint::Origin,
    secret::{AccessToken, Fingerprint},
};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{
    contract::composed_secret::SecretData,
    input::{ConnectionDetail, DetailValue},
    model::life::Life,
};

/// A working connection to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The token that the server accepted.
    pub token: AccessToken,
    /// Where the server is.
    pub origin: Origin,
    /// The organization whose token it is.
    pub organization_id: String,
    pub organization_slug: String,
    /// The identity whose token it is, as far as the token says.
    pub identity_id: Option<String>,
    /// How long the token lives, where that was found out just now.
    pub life: Option<Life>,
    /// When the token ends by the server's clock: its `exp`, or its `iat` plus the
    /// server's longest life of a token. `None` where neither is known.
    pub expires_at: Option<Timestamp>,
    /// Whether the token does not say when it ends, and the server could not be
    /// asked.
    pub end_is_open: bool,
    /// Whether the identity is an instance admin, as far as that was asked.
    pub is_instance_admin: Option<bool>,
}

impl Connection {
    /// The connection of an accepted token. `max_ttl` is the server's longest
    /// life of a token, for one that does not say when it ends.
    #[must_use]
    pub(crate) fn new(
        token: AccessToken,
        origin: Origin,
        organization: Organization,
        max_ttl: Option<std::time::Duration>,
    ) -> Self {
        let claims = Claims::of(&token);
        let capped = || claims.issued_at?.checked_add(max_ttl?).ok();
        Self {
            expires_at: claims.expires_at.or_else(capped),
            life: None,
            identity_id: claims.identity_id,
            end_is_open: false,
            is_instance_admin: None,
            token,
            origin,
            organization_id: organization.id,
            organization_slug: organization.slug,
        }
    }

    /// The organization whose token it is. Its name is not known here.
    pub(crate) fn organization(&self) -> Organization {
        let (id, slug) = (self.organization_id.clone(), self.organization_slug.clone());
        Organization { name: String::new(), id, slug }
    }

    /// Whether this one is handed out rather than another of the same server,
    /// when both work: see [`rank`].
    #[must_use]
    pub(crate) fn is_preferred_to(&self, other: &Self) -> bool {
        let rank = |connection: &Self| rank(connection.expires_at, &connection.token);
        self.origin == other.origin && rank(self) > rank(other)
    }

    /// What of it is handed out.
    #[must_use]
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            token: &self.token,
            origin: &self.origin,
            organization_id: &self.organization_id,
            organization_slug: &self.organization_slug,
            identity_id: self.identity_id.as_deref(),
            expires_at: self.expires_at,
        }
    }
}

/// Of two tokens of one server that work the one of the higher rank is handed out: the one
/// that lives longer, then the one with the larger fingerprint. All replicas prefer the same
/// one, so that they do not take turns in overwriting each other's.
#[must_use]
pub(crate) fn rank(expires_at: Option<Timestamp>, token: &AccessToken) -> (Option<Timestamp>, Fingerprint) {
    (expires_at, token.fingerprint())
}

/// What of an accepted connection is handed out.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The token that the server accepted.
    pub token: &'a AccessToken,
    /// Where the server is.
    pub origin: &'a Origin,
    /// The organization whose token it is.
    pub organization_id: &'a str,
    pub organization_slug: &'a str,
    /// The identity whose token it is, as far as the token says.
    pub identity_id: Option<&'a str>,
    /// When the token ends by the server's clock, as far as that is known.
    pub expires_at: Option<Timestamp>,
}

impl Parts<'_> {
    /// The data of the connection Secret, under the names that the input gives.
    #[must_use]
    pub(crate) fn data(&self, wanted: &[ConnectionDetail]) -> SecretData {
        let mut data = SecretData::default();
        for detail in wanted {
            self.read(detail.value, |value| data.insert(&detail.name, value));
        }
        data
    }

    /// The same over what was observed of it: what the server did not say, such as
    /// when the token ends, stays as another replica has written it.
    #[must_use]
    pub(crate) fn data_over(
        &self,
        observed: Option<&ObservedConnection>,
        wanted: &[ConnectionDetail],
    ) -> SecretData {
        let mut data = self.data(wanted);
        if let Some(observed) = observed.filter(|observed| observed.token.as_ref() == Some(self.token)) {
            data.fill(&observed.data);
        }
        data
    }

    /// Whether what was observed is [`Self::data_over`] it, without making that:
    /// this is asked several times in a call.
    #[must_use]
    pub(crate) fn is_in(&self, observed: &ObservedConnection, wanted: &[ConnectionDetail]) -> bool {
        // Nothing but the wanted names was taken out of the Secret.
        wanted.iter().all(|detail| {
            let there = observed.data.get(&detail.name);
            there.is_some_and(|there| match detail.value {
                DetailValue::Credentials if is_plain(self.token) => is_credentials_of(self.token, there),
                value => self.read(value, |value| {
                    let is_left = || value.is_empty() && observed.token.as_ref() == Some(self.token);
                    there == value.as_bytes() || is_left()
                }),
            })
        })
    }

    fn read<T>(&self, value: DetailValue, read: impl FnOnce(&str) -> T) -> T {
        // The token is exposed here: the Secret is where it belongs.
        match value {
            DetailValue::Token => read(self.token.expose()),
            DetailValue::Host => read(self.origin.as_str()),
            DetailValue::OrganizationId => read(self.organization_id),
            DetailValue::OrganizationSlug => read(self.organization_slug),
            DetailValue::IdentityId => read(self.identity_id.unwrap_or_default()),
            DetailValue::ExpiresAt => read(&self.expires_at.map(|at| at.to_string()).unwrap_or_default()),
            DetailValue::Credentials => read(&credentials_json(self.token)),
        }
    }
}

/// What is around the token in the JSON of the key `credentials`, in the shape of
/// Infisical's Terraform provider: `{"auth":{"token":"…"}}`.
const CREDENTIALS: (&str, &str) = (r#"{"auth":{"token":""#, r#""}}"#);

fn credentials_json(token: &AccessToken) -> Zeroizing<String> {
    let (before, after) = CREDENTIALS;
    if is_plain(token) {
        return Zeroizing::new([before, token.expose(), after].concat());
    }
    // A string cannot fail to be written.
    let quoted = Zeroizing::new(serde_json::to_string(token.expose()).unwrap_or_default());
    Zeroizing::new(format!(r#"{{"auth":{{"token":{}}}}}"#, *quoted))
}

/// Whether a token is the same in JSON, as every JWT is.
fn is_plain(token: &AccessToken) -> bool {
    // Without a way out and without a number the compiler looks at many at once.
    let is_plain = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    token.expose().bytes().fold(true, |all, byte| all & is_plain(byte))
}

/// Whether what is there is [`credentials_json`] of a token that is plain.
fn is_credentials_of(token: &AccessToken, there: &[u8]) -> bool {
    let (before, after) = CREDENTIALS;
    let inner = there.strip_prefix(before.as_bytes()).and_then(|rest| rest.strip_suffix(after.as_bytes()));
    inner == Some(token.expose().as_bytes())
}

/// The connection Secret, as observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedConnection {
    /// The token in it, whether it works or not.
    pub token: Option<AccessToken>,
    /// What is under the wanted names.
    pub data: SecretData,
    /// Whether the token is where the input wants it.
    pub in_place: bool,
    /// Whether every wanted name has a value or is there empty.
    pub complete: bool,
}

impl ObservedConnection {
    /// Picks out of a Secret's data what the input wants in it.
    ///
    /// The names may have changed since it was written, so the token is looked
    /// for under its present name and then under the default one.
    #[must_use]
    pub(crate) fn read(mut data: SecretData, wanted: &[ConnectionDetail]) -> Self {
        let named = wanted.iter().find(|detail| detail.value == DetailValue::Token);
        let in_place = named.and_then(|detail| data.text(&detail.name));
        let token = in_place.or_else(|| data.text("token")).map(AccessToken::new);
        let in_place = in_place.is_some();
        let is_wanted = |name: &str| wanted.iter().any(|detail| detail.name == name);
        data.retain(|name, value| is_wanted(name) && std::str::from_utf8(value).is_ok());
        let complete = wanted.iter().all(|detail| data.get(&detail.name).is_some());
        Self { token, data, in_place, complete }
    }

    /// The server that it names, where the input wants that in it.
    #[must_use]
    pub(crate) fn host(&self, wanted: &[ConnectionDetail]) -> Option<&str> {
        let named = wanted.iter().find(|detail| detail.value == DetailValue::Host)?;
        self.data.text(&named.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let organization =
            Organization { id: "org".to_owned(), name: "Acme".to_owned(), slug: "acme-x".to_owned() };
        let origin = Origin::parse("http://infisical:8080").unwrap();
        Connection::new(AccessToken::new("marker-token"), origin, organization, None)
    }

    fn details(names: &[(&str, DetailValue)]) -> Vec<ConnectionDetail> {
        let detail = |(name, value): &(&str, DetailValue)| ConnectionDetail {
            name: (*name).to_owned(),
            value: *value,
        };
        names.iter().map(detail).collect()
    }

    #[test]
    fn the_keys_have_the_names_that_the_input_gives() {
        let wanted = details(&[
            ("INFISICAL_TOKEN", DetailValue::Token),
            ("INFISICAL_HOST", DetailValue::Host),
            ("json", DetailValue::Credentials),
        ]);
        let data = connection().parts().data(&wanted);
        assert_eq!(data.text("INFISICAL_TOKEN"), Some("marker-token"));
        assert_eq!(data.text("INFISICAL_HOST"), Some("http://infisical:8080"));
        assert_eq!(data.text("json"), Some(r#"{"auth":{"token":"marker-token"}}"#));
        assert_eq!(data.keys().count(), 3);
    }

    #[test]
    fn what_was_written_is_read_back_whole() {
        let wanted = details(&[
            ("token", DetailValue::Token),
            ("expiresAt", DetailValue::ExpiresAt),
            ("identityId", DetailValue::IdentityId),
        ]);
        let data = connection().parts().data(&wanted);
        let observed = ObservedConnection::read(data.clone(), &wanted);
        assert!(observed.complete, "a value that is not known is there, empty");
        assert_eq!(observed.data, data);
        assert!(connection().parts().is_in(&observed, &wanted));
        assert!(!connection().parts().is_in(&observed, &details(&[("other", DetailValue::Token)])));
        assert_eq!(observed.token, Some(AccessToken::new("marker-token")));
    }

    #[test]
    fn a_connection_is_in_what_was_observed_when_it_would_be_written_just_so() {
        let wanted = [
            details(&[("a", DetailValue::Token), ("b", DetailValue::ExpiresAt)]),
            details(&[("a", DetailValue::Token), ("b", DetailValue::Token)]),
            details(&[("a", DetailValue::Token), ("token", DetailValue::Credentials)]),
            details(&[("a", DetailValue::ExpiresAt), ("b", DetailValue::Token)]),
            details(&[("a", DetailValue::Token), ("c", DetailValue::Host)]),
        ];
        let expiring = Connection { expires_at: Timestamp::from_second(60).ok(), ..connection() };
        let quoted = Connection { token: AccessToken::new("marker\"token"), ..connection() };
        let connections = [connection(), expiring, quoted];
        let values = [
            "missing",
            "",
            "marker-token",
            "marker\"token",
            "1970-01-01T00:01:00Z",
            r#"{"auth":{"token":"marker-token"}}"#,
            r#"{"auth":{"token":"marker\"token"}}"#,
            r#"{"auth":{"token":"marker-toke"}}"#,
            r#"{"auth":{"token":""}}"#,
        ];
        let observed = values.iter().flat_map(|a| values.map(|b| [("a", *a), ("b", b), ("token", b)]));
        let mut found = [0, 0];
        for (observed, wanted) in observed.flat_map(|data| wanted.iter().map(move |wanted| (data, wanted))) {
            let mut data = SecretData::default();
            for (name, value) in observed.into_iter().filter(|(_, value)| *value != "missing") {
                data.insert(name, value);
            }
            let observed = ObservedConnection::read(data.clone(), wanted);
            for connection in &connections {
                let is_in = observed.data == connection.parts().data_over(Some(&observed), wanted);
                assert_eq!(connection.parts().is_in(&observed, wanted), is_in, "{data:?} {wanted:?}");
                found[usize::from(is_in)] += 1;
            }
        }
        assert!(found[0] > 500 && found[1] > 20, "{found:?}");
    }

    #[test]
    fn a_token_is_found_when_its_key_was_renamed() {
        let before = connection().parts().data(&details(&[("token", DetailValue::Token)]));
        let observed = ObservedConnection::read(before, &details(&[("TOKEN", DetailValue::Token)]));
        assert_eq!(observed.token, Some(AccessToken::new("marker-token")));
        assert!(!observed.in_place && !observed.complete);
    }

    #[test]
    fn of_two_tokens_every_replica_prefers_the_same() {
        let mk = |token: &str, expires: i64, origin: &str| Connection {
            token: AccessToken::new(token),
            origin: Origin::parse(origin).unwrap(),
            expires_at: Timestamp::from_second(expires).ok(),
            ..connection()
        };
        let (short, long) = (mk("a", 60, "http://here"), mk("b", 90, "http://here"));
        assert!(long.is_preferred_to(&short) && !short.is_preferred_to(&long), "the one that lives longer");
        let other = mk("c", 90, "http://here");
        assert!(long.is_preferred_to(&other) != other.is_preferred_to(&long), "one of two that live as long");
        assert!(!long.is_preferred_to(&long));
        assert!(!mk("d", 99, "http://there").is_preferred_to(&short), "another place is not compared");
    }
}
