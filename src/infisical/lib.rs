//! What a server of Infisical answers, and how it is asked.
//!
//! Knows neither Crossplane nor Kubernetes: both programs of this repository build on
//! it. [`secret`], [`endpoint`] and [`claims`] are values: what must never be printed,
//! where a server is and which addresses credentials go to, what a token says of
//! itself. [`Infisical`] is the operations of one server as a trait; HTTP is in
//! [`client`], and a simulation can stand in its place. An implementation must never
//! retry on its own, never follow a redirect with credentials, and never put a
//! response body into an error.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    endpoint::Endpoint,
    secret::{AccessToken, Credentials, UserToken},
};

pub mod address;
pub mod claims;
pub mod client;
pub mod endpoint;
pub mod error;
pub mod identities;
pub mod metrics;
pub mod secret;

pub use error::{Error, ErrorKind};
pub use identities::Identities;

/// The server's answer to `GET /api/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `maxIdentityAccessTokenTTL`: the longest life of any token. Servers
    /// before it was published leave it out.
    pub max_access_token_ttl: Option<Duration>,
    /// `date`: what the server's clock shows.
    pub date: Option<Timestamp>,
}

/// The server's answer to `GET /api/v1/admin/config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether the instance was set up, by anyone.
    pub initialized: bool,
    /// `enabledLoginMethods`; `None` means that all are.
    pub enabled_login_methods: Option<Vec<String>>,
}

/// The server's answer to `POST /api/v1/admin/bootstrap`, given once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The organization that was made.
    pub organization: Organization,
    /// The instance admin identity that was made.
    pub identity_id: String,
    /// Its token. A strict server refuses it from birth.
    pub token: AccessToken,
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id, a UUID.
    pub id: String,
    /// Its name, as it was given.
    pub name: String,
    /// Its name plus a random suffix.
    pub slug: String,
}

/// The server's answer to `POST /api/v3/auth/select-organization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedOrganization {
    /// A session in that organization, without which admin routes are 401.
    pub token: UserToken,
    /// Whether a human with a second factor is needed before the session works.
    pub mfa_required: bool,
}

/// One of `GET /api/v1/admin/identity-management/identities`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminIdentity {
    /// Its id, a UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it may use the admin API.
    pub is_instance_admin: bool,
}

/// The server's answer to minting a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedToken {
    /// The token.
    pub token: AccessToken,
    /// Its id, by which it is revoked; the `jti` of its JWT.
    pub id: String,
}

/// One of an identity's tokens, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedToken {
    /// Its id, by which it is revoked; the `jti` of its JWT.
    pub id: String,
    /// The name it was minted under.
    pub name: String,
    /// When it was minted.
    pub created_at: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// One Infisical server.
///
/// Every method is one HTTP request; the doc names its route. All of them fail
/// with [`ErrorKind::Unreachable`] and its siblings when there is no usable answer;
/// errors beyond those are named per method.
#[async_trait]
pub trait Infisical: Identities + Send + Sync {
    /// `GET /api/status`.
    async fn status(&self) -> Result<Status, Error>;

    /// `GET /api/v1/admin/config`.
    async fn config(&self) -> Result<Config, Error>;

    /// `POST /api/v1/admin/bootstrap`.
    ///
    /// [`ErrorKind::AlreadySetUp`], [`ErrorKind::UserAlreadyExists`],
    /// [`ErrorKind::InvalidRequest`].
    async fn bootstrap(&self, admin: &Credentials, organization: &str) -> Result<Bootstrapped, Error>;

    /// `POST /api/v3/auth/login`.
    ///
    /// [`ErrorKind::InvalidCredentials`], [`ErrorKind::CaptchaRequired`],
    /// [`ErrorKind::PasswordLoginDisabled`], [`ErrorKind::UserLocked`].
    async fn login(&self, admin: &Credentials) -> Result<UserToken, Error>;

    /// `GET /api/v1/organization`.
    async fn organizations(&self, session: &UserToken) -> Result<Vec<Organization>, Error>;

    /// `POST /api/v3/auth/select-organization`.
    async fn select_organization(
        &self,
        session: &UserToken,
        organization_id: &str,
    ) -> Result<SelectedOrganization, Error>;

    /// `GET /api/v1/admin/identity-management/identities`, all pages.
    ///
    /// [`ErrorKind::Forbidden`] when the session is not a server admin's.
    async fn admin_identities(&self, session: &UserToken) -> Result<Vec<AdminIdentity>, Error>;

    /// `POST /api/v1/auth/token-auth/identities/{id}/tokens`.
    ///
    /// [`ErrorKind::Forbidden`] when the session may not.
    async fn mint_token(
        &self,
        session: &UserToken,
        identity_id: &str,
        name: &str,
    ) -> Result<MintedToken, Error>;

    /// `GET /api/v1/auth/token-auth/identities/{id}/tokens`, all pages.
    async fn list_tokens(&self, session: &UserToken, identity_id: &str) -> Result<Vec<ListedToken>, Error>;

    /// `POST /api/v1/auth/token-auth/tokens/{id}/revoke`. Kills every JWT with
    /// that `jti`.
    async fn revoke_token(&self, session: &UserToken, token_id: &str) -> Result<(), Error>;

    /// `POST /api/v1/auth/token/renew`: a new JWT with the same `jti`.
    ///
    /// [`ErrorKind::TokenRefused`] when it is expired, revoked or none.
    async fn renew_token(&self, token: &AccessToken) -> Result<AccessToken, Error>;

    /// `GET /api/v1/identities/details`: whose token this is, if it works.
    ///
    /// [`ErrorKind::TokenRefused`] when it does not.
    async fn identity_details(&self, token: &AccessToken) -> Result<Organization, Error>;

    /// `GET /api/v1/admin/identity-management/identities`, one page, with a token
    /// that works: whether its identity is an instance admin. To others the
    /// route is forbidden.
    async fn is_instance_admin(&self, token: &AccessToken) -> Result<bool, Error>;
}

/// Makes an [`Infisical`] for an endpoint.
pub trait Connect: Send + Sync + 'static {
    /// A client of the server at `endpoint`. No request is made.
    ///
    /// # Errors
    /// The endpoint's TLS settings cannot be used.
    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Infisical>, Error>;
}
