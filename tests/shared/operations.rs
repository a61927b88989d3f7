//! Every operation of a server, for tests that try them all.

use infisical::{
    Error, Infisical,
    client::Operation,
    secret::{AccessToken, ClientSecret, Credentials, Email, Password, UniversalAuth, UserToken},
};

/// All that there are.
pub(crate) const OPERATIONS: [Operation; 27] = [
    Operation::Status,
    Operation::Config,
    Operation::Bootstrap,
    Operation::Login,
    Operation::Organizations,
    Operation::SelectOrganization,
    Operation::AdminIdentities,
    Operation::MintToken,
    Operation::ListTokens,
    Operation::RevokeToken,
    Operation::RenewToken,
    Operation::IdentityDetails,
    Operation::InstanceAdmin,
    Operation::Identities,
    Operation::CreateIdentity,
    Operation::DeleteIdentity,
    Operation::UniversalAuth,
    Operation::AttachUniversalAuth,
    Operation::CreateClientSecret,
    Operation::ListClientSecrets,
    Operation::RevokeClientSecret,
    Operation::Project,
    Operation::ProjectMembership,
    Operation::AddToProject,
    Operation::UniversalAuthLogin,
    Operation::EndToken,
    Operation::RevokeInstanceAdmin,
];

/// Carries one out, with arguments that are as good as any. The tokens that the
/// server gave, if it is one that gives any.
pub(crate) async fn carry_out(operation: Operation, server: &dyn Infisical) -> Result<Vec<String>, Error> {
    let (token, session) = (AccessToken::new("marker-token"), UserToken::new("marker-session"));
    let id = "87266607-1f58-44e4-86bc-c39f76c96dbe";
    let access = |token: AccessToken| vec![token.expose().to_owned()];
    let user = |token: UserToken| vec![token.expose().to_owned()];
    match operation {
        Operation::Status => server.status().await.map(|_| Vec::new()),
        Operation::Config => server.config().await.map(|_| Vec::new()),
        Operation::Bootstrap => server.bootstrap(&admin(), "Acme").await.map(|made| access(made.token)),
        Operation::Login => server.login(&admin()).await.map(user),
        Operation::Organizations => server.organizations(&session).await.map(|_| Vec::new()),
        Operation::SelectOrganization => {
            server.select_organization(&session, id).await.map(|selected| user(selected.token))
        }
        Operation::AdminIdentities => server.admin_identities(&session).await.map(|_| Vec::new()),
        Operation::MintToken => {
            server.mint_token(&session, id, "name").await.map(|minted| access(minted.token))
        }
        Operation::ListTokens => server.list_tokens(&session, id).await.map(|_| Vec::new()),
        Operation::RevokeToken => server.revoke_token(&session, id).await.map(|()| Vec::new()),
        Operation::RenewToken => server.renew_token(&token).await.map(access),
        Operation::IdentityDetails => server.identity_details(&token).await.map(|_| Vec::new()),
        Operation::InstanceAdmin => server.is_instance_admin(&token).await.map(|_| Vec::new()),
        Operation::Identities => server.identities(&token, id).await.map(|_| Vec::new()),
        Operation::CreateIdentity => {
            server.create_identity(&token, id, "name", "member").await.map(|_| Vec::new())
        }
        Operation::DeleteIdentity => server.delete_identity(&token, id).await.map(|()| Vec::new()),
        Operation::UniversalAuth => server.universal_auth(&token, id).await.map(|_| Vec::new()),
        Operation::AttachUniversalAuth => server.attach_universal_auth(&token, id).await.map(|_| Vec::new()),
        Operation::CreateClientSecret => {
            let made = server.create_client_secret(&token, id, "description").await;
            made.map(|made| vec![made.client_secret.expose().to_owned()])
        }
        Operation::ListClientSecrets => server.list_client_secrets(&token, id).await.map(|_| Vec::new()),
        Operation::RevokeClientSecret => {
            server.revoke_client_secret(&token, id, id).await.map(|()| Vec::new())
        }
        Operation::Project => server.project(&token, "payments").await.map(|_| Vec::new()),
        Operation::ProjectMembership => server.is_member(&token, id, id).await.map(|_| Vec::new()),
        Operation::AddToProject => server.add_member(&token, id, id, "member").await.map(|()| Vec::new()),
        Operation::UniversalAuthLogin => server.universal_auth_login(&login()).await.map(access),
        Operation::EndToken => server.end_token(&token).await.map(|()| Vec::new()),
        Operation::RevokeInstanceAdmin => server.revoke_instance_admin(&token, id).await.map(|()| Vec::new()),
    }
}

fn login() -> UniversalAuth {
    let client_id = "44464bef-a646-49c0-96f1-17685cc2bf97".to_owned();
    UniversalAuth { client_id, client_secret: ClientSecret::new("marker-client-secret") }
}

fn admin() -> Credentials {
    let email = Email::parse("admin@example.org").unwrap();
    Credentials { email, password: Password::new("marker-password") }
}
