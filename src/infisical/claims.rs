//! What an access token says of itself.
//!
//! Infisical's tokens are JWTs. Their claims are read without checking the
//! signature, to know when to renew and whose a token is; whether it works only
//! the server can say. Claim names are those of the recorded tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::secret::{AccessToken, UserToken};

/// The claims that this function makes use of; a token may lack any of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `exp`. What bootstrap returns has none on strict and lenient servers.
    pub expires_at: Option<Timestamp>,
    /// `identityId`.
    pub identity_id: Option<String>,
    /// `identityAccessTokenId`: by it the token is listed and revoked.
    pub token_id: Option<Box<str>>,
    /// `numUsesLimit`: how often it may be used in all. Read in the source: it is there
    /// only where there is a limit.
    pub uses: Option<u32>,
    /// `clientSecretId`: the client secret that it was got with. Empty in a token
    /// that was minted.
    pub client_secret_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    iat: Option<i64>,
    exp: Option<i64>,
    identity_id: Option<String>,
    identity_access_token_id: Option<Box<str>>,
    client_secret_id: Option<String>,
    num_uses_limit: Option<u32>,
}

impl Claims {
    /// Reads the claims of a token. What is no JWT has none.
    #[must_use]
    pub fn of(token: &AccessToken) -> Self {
        // Exposed to take its middle part, which is zeroed below.
        Self::read(token.expose()).unwrap_or_default()
    }

    /// Whether the token may be used so many times only.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.uses.is_some()
    }

    /// When a session was issued: what the server's clock showed then.
    #[must_use]
    pub fn issued_at(session: &UserToken) -> Option<Timestamp> {
        // Exposed for the same.
        Self::read(session.expose())?.issued_at
    }

    fn read(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
        let payload: Payload = serde_json::from_slice(&json).ok()?;
        let time = |seconds: Option<i64>| Timestamp::from_second(seconds?).ok();
        Some(Self {
            issued_at: time(payload.iat),
            expires_at: time(payload.exp),
            identity_id: payload.identity_id,
            token_id: payload.identity_access_token_id,
            uses: payload.num_uses_limit.filter(|uses| *uses > 0),
            client_secret_id: payload.client_secret_id.filter(|id| !id.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(file: &str, name: &str, pointer: &str) -> AccessToken {
        let path = format!("{}/../../tests/fixtures/exchanges/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let exchanges: Vec<serde_json::Value> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let exchange = exchanges.iter().find(|exchange| exchange["name"] == name).unwrap();
        AccessToken::new(exchange["response"]["body"].pointer(pointer).unwrap().as_str().unwrap())
    }

    #[test]
    fn the_recorded_tokens_say_when_they_end_and_whose_they_are() {
        let bootstrap = Claims::of(&recorded("strict", "bootstrap-ok", "/identity/credentials/token"));
        assert_eq!(bootstrap.expires_at, None, "strict: no exp");
        assert_eq!(bootstrap.identity_id.as_deref(), Some("87266607-1f58-44e4-86bc-c39f76c96dbe"));

        let minted = Claims::of(&recorded("strict", "mint-token", "/accessToken"));
        assert_eq!(minted.issued_at, Timestamp::from_second(1_795_470_829).ok());
        assert_eq!(minted.expires_at, Timestamp::from_second(1_803_246_829).ok());
        assert_eq!(minted.token_id.as_deref(), Some("3c3165d0-67ec-4929-b244-b83086bc215e"));

        let renewed = Claims::of(&recorded("lenient", "renew-bootstrap-token", "/accessToken"));
        assert_eq!(renewed.expires_at, Timestamp::from_second(1_795_470_878).ok());
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for text in ["", "a", "a.b", "a.b.c", "....", "a.e30.c", "a.eyJpYXQiOjk5OTk5OTk5OTk5OTk5OTk5OX0.c"] {
            assert_eq!(Claims::of(&AccessToken::new(text)), Claims::default(), "{text:?}");
        }
    }
}
