//! The client against the fake, over real HTTP and TLS: the life of a token,
//! every refusal, and everything that can go wrong on the way.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fake_infisical::{
    FakeInfisical, Fault, On, Options, Request, Route, Settings, Times, Transaction, Variant,
};
use flate2::{Compression, write::GzEncoder};
use infisical::{
    Client, Connect as _, ErrorKind,
    api::{
        AdminIdentity, Bootstrap, BootstrapRefusal, ListAdminIdentities, ListIdentities, ListOrganizations,
        ListTokens, Login, LoginRefusal, MintToken, Organization, ReadConfig, ReadStatus, RenewToken,
        RevokeToken, SelectOrganization, VerifyToken,
    },
    client::{Connector, Limits},
    endpoint::{Endpoint, Origin, Tls},
    error::{TokenRefusal, Transport},
    secret::{AccessToken, Credentials, Email, Password, UserToken},
};
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const NINETY_DAYS: i64 = 90 * 24 * 60 * 60;

fn endpoint(url: &str, tls: Tls) -> Endpoint {
    Endpoint::new(Origin::parse(url).unwrap(), tls)
}

fn client(url: &str) -> Client {
    Connector::default().connect(&endpoint(url, Tls::default())).unwrap()
}

/// A client that gives up soon, for servers that never answer.
fn impatient(url: &str) -> Client {
    let limits = Limits { request: Duration::from_millis(200), ..Limits::default() };
    Connector::new(limits).connect(&endpoint(url, Tls::default())).unwrap()
}

async fn start(settings: Settings) -> FakeInfisical {
    FakeInfisical::start(Options { settings, ..Options::default() }).await.unwrap()
}

async fn strict() -> FakeInfisical {
    start(Settings::default()).await
}

fn admin() -> Credentials {
    Credentials {
        email: Email::parse("Admin@Example.com").unwrap(),
        password: Password::new("marker-password"),
    }
}

/// A session in the admin's organization.
async fn session(client: &Client) -> UserToken {
    let user = client.send(&Login { admin: &admin() }).await.unwrap();
    let organizations = client.send(&ListOrganizations { session: &user }).await.unwrap();
    client
        .send(&SelectOrganization { session: &user, organization_id: &organizations[0].id })
        .await
        .unwrap()
        .token
}

async fn minted(client: &Client) -> AccessToken {
    let session = session(client).await;
    let identities = client.send_pages(&ListAdminIdentities { session: &session, offset: 0 }).await.unwrap();
    client
        .send(&MintToken { session: &session, identity_id: &identities[0].id, name: "test" })
        .await
        .unwrap()
        .token
}

#[tokio::test]
async fn a_token_lives_its_whole_life_on_every_variant() {
    let table = [
        (Variant::Strict, Err(ErrorKind::TokenRefused(TokenRefusal::ExceededMaxAge))),
        (Variant::Lenient, Ok(())),
        (Variant::Fixed, Ok(())),
    ];
    for (variant, first_token) in table {
        let fake = start(Settings { variant, ..Settings::default() }).await;
        let client = client(&fake.url());
        assert!(!client.send(&ReadConfig).await.unwrap().initialized);
        let ttl = client.send(&ReadStatus).await.unwrap().max_access_token_ttl.map(|ttl| ttl.as_secs());
        assert_eq!(ttl, u64::try_from(NINETY_DAYS).ok());

        let done = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
        assert!(client.send(&ReadConfig).await.unwrap().initialized);
        let verified =
            client.send(&VerifyToken { token: &done.token }).await.map(|_| ()).map_err(|error| error.kind);
        assert_eq!(verified, first_token, "{variant:?}");

        let session = session(&client).await;
        let identities =
            client.send_pages(&ListAdminIdentities { session: &session, offset: 0 }).await.unwrap();
        let expected = AdminIdentity {
            id: done.identity_id.clone(),
            name: "Instance Admin Identity".to_owned(),
            is_instance_admin: true,
        };
        assert_eq!(identities, [expected]);
        live(&client, &fake, &session, &done.identity_id, &done.organization).await;
    }
}

/// Minted, verified, renewed, listed, revoked.
async fn live(
    client: &Client,
    fake: &FakeInfisical,
    session: &UserToken,
    identity_id: &str,
    organization: &Organization,
) {
    let minted = client.send(&MintToken { session, identity_id, name: "crossplane" }).await.unwrap();
    assert_eq!(&client.send(&VerifyToken { token: &minted.token }).await.unwrap(), organization);

    fake.advance(Duration::from_hours(60 * 24));
    let renewed = client.send(&RenewToken { token: &minted.token }).await.unwrap();
    fake.advance(Duration::from_hours(60 * 24));
    let expired = client.send(&VerifyToken { token: &minted.token }).await.unwrap_err();
    assert_eq!(expired.kind, ErrorKind::TokenRefused(TokenRefusal::Expired));
    assert_eq!(&client.send(&VerifyToken { token: &renewed }).await.unwrap(), organization);

    // The session ended in the meantime.
    let ended = client.send_pages(&ListTokens { session, identity_id, offset: 0 }).await.unwrap_err();
    assert_eq!(ended.kind, ErrorKind::TokenRefused(TokenRefusal::Expired));
    let session = self::session(client).await;
    let listed = client.send_pages(&ListTokens { session: &session, identity_id, offset: 0 }).await.unwrap();
    let names: Vec<_> = listed.iter().map(|token| (token.name.as_str(), token.revoked)).collect();
    // The server puts first what changed last.
    assert_eq!(names, [("crossplane", false), ("Instance Admin Token", false)]);
    assert_eq!(listed[0].id, minted.id);

    client.send(&RevokeToken { session: &session, token_id: &minted.id }).await.unwrap();
    let revoked = client.send(&VerifyToken { token: &renewed }).await.unwrap_err();
    assert_eq!(revoked.kind, ErrorKind::TokenRefused(TokenRefusal::Revoked));
    let listed = client.send_pages(&ListTokens { session: &session, identity_id, offset: 0 }).await.unwrap();
    assert!(listed[0].revoked);
}

#[tokio::test]
async fn the_bootstrap_token_of_a_fixed_server_works_for_ninety_days() {
    let fake = start(Settings { variant: Variant::Fixed, ..Settings::default() }).await;
    let client = client(&fake.url());
    let token = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap().token;
    fake.advance(Duration::from_hours(89 * 24));
    client.send(&VerifyToken { token: &token }).await.unwrap();
    fake.advance(Duration::from_hours(24));
    let error = client.send(&VerifyToken { token: &token }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TokenRefused(TokenRefusal::Expired));
}

#[tokio::test]
async fn refusals_of_bootstrap_are_told_apart() {
    let fake = strict().await;
    let client = client(&fake.url());
    let blank = Credentials { password: Password::new("  "), ..admin() };
    let error = client.send(&Bootstrap { admin: &blank, organization: " " }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest { fields: vec!["password".to_owned()] });
    client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let again = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::Refused(BootstrapRefusal::AlreadySetUp));
    assert_eq!(again.to_string(), "cannot bootstrap the instance: the instance has already been set up");
}

#[tokio::test]
async fn a_bootstrap_that_crashed_leaves_what_its_transactions_wrote() {
    use Transaction::{Identity, Organization, User};
    for (last, organizations) in [(User, 0), (Organization, 1), (Identity, 1)] {
        let fake = strict().await;
        let client = client(&fake.url());
        fake.inject(On::Route(Route::Bootstrap), Times::Next(1), Fault::CrashAfter(last));
        let crash = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap_err();
        assert_eq!(crash.kind, ErrorKind::Unreachable(Transport::Broken), "{last:?}");
        assert!(crash.effect_is_unknown());
        assert!(!client.send(&ReadConfig).await.unwrap().initialized);
        let again = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::Refused(BootstrapRefusal::UserAlreadyExists), "{last:?}");
        let user = client.send(&Login { admin: &admin() }).await.unwrap();
        assert_eq!(
            client.send(&ListOrganizations { session: &user }).await.unwrap().len(),
            organizations,
            "{last:?}"
        );
    }
}

/// What is switched at the server, and what the login then fails with.
type Switch = (fn(&mut Settings), LoginRefusal);

#[tokio::test]
async fn refusals_of_login_are_told_apart() {
    let fake = strict().await;
    let client = client(&fake.url());
    client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let wrong = Credentials { password: Password::new("wrong"), ..admin() };
    let unknown = Credentials { email: Email::parse("nobody@example.com").unwrap(), ..admin() };
    for credentials in [&wrong, &unknown] {
        assert_eq!(
            client.send(&Login { admin: credentials }).await.unwrap_err().kind,
            ErrorKind::Refused(LoginRefusal::InvalidCredentials)
        );
    }
    let table: [Switch; 3] = [
        (|settings| settings.captcha_after = Some(1), LoginRefusal::CaptchaRequired),
        (|settings| settings.password_login = false, LoginRefusal::PasswordLoginDisabled),
        (|settings| settings.users_locked = true, LoginRefusal::UserLocked),
    ];
    for (switch, expected) in table {
        fake.configure(switch);
        assert_eq!(
            client.send(&Login { admin: &admin() }).await.unwrap_err().kind,
            ErrorKind::Refused(expected)
        );
        fake.configure(|settings| *settings = Settings::default());
    }
    client.send(&Login { admin: &admin() }).await.unwrap();
}

#[tokio::test]
async fn a_second_factor_is_reported_with_the_session() {
    let fake = strict().await;
    let client = client(&fake.url());
    let organization =
        client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap().organization;
    fake.configure(|settings| settings.second_factor = true);
    let user = client.send(&Login { admin: &admin() }).await.unwrap();
    assert!(
        client
            .send(&SelectOrganization { session: &user, organization_id: &organization.id })
            .await
            .unwrap()
            .mfa_required
    );
}

#[tokio::test]
async fn tokens_of_others_are_refused_with_the_reason() {
    let fake = strict().await;
    let client = client(&fake.url());
    client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let token = minted(&client).await;
    let other = FakeInfisical::start(Options { seed: 1, ..Options::default() }).await.unwrap();
    let elsewhere = self::client(&other.url());
    for token in [token.clone(), AccessToken::new("none")] {
        let refusals = [
            elsewhere.send(&VerifyToken { token: &token }).await.map(|_| ()),
            elsewhere.send(&RenewToken { token: &token }).await.map(|_| ()),
        ];
        for refusal in refusals {
            assert_eq!(refusal.unwrap_err().kind, ErrorKind::TokenRefused(TokenRefusal::Malformed));
        }
    }
    fake.reset_database();
    let error = client.send(&VerifyToken { token: &token }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TokenRefused(TokenRefusal::Other));
}

#[tokio::test]
async fn the_admin_api_is_forbidden_to_whoever_is_no_admin() {
    let fake = strict().await;
    let client = client(&fake.url());
    client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let token = minted(&client).await;
    fake.revoke_instance_admin();
    // The route takes a machine's token as well as a session.
    let as_session = UserToken::new(token.expose());
    assert_eq!(
        client.send_pages(&ListAdminIdentities { session: &as_session, offset: 0 }).await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    let without_organization = client.send(&Login { admin: &admin() }).await.unwrap();
    let error = client
        .send_pages(&ListAdminIdentities { session: &without_organization, offset: 0 })
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::TokenRefused(TokenRefusal::Other));
    let session = session(&client).await;
    let missing = client
        .send(&MintToken {
            session: &session,
            identity_id: "00000000-0000-4000-8000-000000000000",
            name: "x",
        })
        .await
        .unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let fake = strict().await;
    let client = client(&fake.url());
    let done = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let identity_id = done.identity_id;
    let session = session(&client).await;
    for number in 0..199 {
        let body = json!({ "name": format!("n{number}"), "organizationId": done.organization.id });
        let request = Request::new("POST", "/api/v1/identities").bearer(session.expose()).json(&body);
        assert_eq!(fake.ask(&request).status, 200);
        let path = format!("/api/v1/auth/token-auth/identities/{identity_id}/tokens");
        let mint = Request::new("POST", &path).bearer(session.expose()).json(&json!({ "name": "n" }));
        assert_eq!(fake.ask(&mint).status, 200);
    }
    // Two full pages: only the empty third one says that this is all.
    assert_eq!(
        client.send_pages(&ListAdminIdentities { session: &session, offset: 0 }).await.unwrap().len(),
        200
    );
    assert_eq!(fake.count(Route::AdminIdentities), 3);
    assert_eq!(
        client
            .send_pages(&ListTokens { session: &session, identity_id: &identity_id, offset: 0 })
            .await
            .unwrap()
            .len(),
        200
    );
    assert_eq!(fake.count(Route::ListTokens), 3);
}

#[tokio::test]
async fn every_request_says_who_asks_and_only_a_body_has_a_content_type() {
    let fake = strict().await;
    let connector = Connector::default().with_user_agent("program/1.2.3");
    let client = connector.connect(&endpoint(&fake.url(), Tls::default())).unwrap();
    client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let token = minted(&client).await;
    client.send(&VerifyToken { token: &token }).await.unwrap();
    for entry in fake.log() {
        assert_eq!(entry.user_agent.as_deref(), Some("program/1.2.3"));
        let has_body =
            !matches!(entry.route, Route::Organizations | Route::AdminIdentities | Route::IdentityDetails);
        assert_eq!(entry.content_type.is_some(), has_body, "{:?}", entry.route);
    }
}

/// Where a test's log lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_is_one_line_of_log_without_ids_and_secrets() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let fake = strict().await;
    let client = client(&fake.url());
    // Once without it: a line that another thread comes to first, just while
    // this subscriber is set, stays off for good.
    client.send(&ReadStatus).await.unwrap();
    let before = fake.log().len();
    // With a single subscriber, a line that another thread reaches first is off for
    // this one too; a second subscriber makes tracing ask them all.
    let second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let done = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
    let token = minted(&client).await;
    client.send(&VerifyToken { token: &token }).await.unwrap();
    drop((guard, second));
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for secret in ["marker", "eyJ", done.identity_id.as_str(), "admin@example.com"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let ours = log.lines().filter(|line| line.contains("Infisical answered")).count();
    assert_eq!(ours, fake.log().len() - before, "{log}");
    assert!(log.contains(r#"route="/api/v1/auth/token-auth/identities/{id}/tokens" status=200"#), "{log}");
}

#[tokio::test]
async fn answers_that_are_of_no_use_are_told_apart() {
    let fake = strict().await;
    let client = client(&fake.url());
    let not_json = |status| ErrorKind::NotInfisical { status, what: "it is not JSON" };
    let table = [
        (Fault::FailBefore(500), ErrorKind::ServerError { status: 500 }),
        (Fault::FailAfter(503), ErrorKind::ServerError { status: 503 }),
        (Fault::RateLimit(Some(7)), ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(7)) }),
        (Fault::RateLimit(None), ErrorKind::RateLimited { retry_after: None }),
        (Fault::Page(200), not_json(200)),
        (Fault::Page(404), not_json(404)),
        (
            Fault::Gateway(403),
            ErrorKind::NotInfisical { status: 403, what: "its JSON is not that of a refusal" },
        ),
        (Fault::Oversized(1024 * 1024), ErrorKind::NotInfisical { status: 200, what: "it is too large" }),
        (
            Fault::Oversized(1024),
            ErrorKind::NotInfisical { status: 200, what: "its JSON is not that of the route" },
        ),
        (Fault::CloseBefore, ErrorKind::Unreachable(Transport::Broken)),
        (Fault::CloseAfter, ErrorKind::Unreachable(Transport::Broken)),
    ];
    for (fault, expected) in table {
        fake.inject(On::Any, Times::Next(1), fault.clone());
        assert_eq!(client.send(&ReadConfig).await.unwrap_err().kind, expected, "{fault:?}");
    }
    client.send(&ReadConfig).await.unwrap();
    assert_eq!(fake.count(Route::Config), 12, "nothing is sent twice");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nothing_is_sent_to_its_target() {
    let fake = strict().await;
    let target = strict().await;
    let location = format!("{}/api/v3/auth/login?state=marker", target.url());
    fake.inject(On::Any, Times::Always, Fault::Redirect(location));
    let client = client(&fake.url());
    let expected = ErrorKind::Redirected { to: Some(target.url()) };
    let error = client.send(&Login { admin: &admin() }).await.unwrap_err();
    assert_eq!(error.in_words().kind, expected);
    let error = client.send(&VerifyToken { token: &AccessToken::new("marker") }).await.unwrap_err();
    assert_eq!(error.in_words().kind, expected);
    assert_eq!(target.log(), []);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_at_the_limit() {
    let fake = strict().await;
    let client = impatient(&fake.url());
    for fault in [Fault::Hang, Fault::Delay(Duration::from_mins(1))] {
        fake.inject(On::Route(Route::Config), Times::Next(1), fault);
        let error = client.send(&ReadConfig).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable(Transport::TimedOut));
    }
    // Bootstrap has a limit of its own.
    fake.inject(On::Route(Route::Bootstrap), Times::Next(1), Fault::Delay(Duration::from_millis(400)));
    client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap();
}

#[tokio::test]
async fn what_the_server_took_up_it_does_although_nobody_waits() {
    let fake = strict().await;
    let limits = Limits { bootstrap: Duration::from_millis(200), ..Limits::default() };
    let client = Connector::new(limits).connect(&endpoint(&fake.url(), Tls::default())).unwrap();
    fake.inject(On::Route(Route::Bootstrap), Times::Next(1), Fault::HangAfter);
    let error = client.send(&Bootstrap { admin: &admin(), organization: "Acme" }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable(Transport::TimedOut));
    assert!(client.send(&ReadConfig).await.unwrap().initialized);
    assert_eq!(fake.bootstraps().successful, 1);
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(&format!("http://{address}")).send(&ReadStatus).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable(Transport::Refused));
}

#[tokio::test]
async fn a_name_without_an_address_is_a_matter_of_dns() {
    let error = client("http://infisical.invalid").send(&ReadStatus).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable(Transport::Dns));
}

/// A certificate authority, and a server certificate of it for a name.
pub(crate) struct Authority {
    pub(crate) ca_pem: String,
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

pub(crate) fn authority(name: &str, year: i32) -> Authority {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, format!("authority of {name}"));
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut server = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    server.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = server.signed_by(&key, &rcgen::Issuer::new(ca, ca_key)).unwrap();
    Authority { ca_pem, certificate, key }
}

/// Shows the certificate of the name that is asked for, and without one another; keeps
/// what was asked for.
#[derive(Debug)]
struct ByName {
    of: &'static str,
    its: Arc<CertifiedKey>,
    other: Arc<CertifiedKey>,
    asked: Mutex<Vec<Option<String>>>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        let found = if name.as_deref() == Some(self.of) { &self.its } else { &self.other };
        self.asked.lock().unwrap().push(name);
        Some(Arc::clone(found))
    }
}

impl Authority {
    fn certified(&self) -> Arc<CertifiedKey> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
        Arc::new(CertifiedKey::new(vec![self.certificate.der().clone()], key))
    }
}

/// Puts TLS in front of the fake. Ends with the returned set.
pub(crate) async fn tls_in_front(of: SocketAddr, authority: &Authority) -> (String, JoinSet<()>) {
    let its = authority.certified();
    let by_name = ByName { of: "", other: Arc::clone(&its), its, asked: Mutex::default() };
    tls_by_name_in_front(of, Arc::new(by_name)).await
}

async fn tls_by_name_in_front(of: SocketAddr, by_name: Arc<ByName>) -> (String, JoinSet<()>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(by_name);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(of).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut outside, &mut inside).await);
            });
        }
    });
    (url, tasks)
}

#[tokio::test]
async fn a_certificate_is_accepted_or_the_error_says_what_is_wrong_with_it() {
    let fake = strict().await;
    let good = authority("localhost", 4000);
    let named = authority("infisical.example.org", 4000);
    let namesake = authority("localhost", 4000);
    let expired = authority("localhost", 2020);
    let trust = |authority: &Authority| Tls { ca_bundle: Some(authority.ca_pem.clone()), ..Tls::default() };
    let server_name = |name: &str| Tls { server_name: Some(name.to_owned()), ..trust(&named) };
    let skip = Tls { insecure_skip_verify: true, ..Tls::default() };
    let table = [
        ("its own authority", &good, trust(&good), None),
        ("another authority", &good, trust(&named), Some("the certificate's issuer is not trusted")),
        (
            "another authority of the same name",
            &good,
            trust(&namesake),
            Some("the certificate is not signed with its issuer's key"),
        ),
        ("public authorities", &good, Tls::default(), Some("the certificate's issuer is not trusted")),
        ("another name", &named, trust(&named), Some("the certificate is not valid for \"localhost\"")),
        ("that name asked for", &named, server_name("infisical.example.org"), None),
        (
            "a third name asked for",
            &named,
            server_name("x.example.org"),
            Some("the certificate is not valid for \"x.example.org\""),
        ),
        ("an old one", &expired, trust(&expired), Some("the certificate is expired")),
        ("any will do", &expired, skip, None),
    ];
    for (name, authority, tls, problem) in table {
        let (url, _tasks) = tls_in_front(fake.address(), authority).await;
        let client = Connector::default().connect(&endpoint(&url, tls)).unwrap();
        let outcome = client.send(&ReadConfig).await.map(|_| ()).map_err(|error| error.kind);
        let tls_error = |words: &str| ErrorKind::Unreachable(Transport::Tls(words.to_owned()));
        assert_eq!(outcome, problem.map_or(Ok(()), |words| Err(tls_error(words))), "{name}");
    }
}

#[tokio::test]
async fn the_server_name_is_what_tls_asks_for_and_the_request_names_the_host() {
    let fake = strict().await;
    let (named, default) = (authority("infisical.example.org", 4000), authority("default.example.org", 4000));
    let tls = |name: &str, authority: &Authority| Tls {
        server_name: Some(name.to_owned()),
        ca_bundle: Some(authority.ca_pem.clone()),
        ..Tls::default()
    };
    let skip = Tls { ca_bundle: None, insecure_skip_verify: true, ..tls("infisical.example.org", &named) };
    let table = [
        ("its name", "localhost", tls("infisical.example.org", &named), Some("infisical.example.org"), true),
        (
            "of an address",
            "127.0.0.1",
            tls("infisical.example.org", &named),
            Some("infisical.example.org"),
            true,
        ),
        ("another", "localhost", tls("default.example.org", &default), Some("default.example.org"), true),
        ("any certificate", "localhost", skip, Some("infisical.example.org"), true),
        ("none", "localhost", Tls { server_name: None, ..tls("", &named) }, Some("localhost"), false),
        ("an address", "localhost", tls("127.0.0.1", &named), None, false),
    ];
    for (reason, host, tls, expected, is_accepted) in table {
        let (its, other) = (named.certified(), default.certified());
        let by_name = ByName { of: "infisical.example.org", its, other, asked: Mutex::default() };
        let by_name = Arc::new(by_name);
        let (url, _tasks) = tls_by_name_in_front(fake.address(), Arc::clone(&by_name)).await;
        let url = url.replace("localhost", host);
        let client = Connector::default().connect(&endpoint(&url, tls)).unwrap();
        let answer = client.send(&ReadConfig).await;
        assert_eq!(*by_name.asked.lock().unwrap(), [expected.map(str::to_owned)], "{reason}: {answer:?}");
        assert_eq!(answer.is_ok(), is_accepted, "{reason}: {answer:?}");
    }

    let (plain, _, heard, _tasks) = &answering("", br#"{"config":{"initialized":true}}"#.to_vec()).await;
    let of = plain.strip_prefix("http://").unwrap().parse().unwrap();
    let (url, _tasks) = tls_in_front(of, &named).await;
    let tls = tls("infisical.example.org", &named);
    let client = Connector::default().connect(&endpoint(&url, tls)).unwrap();
    assert!(client.send(&ReadConfig).await.unwrap().initialized);
    let host = format!("\r\nhost: {}\r\n", url.strip_prefix("https://").unwrap());
    assert!(heard.lock().unwrap().contains(&host), "{host}");
}

/// Answers every request with the same; counts them and keeps the last.
async fn answering(
    headers: &str,
    body: Vec<u8>,
) -> (String, Arc<AtomicUsize>, Arc<Mutex<String>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let answer = [head.into_bytes(), body].concat();
    let (count, request) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let mut tasks = JoinSet::new();
    let (seen, last) = (Arc::clone(&count), Arc::clone(&request));
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            seen.fetch_add(1, Ordering::SeqCst);
            let mut buffer = vec![0; 8192];
            let length = stream.read(&mut buffer).await.unwrap();
            *last.lock().unwrap() = String::from_utf8_lossy(&buffer[..length]).into_owned();
            // The client hangs up where an answer is too long.
            let _ = stream.write_all(&answer).await;
        }
    });
    (url, count, request, tasks)
}

#[tokio::test]
async fn a_list_that_has_no_pages_may_be_longer_than_any_other_answer() {
    // As recorded: the route gives all, whatever limit it is asked for.
    let identities = |count: usize| {
        let one = json!({
            "id": "ee56e0c8-f318-4ceb-9754-b946bd82726d", "role": "member", "roleId": null,
            "orgId": "b4176c47-1303-4e5e-acb2-b28850dde40b",
            "createdAt": "2026-11-27T08:20:02.843Z", "updatedAt": "2026-11-27T08:20:02.843Z",
            "identityId": "1058c807-e602-4310-acdc-4ce95e4290f2",
            "lastLoginAuthMethod": null, "lastLoginTime": null,
            "identity": {
                "name": "ci", "id": "1058c807-e602-4310-acdc-4ce95e4290f2",
                "hasDeleteProtection": false, "authMethods": [],
            },
        });
        let all = vec![one.to_string(); count].join(",");
        format!(r#"{{"identities":[{all}],"totalCount":{count}}}"#).into_bytes()
    };
    let token = AccessToken::new("marker-token");
    let organization = "b4176c47-1303-4e5e-acb2-b28850dde40b";
    let (url, _, _, _tasks) = &answering("", identities(25_000)).await;
    assert_eq!(
        client(url)
            .send(&ListIdentities { token: &token, organization_id: organization })
            .await
            .unwrap()
            .len(),
        25_000
    );
    let too_large = ErrorKind::NotInfisical { status: 200, what: "it is too large" };
    assert_eq!(client(url).send(&ReadConfig).await.unwrap_err().kind, too_large);
    let (url, _, _, _tasks) = &answering("", identities(50_000)).await;
    assert_eq!(
        client(url)
            .send(&ListIdentities { token: &token, organization_id: organization })
            .await
            .unwrap_err()
            .kind,
        too_large
    );
}

#[tokio::test]
async fn a_server_that_gives_the_same_page_for_ever_is_asked_twice() {
    let one = json!({"id": "1058c807", "name": "ci", "isInstanceAdmin": false}).to_string();
    let page = format!(r#"{{"identities":[{}]}}"#, vec![one; 100].join(","));
    let (url, count, _, _tasks) = &answering("", page.into_bytes()).await;
    let error = client(url)
        .send_pages(&ListAdminIdentities { session: &UserToken::new("marker-session"), offset: 0 })
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotInfisical { status: 200, what: "its list has no end" });
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_that_comes_compressed_is_read_and_a_bomb_is_refused() {
    let gzip = |plain: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let config = br#"{"config":{"initialized":true}}"#;
    let (url, _, heard, _tasks) = &answering("Content-Encoding: gzip\r\n", gzip(config)).await;
    assert!(client(url).send(&ReadConfig).await.unwrap().initialized);
    assert!(!heard.lock().unwrap().to_lowercase().contains("accept-encoding"), "nobody asks for it");

    let not_infisical = |what| ErrorKind::NotInfisical { status: 200, what };
    let bomb = gzip(&[b"{\"a\":\"".to_vec(), vec![b'a'; 32 << 20]].concat());
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let (url, _, _, _tasks) = &answering("Content-Encoding: gzip\r\n", bomb).await;
    assert_eq!(client(url).send(&ReadConfig).await.unwrap_err().kind, not_infisical("it is too large"));

    let (url, _, _, _tasks) = &answering("Content-Encoding: br\r\n", config.to_vec()).await;
    let what = "it is compressed, which nobody asked for, and not with gzip or deflate";
    assert_eq!(client(url).send(&ReadConfig).await.unwrap_err().kind, not_infisical(what));
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let fake = strict().await;
    let url = fake.url().replace("http:", "https:");
    let tls = Tls { insecure_skip_verify: true, ..Tls::default() };
    let client = Connector::default().connect(&endpoint(&url, tls)).unwrap();
    let expected = Transport::Tls("the server does not speak TLS".to_owned());
    assert_eq!(client.send(&ReadConfig).await.unwrap_err().kind, ErrorKind::Unreachable(expected));
}
