//! Projects, and the machine identities that are members of one.

use std::convert::Infallible;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::refusal::ResourceRefusal;
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// `GET /api/v1/projects/slug/{slug}`: the id of a project of the organization. Read in
/// the source.
#[derive(Clone, Copy, Debug)]
pub struct FindProject<'a> {
    /// The token of an identity of the organization.
    pub token: &'a AccessToken,
    /// The project's slug.
    pub slug: &'a str,
}

/// 404: the organization has no project of that slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such project")]
pub struct NoSuchProject;

impl Route for FindProject<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/projects/slug/{id}";
    const WHAT: &'static str = "look for the project";
    type Answer = String;
    type Refusal = NoSuchProject;

    fn ids(&self) -> Vec<&str> {
        vec![self.slug]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<String> {
        #[derive(Deserialize)]
        struct Body {
            #[serde(deserialize_with = "route::id")]
            id: String,
        }
        serde_json::from_slice(body).map(|Body { id }| id)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<NoSuchProject>> {
        (body.status == 404).then_some(ErrorKind::Refused(NoSuchProject))
    }
}

/// An identity's membership of a project.
const MEMBERSHIP: &str = "/api/v1/projects/{id}/identity-memberships/{second}";

/// `GET /api/v1/projects/{id}/identity-memberships/{second}`: whether an identity is a
/// member of a project. Read in the source.
#[derive(Clone, Copy, Debug)]
pub struct ReadProjectMembership<'a> {
    /// The token of a member that may see others.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
}

/// 404: the identity is no member of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity is not a member of the project")]
pub struct NotAMember;

impl Route for ReadProjectMembership<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = MEMBERSHIP;
    const WHAT: &'static str = "ask for the membership of the project";
    type Answer = ();
    type Refusal = NotAMember;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<NotAMember>> {
        (body.status == 404).then_some(ErrorKind::Refused(NotAMember))
    }
}

/// `POST /api/v1/projects/{id}/identity-memberships/{second}`: makes it one. Read in
/// the source.
#[derive(Clone, Copy, Debug)]
pub struct AddToProject<'a> {
    /// The token of a member that may add others.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The identity.
    pub identity_id: &'a str,
    /// The slug of its role in the project.
    pub role: &'a str,
}

impl Route for AddToProject<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = MEMBERSHIP;
    const WHAT: &'static str = "add the identity to the project";
    type Answer = ();
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            role: &'a str,
        }
        route::json(&Body { role: self.role })
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }
}

/// A project, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its slug, unique in the organization.
    pub slug: String,
    /// What it is described as.
    pub description: Option<String>,
    /// Its type, which stays: `secret-manager`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it cannot be deleted.
    pub has_delete_protection: bool,
    /// Whether it refuses names of secrets in lower case.
    pub auto_capitalization: bool,
    /// Its environments, in their order.
    pub environments: Vec<ProjectEnvironment>,
    /// Those that were deleted in the last fourteen days; their slugs are held. Older
    /// servers have no such.
    #[serde(default)]
    pub deleted_environments: Vec<ProjectEnvironment>,
}

/// An environment, as its project has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProjectEnvironment {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its slug, unique in the project.
    pub slug: String,
}

/// The answer that has a project in it.
fn project(body: &[u8]) -> serde_json::Result<Project> {
    #[derive(Deserialize)]
    struct Body {
        project: Project,
    }
    serde_json::from_slice(body).map(|Body { project }| project)
}

/// A project by its id.
const PROJECT: &str = "/api/v1/projects/{id}";

/// `POST /api/v1/projects`. Who makes it is its admin.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateProject<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// What it is called.
    #[serde(rename = "projectName")]
    pub name: &'a str,
    /// Its slug: 5 to 36 characters, lower case, digits and single hyphens. Without one each try
    /// would make another project.
    pub slug: &'a str,
    /// What it is described as.
    #[serde(rename = "projectDescription", skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// Its type; `secret-manager` where there is none.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'a str>,
    /// Whether it begins with the environments dev, staging and prod.
    #[serde(rename = "shouldCreateDefaultEnvs")]
    pub has_default_environments: bool,
    /// Whether it cannot be deleted.
    pub has_delete_protection: bool,
}

impl Route for CreateProject<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/projects";
    const WHAT: &'static str = "make the project";
    type Answer = Project;
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<Project> {
        project(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadProject<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
}

impl Route for ReadProject<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = PROJECT;
    const WHAT: &'static str = "read the project";
    type Answer = Project;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Project> {
        project(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/slug/{name}`. A slug with an underscore cannot be asked for: 422.
#[derive(Clone, Copy, Debug)]
pub struct ReadProjectBySlug<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// Its slug.
    pub slug: &'a str,
}

impl Route for ReadProjectBySlug<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/projects/slug/{name}";
    const WHAT: &'static str = "read the project by its slug";
    type Answer = Project;
    type Refusal = ResourceRefusal;

    fn name(&self) -> Option<&str> {
        Some(self.slug)
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Project> {
        serde_json::from_slice(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects`: all of which the identity is a member; none without that.
#[derive(Clone, Copy, Debug)]
pub struct ListProjects<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
}

impl Route for ListProjects<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/projects";
    const WHAT: &'static str = "list the projects";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<Project>;
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<Project>> {
        #[derive(Deserialize)]
        struct Body {
            projects: Vec<Project>,
        }
        serde_json::from_slice(body).map(|Body { projects }| projects)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v1/projects/{id}`: what there is a value for. Without any the server fails.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateProject<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// What it is to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Its slug: up to 64 characters, underscores too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<&'a str>,
    /// What it is described as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// Whether it cannot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
    /// Whether it refuses names of secrets in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_capitalization: Option<bool>,
}

impl Route for UpdateProject<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = PROJECT;
    const WHAT: &'static str = "change the project";
    type Answer = ();
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

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v1/projects/{id}`, with all that is in it.
#[derive(Clone, Copy, Debug)]
pub struct DeleteProject<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
}

impl Route for DeleteProject<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = PROJECT;
    const WHAT: &'static str = "delete the project";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id]
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
