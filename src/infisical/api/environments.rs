//! Environments of a project. Their list is in the answer to a read of the project.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::refusal::ResourceRefusal;
use crate::{
    error::ErrorKind,
    route::{self, Credential, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// An environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Environment {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its slug, unique in the project.
    pub slug: String,
    /// Its place among the others, which moves when they come and go.
    pub position: u32,
}

fn environment(body: &[u8]) -> serde_json::Result<Environment> {
    #[derive(Deserialize)]
    struct Body {
        environment: Environment,
    }
    serde_json::from_slice(body).map(|Body { environment }| environment)
}

/// An environment by its id.
const ENVIRONMENT: &str = "/api/v1/projects/{id}/environments/{second}";

/// `POST /api/v1/projects/{id}/environments`. A deleted one holds its slug for fourteen days.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateEnvironment<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// Its slug: up to 64 characters.
    pub slug: &'a str,
    /// Its place among the others, from one; the last where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

impl Route for CreateEnvironment<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/projects/{id}/environments";
    const WHAT: &'static str = "make the environment";
    type Answer = Environment;
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

    fn answer(body: &[u8]) -> serde_json::Result<Environment> {
        environment(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/projects/{id}/environments/{second}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadEnvironment<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The environment's id.
    pub environment_id: &'a str,
}

impl Route for ReadEnvironment<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = ENVIRONMENT;
    const WHAT: &'static str = "read the environment";
    type Answer = Environment;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.environment_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Environment> {
        environment(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v1/projects/{id}/environments/{second}`: what there is a value for. Without any
/// the server fails.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateEnvironment<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    #[serde(skip)]
    pub project_id: &'a str,
    /// The environment's id.
    #[serde(skip)]
    pub environment_id: &'a str,
    /// What it is to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Its slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<&'a str>,
    /// Its place among the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

impl Route for UpdateEnvironment<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = ENVIRONMENT;
    const WHAT: &'static str = "change the environment";
    type Answer = Environment;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.environment_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<Environment> {
        environment(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v1/projects/{id}/environments/{second}`. For fourteen days it can be restored,
/// and holds its slug.
#[derive(Clone, Copy, Debug)]
pub struct DeleteEnvironment<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The environment's id.
    pub environment_id: &'a str,
    /// Whether it is gone at once, with its secrets, also if it was deleted before.
    pub for_good: bool,
}

impl Route for DeleteEnvironment<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = ENVIRONMENT;
    const WHAT: &'static str = "delete the environment";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.environment_id]
    }

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        let for_good = self.for_good.then(|| ("hardDelete", Some("true".to_owned())));
        for_good.into_iter().collect()
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

/// `POST /api/v1/projects/{id}/environments/{second}/restore`: brings a deleted one back with its
/// secrets, at the last place.
#[derive(Clone, Copy, Debug)]
pub struct RestoreEnvironment<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The environment's id.
    pub environment_id: &'a str,
}

impl Route for RestoreEnvironment<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/projects/{id}/environments/{second}/restore";
    const WHAT: &'static str = "restore the environment";
    type Answer = Environment;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.project_id, self.environment_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Environment> {
        environment(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}
