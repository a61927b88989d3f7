//! Projects, and the machine identities that are members of one.

use std::convert::Infallible;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    error::ErrorKind,
    route::{self, Credential, Method, RefusalBody, Route},
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
