//! What handing off gives out: the client ID and secret of a machine identity,
//! and what is written beside them.
//!
//! An [`Identity`] exists only for a client secret that the server accepted; the
//! one place that makes it is `act`.

use infisical::{
    api::Organization,
    endpoint::Origin,
    secret::{ClientSecret, UniversalAuth},
};
use zeroize::Zeroizing;

use crate::{
    contract::composed_secret::SecretData,
    input::{IdentityDetail, IdentityDetailValue},
};

/// A machine identity whose client secret the server accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// What it logs in with.
    pub login: UniversalAuth,
    /// The id of its client secret, as far as the token of the login says.
    pub client_secret_id: Option<String>,
    /// Its id, as far as that token says.
    pub id: Option<String>,
    /// Where the server is.
    pub origin: Origin,
    /// The organization that it is of.
    pub organization: Organization,
}

impl Identity {
    /// What of it is handed out.
    #[must_use]
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            login: &self.login,
            id: self.id.as_deref(),
            origin: &self.origin,
            organization_id: &self.organization.id,
            organization_slug: &self.organization.slug,
        }
    }
}

/// What of an accepted identity is handed out.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// What it logs in with.
    pub login: &'a UniversalAuth,
    /// Its id, as far as the token of the login says.
    pub id: Option<&'a str>,
    /// Where the server is.
    pub origin: &'a Origin,
    /// The organization that it is of.
    pub organization_id: &'a str,
    pub organization_slug: &'a str,
}

impl Parts<'_> {
    /// The data of its Secret, under the names that the input gives.
    #[must_use]
    pub(crate) fn data(&self, wanted: &[IdentityDetail]) -> SecretData {
        let mut data = SecretData::default();
        for detail in wanted {
            self.read(detail.value, |value| data.insert(&detail.name, value));
        }
        data
    }

    /// Whether what was observed has that, without making it: this is asked several times in
    /// a call.
    #[must_use]
    pub(crate) fn is_in(&self, observed: &ObservedIdentity, wanted: &[IdentityDetail]) -> bool {
        // Nothing but the wanted names was taken out of the Secret.
        wanted.iter().all(|detail| {
            let there = observed.data.get(&detail.name);
            there.is_some_and(|there| self.read(detail.value, |value| there == value.as_bytes()))
        })
    }

    fn read<T>(&self, value: IdentityDetailValue, read: impl FnOnce(&str) -> T) -> T {
        // The client secret is exposed here: the Secret is where it belongs.
        match value {
            IdentityDetailValue::ClientId => read(&self.login.client_id),
            IdentityDetailValue::ClientSecret => read(self.login.client_secret.expose()),
            IdentityDetailValue::Host => read(self.origin.as_str()),
            IdentityDetailValue::OrganizationId => read(self.organization_id),
            IdentityDetailValue::OrganizationSlug => read(self.organization_slug),
            IdentityDetailValue::IdentityId => read(self.id.unwrap_or_default()),
            IdentityDetailValue::Credentials => read(&credentials_json(self.login)),
        }
    }
}

/// The JSON that provider-infisical reads for Universal Auth (read in its source).
fn credentials_json(login: &UniversalAuth) -> Zeroizing<String> {
    // A string cannot fail to be written.
    let quoted = |text: &str| Zeroizing::new(serde_json::to_string(text).unwrap_or_default());
    let (id, secret) = (quoted(&login.client_id), quoted(login.client_secret.expose()));
    Zeroizing::new(format!(
        r#"{{"auth":{{"universal":{{"client_id":{},"client_secret":{}}}}}}}"#,
        *id, *secret
    ))
}

/// The Secret with client ID and secret, as observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedIdentity {
    /// What is in it to log in with, whether it works or not.
    pub login: Option<UniversalAuth>,
    /// What is under the wanted names.
    pub data: SecretData,
    /// Whether client ID and secret are where the input wants them.
    pub in_place: bool,
    /// Whether every wanted name has a value or is there empty.
    pub complete: bool,
}

impl ObservedIdentity {
    /// Picks out of a Secret's data what the input wants in it. The names may have
    /// changed since it was written, so that the default ones are looked at too.
    #[must_use]
    pub(crate) fn read(data: &SecretData, wanted: &[IdentityDetail]) -> Self {
        let named = |value| {
            let detail = wanted.iter().find(|detail| detail.value == value)?;
            data.text(&detail.name)
        };
        let (id, secret) = (named(IdentityDetailValue::ClientId), named(IdentityDetailValue::ClientSecret));
        let in_place = id.is_some() && secret.is_some();
        let both = id.or_else(|| data.text("clientId")).zip(secret.or_else(|| data.text("clientSecret")));
        let login = both.map(|(id, secret)| UniversalAuth {
            client_id: id.to_owned(),
            client_secret: ClientSecret::new(secret),
        });
        let mut kept = SecretData::default();
        let mut complete = true;
        for detail in wanted {
            match data.get(&detail.name).and_then(|value| std::str::from_utf8(value).ok()) {
                Some(value) => kept.insert(&detail.name, value),
                None => complete = false,
            }
        }
        Self { login, data: kept, in_place, complete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(names: &[(&str, IdentityDetailValue)]) -> Vec<IdentityDetail> {
        let detail = |(name, value): &(&str, IdentityDetailValue)| IdentityDetail {
            name: (*name).to_owned(),
            value: *value,
        };
        names.iter().map(detail).collect()
    }

    fn identity(secret: &str) -> Identity {
        Identity {
            login: UniversalAuth { client_id: "client".to_owned(), client_secret: ClientSecret::new(secret) },
            client_secret_id: None,
            id: Some("id".to_owned()),
            origin: Origin::parse("http://infisical:8080").unwrap(),
            organization: Organization {
                id: "org".to_owned(),
                name: "Acme".to_owned(),
                slug: "acme-x".to_owned(),
            },
        }
    }

    #[test]
    fn the_json_is_what_provider_infisical_reads() {
        let wanted = details(&[("json", IdentityDetailValue::Credentials)]);
        for secret in ["marker-secret", "marker\"secret"] {
            let data = identity(secret).parts().data(&wanted);
            let json: serde_json::Value = serde_json::from_str(data.text("json").unwrap()).unwrap();
            let expected = serde_json::json!({"client_id": "client", "client_secret": secret});
            assert_eq!(json["auth"]["universal"], expected);
        }
    }

    #[test]
    fn what_was_written_is_read_back_whole() {
        let wanted = details(&[
            ("ID", IdentityDetailValue::ClientId),
            ("SECRET", IdentityDetailValue::ClientSecret),
            ("HOST", IdentityDetailValue::Host),
        ]);
        let identity = identity("marker-secret");
        let data = identity.parts().data(&wanted);
        assert_eq!(data.text("HOST"), Some("http://infisical:8080"));
        let observed = ObservedIdentity::read(&data, &wanted);
        assert_eq!(observed.login, Some(identity.login));
        assert!(observed.in_place && observed.complete && observed.data == data);
    }

    #[test]
    fn client_id_and_secret_are_found_when_their_keys_were_renamed() {
        let before = details(&[
            ("clientId", IdentityDetailValue::ClientId),
            ("clientSecret", IdentityDetailValue::ClientSecret),
        ]);
        let after =
            details(&[("ID", IdentityDetailValue::ClientId), ("SECRET", IdentityDetailValue::ClientSecret)]);
        let identity = identity("marker-secret");
        let observed = ObservedIdentity::read(&identity.parts().data(&before), &after);
        assert_eq!(observed.login, Some(identity.login));
        assert!(!observed.in_place && !observed.complete);
    }
}
