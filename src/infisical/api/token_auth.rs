//! Token Auth: the tokens that a user mints for a machine identity.

use std::convert::Infallible;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    route::{self, Credential, Method, NoFields, PAGE, Paged, Route},
    secret::{AccessToken, UserToken},
};

/// The tokens of an identity.
const TOKENS: &str = "/api/v1/auth/token-auth/identities/{id}/tokens";

/// `POST /api/v1/auth/token-auth/identities/{id}/tokens`. Forbidden to a session that
/// may not.
#[derive(Clone, Copy, Debug)]
pub struct MintToken<'a> {
    /// A session in the identity's organization.
    pub session: &'a UserToken,
    /// The identity.
    pub identity_id: &'a str,
    /// What the token is called.
    pub name: &'a str,
}

/// The answer to [`MintToken`], given once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedToken {
    /// The token.
    pub token: AccessToken,
    /// Its id, by which it is revoked; the `jti` of its JWT.
    pub id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MintAnswer {
    #[serde(deserialize_with = "route::access_token")]
    access_token: AccessToken,
    token_data: TokenData,
}

#[derive(Deserialize)]
struct TokenData {
    #[serde(deserialize_with = "route::id")]
    id: String,
}

impl Route for MintToken<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = TOKENS;
    const WHAT: &'static str = "mint a token";
    type Answer = MintedToken;
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Session(self.session))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            name: &'a str,
        }
        route::json(&Body { name: self.name })
    }

    fn answer(body: &[u8]) -> serde_json::Result<MintedToken> {
        let MintAnswer { access_token, token_data } = serde_json::from_slice(body)?;
        Ok(MintedToken { token: access_token, id: token_data.id })
    }
}

/// `GET /api/v1/auth/token-auth/identities/{id}/tokens`.
#[derive(Clone, Copy, Debug)]
pub struct ListTokens<'a> {
    /// A session in the identity's organization.
    pub session: &'a UserToken,
    /// The identity.
    pub identity_id: &'a str,
    /// Where the page begins.
    pub offset: usize,
}

/// One of an identity's tokens, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedToken {
    /// Its id, by which it is revoked; the `jti` of its JWT.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// The name it was minted under. Tokens of other auth methods have none.
    #[serde(default, deserialize_with = "name")]
    pub name: String,
    /// When it was minted.
    #[serde(deserialize_with = "route::timestamp")]
    pub created_at: Timestamp,
    /// Whether it was revoked.
    #[serde(rename = "isAccessTokenRevoked")]
    pub revoked: bool,
}

fn name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Route for ListTokens<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = TOKENS;
    const WHAT: &'static str = "list the tokens";
    type Answer = Vec<ListedToken>;
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("offset", Some(self.offset.to_string())), ("limit", Some(PAGE.to_string()))]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Session(self.session))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<ListedToken>> {
        #[derive(Deserialize)]
        struct Body {
            tokens: Vec<ListedToken>,
        }
        serde_json::from_slice(body).map(|Body { tokens }| tokens)
    }
}

impl Paged for ListTokens<'_> {
    type Item = ListedToken;

    fn beginning_at(&self, offset: usize) -> Self {
        Self { offset, ..*self }
    }
}

/// `POST /api/v1/auth/token-auth/tokens/{id}/revoke`: ends every JWT with that `jti`.
#[derive(Clone, Copy, Debug)]
pub struct RevokeToken<'a> {
    /// A session in the identity's organization.
    pub session: &'a UserToken,
    /// The token's id.
    pub token_id: &'a str,
}

impl Route for RevokeToken<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/auth/token-auth/tokens/{id}/revoke";
    const WHAT: &'static str = "revoke a token";
    type Answer = ();
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.token_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Session(self.session))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(&NoFields {})
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }
}
