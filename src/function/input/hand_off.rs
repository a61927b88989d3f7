//! Handing off: a machine identity with fewer rights, and what becomes of the
//! instance admin's.

use std::{collections::BTreeSet, sync::Arc};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    connection::{SecretRef, check_details},
    one_of::Source,
    text::{Key, Namespace, ObjectName, Path, StatusPath, checked, if_it, texts},
    wrong::Wrong,
};
use crate::contract::fieldpath::FieldPath;

/// The role of an identity whose author chose none. A member of the organization
/// can create projects, whose admin it then is, and sees none of others; with the
/// server's own default, no-access, it could do nothing in an empty instance.
const DEFAULT_ROLE: &str = "member";

/// The role in a project whose author chose none: whoever is added to one is meant
/// to read and write its secrets, and not to manage it.
const DEFAULT_PROJECT_ROLE: &str = "member";

/// The keys of a Secret whose author chose none.
const DEFAULT_DETAILS: [(&str, IdentityDetailValue); 7] = [
    ("clientId", IdentityDetailValue::ClientId),
    ("clientSecret", IdentityDetailValue::ClientSecret),
    ("host", IdentityDetailValue::Host),
    ("organizationId", IdentityDetailValue::OrganizationId),
    ("organizationSlug", IdentityDetailValue::OrganizationSlug),
    ("identityId", IdentityDetailValue::IdentityId),
    ("credentials", IdentityDetailValue::Credentials),
];

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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "ProjectFields")]
#[schemars(with = "ProjectFields")]
pub struct Project {
    /// Which.
    pub slug: ProjectSlug,
    /// The slug of the role.
    pub role: String,
}

/// A project's slug; in what is observed, a field of the XR is one that has no value
/// yet.
pub type ProjectSlug = Source<String>;

/// Whether a text can be a slug: Infisical makes them of lower-case letters, digits,
/// hyphens and underscores, 64 at most (read in its source).
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let is_of_slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_of_slug)
}

texts! {
    RoleSlug(String) = |text| if_it(is_slug, text,
        "is no slug of a role; write one such as \"member\" or \"no-access\"");
    ProjectSlugText(String) = |text| if_it(is_slug, text,
        "is no slug of a project; write one such as \"payments\"");
}

/// A key of the Secret with client ID and secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityDetail {
    /// The key.
    #[serde(deserialize_with = "checked::<Key, _, _>")]
    pub name: String,
    /// What it holds.
    pub value: IdentityDetailValue,
}

/// What a key of the Secret with client ID and secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum InstanceAdmin {
    /// It stays.
    #[default]
    Keep,
    /// It is revoked once the client secret is in the cluster and works. Only a
    /// server admin can give it back.
    Revoke,
}

/// `handOff` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HandOffFields {
    /// The slug of the organization role that the identity is made with, such as
    /// no-access, member or admin. Default: member, who can create projects and
    /// sees none of others.
    role: Option<RoleSlug>,
    /// The projects that the identity becomes a member of. One that is not there
    /// yet is waited for. A membership that is left out later stays.
    #[serde(default)]
    projects: Vec<Project>,
    /// The Secret that client ID and secret are written to.
    write_connection_secret_to_ref: Option<IdentitySecretRef>,
    /// The keys of that Secret. Default: clientId, clientSecret, host,
    /// organizationId, organizationSlug, identityId and credentials.
    #[serde(default)]
    connection_details: Vec<IdentityDetail>,
    /// What becomes of the instance admin right of the identity that bootstrap has
    /// made. Default: Keep.
    #[serde(default)]
    instance_admin: InstanceAdmin,
    /// A field path of the XR, such as status.identity, to which identityId and
    /// secretRef are written. What the XRD does not declare of them is left out.
    /// Default: none.
    status: Option<StatusPath>,
}

/// A project as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProjectFields {
    /// The project's slug. This or slugFromCompositeFieldPath is needed.
    slug: Option<ProjectSlugText>,
    /// The field of the XR that holds the slug.
    slug_from_composite_field_path: Option<Path>,
    /// The slug of the role that the identity gets in the project, such as viewer,
    /// member, admin or one of the project's own. Default: member. One that the
    /// identity has already stays as it is.
    role: Option<RoleSlug>,
}

/// `handOff.writeConnectionSecretToRef` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentitySecretRef {
    /// Its name. Default: the XR's name, followed by -identity.
    name: Option<ObjectName>,
    /// Its namespace. Default: that of the connection Secret.
    namespace: Option<Namespace>,
}

impl From<IdentitySecretRef> for SecretRef {
    fn from(secret: IdentitySecretRef) -> Self {
        Self { name: secret.name.map(Into::into), namespace: secret.namespace.map(Into::into) }
    }
}

impl TryFrom<ProjectFields> for Project {
    type Error = Wrong;

    fn try_from(fields: ProjectFields) -> Result<Self, Wrong> {
        Ok(Self {
            slug: Source::needed("slug", fields.slug, fields.slug_from_composite_field_path)?,
            role: fields.role.map_or_else(|| DEFAULT_PROJECT_ROLE.to_owned(), Into::into),
        })
    }
}

impl HandOff {
    /// `of_connection` is where the XR's status describes the connection.
    pub(super) fn new(fields: HandOffFields, of_connection: Option<&FieldPath>) -> Result<Self, Wrong> {
        let mut taken = BTreeSet::new();
        for (index, project) in fields.projects.iter().enumerate() {
            if let ProjectSlug::Literal(slug) = &project.slug
                && !taken.insert(slug)
            {
                let problem = format!("{slug:?} is there already; remove one");
                return Err(Wrong::new(problem).at(format!("projects[{index}].slug")));
            }
        }
        let details = fields.connection_details;
        let details = if details.is_empty() {
            DEFAULT_DETAILS.map(|(name, value)| IdentityDetail { name: name.to_owned(), value }).into()
        } else {
            details
        };
        // Both are found again under their keys.
        let needed = [
            ("clientId", IdentityDetailValue::ClientId),
            ("clientSecret", IdentityDetailValue::ClientSecret),
        ];
        check_details(&details, |detail| (&detail.name, detail.value), &needed)?;
        let status: Option<FieldPath> = fields.status.map(Into::into);
        // It would take the place of what is said of the connection.
        let is_around = |path: &FieldPath| {
            of_connection.is_some_and(|other| other.segments().starts_with(path.segments()))
        };
        if status.as_ref().is_some_and(is_around) {
            let problem = "is the field of input.status, or around it; write another";
            return Err(Wrong::new(problem).at("status"));
        }
        Ok(Self {
            role: fields.role.map_or_else(|| DEFAULT_ROLE.to_owned(), Into::into),
            projects: fields.projects.into(),
            secret: fields.write_connection_secret_to_ref.map(Into::into),
            details,
            instance_admin: fields.instance_admin,
            status,
        })
    }
}
