//! Additional privileges: permissions of one identity in one project, with conditions.
//! The identity has to be a member, and they end with its membership.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    memberships::{ReadDuration, Temporary, WrittenDuration},
    refusal::ResourceRefusal,
};
use crate::{
    error::ErrorKind,
    route::{self, Credential, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// An additional privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// Its id, a UUID.
    pub id: String,
    /// Its slug, unique for an identity in a project.
    pub slug: String,
    /// For how long, if not for ever.
    pub temporary: Option<Temporary>,
    /// What it permits: subject, action, conditions, and `inverted`, which the server
    /// adds. A list has none.
    pub permissions: Vec<Value>,
}

#[derive(Deserialize)]
struct ReadPrivilegeBody {
    #[serde(deserialize_with = "route::id")]
    id: String,
    slug: String,
    #[serde(flatten)]
    duration: ReadDuration,
    #[serde(default)]
    permissions: Vec<Value>,
}

impl From<ReadPrivilegeBody> for Privilege {
    fn from(ReadPrivilegeBody { id, slug, duration, permissions }: ReadPrivilegeBody) -> Self {
        Self { id, slug, temporary: duration.into(), permissions }
    }
}

fn privilege(body: &[u8]) -> serde_json::Result<Privilege> {
    #[derive(Deserialize)]
    struct Body {
        privilege: ReadPrivilegeBody,
    }
    serde_json::from_slice(body).map(|Body { privilege }| privilege.into())
}

/// A privilege as requests have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_id: Option<&'a str>,
    slug: &'a str,
    #[serde(rename = "type")]
    duration: WrittenDuration,
    permissions: &'a [Value],
}

/// The privileges.
const PRIVILEGES: &str = "/api/v2/identity-project-additional-privilege";

/// One by its id.
const PRIVILEGE: &str = "/api/v2/identity-project-additional-privilege/{id}";

/// `POST /api/v2/identity-project-additional-privilege`.
#[derive(Clone, Copy, Debug)]
pub struct CreatePrivilege<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
    /// Its slug.
    pub slug: &'a str,
    /// For how long, if not for ever.
    pub temporary: Option<&'a Temporary>,
    /// All that it permits: subject, action and conditions of each.
    pub permissions: &'a [Value],
}

impl Route for CreatePrivilege<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = PRIVILEGES;
    const WHAT: &'static str = "make the privilege";
    type Answer = Privilege;
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        let Self { project_id, identity_id, slug, permissions, .. } = *self;
        let duration = self.temporary.cloned().into();
        let (project_id, identity_id) = (Some(project_id), Some(identity_id));
        route::json(&Written { project_id, identity_id, slug, duration, permissions })
    }

    fn answer(body: &[u8]) -> serde_json::Result<Privilege> {
        privilege(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v2/identity-project-additional-privilege/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadPrivilege<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The privilege's id.
    pub privilege_id: &'a str,
}

impl Route for ReadPrivilege<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = PRIVILEGE;
    const WHAT: &'static str = "read the privilege";
    type Answer = Privilege;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.privilege_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Privilege> {
        privilege(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v2/identity-project-additional-privilege/slug/{name}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadPrivilegeBySlug<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The slug of the project.
    pub project_slug: &'a str,
    /// The identity.
    pub identity_id: &'a str,
    /// Its slug.
    pub slug: &'a str,
}

impl Route for ReadPrivilegeBySlug<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v2/identity-project-additional-privilege/slug/{name}";
    const WHAT: &'static str = "read the privilege by its slug";
    type Answer = Privilege;
    type Refusal = ResourceRefusal;

    fn name(&self) -> Option<&str> {
        Some(self.slug)
    }

    fn texts(&self) -> Vec<(&'static str, &str)> {
        vec![("identityId", self.identity_id), ("projectSlug", self.project_slug)]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Privilege> {
        privilege(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v2/identity-project-additional-privilege`: those of an identity in a project, without
/// what they permit.
#[derive(Clone, Copy, Debug)]
pub struct ListPrivileges<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ListPrivileges<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = PRIVILEGES;
    const WHAT: &'static str = "list the privileges";
    type Answer = Vec<Privilege>;
    type Refusal = ResourceRefusal;

    fn texts(&self) -> Vec<(&'static str, &str)> {
        vec![("identityId", self.identity_id), ("projectId", self.project_id)]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<Privilege>> {
        #[derive(Deserialize)]
        struct Body {
            privileges: Vec<ReadPrivilegeBody>,
        }
        let Body { privileges } = serde_json::from_slice(body)?;
        Ok(privileges.into_iter().map(Privilege::from).collect())
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v2/identity-project-additional-privilege/{id}`: replaces all of it.
#[derive(Clone, Copy, Debug)]
pub struct UpdatePrivilege<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The privilege's id.
    pub privilege_id: &'a str,
    /// Its slug.
    pub slug: &'a str,
    /// For how long, if not for ever.
    pub temporary: Option<&'a Temporary>,
    /// All that it permits: subject, action and conditions of each.
    pub permissions: &'a [Value],
}

impl Route for UpdatePrivilege<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = PRIVILEGE;
    const WHAT: &'static str = "change the privilege";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.privilege_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        let Self { slug, permissions, .. } = *self;
        let (duration, project_id, identity_id) = (self.temporary.cloned().into(), None, None);
        route::json(&Written { project_id, identity_id, slug, duration, permissions })
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v2/identity-project-additional-privilege/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct DeletePrivilege<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The privilege's id.
    pub privilege_id: &'a str,
}

impl Route for DeletePrivilege<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = PRIVILEGE;
    const WHAT: &'static str = "delete the privilege";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.privilege_id]
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
