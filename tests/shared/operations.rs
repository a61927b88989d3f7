//! Every route of a server, for tests that try them all.

use std::{fmt, pin::Pin};

use infisical::{
    AnyError, Client, Error,
    api::{
        AddToProject, AttachKubernetesAuth, AttachUniversalAuth, BatchSecret, Bootstrap, CheckInstanceAdmin,
        ClientLogin, ConfigureUniversalAuth, CreateClientSecret, CreateEnvironment, CreateFolder,
        CreateIdentity, CreateLimitedClientSecret, CreateMarkedIdentity, CreateMembership, CreatePrivilege,
        CreateProject, CreateProjectOwnIdentity, CreateSecret, CreateSecrets, DeleteEnvironment,
        DeleteFolder, DeleteIdentity, DeleteMembership, DeletePrivilege, DeleteProject,
        DeleteProjectOwnIdentity, DeleteSecret, DeleteSecrets, EndToken, FindProject, KubernetesAuthSettings,
        ListAdminIdentities, ListClientSecretStates, ListClientSecrets, ListFolders, ListIdentities,
        ListMemberships, ListOrganizations, ListPrivileges, ListProjectOwnIdentities, ListProjects,
        ListSecrets, ListTokens, Login, MintToken, MissingSecrets, ReadClientSecret, ReadConfig,
        ReadEnvironment, ReadFolder, ReadIdentity, ReadKubernetesAuth, ReadMembership, ReadPrivilege,
        ReadPrivilegeBySlug, ReadProject, ReadProjectBySlug, ReadProjectMembership, ReadProjectOwnIdentity,
        ReadSecret, ReadStatus, ReadUniversalAuth, ReadUniversalAuthSettings, RemoveKubernetesAuth,
        RemoveUniversalAuth, RenewToken, RestoreEnvironment, RevokeClientSecret, RevokeInstanceAdmin,
        RevokeToken, SearchIdentities, SecretContent, SecretPlace, SelectOrganization, UniversalAuthSettings,
        UpdateEnvironment, UpdateFolder, UpdateIdentity, UpdateKubernetesAuth, UpdateMembership,
        UpdatePrivilege, UpdateProject, UpdateProjectOwnIdentity, UpdateSecret, UpdateSecrets,
        UpdateUniversalAuth, VerifyToken,
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
        operation::<ListClientSecretStates>(|client, it| {
            Box::pin(nothing(client, ListClientSecretStates { token: &it.token, identity_id: ID }))
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
    .into_iter()
    .chain(of_resources())
    .collect()
}

const PLACE: SecretPlace<'_> = SecretPlace { project_id: ID, environment: "prod", path: "/" };

const SECRETS: [BatchSecret<'_>; 1] = [BatchSecret {
    name: "KEY",
    content: SecretContent {
        value: None,
        comment: None,
        metadata: None,
        tag_ids: None,
        skip_multiline_encoding: None,
    },
}];

/// Those of projects and of what is in them.
#[expect(clippy::too_many_lines, reason = "a table: a line or two for each route")]
fn of_resources() -> Vec<Operation> {
    vec![
        operation::<CreateProject>(|client, it| {
            Box::pin(nothing(
                client,
                CreateProject {
                    token: &it.token,
                    name: "Payments",
                    slug: "payments",
                    description: None,
                    kind: None,
                    has_default_environments: false,
                    has_delete_protection: false,
                },
            ))
        }),
        operation::<ReadProject>(|client, it| {
            Box::pin(nothing(client, ReadProject { token: &it.token, project_id: ID }))
        }),
        operation::<ReadProjectBySlug>(|client, it| {
            Box::pin(nothing(client, ReadProjectBySlug { token: &it.token, slug: "payments" }))
        }),
        operation::<ListProjects>(|client, it| Box::pin(nothing(client, ListProjects { token: &it.token }))),
        operation::<UpdateProject>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateProject {
                    token: &it.token,
                    project_id: ID,
                    name: Some("Payments"),
                    slug: None,
                    description: None,
                    has_delete_protection: None,
                    auto_capitalization: None,
                },
            ))
        }),
        operation::<DeleteProject>(|client, it| {
            Box::pin(nothing(client, DeleteProject { token: &it.token, project_id: ID }))
        }),
        operation::<CreateEnvironment>(|client, it| {
            Box::pin(nothing(
                client,
                CreateEnvironment {
                    token: &it.token,
                    project_id: ID,
                    name: "Prod",
                    slug: "prod",
                    position: None,
                },
            ))
        }),
        operation::<ReadEnvironment>(|client, it| {
            Box::pin(nothing(
                client,
                ReadEnvironment { token: &it.token, project_id: ID, environment_id: ID },
            ))
        }),
        operation::<UpdateEnvironment>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateEnvironment {
                    token: &it.token,
                    project_id: ID,
                    environment_id: ID,
                    name: Some("Prod"),
                    slug: None,
                    position: None,
                },
            ))
        }),
        operation::<DeleteEnvironment>(|client, it| {
            Box::pin(nothing(
                client,
                DeleteEnvironment { token: &it.token, project_id: ID, environment_id: ID, for_good: false },
            ))
        }),
        operation::<RestoreEnvironment>(|client, it| {
            Box::pin(nothing(
                client,
                RestoreEnvironment { token: &it.token, project_id: ID, environment_id: ID },
            ))
        }),
        operation::<CreateFolder>(|client, it| {
            Box::pin(nothing(
                client,
                CreateFolder {
                    token: &it.token,
                    project_id: ID,
                    environment: "prod",
                    path: "/",
                    name: "team",
                    description: None,
                },
            ))
        }),
        operation::<ReadFolder>(|client, it| {
            Box::pin(nothing(client, ReadFolder { token: &it.token, folder_id: ID }))
        }),
        operation::<ListFolders>(|client, it| {
            Box::pin(nothing(
                client,
                ListFolders { token: &it.token, project_id: ID, environment: "prod", path: "/" },
            ))
        }),
        operation::<UpdateFolder>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateFolder {
                    token: &it.token,
                    folder_id: ID,
                    project_id: ID,
                    environment: "prod",
                    path: "/",
                    name: "team",
                    description: None,
                },
            ))
        }),
        operation::<DeleteFolder>(|client, it| {
            Box::pin(nothing(
                client,
                DeleteFolder {
                    token: &it.token,
                    folder_id: ID,
                    project_id: ID,
                    environment: "prod",
                    path: "/",
                    with_content: false,
                },
            ))
        }),
        operation::<CreateSecret>(|client, it| {
            Box::pin(nothing(
                client,
                CreateSecret {
                    token: &it.token,
                    place: PLACE,
                    name: "KEY",
                    content: SecretContent::default(),
                },
            ))
        }),
        operation::<ReadSecret>(|client, it| {
            Box::pin(nothing(client, ReadSecret { token: &it.token, place: PLACE, name: "KEY" }))
        }),
        operation::<ListSecrets>(|client, it| {
            Box::pin(nothing(client, ListSecrets { token: &it.token, place: PLACE, has_values: true }))
        }),
        operation::<UpdateSecret>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateSecret {
                    token: &it.token,
                    place: PLACE,
                    name: "KEY",
                    content: SecretContent::default(),
                    new_name: None,
                },
            ))
        }),
        operation::<DeleteSecret>(|client, it| {
            Box::pin(nothing(client, DeleteSecret { token: &it.token, place: PLACE, name: "KEY" }))
        }),
        operation::<CreateSecrets>(|client, it| {
            Box::pin(nothing(client, CreateSecrets { token: &it.token, place: PLACE, secrets: &SECRETS }))
        }),
        operation::<UpdateSecrets>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateSecrets {
                    token: &it.token,
                    place: PLACE,
                    mode: MissingSecrets::Upsert,
                    secrets: &SECRETS,
                },
            ))
        }),
        operation::<DeleteSecrets>(|client, it| {
            Box::pin(nothing(client, DeleteSecrets { token: &it.token, place: PLACE, names: &["KEY"] }))
        }),
        operation::<CreateMarkedIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                CreateMarkedIdentity {
                    token: &it.token,
                    organization_id: ID,
                    name: "app",
                    role: "no-access",
                    metadata: &[],
                    has_delete_protection: false,
                },
            ))
        }),
        operation::<ReadIdentity>(|client, it| {
            Box::pin(nothing(client, ReadIdentity { token: &it.token, identity_id: ID }))
        }),
        operation::<SearchIdentities>(|client, it| {
            Box::pin(pages(client, SearchIdentities { token: &it.token, name: "app", offset: 0 }))
        }),
        operation::<UpdateIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateIdentity {
                    token: &it.token,
                    identity_id: ID,
                    name: "app",
                    role: None,
                    metadata: None,
                    has_delete_protection: None,
                },
            ))
        }),
        operation::<CreateProjectOwnIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                CreateProjectOwnIdentity {
                    token: &it.token,
                    project_id: ID,
                    name: "app",
                    metadata: &[],
                    has_delete_protection: false,
                },
            ))
        }),
        operation::<ReadProjectOwnIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                ReadProjectOwnIdentity { token: &it.token, project_id: ID, identity_id: ID },
            ))
        }),
        operation::<ListProjectOwnIdentities>(|client, it| {
            Box::pin(nothing(client, ListProjectOwnIdentities { token: &it.token, project_id: ID }))
        }),
        operation::<UpdateProjectOwnIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateProjectOwnIdentity {
                    token: &it.token,
                    project_id: ID,
                    identity_id: ID,
                    name: "app",
                    metadata: None,
                    has_delete_protection: None,
                },
            ))
        }),
        operation::<DeleteProjectOwnIdentity>(|client, it| {
            Box::pin(nothing(
                client,
                DeleteProjectOwnIdentity { token: &it.token, project_id: ID, identity_id: ID },
            ))
        }),
        operation::<ConfigureUniversalAuth>(|client, it| {
            Box::pin(async move {
                let settings = UniversalAuthSettings::default();
                nothing(
                    client,
                    ConfigureUniversalAuth { token: &it.token, identity_id: ID, settings: &settings },
                )
                .await
            })
        }),
        operation::<ReadUniversalAuthSettings>(|client, it| {
            Box::pin(nothing(client, ReadUniversalAuthSettings { token: &it.token, identity_id: ID }))
        }),
        operation::<UpdateUniversalAuth>(|client, it| {
            Box::pin(async move {
                let settings = UniversalAuthSettings::default();
                nothing(
                    client,
                    UpdateUniversalAuth { token: &it.token, identity_id: ID, settings: &settings },
                )
                .await
            })
        }),
        operation::<RemoveUniversalAuth>(|client, it| {
            Box::pin(nothing(client, RemoveUniversalAuth { token: &it.token, identity_id: ID }))
        }),
        operation::<CreateLimitedClientSecret>(|client, it| {
            Box::pin(sent(
                client,
                CreateLimitedClientSecret {
                    token: &it.token,
                    identity_id: ID,
                    description: "description",
                    ttl: 60,
                    uses_limit: 1,
                },
                |made| vec![made.client_secret.expose().to_owned()],
            ))
        }),
        operation::<ReadClientSecret>(|client, it| {
            Box::pin(nothing(
                client,
                ReadClientSecret { token: &it.token, identity_id: ID, client_secret_id: ID },
            ))
        }),
        operation::<AttachKubernetesAuth>(|client, it| {
            Box::pin(async move {
                let settings = KubernetesAuthSettings::default();
                nothing(
                    client,
                    AttachKubernetesAuth { token: &it.token, identity_id: ID, settings: &settings },
                )
                .await
            })
        }),
        operation::<ReadKubernetesAuth>(|client, it| {
            Box::pin(nothing(client, ReadKubernetesAuth { token: &it.token, identity_id: ID }))
        }),
        operation::<UpdateKubernetesAuth>(|client, it| {
            Box::pin(async move {
                let settings = KubernetesAuthSettings::default();
                nothing(
                    client,
                    UpdateKubernetesAuth { token: &it.token, identity_id: ID, settings: &settings },
                )
                .await
            })
        }),
        operation::<RemoveKubernetesAuth>(|client, it| {
            Box::pin(nothing(client, RemoveKubernetesAuth { token: &it.token, identity_id: ID }))
        }),
        operation::<CreateMembership>(|client, it| {
            Box::pin(nothing(
                client,
                CreateMembership { token: &it.token, project_id: ID, identity_id: ID, roles: &[] },
            ))
        }),
        operation::<ReadMembership>(|client, it| {
            Box::pin(nothing(client, ReadMembership { token: &it.token, project_id: ID, identity_id: ID }))
        }),
        operation::<ListMemberships>(|client, it| {
            Box::pin(nothing(client, ListMemberships { token: &it.token, project_id: ID }))
        }),
        operation::<UpdateMembership>(|client, it| {
            Box::pin(nothing(
                client,
                UpdateMembership { token: &it.token, project_id: ID, identity_id: ID, roles: &[] },
            ))
        }),
        operation::<DeleteMembership>(|client, it| {
            Box::pin(nothing(client, DeleteMembership { token: &it.token, project_id: ID, identity_id: ID }))
        }),
        operation::<CreatePrivilege>(|client, it| {
            Box::pin(nothing(
                client,
                CreatePrivilege {
                    token: &it.token,
                    project_id: ID,
                    identity_id: ID,
                    slug: "reader",
                    temporary: None,
                    permissions: &[],
                },
            ))
        }),
        operation::<ReadPrivilege>(|client, it| {
            Box::pin(nothing(client, ReadPrivilege { token: &it.token, privilege_id: ID }))
        }),
        operation::<ReadPrivilegeBySlug>(|client, it| {
            Box::pin(nothing(
                client,
                ReadPrivilegeBySlug {
                    token: &it.token,
                    project_slug: "payments",
                    identity_id: ID,
                    slug: "reader",
                },
            ))
        }),
        operation::<ListPrivileges>(|client, it| {
            Box::pin(nothing(client, ListPrivileges { token: &it.token, project_id: ID, identity_id: ID }))
        }),
        operation::<UpdatePrivilege>(|client, it| {
            Box::pin(nothing(
                client,
                UpdatePrivilege {
                    token: &it.token,
                    privilege_id: ID,
                    slug: "reader",
                    temporary: None,
                    permissions: &[],
                },
            ))
        }),
        operation::<DeletePrivilege>(|client, it| {
            Box::pin(nothing(client, DeletePrivilege { token: &it.token, privilege_id: ID }))
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
