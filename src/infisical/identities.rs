//! What handing off needs of an Infisical server: a machine identity of the
//! organization, its Universal Auth, and giving up the instance admin right.
//!
//! Five of these routes were recorded: making an identity, attaching Universal
//! Auth, making a client secret, logging in with it, and giving up the right. The
//! others say that they were read in the server's source.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    Error,
    secret::{AccessToken, ClientSecret, UniversalAuth},
};

/// One machine identity of an organization, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedIdentity {
    /// Its id, a UUID.
    pub id: String,
    /// Its name. Several may have the same.
    pub name: String,
    /// When it became a member of the organization.
    pub created_at: Timestamp,
}

/// The server's answer to making a client secret, given once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeClientSecret {
    /// The secret.
    pub client_secret: ClientSecret,
    /// Its id, by which it is revoked.
    pub id: String,
}

/// One of an identity's client secrets, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedClientSecret {
    /// Its id, by which it is revoked.
    pub id: String,
    /// What it was described as.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// The routes of one server that handing off takes. Each method is one request,
/// made with the token of an identity that may manage the organization's.
#[async_trait]
pub trait Identities: Send + Sync {
    /// `GET /api/v1/identities`: all machine identities of an organization. Read
    /// in the source: the route has no pages.
    async fn identities(
        &self,
        token: &AccessToken,
        organization_id: &str,
    ) -> Result<Vec<ListedIdentity>, Error>;

    /// `POST /api/v1/identities`: a new one; its id. The name need not be free.
    async fn create_identity(
        &self,
        token: &AccessToken,
        organization_id: &str,
        name: &str,
        role: &str,
    ) -> Result<String, Error>;

    /// `DELETE /api/v1/identities/{id}`. Read in the source.
    async fn delete_identity(&self, token: &AccessToken, identity_id: &str) -> Result<(), Error>;

    /// `GET /api/v1/auth/universal-auth/identities/{id}`: the client ID of an
    /// identity, if it has Universal Auth. Read in the source.
    async fn universal_auth(&self, token: &AccessToken, identity_id: &str) -> Result<Option<String>, Error>;

    /// `POST /api/v1/auth/universal-auth/identities/{id}`: attaches Universal
    /// Auth; the client ID.
    async fn attach_universal_auth(&self, token: &AccessToken, identity_id: &str) -> Result<String, Error>;

    /// `POST /api/v1/auth/universal-auth/identities/{id}/client-secrets`.
    async fn create_client_secret(
        &self,
        token: &AccessToken,
        identity_id: &str,
        description: &str,
    ) -> Result<MadeClientSecret, Error>;

    /// `GET /api/v1/auth/universal-auth/identities/{id}/client-secrets`. Read in
    /// the source: the route has no pages, and leaves out those that were revoked.
    async fn list_client_secrets(
        &self,
        token: &AccessToken,
        identity_id: &str,
    ) -> Result<Vec<ListedClientSecret>, Error>;

    /// `POST …/client-secrets/{id}/revoke`. Read in the source.
    async fn revoke_client_secret(
        &self,
        token: &AccessToken,
        identity_id: &str,
        client_secret_id: &str,
    ) -> Result<(), Error>;

    /// `GET /api/v1/projects/slug/{slug}`: the id of a project of the organization,
    /// if there is one. Read in the source.
    async fn project(&self, token: &AccessToken, slug: &str) -> Result<Option<String>, Error>;

    /// `GET /api/v1/projects/{id}/identity-memberships/{id}`: whether an identity is
    /// a member of a project. Read in the source.
    async fn is_member(
        &self,
        token: &AccessToken,
        project_id: &str,
        identity_id: &str,
    ) -> Result<bool, Error>;

    /// `POST /api/v1/projects/{id}/identity-memberships/{id}`: makes it one. Read in
    /// the source.
    async fn add_member(
        &self,
        token: &AccessToken,
        project_id: &str,
        identity_id: &str,
        role: &str,
    ) -> Result<(), Error>;

    /// `POST /api/v1/auth/universal-auth/login`: a token of the identity.
    ///
    /// [`ErrorKind::ClientSecretRefused`](super::ErrorKind::ClientSecretRefused),
    /// [`ErrorKind::IdentityLocked`](super::ErrorKind::IdentityLocked).
    async fn universal_auth_login(&self, login: &UniversalAuth) -> Result<AccessToken, Error>;

    /// `POST /api/v1/auth/token/revoke`: ends a token, with nothing but itself. Read in
    /// the source of External Secrets Operator, which ends its logins so.
    async fn end_token(&self, token: &AccessToken) -> Result<(), Error>;

    /// `DELETE /api/v1/admin/identity-management/identities/{id}/super-admin-access`:
    /// takes the instance admin right from an identity. One that does not have it
    /// is no error.
    async fn revoke_instance_admin(&self, token: &AccessToken, identity_id: &str) -> Result<(), Error>;
}
