//! Handing off: a machine identity with fewer rights, and what becomes of the
//! instance admin's.

use std::sync::Arc;

use super::SecretRef;
use crate::contract::fieldpath::FieldPath;

/// What the composition's author asks for after bootstrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOff {
    /// The slug of the identity's role in the organization.
    pub role: String,
    /// The projects that it becomes a member of.
    pub projects: Arc<[Project]>,
    /// The Secret with client ID and secret.
    pub secret: Option<SecretRef>,
    /// The keys of that Secret. Client ID and secret are always among them.
    pub details: Vec<IdentityDetail>,
    /// What becomes of the bootstrap identity's right.
    pub instance_admin: InstanceAdmin,
    /// Where in the XR's status the identity is described, if anywhere. As that of
    /// the connection, and not around it.
    pub status: Option<FieldPath>,
}

/// A project, and the identity's role in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Which.
    pub slug: ProjectSlug,
    /// The slug of the role.
    pub role: String,
}

/// A project's slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectSlug {
    /// This one.
    Literal(String),
    /// The one that a field of the XR holds; in what is observed, one that has no
    /// value yet.
    FromCompositeFieldPath(FieldPath),
}

/// Whether a text can be a slug: Infisical makes them of lower-case letters, digits,
/// hyphens and underscores, 64 at most (read in its source).
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let is_of_slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_of_slug)
}

/// A key of the Secret with client ID and secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityDetail {
    /// The key.
    pub name: String,
    /// What it holds.
    pub value: IdentityDetailValue,
}

/// What a key of the Secret with client ID and secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, schemars::JsonSchema)]
pub enum IdentityDetailValue {
    /// The identity's client ID.
    ClientId,
    /// The identity's client secret.
    ClientSecret,
    /// The instance's URL.
    Host,
    /// The organization's ID.
    OrganizationId,
    /// The organization's slug.
    OrganizationSlug,
    /// The identity's ID.
    IdentityId,
    /// The JSON that provider-infisical reads:
    /// `{"auth":{"universal":{"client_id":"…","client_secret":"…"}}}`.
    Credentials,
}

/// What becomes of the instance admin right of the identity that bootstrap has
/// made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
pub enum InstanceAdmin {
    /// It stays.
    #[default]
    Keep,
    /// It is revoked once the client secret is in the cluster and works. Only a
    /// server admin can give it back.
    Revoke,
}
