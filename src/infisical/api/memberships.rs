//! What machine identities may do in a project: memberships with roles.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::refusal::ResourceRefusal;
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// A role of a membership. It reads back as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "WrittenRole", from = "ReadRole")]
pub struct MembershipRole {
    /// Its slug, also of a custom one.
    pub role: String,
    /// For how long, if not for ever.
    pub temporary: Option<Temporary>,
}

/// For how long something is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Temporary {
    /// How long: `1h`, `2d`.
    #[serde(rename = "temporaryRange")]
    pub range: String,
    /// From when. A server keeps milliseconds.
    #[serde(rename = "temporaryAccessStartTime", serialize_with = "with_milliseconds")]
    pub start: Timestamp,
}

fn with_milliseconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

/// Whether something is temporary, as requests say it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenDuration {
    is_temporary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temporary_mode: Option<&'static str>,
    #[serde(flatten)]
    temporary: Option<Temporary>,
}

impl From<Option<Temporary>> for WrittenDuration {
    fn from(temporary: Option<Temporary>) -> Self {
        let temporary_mode = temporary.is_some().then_some("relative");
        Self { is_temporary: temporary.is_some(), temporary_mode, temporary }
    }
}

/// Whether something is temporary, as answers say it: the fields of what is not are null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadDuration {
    temporary_range: Option<String>,
    #[serde(default, deserialize_with = "timestamp")]
    temporary_access_start_time: Option<Timestamp>,
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

impl From<ReadDuration> for Option<Temporary> {
    fn from(read: ReadDuration) -> Self {
        Some(Temporary { range: read.temporary_range?, start: read.temporary_access_start_time? })
    }
}

#[derive(Serialize)]
struct WrittenRole {
    role: String,
    #[serde(flatten)]
    duration: WrittenDuration,
}

impl From<MembershipRole> for WrittenRole {
    fn from(MembershipRole { role, temporary }: MembershipRole) -> Self {
        Self { role, duration: temporary.into() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadRole {
    role: String,
    custom_role_slug: Option<String>,
    #[serde(flatten)]
    duration: ReadDuration,
}

impl From<ReadRole> for MembershipRole {
    fn from(ReadRole { role, custom_role_slug, duration }: ReadRole) -> Self {
        Self { role: custom_role_slug.unwrap_or(role), temporary: duration.into() }
    }
}

/// A machine identity's membership of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityMembership {
    /// The identity.
    pub identity_id: String,
    /// Its roles, in no order that counts.
    pub roles: Vec<MembershipRole>,
}

#[derive(Deserialize)]
struct Listed {
    roles: Vec<MembershipRole>,
    identity: Member,
}

#[derive(Deserialize)]
struct Member {
    #[serde(deserialize_with = "route::id")]
    id: String,
}

impl From<Listed> for IdentityMembership {
    fn from(Listed { roles, identity }: Listed) -> Self {
        Self { identity_id: identity.id, roles }
    }
}

/// The membership of an identity.
const MEMBERSHIP: &str = "/api/v1/projects/{id}/memberships/identities/{second}";

/// `POST /api/v1/projects/{id}/memberships/identities/{second}`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMembership<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// The identity.
    #[serde(skip)]
    pub identity_id: &'a str,
    /// Its roles, of which one at least is for ever.
    pub roles: &'a [MembershipRole],
}

impl Route for CreateMembership<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = MEMBERSHIP;
    const WHAT: &'static str = "add the identity to the project with its roles";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/{id}/memberships/identities/{second}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadMembership<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ReadMembership<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = MEMBERSHIP;
    const WHAT: &'static str = "read the membership";
    type Answer = IdentityMembership;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<IdentityMembership> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            identity_membership: Listed,
        }
        serde_json::from_slice(body).map(|Body { identity_membership }| identity_membership.into())
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/{id}/memberships/identities`: all of a project.
#[derive(Clone, Copy, Debug)]
pub struct ListMemberships<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
}

impl Route for ListMemberships<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/projects/{id}/memberships/identities";
    const WHAT: &'static str = "list the memberships of the project";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<IdentityMembership>;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<IdentityMembership>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            identity_memberships: Vec<Listed>,
        }
        let Body { identity_memberships } = serde_json::from_slice(body)?;
        Ok(identity_memberships.into_iter().map(IdentityMembership::from).collect())
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v1/projects/{id}/memberships/identities/{second}`: replaces all roles.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMembership<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// The identity.
    #[serde(skip)]
    pub identity_id: &'a str,
    /// Its roles, of which one at least is for ever.
    pub roles: &'a [MembershipRole],
}

impl Route for UpdateMembership<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = MEMBERSHIP;
    const WHAT: &'static str = "change the membership";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v1/projects/{id}/memberships/identities/{second}`: with the identity's additional
/// privileges there.
#[derive(Clone, Copy, Debug)]
pub struct DeleteMembership<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for DeleteMembership<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = MEMBERSHIP;
    const WHAT: &'static str = "take the identity out of the project";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}
