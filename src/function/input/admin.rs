//! The instance admin, and the token of one. Of the values here only an email is
//! repeated in an error.

use infisical::secret::Email;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    one_of::Source,
    text::{CredentialName, EmailAddress, Key, Namespace, ObjectName, PathBesideSecrets},
    wrong::Wrong,
};

/// Where an email comes from.
pub type EmailSource = Source<Email>;
/// Where the name of a Secret comes from.
pub type NameSource = Source<String>;

/// Where the admin's email and password come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// The password is generated.
    Generated {
        /// The email.
        email: EmailSource,
    },
    /// A credential of the pipeline step holds them.
    Credential {
        /// The credential's name in the step.
        name: String,
        /// The email, where it is not the credential's.
        email: Option<EmailSource>,
    },
    /// A Secret per XR holds them, as a required resource.
    SecretRef {
        /// The Secret's `metadata.name`.
        name: NameSource,
        /// Its `metadata.namespace`; the XR's where there is none.
        namespace: Option<String>,
        /// The key of the email.
        email_key: String,
        /// The key of the password.
        password_key: String,
        /// The email, where it is not the Secret's.
        email: Option<EmailSource>,
    },
}

/// A Secret that holds the token of an instance admin identity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "AdoptSecretRef")]
#[schemars(with = "AdoptSecretRef")]
pub struct Adopt {
    /// The Secret's `metadata.name`.
    pub name: NameSource,
    /// Its `metadata.namespace`; the XR's where there is none.
    pub namespace: Option<String>,
    /// The key of the token.
    pub key: String,
}

/// `admin` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdminFields {
    /// The email, which cannot be changed once the instance is bootstrapped.
    email: Option<EmailAddress>,
    /// The field of the XR that holds the email.
    email_from_composite_field_path: Option<PathBesideSecrets>,
    /// The name of the credential of this pipeline step that holds email and
    /// password. Default: the password is generated.
    credentials: Option<CredentialName>,
    /// The Secret, one per XR, that holds email and password. Default: the
    /// password is generated.
    secret_ref: Option<AdminSecretRef>,
}

/// `admin.secretRef` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdminSecretRef {
    /// The name of the Secret.
    name: Option<ObjectName>,
    /// The field of the XR that holds the name of the Secret.
    name_from_composite_field_path: Option<PathBesideSecrets>,
    /// Its namespace. Default: that of the XR or claim, else that of
    /// writeConnectionSecretToRef in this input.
    namespace: Option<Namespace>,
    /// The key of the email. Default: email.
    email_key: Option<Key>,
    /// The key of the password. Default: password.
    password_key: Option<Key>,
}

/// `adopt` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdoptFields {
    /// The Secret that holds the token of an instance admin identity.
    pub(super) secret_ref: Adopt,
}

/// `adopt.secretRef` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdoptSecretRef {
    /// The name of the Secret.
    name: Option<ObjectName>,
    /// The field of the XR that holds the name of the Secret.
    name_from_composite_field_path: Option<PathBesideSecrets>,
    /// Its namespace. Default: that of the XR or claim, else that of
    /// writeConnectionSecretToRef in this input.
    namespace: Option<Namespace>,
    /// The key of the token. Default: token.
    key: Option<Key>,
}

impl Admin {
    pub(super) fn new(fields: AdminFields, adopts: bool) -> Result<Self, Wrong> {
        let AdminFields { email, email_from_composite_field_path, credentials, secret_ref } = fields;
        let email = Source::one_of("email", email, email_from_composite_field_path)?;
        match (credentials, secret_ref) {
            (Some(_), Some(_)) => Err(Wrong::both("credentials", "secretRef")),
            (Some(name), None) => Ok(Self::Credential { name: name.into(), email }),
            (None, Some(secret)) => Ok(Self::SecretRef {
                name: Source::needed("name", secret.name, secret.name_from_composite_field_path)
                    .map_err(|wrong| wrong.at("secretRef"))?,
                namespace: secret.namespace.map(Into::into),
                email_key: secret.email_key.map_or_else(|| "email".to_owned(), Into::into),
                password_key: secret.password_key.map_or_else(|| "password".to_owned(), Into::into),
                email,
            }),
            (None, None) => email.map(|email| Self::Generated { email }).ok_or_else(|| {
                let or_none = if adopts { ", or leave admin out beside adopt" } else { "" };
                Wrong::new(format!(
                    "has no email; write email or emailFromCompositeFieldPath, or credentials or secretRef{or_none}"
                ))
            }),
        }
    }
}

impl TryFrom<AdoptSecretRef> for Adopt {
    type Error = Wrong;

    fn try_from(secret: AdoptSecretRef) -> Result<Self, Wrong> {
        Ok(Self {
            name: Source::needed("name", secret.name, secret.name_from_composite_field_path)?,
            namespace: secret.namespace.map(Into::into),
            key: secret.key.map_or_else(|| "token".to_owned(), Into::into),
        })
    }
}
