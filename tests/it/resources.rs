//! The routes of projects and of what is in them: every recorded answer is read as what
//! it is, and each is asked of the fake as the provider asks it.

use std::{collections::BTreeSet, fs};

use async_trait::async_trait;
use fake_infisical::{FakeInfisical, Options, Settings, Variant};
use infisical::{
    Connect as _, ErrorKind,
    api::{
        AttachKubernetesAuth, BatchSecret, Bootstrap, Bootstrapped, ClientLogin, ConfigureUniversalAuth,
        CreateEnvironment, CreateFolder, CreateLimitedClientSecret, CreateMarkedIdentity, CreateMembership,
        CreatePrivilege, CreateProject, CreateProjectOwnIdentity, CreateSecret, CreateSecrets,
        DeleteEnvironment, DeleteFolder, DeleteIdentity, DeleteMembership, DeletePrivilege, DeleteProject,
        DeleteProjectOwnIdentity, DeleteSecret, DeleteSecrets, KubernetesAuthSettings, ListFolders,
        ListMemberships, ListPrivileges, ListProjectOwnIdentities, ListProjects, ListSecrets, MembershipRole,
        Metadata, MissingSecrets, Project, ReadClientSecret, ReadEnvironment, ReadFolder, ReadIdentity,
        ReadKubernetesAuth, ReadMembership, ReadPrivilege, ReadPrivilegeBySlug, ReadProject,
        ReadProjectBySlug, ReadProjectOwnIdentity, ReadSecret, ReadUniversalAuthSettings,
        RemoveKubernetesAuth, RemoveUniversalAuth, ResourceRefusal, RestoreEnvironment, RevokeClientSecret,
        SearchIdentities, SecretContent, SecretPlace, Temporary, TokenTerms, TrustedAddress,
        UniversalAuthSettings, UpdateEnvironment, UpdateFolder, UpdateIdentity, UpdateKubernetesAuth,
        UpdateMembership, UpdatePrivilege, UpdateProject, UpdateProjectOwnIdentity, UpdateSecret,
        UpdateSecrets, UpdateUniversalAuth,
    },
    client::{Client, Connector, Exchange, Request, Response},
    endpoint::{Endpoint, Origin, Tls},
    secret::{AccessToken, Credentials, Email, Password, ReviewerToken, SecretValue, UniversalAuth},
};
use serde_json::{Value, json};

use crate::operations::{Operation, carry_out, operations};

/// Beside the recordings.
const BESIDE: [&str; 3] = ["setup", "overrides", "unmatched"];

fn recorded() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/exchanges/resources");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|it| it != "json") || BESIDE.contains(&name.as_str()) {
            continue;
        }
        let list: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let named = list.into_iter().enumerate().map(|(index, it)| (format!("{name} {index}"), it));
        // The others are no exchanges but what somebody measured, or lists whose length
        // alone was kept.
        all.extend(named.filter(|(_, it)| it["method"].is_string() && it["answer"].get("(bytes)").is_none()));
    }
    all
}

/// How many segments of a path are those of a route, if it is one of the route's.
fn fit(route: &str, path: &str) -> Option<usize> {
    let path = path.split('?').next().unwrap();
    if route.split('/').count() != path.split('/').count() {
        return None;
    }
    route.split('/').zip(path.split('/')).try_fold(0, |count, (expected, given)| match given {
        _ if expected == given => Some(count + 1),
        _ if expected.starts_with('{') => Some(count),
        _ => None,
    })
}

/// The operations of a recorded request's route.
fn of(exchange: &Value) -> Vec<Operation> {
    let fits = |operation: &Operation| fit(operation.path, exchange["path"].as_str().unwrap());
    let all: Vec<_> = operations().into_iter().filter(|it| exchange["method"] == it.method).collect();
    let best = all.iter().filter_map(fits).max();
    all.into_iter().filter(|operation| best.is_some() && fits(operation) == best).collect()
}

/// Gives one answer.
struct Answer(u16, Vec<u8>);

#[async_trait]
impl Exchange for Answer {
    async fn send(&self, _: Request) -> Result<Response, ErrorKind> {
        Ok(Response {
            status: self.0,
            content_type: Some("application/json; charset=utf-8".to_owned()),
            body: self.1.clone().into(),
            ..Response::default()
        })
    }
}

/// What the recorded answers of 400, 403 and 404 are read as: a line for each operation
/// and refusal.
const REFUSALS: &str = include_str!("../fixtures/exchanges/refusals.txt");

#[tokio::test]
async fn every_recorded_answer_is_read_as_what_it_is() {
    let mut refusals = BTreeSet::new();
    let mut read = 0;
    for (name, exchange) in recorded() {
        let status = u16::try_from(exchange["status"].as_u64().unwrap()).unwrap();
        for operation in of(&exchange).into_iter().filter(|_| status != 304) {
            let body = serde_json::to_vec(&exchange["answer"]).unwrap();
            let answer = carry_out(operation, &Client::new(Answer(status, body))).await;
            let (what, asked) = (&exchange["what"], operation.what);
            assert_eq!(answer.is_ok(), status == 200, "{name} {what}, {asked}: {answer:?}");
            read += 1;
            if let (Err(error), 400 | 403 | 404) = (answer, status) {
                refusals.insert(format!("{asked}: {status} {}", error.kind));
            }
        }
    }
    assert!(read > 1000, "{read}");
    let expected: BTreeSet<_> = REFUSALS.lines().map(str::to_owned).collect();
    let (more, less) = (refusals.difference(&expected), expected.difference(&refusals));
    assert_eq!((more.collect::<Vec<_>>(), less.collect::<Vec<_>>()), (vec![], vec![]));
}

async fn start() -> (FakeInfisical, Client, Bootstrapped) {
    let settings = Settings { variant: Variant::Lenient, permission_lag: 0, ..Settings::default() };
    let fake = FakeInfisical::start(Options { settings, ..Options::default() }).await.unwrap();
    let endpoint = Endpoint::new(Origin::parse(&fake.url()).unwrap(), Tls::default());
    let client = Connector::default().connect(&endpoint).unwrap();
    let email = Email::parse("admin@example.com").unwrap();
    let admin = Credentials { email, password: Password::new("marker-password") };
    let done = client.send(&Bootstrap { admin: &admin, organization: "Acme" }).await.unwrap();
    (fake, client, done)
}

fn refused(refusal: ResourceRefusal) -> ErrorKind<ResourceRefusal> {
    ErrorKind::Refused(refusal)
}

/// Makes a project without environments.
async fn make_project(client: &Client, token: &AccessToken, slug: &str) -> Project {
    let (name, description) = ("Payments", Some("of the team"));
    let (has_default_environments, has_delete_protection) = (false, true);
    let create = CreateProject {
        token,
        name,
        slug,
        description,
        kind: None,
        has_default_environments,
        has_delete_protection,
    };
    let made = client.send(&create).await.unwrap();
    let again = client.send(&create).await.unwrap_err();
    assert_eq!(again.kind, refused(ResourceRefusal::AlreadyExists));
    made
}

#[tokio::test]
async fn a_project_is_made_found_changed_and_deleted() {
    let (_fake, client, Bootstrapped { token, .. }) = start().await;
    let token = &token;
    let made = make_project(&client, token, "payments").await;
    assert_eq!((made.name.as_str(), made.kind.as_str()), ("Payments", "secret-manager"));
    let project_id = &made.id;
    assert_eq!(client.send(&ReadProject { token, project_id }).await.unwrap(), made);
    assert_eq!(client.send(&ReadProjectBySlug { token, slug: "payments" }).await.unwrap(), made);
    assert_eq!(client.send(&ListProjects { token }).await.unwrap(), std::slice::from_ref(&made));

    let protected = client.send(&DeleteProject { token, project_id }).await.unwrap_err();
    assert_eq!(protected.kind, refused(ResourceRefusal::DeleteProtected));
    let change = UpdateProject {
        token,
        project_id,
        name: None,
        slug: None,
        description: Some(""),
        has_delete_protection: Some(false),
        auto_capitalization: None,
    };
    client.send(&change).await.unwrap();
    client.send(&DeleteProject { token, project_id }).await.unwrap();
    let gone = client.send(&DeleteProject { token, project_id }).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_deleted_environment_holds_its_slug_until_it_is_restored_or_gone() {
    let (_fake, client, Bootstrapped { token, .. }) = start().await;
    let token = &token;
    let project_id = &make_project(&client, token, "payments").await.id;
    let create = CreateEnvironment { token, project_id, name: "Prod", slug: "prod", position: None };
    let made = client.send(&create).await.unwrap();
    let environment_id = &made.id;
    let doubled = client.send(&create).await.unwrap_err();
    assert_eq!(doubled.kind, refused(ResourceRefusal::AlreadyExists));
    let change = UpdateEnvironment {
        token,
        project_id,
        environment_id,
        name: Some("Production"),
        slug: None,
        position: None,
    };
    assert_eq!(client.send(&change).await.unwrap().name, "Production");

    let delete = |for_good| DeleteEnvironment { token, project_id, environment_id, for_good };
    client.send(&delete(false)).await.unwrap();
    let held = client.send(&create).await.unwrap_err();
    assert_eq!(held.kind, refused(ResourceRefusal::HeldByDeleted));
    let read = client.send(&ReadProject { token, project_id }).await.unwrap();
    assert_eq!((read.environments.len(), read.deleted_environments[0].id.as_str()), (0, made.id.as_str()));
    client.send(&RestoreEnvironment { token, project_id, environment_id }).await.unwrap();
    client.send(&ReadEnvironment { token, project_id, environment_id }).await.unwrap();
    client.send(&delete(true)).await.unwrap();
    client.send(&create).await.unwrap();
}

/// A project with the environment `prod`; its id.
async fn with_environment(client: &Client, token: &AccessToken) -> String {
    let project_id = make_project(client, token, "payments").await.id;
    let project = &project_id;
    let create = CreateEnvironment { token, project_id: project, name: "Prod", slug: "prod", position: None };
    client.send(&create).await.unwrap();
    project_id
}

#[tokio::test]
async fn a_folder_with_content_is_deleted_only_with_it() {
    let (_fake, client, Bootstrapped { token, .. }) = start().await;
    let token = &token;
    let project_id = &with_environment(&client, token).await;
    let environment = "prod";
    let create = CreateFolder { token, project_id, environment, path: "/a/b", name: "c", description: None };
    let made = client.send(&create).await.unwrap();
    let doubled = client.send(&create).await.unwrap_err();
    assert_eq!(doubled.kind, refused(ResourceRefusal::AlreadyExists));
    let read = client.send(&ReadFolder { token, folder_id: &made.id }).await.unwrap();
    assert_eq!((read.path.as_str(), read.environment.as_str()), ("/a/b/c", "prod"));
    let list = |path| ListFolders { token, project_id, environment, path };
    let top = client.send(&list("/")).await.unwrap();
    assert_eq!((top.len(), top[0].name.as_str()), (1, "a"));
    assert_eq!(client.send(&list("/not/there")).await.unwrap(), []);

    let change = UpdateFolder {
        token,
        folder_id: &made.id,
        project_id,
        environment,
        path: "/a/b",
        name: "d",
        description: Some("words"),
    };
    client.send(&change).await.unwrap();
    let read = client.send(&ReadFolder { token, folder_id: &made.id }).await.unwrap();
    assert_eq!((read.path.as_str(), read.folder.description.as_deref()), ("/a/b/d", Some("words")));
    let delete = |with_content| DeleteFolder {
        token,
        folder_id: &top[0].id,
        project_id,
        environment,
        path: "/",
        with_content,
    };
    let full = client.send(&delete(false)).await.unwrap_err();
    assert_eq!(full.kind, refused(ResourceRefusal::NotEmpty));
    client.send(&delete(true)).await.unwrap();
    let gone = client.send(&ReadFolder { token, folder_id: &made.id }).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_secret_of_any_name_and_value_is_read_as_it_is_stored() {
    let (_fake, client, Bootstrapped { token, .. }) = start().await;
    let token = &token;
    let project_id = &with_environment(&client, token).await;
    let place = SecretPlace { project_id, environment: "prod", path: "/" };
    for (name, value) in [
        ("KEY", " marker \n"),
        ("a b%c?d#e&f=g+h", "${NOT_THERE}"),
        ("äö", "marker\u{0}\u{1f4a1}\n\n"),
        ("..a", "\u{feff}\u{a0}"),
    ] {
        let value = SecretValue::new(value);
        let metadata = [Metadata { key: "k".to_owned(), value: "v".to_owned() }];
        let content = SecretContent {
            value: Some(&value),
            comment: Some("words"),
            metadata: Some(&metadata),
            ..SecretContent::default()
        };
        let create = CreateSecret { token, place, name, content };
        client.send(&create).await.unwrap();
        let again = client.send(&create).await.unwrap_err();
        assert_eq!(again.kind, refused(ResourceRefusal::AlreadyExists));
        let read = client.send(&ReadSecret { token, place, name }).await.unwrap();
        assert_eq!((read.name.as_str(), read.comment.as_str()), (name, "words"));
        assert_eq!((read.value, read.version), (Some(value.as_stored()), 1));
        assert_eq!(read.metadata, metadata);
        let content = SecretContent { comment: Some(""), ..SecretContent::default() };
        client.send(&UpdateSecret { token, place, name, content, new_name: None }).await.unwrap();
        let read = client.send(&ReadSecret { token, place, name }).await.unwrap();
        assert_eq!((read.value, read.comment.as_str()), (Some(value.as_stored()), ""));
        client.send(&DeleteSecret { token, place, name }).await.unwrap();
        let gone = client.send(&DeleteSecret { token, place, name }).await.unwrap_err();
        assert_eq!(gone.kind, ErrorKind::NotFound);
    }
    for name in ["", ".", "..", &"n".repeat(101)] {
        let never = client.send(&ReadSecret { token, place, name }).await.unwrap_err();
        assert_eq!(never.kind, ErrorKind::InvalidRequest { fields: vec!["name".to_owned()] });
    }
}

#[tokio::test]
async fn many_secrets_are_written_at_once_or_none_of_them() {
    let (_fake, client, Bootstrapped { token, .. }) = start().await;
    let token = &token;
    let project_id = &with_environment(&client, token).await;
    let place = SecretPlace { project_id, environment: "prod", path: "/" };
    let value = SecretValue::new("marker");
    let content = SecretContent { value: Some(&value), ..SecretContent::default() };
    let long = "n".repeat(200);
    let of = |names: [&'static str; 2]| names.map(|name| BatchSecret { name, content });
    client.send(&CreateSecrets { token, place, secrets: &of(["A", "B"]) }).await.unwrap();
    let doubled = client.send(&CreateSecrets { token, place, secrets: &of(["B", "C"]) }).await.unwrap_err();
    assert_eq!(doubled.kind, refused(ResourceRefusal::AlreadyExists));
    let update = |mode, secrets| UpdateSecrets { token, place, mode, secrets };
    let both = of(["B", "batch"]);
    let missing = client.send(&update(MissingSecrets::FailOnNotFound, &both)).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
    client.send(&update(MissingSecrets::Ignore, &both)).await.unwrap();
    client.send(&update(MissingSecrets::Upsert, &both)).await.unwrap();
    client.send(&update(MissingSecrets::Upsert, &[BatchSecret { name: &long, content }])).await.unwrap();
    let list = |has_values| ListSecrets { token, place, has_values };
    let listed = client.send(&list(true)).await.unwrap();
    let versions: Vec<_> = listed.iter().map(|it| (it.name.as_str(), it.version)).collect();
    assert_eq!(versions, [("A", 1), ("B", 3), ("batch", 1), (&long, 1)]);
    assert!(listed.iter().all(|it| it.value.as_ref() == Some(&value)));
    assert!(client.send(&list(false)).await.unwrap().iter().all(|it| it.value.is_none()));
    let delete = |names| DeleteSecrets { token, place, names };
    let missing = client.send(&delete(&["A", "NOPE"])).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
    client.send(&delete(&["A", "B", "batch", &long])).await.unwrap();
    assert_eq!(client.send(&list(true)).await.unwrap(), []);
}

#[tokio::test]
async fn an_identity_is_found_again_by_its_mark() {
    let (_fake, client, Bootstrapped { token, organization, .. }) = start().await;
    let (token, organization_id) = (&token, &organization.id);
    let mark = |value: &str| [Metadata { key: "owner".to_owned(), value: value.to_owned() }];
    for value in ["uid-1", "uid-2"] {
        let create = CreateMarkedIdentity {
            token,
            organization_id,
            name: "app",
            role: "no-access",
            metadata: &mark(value),
            has_delete_protection: true,
        };
        client.send(&create).await.unwrap();
    }
    let found = client.send_pages(&SearchIdentities { token, name: "app", offset: 0 }).await.unwrap();
    assert_eq!(found.len(), 2);
    let mut ours = Vec::new();
    for one in &found {
        let read = client.send(&ReadIdentity { token, identity_id: &one.id }).await.unwrap();
        ours.extend(Some(read).filter(|read| read.metadata == mark("uid-2")));
    }
    let [identity] = &ours[..] else { panic!("{ours:?}") };
    let (identity_id, name) = (&identity.id, "app");
    let protected = client.send(&DeleteIdentity { token, identity_id }).await.unwrap_err();
    assert_eq!(protected.kind, refused(ResourceRefusal::DeleteProtected));
    let change = UpdateIdentity {
        token,
        identity_id,
        name,
        role: Some("member"),
        metadata: None,
        has_delete_protection: Some(false),
    };
    client.send(&change).await.unwrap();
    let read = client.send(&ReadIdentity { token, identity_id }).await.unwrap();
    assert_eq!((read.role.as_str(), read.metadata), ("member", mark("uid-2").to_vec()));
    client.send(&DeleteIdentity { token, identity_id }).await.unwrap();
    let gone = client.send(&ReadIdentity { token, identity_id }).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

/// An identity without rights; its id.
async fn identity(client: &Client, done: &Bootstrapped) -> String {
    let Bootstrapped { token, organization, .. } = done;
    let organization_id = &organization.id;
    let (metadata, has_delete_protection) = (&[][..], false);
    let (name, role) = ("app", "no-access");
    client
        .send(&CreateMarkedIdentity { token, organization_id, name, role, metadata, has_delete_protection })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_project_has_identities_of_its_own() {
    let (_fake, client, Bootstrapped { token, .. }) = start().await;
    let token = &token;
    let project_id = &with_environment(&client, token).await;
    let metadata = &[Metadata { key: "owner".to_owned(), value: "uid".to_owned() }];
    let create =
        CreateProjectOwnIdentity { token, project_id, name: "local", metadata, has_delete_protection: true };
    let made = client.send(&create).await.unwrap();
    let identity_id = &made.id;
    assert_eq!(client.send(&ReadProjectOwnIdentity { token, project_id, identity_id }).await.unwrap(), made);
    let listed = client.send(&ListProjectOwnIdentities { token, project_id }).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));
    let other = client.send(&DeleteIdentity { token, identity_id }).await.unwrap_err();
    assert_eq!(other.kind, refused(ResourceRefusal::ManagedByProject));
    let delete = DeleteProjectOwnIdentity { token, project_id, identity_id };
    let protected = client.send(&delete).await.unwrap_err();
    assert_eq!(protected.kind, refused(ResourceRefusal::DeleteProtected));
    let (name, has_delete_protection) = ("local", Some(false));
    let change = UpdateProjectOwnIdentity {
        token,
        project_id,
        identity_id,
        name,
        metadata: None,
        has_delete_protection,
    };
    client.send(&change).await.unwrap();
    client.send(&delete).await.unwrap();
    assert_eq!(client.send(&delete).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn universal_auth_is_set_up_changed_and_removed_with_its_client_secrets() {
    let (_fake, client, done) = start().await;
    let (token, identity_id) = (&done.token, &identity(&client, &done).await);
    let read = ReadUniversalAuthSettings { token, identity_id };
    assert_eq!(client.send(&read).await.unwrap_err().kind, ErrorKind::NotFound);
    let terms = TokenTerms { ttl: Some(600), max_ttl: Some(3600), ..TokenTerms::default() };
    let settings = &UniversalAuthSettings { terms, ..UniversalAuthSettings::default() };
    let attach = ConfigureUniversalAuth { token, identity_id, settings };
    let attached = client.send(&attach).await.unwrap();
    assert_eq!(client.send(&read).await.unwrap(), attached);
    assert_eq!(attached.settings.terms.ttl, Some(600));
    let everywhere = ["0.0.0.0/0", "::/0"].map(|it| TrustedAddress(it.to_owned()));
    assert_eq!(attached.settings.trusted_addresses, Some(everywhere.to_vec()));
    let again = client.send(&attach).await.unwrap_err();
    assert_eq!(again.kind, refused(ResourceRefusal::AlreadyExists));

    let change = |settings| UpdateUniversalAuth { token, identity_id, settings };
    let terms = TokenTerms { ttl: Some(7200), ..TokenTerms::default() };
    let longer = UniversalAuthSettings { terms, ..UniversalAuthSettings::default() };
    let above = client.send(&change(&longer)).await.unwrap_err();
    assert_eq!(above.kind, refused(ResourceRefusal::TtlAboveMaximum));
    // What was read is doubled as it is.
    assert_eq!(client.send(&change(&attached.settings)).await.unwrap(), attached);
    let trusted_addresses = Some(vec![TrustedAddress("10.0.0.0/8".to_owned())]);
    let narrow = UniversalAuthSettings { trusted_addresses, ..UniversalAuthSettings::default() };
    let licensed = client.send(&change(&narrow)).await.unwrap_err();
    assert_eq!(licensed.kind, refused(ResourceRefusal::Licence));

    let create =
        CreateLimitedClientSecret { token, identity_id, description: "uid", ttl: 3600, uses_limit: 5 };
    let made = client.send(&create).await.unwrap();
    let client_id = attached.client_id.clone();
    let login = UniversalAuth { client_id, client_secret: made.client_secret.clone() };
    client.send(&ClientLogin { login: &login }).await.unwrap();
    let client_secret_id = &made.id;
    let state = || ReadClientSecret { token, identity_id, client_secret_id };
    let read_back = client.send(&state()).await.unwrap();
    assert_eq!((read_back.uses, read_back.uses_limit, read_back.is_revoked), (1, 5, false));
    client.send(&RevokeClientSecret { token, identity_id, client_secret_id }).await.unwrap();
    assert!(client.send(&state()).await.unwrap().is_revoked);
    client.send(&RemoveUniversalAuth { token, identity_id }).await.unwrap();
    let gone = client.send(&RemoveUniversalAuth { token, identity_id }).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn kubernetes_auth_asks_the_cluster_when_it_is_attached() {
    let (fake, client, done) = start().await;
    let (token, identity_id) = (&done.token, &identity(&client, &done).await);
    let text = |text: &str| Some(text.to_owned());
    let settings = KubernetesAuthSettings {
        host: text("https://10.0.0.1:6443"),
        allowed_namespaces: text("team-a"),
        allowed_names: text("app"),
        allowed_audience: text(""),
        reviewer_token: Some(ReviewerToken::new("marker.reviewer.token")),
        ..KubernetesAuthSettings::default()
    };
    let attach = AttachKubernetesAuth { token, identity_id, settings: &settings };
    let private = client.send(&attach).await.unwrap_err();
    assert_eq!(private.kind, refused(ResourceRefusal::PrivateAddress));
    fake.configure(|settings| settings.allow_internal_ip_connections = true);
    fake.configure(|settings| settings.clusters.answer = false);
    let unreachable = client.send(&attach).await.unwrap_err();
    assert_eq!(unreachable.kind, refused(ResourceRefusal::ClusterUnreachable));
    fake.configure(|settings| settings.clusters.answer = true);
    client.send(&attach).await.unwrap();
    let again = client.send(&attach).await.unwrap_err();
    assert_eq!(again.kind, refused(ResourceRefusal::AlreadyExists));
    let read = ReadKubernetesAuth { token, identity_id };
    let read_back = client.send(&read).await.unwrap();
    assert_eq!(read_back.reviewer_token, settings.reviewer_token);
    assert!(!format!("{read_back:?}").contains("marker"));
    let none = KubernetesAuthSettings {
        reviewer_token: Some(ReviewerToken::new("")),
        ..KubernetesAuthSettings::default()
    };
    client.send(&UpdateKubernetesAuth { token, identity_id, settings: &none }).await.unwrap();
    assert_eq!(client.send(&read).await.unwrap().reviewer_token, none.reviewer_token);
    client.send(&RemoveKubernetesAuth { token, identity_id }).await.unwrap();
    assert_eq!(client.send(&read).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_membership_reads_back_as_it_was_written_and_takes_its_privileges_along() {
    let (_fake, client, done) = start().await;
    let (token, identity_id) = (&done.token, &identity(&client, &done).await);
    let project_id = &with_environment(&client, token).await;
    let permissions = &[json!({
        "subject": "secrets",
        "action": ["describeSecret", "readValue"],
        "conditions": { "environment": "prod", "secretPath": { "$glob": "/team/**" } },
    })];
    let slug = "reader";
    let create_privilege =
        CreatePrivilege { token, project_id, identity_id, slug, temporary: None, permissions };
    let stranger = client.send(&create_privilege).await.unwrap_err();
    assert_eq!(stranger.kind, refused(ResourceRefusal::NotAMember));

    let forever = |role: &str| MembershipRole { role: role.to_owned(), temporary: None };
    let start = "2026-11-27T08:09:31.123Z".parse().unwrap();
    let temporary = Some(Temporary { range: "1h".to_owned(), start });
    let hour = MembershipRole { role: "member".to_owned(), temporary };
    let create = |roles| CreateMembership { token, project_id, identity_id, roles };
    let only_temporary = client.send(&create(std::slice::from_ref(&hour))).await.unwrap_err();
    assert_eq!(only_temporary.kind, refused(ResourceRefusal::NoPermanentRole));
    let (nope, no_access) = ([forever("nope")], [forever("no-access")]);
    let unknown = client.send(&create(&nope)).await.unwrap_err();
    assert_eq!(unknown.kind, refused(ResourceRefusal::NoSuchRole));
    client.send(&create(&no_access)).await.unwrap();
    let again = client.send(&create(&no_access)).await.unwrap_err();
    assert_eq!(again.kind, refused(ResourceRefusal::AlreadyExists));
    let roles = &[forever("viewer"), hour];
    client.send(&UpdateMembership { token, project_id, identity_id, roles }).await.unwrap();
    let read = client.send(&ReadMembership { token, project_id, identity_id }).await.unwrap();
    assert_eq!(read.roles, roles);
    assert!(client.send(&ListMemberships { token, project_id }).await.unwrap().contains(&read));

    let made = client.send(&create_privilege).await.unwrap();
    let privilege_id = &made.id;
    let doubled = client.send(&create_privilege).await.unwrap_err();
    assert_eq!(doubled.kind, refused(ResourceRefusal::AlreadyExists));
    assert_eq!(client.send(&ReadPrivilege { token, privilege_id }).await.unwrap(), made);
    let by_slug = ReadPrivilegeBySlug { token, project_slug: "payments", identity_id, slug };
    assert_eq!(client.send(&by_slug).await.unwrap(), made);
    let list = ListPrivileges { token, project_id, identity_id };
    assert_eq!(client.send(&list).await.unwrap()[0].slug, "reader");
    let until = Temporary { range: "2d".to_owned(), start };
    let change = UpdatePrivilege { token, privilege_id, slug, temporary: Some(&until), permissions };
    client.send(&change).await.unwrap();
    let read = client.send(&ReadPrivilege { token, privilege_id }).await.unwrap();
    assert_eq!(read.temporary, Some(until));

    let leave = DeleteMembership { token, project_id, identity_id };
    client.send(&leave).await.unwrap();
    assert_eq!(client.send(&leave).await.unwrap_err().kind, ErrorKind::NotFound);
    let gone = client.send(&DeletePrivilege { token, privilege_id }).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}
