//! Universal Auth: a machine identity's login with a client ID and a client secret.

use std::convert::Infallible;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    refusal::ResourceRefusal,
    token_terms::{TokenTerms, TrustedAddress},
};
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, NoFields, RefusalBody, Route},
    secret::{AccessToken, ClientSecret, UniversalAuth},
};

/// Universal Auth of an identity.
const OF_IDENTITY: &str = "/api/v1/auth/universal-auth/identities/{id}";

/// Its client secrets.
const CLIENT_SECRETS: &str = "/api/v1/auth/universal-auth/identities/{id}/client-secrets";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    identity_universal_auth: Configuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    #[serde(deserialize_with = "route::id")]
    client_id: String,
}

fn client_id(body: &[u8]) -> serde_json::Result<String> {
    let Attached { identity_universal_auth } = serde_json::from_slice(body)?;
    Ok(identity_universal_auth.client_id)
}

/// `GET /api/v1/auth/universal-auth/identities/{id}`: the client ID of an identity.
/// Read in the source.
#[derive(Clone, Copy, Debug)]
pub struct ReadUniversalAuth<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

/// Read in the source: 404 where nothing is attached, 400 where another kind of
/// authentication is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity has no Universal Auth")]
pub struct NotAttached;

impl Route for ReadUniversalAuth<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "ask for the client ID";
    type Answer = String;
    type Refusal = NotAttached;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<String> {
        client_id(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<NotAttached>> {
        matches!(body.status, 400 | 404).then_some(ErrorKind::Refused(NotAttached))
    }
}

/// `POST /api/v1/auth/universal-auth/identities/{id}`: attaches Universal Auth; the
/// client ID.
#[derive(Clone, Copy, Debug)]
pub struct AttachUniversalAuth<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for AttachUniversalAuth<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "attach Universal Auth";
    type Answer = String;
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    /// The body `{}`: every setting of Universal Auth is the server's own.
    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(&NoFields {})
    }

    fn answer(body: &[u8]) -> serde_json::Result<String> {
        client_id(body)
    }
}

/// `POST /api/v1/auth/universal-auth/identities/{id}/client-secrets`.
#[derive(Clone, Copy, Debug)]
pub struct CreateClientSecret<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// What the client secret is described as.
    pub description: &'a str,
}

/// The answer to [`CreateClientSecret`], given once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedClientSecret {
    /// The secret.
    pub client_secret: ClientSecret,
    /// Its id, by which it is revoked.
    pub id: String,
}

impl Route for CreateClientSecret<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = CLIENT_SECRETS;
    const WHAT: &'static str = "make a client secret";
    type Answer = CreatedClientSecret;
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            description: &'a str,
        }
        route::json(&Body { description: self.description })
    }

    fn answer(body: &[u8]) -> serde_json::Result<CreatedClientSecret> {
        created(body)
    }
}

fn created(body: &[u8]) -> serde_json::Result<CreatedClientSecret> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        #[serde(deserialize_with = "route::client_secret")]
        client_secret: ClientSecret,
        client_secret_data: ListedClientSecret,
    }
    let Body { client_secret, client_secret_data } = serde_json::from_slice(body)?;
    Ok(CreatedClientSecret { client_secret, id: client_secret_data.id })
}

/// `GET /api/v1/auth/universal-auth/identities/{id}/client-secrets`. Read in the
/// source: the route has no pages, and leaves out those that were revoked.
#[derive(Clone, Copy, Debug)]
pub struct ListClientSecrets<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

/// One of an identity's client secrets, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedClientSecret {
    /// Its id, by which it is revoked.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// What it was described as.
    pub description: String,
    /// When it was made.
    #[serde(deserialize_with = "route::timestamp")]
    pub created_at: Timestamp,
    /// Whether it was revoked.
    #[serde(rename = "isClientSecretRevoked")]
    pub revoked: bool,
}

impl Route for ListClientSecrets<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = CLIENT_SECRETS;
    const WHAT: &'static str = "list the client secrets";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<ListedClientSecret>;
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<ListedClientSecret>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            client_secret_data: Vec<ListedClientSecret>,
        }
        serde_json::from_slice(body).map(|Body { client_secret_data }| client_secret_data)
    }
}

/// `POST …/client-secrets/{second}/revoke`. Read in the source.
#[derive(Clone, Copy, Debug)]
pub struct RevokeClientSecret<'a> {
    /// The token of an identity that may manage the organization's.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// The id of the client secret.
    pub client_secret_id: &'a str,
}

impl Route for RevokeClientSecret<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/auth/universal-auth/identities/{id}/client-secrets/{second}/revoke";
    const WHAT: &'static str = "revoke a client secret";
    type Answer = ();
    type Refusal = Infallible;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id, self.client_secret_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(&NoFields {})
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }
}

/// `POST /api/v1/auth/universal-auth/login`: a token of the identity.
#[derive(Clone, Copy, Debug)]
pub struct ClientLogin<'a> {
    /// Client ID and secret.
    pub login: &'a UniversalAuth,
}

/// Why a machine identity is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientLoginRefusal {
    /// 401 `Invalid credentials`: the client ID or secret is wrong or was revoked
    /// (read in the source; the message is that of the fake and of the recorded login
    /// of a user).
    #[error("the client ID or secret is wrong")]
    InvalidCredentials,
    /// 401 after failed ones (read in the source: three within thirty seconds, and then
    /// for five minutes).
    #[error("the identity is locked")]
    IdentityLocked,
}

impl Route for ClientLogin<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/auth/universal-auth/login";
    const WHAT: &'static str = "log in with the client secret";
    type Answer = AccessToken;
    type Refusal = ClientLoginRefusal;

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            client_id: &'a str,
            client_secret: &'a str,
        }
        let UniversalAuth { client_id, client_secret } = self.login;
        // Exposed: this is what logging in is.
        route::json(&Body { client_id, client_secret: client_secret.expose() })
    }

    fn answer(body: &[u8]) -> serde_json::Result<AccessToken> {
        route::granted(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ClientLoginRefusal>> {
        let refusal = match body.status {
            401 if body.mentions("locked") => ClientLoginRefusal::IdentityLocked,
            401 => ClientLoginRefusal::InvalidCredentials,
            _ => return None,
        };
        Some(ErrorKind::Refused(refusal))
    }
}

/// What Universal Auth is set to. A value that is none is the server's to choose, or
/// stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UniversalAuthSettings {
    /// Of the tokens.
    #[serde(flatten)]
    pub terms: TokenTerms,
    /// From where a client secret may be used. All but everywhere needs a licence.
    #[serde(rename = "clientSecretTrustedIps", skip_serializing_if = "Option::is_none")]
    pub trusted_addresses: Option<Vec<TrustedAddress>>,
    /// Whether wrong log-ins lock the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout_enabled: Option<bool>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout_threshold: Option<u64>,
    /// For how many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout_duration_seconds: Option<u64>,
    /// Seconds after which fewer are forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout_counter_reset_seconds: Option<u64>,
}

/// Universal Auth of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachedUniversalAuth {
    /// The client ID, another one after each attach.
    #[serde(deserialize_with = "route::id")]
    pub client_id: String,
    /// What it is set to.
    #[serde(flatten)]
    pub settings: UniversalAuthSettings,
}

fn universal_auth(body: &[u8]) -> serde_json::Result<AttachedUniversalAuth> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        identity_universal_auth: AttachedUniversalAuth,
    }
    serde_json::from_slice(body).map(|Body { identity_universal_auth }| identity_universal_auth)
}

/// `POST /api/v1/auth/universal-auth/identities/{id}`: attaches Universal Auth that is set to
/// something.
#[derive(Clone, Copy, Debug)]
pub struct ConfigureUniversalAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// What it is set to.
    pub settings: &'a UniversalAuthSettings,
}

impl Route for ConfigureUniversalAuth<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "attach Universal Auth with its settings";
    type Answer = AttachedUniversalAuth;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self.settings)
    }

    fn answer(body: &[u8]) -> serde_json::Result<AttachedUniversalAuth> {
        universal_auth(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/auth/universal-auth/identities/{id}`: what Universal Auth is set to.
#[derive(Clone, Copy, Debug)]
pub struct ReadUniversalAuthSettings<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ReadUniversalAuthSettings<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "read Universal Auth";
    type Answer = AttachedUniversalAuth;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<AttachedUniversalAuth> {
        universal_auth(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v1/auth/universal-auth/identities/{id}`: what there is a value for. Without any
/// the server fails.
#[derive(Clone, Copy, Debug)]
pub struct UpdateUniversalAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// What it is set to.
    pub settings: &'a UniversalAuthSettings,
}

impl Route for UpdateUniversalAuth<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "change Universal Auth";
    type Answer = AttachedUniversalAuth;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self.settings)
    }

    fn answer(body: &[u8]) -> serde_json::Result<AttachedUniversalAuth> {
        universal_auth(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v1/auth/universal-auth/identities/{id}`: with its client secrets; its tokens end at
/// once.
#[derive(Clone, Copy, Debug)]
pub struct RemoveUniversalAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for RemoveUniversalAuth<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "remove Universal Auth";
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

/// `POST /api/v1/auth/universal-auth/identities/{id}/client-secrets`: one that ends.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateLimitedClientSecret<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The identity.
    #[serde(skip)]
    pub identity_id: &'a str,
    /// What it is described as: up to 255 characters.
    pub description: &'a str,
    /// Seconds that it can be used; 0: without a limit.
    pub ttl: u64,
    /// How often it can be used; 0: without a limit.
    #[serde(rename = "numUsesLimit")]
    pub uses_limit: u64,
}

impl Route for CreateLimitedClientSecret<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = CLIENT_SECRETS;
    const WHAT: &'static str = "make a client secret with a limit";
    type Answer = CreatedClientSecret;
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

    fn answer(body: &[u8]) -> serde_json::Result<CreatedClientSecret> {
        created(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// The state of a client secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ClientSecretState {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// What it is described as.
    pub description: String,
    /// Its first letters.
    #[serde(rename = "clientSecretPrefix")]
    pub prefix: String,
    /// When it was made.
    #[serde(rename = "createdAt", deserialize_with = "route::timestamp")]
    pub created_at: Timestamp,
    /// Seconds after that for which it can be used; 0: without a limit.
    #[serde(rename = "clientSecretTTL")]
    pub ttl: u64,
    /// How often it was used.
    #[serde(rename = "clientSecretNumUses")]
    pub uses: u64,
    /// How often it can be used; 0: without a limit.
    #[serde(rename = "clientSecretNumUsesLimit")]
    pub uses_limit: u64,
    /// Whether it was revoked or is used up.
    #[serde(rename = "isClientSecretRevoked")]
    pub is_revoked: bool,
}

/// `GET …/client-secrets/{second}`: also of one that was revoked, which the list leaves out.
#[derive(Clone, Copy, Debug)]
pub struct ReadClientSecret<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// The id of the client secret.
    pub client_secret_id: &'a str,
}

impl Route for ReadClientSecret<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/auth/universal-auth/identities/{id}/client-secrets/{second}";
    const WHAT: &'static str = "read a client secret";
    type Answer = ClientSecretState;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id, self.client_secret_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<ClientSecretState> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            client_secret_data: ClientSecretState,
        }
        serde_json::from_slice(body).map(|Body { client_secret_data }| client_secret_data)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET …/client-secrets`: those that were not revoked, with their states.
#[derive(Clone, Copy, Debug)]
pub struct ListClientSecretStates<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ListClientSecretStates<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = CLIENT_SECRETS;
    const WHAT: &'static str = "list the client secrets with their states";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<ClientSecretState>;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<ClientSecretState>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            client_secret_data: Vec<ClientSecretState>,
        }
        serde_json::from_slice(body).map(|Body { client_secret_data }| client_secret_data)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}
