//! Every route of a server, for tests that try them all.

use std::{fmt, pin::Pin};

use infisical::{
    AnyError, Client, Error,
    api::{
        AddToProject, AttachUniversalAuth, Bootstrap, CheckInstanceAdmin, ClientLogin, CreateClientSecret,
        CreateIdentity, DeleteIdentity, EndToken, FindProject, ListAdminIdentities, ListClientSecrets,
        ListIdentities, ListOrganizations, ListTokens, Login, MintToken, ReadConfig, ReadProjectMembership,
        ReadStatus, ReadUniversalAuth, RenewToken, RevokeClientSecret, RevokeInstanceAdmin, RevokeToken,
        SelectOrganization, VerifyToken,
    },
    route::{Paged, Route},
    secret::{AccessToken, ClientSecret, Credentials, Email, Password, UniversalAuth, UserToken},
};

/// The tokens that the server gave, if the route is one that gives any.
type Tokens = Result<Vec<String>, AnyError>;

type Sent<'a> = Pin<Box<dyn Future<Output = Tokens> + 'a>>;

/// A route, and how it is sent with arguments that are as good as any.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) what: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    send: for<'a> fn(&'a Client, &'a Values) -> Sent<'a>,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

struct Values {
    admin: Credentials,
    session: UserToken,
    token: AccessToken,
    login: UniversalAuth,
}

const ID: &str = "87266607-1f58-44e4-86bc-c39f76c96dbe";

fn operation<R: Route>(send: for<'a> fn(&'a Client, &'a Values) -> Sent<'a>) -> Operation {
    Operation { what: R::WHAT, method: R::METHOD.as_str(), path: R::PATH, send }
}

async fn sent<R: Route>(client: &Client, route: R, tokens: fn(R::Answer) -> Vec<String>) -> Tokens {
    client.send(&route).await.map(tokens).map_err(Error::in_words)
}

async fn nothing<R: Route>(client: &Client, route: R) -> Tokens {
    sent(client, route, |_| Vec::new()).await
}

async fn pages<R: Paged>(client: &Client, route: R) -> Tokens {
    client.send_pages(&route).await.map(|_| Vec::new()).map_err(Error::in_words)
}

fn access(token: &AccessToken) -> Vec<String> {
    vec![token.expose().to_owned()]
}

fn user(token: &UserToken) -> Vec<String> {
    vec![token.expose().to_owned()]
}

/// All that there are.
#[expect(clippy::too_many_lines, reason = "a table: a line or two for each route")]
pub(crate) fn operations() -> Vec<Operation> {
    vec![
        operation::<ReadStatus>(|client, _| Box::pin(nothing(client, ReadStatus))),
        operation::<ReadConfig>(|client, _| Box::pin(nothing(client, ReadConfig))),
        operation::<Bootstrap>(|client, it| {
            Box::pin(sent(client, Bootstrap { admin: &it.admin, organization: "Acme" }, |made| {
                access(&made.token)
            }))
        }),
        operation::<Login>(|client, it| {
            Box::pin(sent(client, Login { admin: &it.admin }, |token| user(&token)))
        }),
        operation::<ListOrganizations>(|client, it| {
            Box::pin(nothing(client, ListOrganizations { session: &it.session }))
        }),
        operation::<SelectOrganization>(|client, it| {
            Box::pin(sent(
                client,
                SelectOrganization { session: &it.session, organization_id: ID },
                |selected| user(&selected.token),
            ))
        }),
        operation::<ListAdminIdentities>(|client, it| {
            Box::pin(pages(client, ListAdminIdentities { session: &it.session, offset: 0 }))
        }),
        operation::<MintToken>(|client, it| {
            Box::pin(sent(
                client,
                MintToken { session: &it.session, identity_id: ID, name: "name" },
                |minted| access(&minted.token),
            ))
        }),
        operation::<ListTokens>(|client, it| {
            Box::pin(pages(client, ListTokens { session: &it.session, identity_id: ID, offset: 0 }))
        }),
        operation::<RevokeToken>(|client, it| {
            Box::pin(nothing(client, RevokeToken { session: &it.session, token_id: ID }))
        }),
        operation::<RenewToken>(|client, it| {
            Box::pin(sent(client, RenewToken { token: &it.token }, |token| access(&token)))
        }),
        operation::<VerifyToken>(|client, it| Box::pin(nothing(client, VerifyToken { token: &it.token }))),
        operation::<CheckInstanceAdmin>(|client, it| {
            Box::pin(nothing(client, CheckInstanceAdmin { token: &it.token }))
        }),
        operation::<ListIdentities>(|client, it| {
            Box::pin(nothing(client, ListIdentities { token: &it.token, organization_id: ID }))
        }),
        operation::<CreateIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                CreateIdentity { token: &it.token, organization_id: ID, name: "name", role: "member" },
            ))
        }),
        operation::<DeleteIdentity>(|client, it| {
            Box::pin(nothing(client, DeleteIdentity { token: &it.token, identity_id: ID }))
        }),
        operation::<ReadUniversalAuth>(|client, it| {
            Box::pin(nothing(client, ReadUniversalAuth { token: &it.token, identity_id: ID }))
        }),
        operation::<AttachUniversalAuth>(|client, it| {
            Box::pin(nothing(client, AttachUniversalAuth { token: &it.token, identity_id: ID }))
        }),
        operation::<CreateClientSecret>(|client, it| {
            Box::pin(sent(
                client,
                CreateClientSecret { token: &it.token, identity_id: ID, description: "description" },
                |made| vec![made.client_secret.expose().to_owned()],
            ))
        }),
        operation::<ListClientSecrets>(|client, it| {
            Box::pin(nothing(client, ListClientSecrets { token: &it.token, identity_id: ID }))
        }),
        operation::<RevokeClientSecret>(|client, it| {
            Box::pin(nothing(
                client,
                RevokeClientSecret { token: &it.token, identity_id: ID, client_secret_id: ID },
            ))
        }),
        operation::<FindProject>(|client, it| {
            Box::pin(nothing(client, FindProject { token: &it.token, slug: "payments" }))
        }),
        operation::<ReadProjectMembership>(|client, it| {
            Box::pin(nothing(
                client,
                ReadProjectMembership { token: &it.token, project_id: ID, identity_id: ID },
            ))
        }),
        operation::<AddToProject>(|client, it| {
            Box::pin(nothing(
                client,
                AddToProject { token: &it.token, project_id: ID, identity_id: ID, role: "member" },
            ))
        }),
        operation::<ClientLogin>(|client, it| {
            Box::pin(sent(client, ClientLogin { login: &it.login }, |token| access(&token)))
        }),
        operation::<EndToken>(|client, it| Box::pin(nothing(client, EndToken { token: &it.token }))),
        operation::<RevokeInstanceAdmin>(|client, it| {
            Box::pin(nothing(client, RevokeInstanceAdmin { token: &it.token, identity_id: ID }))
        }),
    ]
}

/// Carries one out.
pub(crate) async fn carry_out(operation: Operation, server: &Client) -> Tokens {
    let client_id = "44464bef-a646-49c0-96f1-17685cc2bf97".to_owned();
    let values = Values {
        admin: Credentials {
            email: Email::parse("admin@example.org").unwrap(),
            password: Password::new("marker-password"),
        },
        session: UserToken::new("marker-session"),
        token: AccessToken::new("marker-token"),
        login: UniversalAuth { client_id, client_secret: ClientSecret::new("marker-client-secret") },
    };
    (operation.send)(server, &values).await
}
