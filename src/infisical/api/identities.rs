//! Machine identities of an organization.

use std::convert::Infallible;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{organizations::Organization, refusal::ResourceRefusal};
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, PAGE, Paged, RefusalBody, Route},
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
        listed(body)
    }
}

/// The answer that has a list of identities.
fn listed(body: &[u8]) -> serde_json::Result<Vec<ListedIdentity>> {
    #[derive(Deserialize)]
    struct Body {
        identities: Vec<Membership>,
    }
    let Body { identities } = serde_json::from_slice(body)?;
    let listed =
        |Membership { created_at, identity: Named { id, name } }| ListedIdentity { id, name, created_at };
    Ok(identities.into_iter().map(listed).collect())
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

/// `DELETE /api/v1/identities/{id}`.
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
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
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

/// A key and a value on an identity or a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metadata {
    /// The key, up to 255 characters. It may be there more than once.
    pub key: String,
    /// The value, up to 1020 characters, of an identity at least one.
    pub value: String,
}

/// A machine identity, as read by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id, a UUID.
    pub id: String,
    /// Its name. Several may have the same.
    pub name: String,
    /// The organization that it is of.
    pub organization_id: String,
    /// The slug of its role in the organization.
    pub role: String,
    /// Whether it cannot be deleted.
    pub has_delete_protection: bool,
    /// Its metadata.
    pub metadata: Vec<Metadata>,
    /// How it can log in, such as `universal-auth`.
    pub auth_methods: Vec<String>,
}

/// An identity by its id.
const IDENTITY: &str = "/api/v1/identities/{id}";

/// `POST /api/v1/identities`: a new one with metadata, by which it is found again; its id. The
/// name need not be free.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMarkedIdentity<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The organization.
    pub organization_id: &'a str,
    /// What it is called: up to 255 characters.
    pub name: &'a str,
    /// The slug of its role in the organization.
    pub role: &'a str,
    /// Its metadata.
    pub metadata: &'a [Metadata],
    /// Whether it cannot be deleted.
    pub has_delete_protection: bool,
}

impl Route for CreateMarkedIdentity<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/identities";
    const WHAT: &'static str = "make the identity with its metadata";
    type Answer = String;
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<String> {
        #[derive(Deserialize)]
        struct Body {
            identity: Named,
        }
        serde_json::from_slice(body).map(|Body { identity }| identity.id)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/identities/{id}`: with its metadata, which no list has. One that a project manages
/// is not found.
#[derive(Clone, Copy, Debug)]
pub struct ReadIdentity<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ReadIdentity<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = IDENTITY;
    const WHAT: &'static str = "read the identity";
    type Answer = Identity;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Identity> {
        #[derive(Deserialize)]
        struct Body {
            identity: Place,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Place {
            org_id: String,
            role: String,
            /// Read in the source: where there is one, the role is `custom`.
            custom_role: Option<CustomRole>,
            metadata: Vec<Metadata>,
            identity: Own,
        }
        #[derive(Deserialize)]
        struct CustomRole {
            slug: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Own {
            #[serde(deserialize_with = "route::id")]
            id: String,
            name: String,
            has_delete_protection: bool,
            #[serde(default)]
            auth_methods: Vec<String>,
        }
        let Body { identity: place } = serde_json::from_slice(body)?;
        let Place { org_id: organization_id, role, custom_role, metadata, identity } = place;
        let role = custom_role.map_or(role, |custom| custom.slug);
        let Own { id, name, has_delete_protection, auth_methods } = identity;
        Ok(Identity { id, name, organization_id, role, has_delete_protection, metadata, auth_methods })
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `POST /api/v1/identities/search`: a page of those of a name. The server searches only for
/// letters, digits, space, `_`, `-` and `/` (422 else).
#[derive(Clone, Copy, Debug)]
pub struct SearchIdentities<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The name. Case counts.
    pub name: &'a str,
    /// Where the page begins.
    pub offset: usize,
}

impl Route for SearchIdentities<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/identities/search";
    const WHAT: &'static str = "search identities by name";
    type Answer = Vec<ListedIdentity>;
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            search: Search<'a>,
            limit: usize,
            offset: usize,
        }
        #[derive(Serialize)]
        struct Search<'a> {
            name: Equal<'a>,
        }
        #[derive(Serialize)]
        struct Equal<'a> {
            #[serde(rename = "$eq")]
            equal: &'a str,
        }
        let search = Search { name: Equal { equal: self.name } };
        route::json(&Body { search, limit: PAGE, offset: self.offset })
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<ListedIdentity>> {
        listed(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

impl Paged for SearchIdentities<'_> {
    type Item = ListedIdentity;

    fn beginning_at(&self, offset: usize) -> Self {
        Self { offset, ..*self }
    }
}

/// `PATCH /api/v1/identities/{id}`: what there is a value for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateIdentity<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The identity.
    #[serde(skip)]
    pub identity_id: &'a str,
    /// Its name, the old one or another: without it the end of its delete protection is dropped.
    pub name: &'a str,
    /// The slug of its role in the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// All of its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a [Metadata]>,
    /// Whether it cannot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
}

impl Route for UpdateIdentity<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = IDENTITY;
    const WHAT: &'static str = "change the identity";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
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
