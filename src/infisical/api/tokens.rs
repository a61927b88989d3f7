//! What an access token does for itself: it is renewed and ended with nothing but
//! itself, whichever login it is of.

use std::convert::Infallible;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    error::ErrorKind,
    route::{self, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// The token itself is the credential, and goes into the body.
fn body_of(token: &AccessToken) -> serde_json::Result<Option<Bytes>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        access_token: &'a str,
    }
    // Exposed for that.
    route::json(&Body { access_token: token.expose() })
}

/// `POST /api/v1/auth/token/renew`: a new JWT with the same `jti`. Refused to one that
/// is expired, revoked or none.
#[derive(Clone, Copy, Debug)]
pub struct RenewToken<'a> {
    /// The token.
    pub token: &'a AccessToken,
}

impl Route for RenewToken<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/auth/token/renew";
    const WHAT: &'static str = "renew the token";
    type Answer = AccessToken;
    type Refusal = Infallible;

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        body_of(self.token)
    }

    fn answer(body: &[u8]) -> serde_json::Result<AccessToken> {
        route::granted(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<Infallible>> {
        route::of_the_token(body)
    }
}

/// `POST /api/v1/auth/token/revoke`: ends a token. Read in the source of External
/// Secrets Operator, which ends its logins so.
#[derive(Clone, Copy, Debug)]
pub struct EndToken<'a> {
    /// The token.
    pub token: &'a AccessToken,
}

impl Route for EndToken<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/auth/token/revoke";
    const WHAT: &'static str = "end the token of that login";
    type Answer = ();
    type Refusal = Infallible;

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        body_of(self.token)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }
}
