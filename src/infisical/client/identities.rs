//! The routes of machine identities: requests, answers, and both put together.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Client, Exchange, Operation, Request,
    request::NoFields,
    wire::{Done, access_token, client_secret, id, timestamp},
};
use crate::{
    Error, ErrorKind,
    identities::{Identities, ListedClientSecret, ListedIdentity, MadeClientSecret},
    secret::{AccessToken, ClientSecret, UniversalAuth},
};

fn as_identity(operation: Operation, token: &AccessToken) -> Result<Request, ErrorKind> {
    // Exposed: the token that may manage the organization's identities.
    Request::new(operation).with_token(token.expose())
}

fn about(operation: Operation, token: &AccessToken, identity_id: &str) -> Result<Request, ErrorKind> {
    as_identity(operation, token)?.with_id(identity_id)
}

pub(super) fn identities(token: &AccessToken, organization_id: &str) -> Result<Request, ErrorKind> {
    if !super::request::is_id(organization_id) {
        return Err(ErrorKind::NotFound);
    }
    Ok(as_identity(Operation::Identities, token)?.with_query(&format!("orgId={organization_id}")))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateIdentityBody<'a> {
    name: &'a str,
    organization_id: &'a str,
    role: &'a str,
}

pub(super) fn create_identity(
    token: &AccessToken,
    organization_id: &str,
    name: &str,
    role: &str,
) -> Result<Request, ErrorKind> {
    let body = CreateIdentityBody { name, organization_id, role };
    as_identity(Operation::CreateIdentity, token)?.with_body(&body)
}

/// The body `{}`: every setting of Universal Auth is the server's own.
pub(super) fn attach_universal_auth(token: &AccessToken, identity_id: &str) -> Result<Request, ErrorKind> {
    about(Operation::AttachUniversalAuth, token, identity_id)?.with_body(&NoFields {})
}

#[derive(Serialize)]
struct ClientSecretBody<'a> {
    description: &'a str,
}

pub(super) fn create_client_secret(
    token: &AccessToken,
    identity_id: &str,
    description: &str,
) -> Result<Request, ErrorKind> {
    about(Operation::CreateClientSecret, token, identity_id)?.with_body(&ClientSecretBody { description })
}

fn revoke_client_secret(
    token: &AccessToken,
    identity_id: &str,
    client_secret_id: &str,
) -> Result<Request, ErrorKind> {
    let request = about(Operation::RevokeClientSecret, token, identity_id)?;
    request.with_second_id(client_secret_id)?.with_body(&NoFields {})
}

#[derive(Serialize)]
struct MemberBody<'a> {
    role: &'a str,
}

/// Of an identity's membership of a project.
fn membership(
    operation: Operation,
    token: &AccessToken,
    project_id: &str,
    identity_id: &str,
) -> Result<Request, ErrorKind> {
    about(operation, token, project_id)?.with_second_id(identity_id)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UniversalAuthBody<'a> {
    client_id: &'a str,
    client_secret: &'a str,
}

pub(super) fn universal_auth_login(login: &UniversalAuth) -> Result<Request, ErrorKind> {
    // Exposed: this is what logging in is.
    let body = UniversalAuthBody { client_id: &login.client_id, client_secret: login.client_secret.expose() };
    Request::new(Operation::UniversalAuthLogin).with_body(&body)
}

pub(super) fn revoke_instance_admin(token: &AccessToken, identity_id: &str) -> Result<Request, ErrorKind> {
    about(Operation::RevokeInstanceAdmin, token, identity_id)
}

#[derive(Deserialize)]
pub(super) struct ListAnswer {
    pub(super) identities: Vec<Membership>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Membership {
    #[serde(deserialize_with = "timestamp")]
    pub(super) created_at: Timestamp,
    pub(super) identity: Named,
}

#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct CreateIdentityAnswer {
    pub(super) identity: Named,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UniversalAuthAnswer {
    pub(super) identity_universal_auth: Configuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration {
    #[serde(deserialize_with = "id")]
    pub(super) client_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientSecretAnswer {
    #[serde(deserialize_with = "client_secret")]
    pub(super) client_secret: ClientSecret,
    pub(super) client_secret_data: ClientSecretData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientSecretsAnswer {
    pub(super) client_secret_data: Vec<ClientSecretData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientSecretData {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    pub(super) description: String,
    #[serde(deserialize_with = "timestamp")]
    pub(super) created_at: Timestamp,
    pub(super) is_client_secret_revoked: bool,
}

#[derive(Deserialize)]
pub(super) struct ProjectAnswer {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginAnswer {
    #[serde(deserialize_with = "access_token")]
    pub(super) access_token: AccessToken,
}

impl From<Membership> for ListedIdentity {
    fn from(Membership { created_at, identity: Named { id, name } }: Membership) -> Self {
        Self { id, name, created_at }
    }
}

impl From<ClientSecretData> for ListedClientSecret {
    fn from(data: ClientSecretData) -> Self {
        let ClientSecretData { id, description, created_at, is_client_secret_revoked } = data;
        Self { id, description, created_at, revoked: is_client_secret_revoked }
    }
}

#[async_trait]
impl<E: Exchange> Identities for Client<E> {
    async fn identities(
        &self,
        token: &AccessToken,
        organization_id: &str,
    ) -> Result<Vec<ListedIdentity>, Error> {
        let request = identities(token, organization_id);
        let answer = self.call::<ListAnswer>(request, Operation::Identities).await?;
        Ok(answer.identities.into_iter().map(Into::into).collect())
    }

    async fn create_identity(
        &self,
        token: &AccessToken,
        organization_id: &str,
        name: &str,
        role: &str,
    ) -> Result<String, Error> {
        let request = create_identity(token, organization_id, name, role);
        let answer = self.call::<CreateIdentityAnswer>(request, Operation::CreateIdentity).await?;
        Ok(answer.identity.id)
    }

    async fn delete_identity(&self, token: &AccessToken, identity_id: &str) -> Result<(), Error> {
        let request = about(Operation::DeleteIdentity, token, identity_id);
        let Done {} = self.call(request, Operation::DeleteIdentity).await?;
        Ok(())
    }

    async fn universal_auth(&self, token: &AccessToken, identity_id: &str) -> Result<Option<String>, Error> {
        let request = about(Operation::UniversalAuth, token, identity_id);
        match self.call::<UniversalAuthAnswer>(request, Operation::UniversalAuth).await {
            Ok(answer) => Ok(Some(answer.identity_universal_auth.client_id)),
            // Read in the source: 404 where nothing is attached, 400 where another
            // kind of authentication is.
            Err(error)
                if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unexpected { status: 400 }) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn attach_universal_auth(&self, token: &AccessToken, identity_id: &str) -> Result<String, Error> {
        let request = attach_universal_auth(token, identity_id);
        let answer = self.call::<UniversalAuthAnswer>(request, Operation::AttachUniversalAuth).await?;
        Ok(answer.identity_universal_auth.client_id)
    }

    async fn create_client_secret(
        &self,
        token: &AccessToken,
        identity_id: &str,
        description: &str,
    ) -> Result<MadeClientSecret, Error> {
        let request = create_client_secret(token, identity_id, description);
        let answer = self.call::<ClientSecretAnswer>(request, Operation::CreateClientSecret).await?;
        Ok(MadeClientSecret { client_secret: answer.client_secret, id: answer.client_secret_data.id })
    }

    async fn list_client_secrets(
        &self,
        token: &AccessToken,
        identity_id: &str,
    ) -> Result<Vec<ListedClientSecret>, Error> {
        let request = about(Operation::ListClientSecrets, token, identity_id);
        let answer = self.call::<ClientSecretsAnswer>(request, Operation::ListClientSecrets).await?;
        Ok(answer.client_secret_data.into_iter().map(Into::into).collect())
    }

    async fn revoke_client_secret(
        &self,
        token: &AccessToken,
        identity_id: &str,
        client_secret_id: &str,
    ) -> Result<(), Error> {
        let request = revoke_client_secret(token, identity_id, client_secret_id);
        let Done {} = self.call(request, Operation::RevokeClientSecret).await?;
        Ok(())
    }

    async fn project(&self, token: &AccessToken, slug: &str) -> Result<Option<String>, Error> {
        let request = about(Operation::Project, token, slug);
        match self.call::<ProjectAnswer>(request, Operation::Project).await {
            Ok(answer) => Ok(Some(answer.id)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn is_member(
        &self,
        token: &AccessToken,
        project_id: &str,
        identity_id: &str,
    ) -> Result<bool, Error> {
        let request = membership(Operation::ProjectMembership, token, project_id, identity_id);
        match self.call::<Done>(request, Operation::ProjectMembership).await {
            Ok(Done {}) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn add_member(
        &self,
        token: &AccessToken,
        project_id: &str,
        identity_id: &str,
        role: &str,
    ) -> Result<(), Error> {
        let operation = Operation::AddToProject;
        let request = membership(operation, token, project_id, identity_id)
            .and_then(|request| request.with_body(&MemberBody { role }));
        let Done {} = self.call(request, operation).await?;
        Ok(())
    }

    async fn universal_auth_login(&self, login: &UniversalAuth) -> Result<AccessToken, Error> {
        let request = universal_auth_login(login);
        let answer = self.call::<LoginAnswer>(request, Operation::UniversalAuthLogin).await?;
        Ok(answer.access_token)
    }

    async fn end_token(&self, token: &AccessToken) -> Result<(), Error> {
        let request = super::request::end_token(token);
        let Done {} = self.call(request, Operation::EndToken).await?;
        Ok(())
    }

    async fn revoke_instance_admin(&self, token: &AccessToken, identity_id: &str) -> Result<(), Error> {
        let request = revoke_instance_admin(token, identity_id);
        match self.call::<Done>(request, Operation::RevokeInstanceAdmin).await {
            Ok(Done {}) => Ok(()),
            Err(error) if error.kind == ErrorKind::NotInstanceAdmin => Ok(()),
            Err(error) => Err(error),
        }
    }
}
