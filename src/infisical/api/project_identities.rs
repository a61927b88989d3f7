//! Machine identities that a project manages.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{identities::Metadata, refusal::ResourceRefusal};
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// A machine identity of a project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectOwnIdentity {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name. Several may have the same.
    pub name: String,
    /// Whether it cannot be deleted.
    pub has_delete_protection: bool,
    /// Its metadata.
    pub metadata: Vec<Metadata>,
    /// The organization that it is in.
    #[serde(rename = "orgId")]
    pub organization_id: String,
    /// How it can log in; only a read by its id says so.
    #[serde(default)]
    pub auth_methods: Vec<String>,
}

fn identity(body: &[u8]) -> serde_json::Result<ProjectOwnIdentity> {
    #[derive(Deserialize)]
    struct Body {
        identity: ProjectOwnIdentity,
    }
    serde_json::from_slice(body).map(|Body { identity }| identity)
}

/// The identities of a project.
const IDENTITIES: &str = "/api/v1/projects/{id}/identities";

/// One of them.
const IDENTITY: &str = "/api/v1/projects/{id}/identities/{second}";

/// `POST /api/v1/projects/{id}/identities`: a new one that lives and ends with the project. Its
/// role is `no-access` until its membership is changed.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateProjectOwnIdentity<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// Its metadata.
    pub metadata: &'a [Metadata],
    /// Whether it cannot be deleted.
    pub has_delete_protection: bool,
}

impl Route for CreateProjectOwnIdentity<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = IDENTITIES;
    const WHAT: &'static str = "make the identity in the project";
    type Answer = ProjectOwnIdentity;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<ProjectOwnIdentity> {
        identity(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/{id}/identities/{second}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadProjectOwnIdentity<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ReadProjectOwnIdentity<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = IDENTITY;
    const WHAT: &'static str = "read the identity of the project";
    type Answer = ProjectOwnIdentity;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<ProjectOwnIdentity> {
        identity(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/{id}/identities`: all, with their metadata.
#[derive(Clone, Copy, Debug)]
pub struct ListProjectOwnIdentities<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
}

impl Route for ListProjectOwnIdentities<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = IDENTITIES;
    const WHAT: &'static str = "list the identities of the project";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<ProjectOwnIdentity>;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<ProjectOwnIdentity>> {
        #[derive(Deserialize)]
        struct Body {
            identities: Vec<ProjectOwnIdentity>,
        }
        serde_json::from_slice(body).map(|Body { identities }| identities)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v1/projects/{id}/identities/{second}`: what there is a value for. Its roles are its
/// membership's.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateProjectOwnIdentity<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// The identity.
    #[serde(skip)]
    pub identity_id: &'a str,
    /// Its name, the old one or another: without it the end of its delete protection is dropped.
    pub name: &'a str,
    /// All of its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a [Metadata]>,
    /// Whether it cannot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
}

impl Route for UpdateProjectOwnIdentity<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = IDENTITY;
    const WHAT: &'static str = "change the identity of the project";
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

/// `DELETE /api/v1/projects/{id}/identities/{second}`.
#[derive(Clone, Copy, Debug)]
pub struct DeleteProjectOwnIdentity<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for DeleteProjectOwnIdentity<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = IDENTITY;
    const WHAT: &'static str = "delete the identity of the project";
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
