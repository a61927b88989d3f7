//! Machine identities of an organization.

use std::convert::Infallible;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::organizations::Organization;
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// `GET /api/v1/identities/details`: whose token this is, if it works. Refused to one
/// that does not.
#[derive(Clone, Copy, Debug)]
pub struct VerifyToken<'a> {
    /// The token.
    pub token: &'a AccessToken,
}

impl Route for VerifyToken<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/identities/details";
    const WHAT: &'static str = "verify the token";
    type Answer = Organization;
    type Refusal = Infallible;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Organization> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            identity_details: Details,
        }
        #[derive(Deserialize)]
        struct Details {
            organization: Organization,
        }
        serde_json::from_slice(body).map(|Body { identity_details }| identity_details.organization)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<Infallible>> {
        route::of_the_token(body)
    }
}

/// `GET /api/v1/identities`: all of an organization. Read in the
/// source: the route has no pages.
#[derive(Clone, Copy, Debug)]
pub struct ListIdentities<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The organization.
    pub organization_id: &'a str,
}

/// A machine identity of an organization, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedIdentity {
    /// Its id, a UUID.
    pub id: String,
    /// Its name. Several may have the same.
    pub name: String,
    /// When it became a member of the organization.
    pub created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Membership {
    #[serde(deserialize_with = "route::timestamp")]
    created_at: Timestamp,
    identity: Named,
}

#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "route::id")]
    id: String,
    name: String,
}

impl Route for ListIdentities<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/identities";
    const WHAT: &'static str = "list the organization's identities";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<ListedIdentity>;
    type Refusal = Infallible;

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("orgId", Some(self.organization_id.to_owned()))]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<ListedIdentity>> {
        #[derive(Deserialize)]
        struct Body {
            identities: Vec<Membership>,
        }
        let Body { identities } = serde_json::from_slice(body)?;
        let listed =
            |Membership { created_at, identity: Named { id, name } }| ListedIdentity { id, name, created_at };
        Ok(identities.into_iter().map(listed).collect())
    }
}

/// `POST /api/v1/identities`: a new one; its id. The name need not be free.
#[derive(Clone, Copy, Debug)]
pub struct CreateIdentity<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The organization.
    pub organization_id: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// The slug of its role in the organization.
    pub role: &'a str,
}

impl Route for CreateIdentity<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/identities";
    const WHAT: &'static str = "make the identity";
    type Answer = String;
    type Refusal = Infallible;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            name: &'a str,
            organization_id: &'a str,
            role: &'a str,
        }
        let Self { organization_id, name, role, .. } = self;
        route::json(&Body { name, organization_id, role })
    }

    fn answer(body: &[u8]) -> serde_json::Result<String> {
        #[derive(Deserialize)]
        struct Body {
            identity: Named,
        }
        serde_json::from_slice(body).map(|Body { identity }| identity.id)
    }
}

/// `DELETE /api/v1/identities/{id}`. Read in the source.
#[derive(Clone, Copy, Debug)]
pub struct DeleteIdentity<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for DeleteIdentity<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/api/v1/identities/{id}";
    const WHAT: &'static str = "delete an identity";
    type Answer = ();
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }
}
