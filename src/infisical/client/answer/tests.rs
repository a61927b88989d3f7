//! Every recorded exchange of the server goes through `decode`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{
        AdminIdentity, AttachUniversalAuth, Bootstrap, BootstrapRefusal, Bootstrapped, CheckInstanceAdmin,
        ClientLogin, ClientLoginRefusal, Config, CreateClientSecret, CreateIdentity, FindProject,
        ListAdminIdentities, ListOrganizations, ListTokens, ListedToken, Login, LoginRefusal, MintToken,
        MintedToken, NoSuchProject, NotAMember, NotAttached, NotInstanceAdmin, Organization, ReadConfig,
        ReadProjectMembership, ReadStatus, ReadUniversalAuth, RenewToken, RevokeInstanceAdmin, RevokeToken,
        SelectOrganization, SelectRefusal, SelectedOrganization, Status, VerifyToken,
    },
    error::TokenRefusal,
    route::Method,
    secret::{AccessToken, ClientSecret, Credentials, Email, Password, UniversalAuth, UserToken},
};

const STRICT: &str = include_str!("../../../../tests/fixtures/exchanges/strict.json");
const LENIENT: &str = include_str!("../../../../tests/fixtures/exchanges/lenient.json");

/// Recorded exchanges of routes that this client does not have.
const NOT_OURS: [&str; 4] = [
    "strict create-project",
    "strict list-users",
    "strict delete-only-admin-user",
    "strict delete-with-json-content-type-and-no-body",
];

/// Any answer, as what a row expects of it.
#[derive(Debug, PartialEq)]
enum Read {
    Status(Status),
    Config(Config),
    Bootstrapped(Bootstrapped),
    Session(UserToken),
    Organizations(Vec<Organization>),
    Selected(SelectedOrganization),
    Identities(Vec<AdminIdentity>),
    Minted(MintedToken),
    Tokens(Vec<ListedToken>),
    Done,
    Renewed(AccessToken),
    Details(Organization),
    /// The id of an identity, or its client ID.
    Id(String),
    ClientSecret(ClientSecret),
}

/// What an answer reads as.
type Answer = Result<Read, ErrorKind<String>>;

type Reader = dyn Fn(&Response) -> Answer;

/// A route, and how its answer is read.
struct Reads {
    method: Method,
    path: &'static str,
    read: Box<Reader>,
}

fn reads<R: Route + 'static>(route: R, read: fn(R::Answer) -> Read) -> Reads {
    let in_words = |kind| crate::Error::new(R::WHAT, kind).in_words().kind;
    let read = move |response: &Response| decode(&route, response).map(read).map_err(in_words);
    Reads { method: R::METHOD, path: R::PATH, read: Box::new(read) }
}

/// The routes of the tables, with arguments that make no difference to an answer.
struct Routes {
    admin: &'static Credentials,
    session: &'static UserToken,
    token: &'static AccessToken,
    login: &'static UniversalAuth,
}

const ID: &str = "87266607-1f58-44e4-86bc-c39f76c96dbe";

impl Routes {
    fn new() -> Self {
        let email = Email::parse("admin@example.org").unwrap();
        let admin = Credentials { email, password: Password::new("marker-password") };
        let login =
            UniversalAuth { client_id: ID.to_owned(), client_secret: ClientSecret::new("marker-secret") };
        Self {
            admin: Box::leak(Box::new(admin)),
            session: Box::leak(Box::new(UserToken::new("marker-session"))),
            token: Box::leak(Box::new(AccessToken::new("marker-token"))),
            login: Box::leak(Box::new(login)),
        }
    }

    fn status() -> Reads {
        reads(ReadStatus, Read::Status)
    }

    fn config() -> Reads {
        reads(ReadConfig, Read::Config)
    }

    fn bootstrap(&self) -> Reads {
        reads(Bootstrap { admin: self.admin, organization: "Acme" }, Read::Bootstrapped)
    }

    fn login(&self) -> Reads {
        reads(Login { admin: self.admin }, Read::Session)
    }

    fn organizations(&self) -> Reads {
        reads(ListOrganizations { session: self.session }, Read::Organizations)
    }

    fn select(&self) -> Reads {
        reads(SelectOrganization { session: self.session, organization_id: ID }, Read::Selected)
    }

    fn admin_identities(&self) -> Reads {
        reads(ListAdminIdentities { session: self.session, offset: 0 }, Read::Identities)
    }

    fn instance_admin(&self) -> Reads {
        reads(CheckInstanceAdmin { token: self.token }, |()| Read::Done)
    }

    fn mint(&self) -> Reads {
        reads(MintToken { session: self.session, identity_id: ID, name: "name" }, Read::Minted)
    }

    fn list_tokens(&self) -> Reads {
        reads(ListTokens { session: self.session, identity_id: ID, offset: 0 }, Read::Tokens)
    }

    fn revoke_token(&self) -> Reads {
        reads(RevokeToken { session: self.session, token_id: ID }, |()| Read::Done)
    }

    fn renew(&self) -> Reads {
        reads(RenewToken { token: self.token }, Read::Renewed)
    }

    fn verify(&self) -> Reads {
        reads(VerifyToken { token: self.token }, Read::Details)
    }

    fn create_identity(&self) -> Reads {
        let route = CreateIdentity { token: self.token, organization_id: ID, name: "name", role: "admin" };
        reads(route, Read::Id)
    }

    fn universal_auth(&self) -> Reads {
        reads(ReadUniversalAuth { token: self.token, identity_id: ID }, Read::Id)
    }

    fn attach(&self) -> Reads {
        reads(AttachUniversalAuth { token: self.token, identity_id: ID }, Read::Id)
    }

    fn client_secret(&self) -> Reads {
        let route = CreateClientSecret { token: self.token, identity_id: ID, description: "name" };
        reads(route, |created| Read::ClientSecret(created.client_secret))
    }

    fn client_login(&self) -> Reads {
        reads(ClientLogin { login: self.login }, Read::Renewed)
    }

    fn project(&self) -> Reads {
        reads(FindProject { token: self.token, slug: "payments" }, Read::Id)
    }

    fn membership(&self) -> Reads {
        reads(ReadProjectMembership { token: self.token, project_id: ID, identity_id: ID }, |()| Read::Done)
    }

    fn revoke_instance_admin(&self) -> Reads {
        reads(RevokeInstanceAdmin { token: self.token, identity_id: ID }, |()| Read::Done)
    }
}

/// What only one route refuses for.
fn own(refusal: impl std::fmt::Display) -> ErrorKind<String> {
    ErrorKind::Refused(refusal.to_string())
}

fn recorded() -> BTreeMap<String, Value> {
    let exchanges = [("strict", STRICT), ("lenient", LENIENT)].into_iter().flat_map(|(variant, text)| {
        let list: Vec<Value> = serde_json::from_str(text).unwrap();
        list.into_iter().map(move |e| (format!("{variant} {}", e["name"].as_str().unwrap()), e))
    });
    let exchanges: Vec<_> = exchanges.collect();
    let count = exchanges.len();
    let by_name: BTreeMap<_, _> = exchanges.into_iter().collect();
    assert_eq!(by_name.len(), count, "two exchanges have one name");
    by_name
}

fn response_of(exchange: &Value) -> Response {
    let response = &exchange["response"];
    Response {
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        content_type: response["contentType"].as_str().map(str::to_owned),
        body: Zeroizing::new(serde_json::to_vec(&response["body"]).unwrap()),
        ..Response::default()
    }
}

fn token_in(exchange: &Value, pointer: &str) -> String {
    exchange["response"]["body"].pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_recorded_answer_is_read_as_what_it_means() {
    let it = Routes::new();
    let all = recorded();
    let access = |name: &str, pointer: &str| AccessToken::new(token_in(&all[name], pointer));
    let user = |name: &str, pointer: &str| UserToken::new(token_in(&all[name], pointer));
    let acme = |id: &str, slug: &str| Organization {
        id: id.to_owned(),
        name: "Acme".to_owned(),
        slug: slug.to_owned(),
    };
    let strict_acme = || acme("9c84fd60-6a8a-4a07-8a83-4dbff9db9ee6", "acme-p-l20");
    let lenient_acme = || acme("09c59f29-0e89-406c-9842-b066de790cc2", "acme-qk-qx");
    let identity = "87266607-1f58-44e4-86bc-c39f76c96dbe";
    let identities = || {
        Ok(Read::Identities(vec![AdminIdentity {
            id: identity.to_owned(),
            name: "Instance Admin Identity".to_owned(),
            is_instance_admin: true,
        }]))
    };
    let config = |initialized| Ok(Read::Config(Config { initialized, enabled_login_methods: None }));
    let minted = |name: &str, id: &str| {
        Ok(Read::Minted(MintedToken { token: access(name, "/accessToken"), id: id.to_owned() }))
    };
    let refused = |refusal| Err(ErrorKind::TokenRefused(refusal));
    let invalid = |fields: &[&str]| {
        Err(ErrorKind::InvalidRequest { fields: fields.iter().map(|&field| field.to_owned()).collect() })
    };
    let failed = || Err(ErrorKind::ServerError { status: 500 });
    let status = Status {
        max_access_token_ttl: Some(Duration::from_hours(90 * 24)),
        date: "2026-11-23T21:53:48.895Z".parse().ok(),
    };
    let table: Vec<(&str, Reads, Answer)> = vec![
        ("strict status", Routes::status(), Ok(Read::Status(status))),
        ("strict config-uninitialized", Routes::config(), config(false)),
        ("strict config-initialized", Routes::config(), config(true)),
        ("strict bootstrap-missing-fields", it.bootstrap(), invalid(&["email", "organization", "password"])),
        ("strict bootstrap-invalid-email", it.bootstrap(), invalid(&["email"])),
        ("strict bootstrap-malformed-json", it.bootstrap(), failed()),
        (
            "strict bootstrap-ok",
            it.bootstrap(),
            Ok(Read::Bootstrapped(Bootstrapped {
                organization: strict_acme(),
                identity_id: identity.to_owned(),
                token: access("strict bootstrap-ok", "/identity/credentials/token"),
            })),
        ),
        ("strict bootstrap-again-same-body", it.bootstrap(), Err(own(BootstrapRefusal::AlreadySetUp))),
        ("strict bootstrap-again-other-email", it.bootstrap(), Err(own(BootstrapRefusal::AlreadySetUp))),
        (
            "strict bootstrap-partial-user-exists",
            it.bootstrap(),
            Err(own(BootstrapRefusal::UserAlreadyExists)),
        ),
        ("strict bootstrap-race-same-email", it.bootstrap(), failed()),
        ("strict verify-bootstrap-token", it.verify(), refused(TokenRefusal::ExceededMaxAge)),
        ("strict renew-bootstrap-token", it.renew(), refused(TokenRefusal::ExceededMaxAge)),
        ("strict login-unknown-user", it.login(), Err(own(LoginRefusal::InvalidCredentials))),
        ("strict login-wrong-password", it.login(), Err(own(LoginRefusal::InvalidCredentials))),
        ("strict login-ok", it.login(), Ok(Read::Session(user("strict login-ok", "/accessToken")))),
        ("strict admin-identities-without-organization", it.admin_identities(), refused(TokenRefusal::Other)),
        ("strict list-organizations", it.organizations(), Ok(Read::Organizations(vec![strict_acme()]))),
        ("strict list-organizations-as-identity", it.organizations(), Err(ErrorKind::Forbidden)),
        (
            "strict select-organization",
            it.select(),
            Ok(Read::Selected(SelectedOrganization {
                token: user("strict select-organization", "/token"),
                mfa_required: false,
            })),
        ),
        ("strict admin-identities", it.admin_identities(), identities()),
        ("strict admin-identities-with-minted-token", it.instance_admin(), Ok(Read::Done)),
        ("strict escalation-refused-admin-api", it.instance_admin(), Err(ErrorKind::Forbidden)),
        ("strict admin-api-after-revoke", it.instance_admin(), Err(ErrorKind::Forbidden)),
        (
            "strict list-tokens",
            it.list_tokens(),
            Ok(Read::Tokens(vec![ListedToken {
                id: "35852507-6bec-4a3a-a996-faa3f2cc00ff".to_owned(),
                name: "Instance Admin Token".to_owned(),
                created_at: "2026-11-23T21:53:48.992Z".parse().unwrap(),
                revoked: false,
            }])),
        ),
        ("strict mint-token", it.mint(), minted("strict mint-token", "3c3165d0-67ec-4929-b244-b83086bc215e")),
        (
            "strict mint-token-2",
            it.mint(),
            minted("strict mint-token-2", "fde0db06-7383-42f7-a9e9-39fc1be66d68"),
        ),
        ("strict escalation-refused-mint", it.mint(), Err(ErrorKind::Forbidden)),
        (
            "strict create-identity",
            it.create_identity(),
            Ok(Read::Id("9f91da01-5c78-49b1-9949-73354737126c".to_owned())),
        ),
        (
            "strict attach-universal-auth",
            it.attach(),
            Ok(Read::Id("44464bef-a646-49c0-96f1-17685cc2bf97".to_owned())),
        ),
        (
            "strict create-client-secret",
            it.client_secret(),
            Ok(Read::ClientSecret(ClientSecret::new(token_in(
                &recorded()["strict create-client-secret"],
                "/clientSecret",
            )))),
        ),
        (
            "strict universal-auth-login",
            it.client_login(),
            Ok(Read::Renewed(access("strict universal-auth-login", "/accessToken"))),
        ),
        ("strict revoke-instance-admin", it.revoke_instance_admin(), Ok(Read::Done)),
        ("strict revoke-instance-admin-again", it.revoke_instance_admin(), Err(own(NotInstanceAdmin))),
        ("strict verify-minted-token", it.verify(), Ok(Read::Details(strict_acme()))),
        (
            "strict renew-minted-token",
            it.renew(),
            Ok(Read::Renewed(access("strict renew-minted-token", "/accessToken"))),
        ),
        ("strict revoke-token", it.revoke_token(), Ok(Read::Done)),
        ("strict verify-revoked-token", it.verify(), refused(TokenRefusal::Revoked)),
        ("strict verify-malformed-token", it.verify(), refused(TokenRefusal::Malformed)),
        ("strict verify-no-token", it.verify(), refused(TokenRefusal::Other)),
        (
            "lenient bootstrap-ok",
            it.bootstrap(),
            Ok(Read::Bootstrapped(Bootstrapped {
                organization: lenient_acme(),
                identity_id: "ec7688e3-e893-42d6-8741-f95322ea0fc2".to_owned(),
                token: access("lenient bootstrap-ok", "/identity/credentials/token"),
            })),
        ),
        ("lenient verify-bootstrap-token", it.verify(), Ok(Read::Details(lenient_acme()))),
        (
            "lenient renew-bootstrap-token",
            it.renew(),
            Ok(Read::Renewed(access("lenient renew-bootstrap-token", "/accessToken"))),
        ),
        ("lenient self-mint", it.mint(), minted("lenient self-mint", "05c83f0f-81ee-499a-aa41-38532749ad27")),
        ("lenient verify-expired-token", it.verify(), refused(TokenRefusal::Expired)),
        ("lenient renew-expired-token", it.renew(), refused(TokenRefusal::Expired)),
    ];
    let mut unaccounted: Vec<&str> = all.keys().map(String::as_str).collect();
    for (name, route, expected) in &table {
        assert_route(name, route, &all[*name]);
        assert_eq!(&(route.read)(&response_of(&all[*name])), expected, "{name}");
        unaccounted.retain(|left| left != name);
    }
    unaccounted.sort_unstable();
    let mut not_ours = NOT_OURS;
    not_ours.sort_unstable();
    assert_eq!(unaccounted, not_ours, "recorded exchanges that no row is about");
}

/// The row reads the answer as that of the route that gave it.
fn assert_route(name: &str, route: &Reads, exchange: &Value) {
    let path = exchange["request"]["path"].as_str().unwrap().split('?').next().unwrap();
    let (before, after) = route.path.split_once("{id}").unwrap_or((route.path, ""));
    assert!(path.starts_with(before) && path.ends_with(after), "{name}: {path}");
    assert_eq!(exchange["request"]["method"], route.method.as_str(), "{name}");
}

fn json_answer(status: u16, error: &str, message: &str) -> Response {
    let body = json!({"reqId": "req-1", "statusCode": status, "message": message, "error": error});
    Response {
        status,
        content_type: Some("application/json; charset=utf-8".to_owned()),
        body: Zeroizing::new(serde_json::to_vec(&body).unwrap()),
        ..Response::default()
    }
}

#[test]
fn refusals_that_are_not_recorded_are_told_apart_as_the_source_words_them() {
    let it = Routes::new();
    let captcha = "Accomplish the required captcha by logging in via Web";
    let locked = "User is locked due to multiple failed login attempts. An email has been sent to you";
    let table = [
        (
            "captcha",
            it.login(),
            json_answer(400, "Captcha Required", captcha),
            own(LoginRefusal::CaptchaRequired),
        ),
        (
            "password login off",
            it.login(),
            json_answer(400, "BadRequest", "Login with email is disabled by administrator."),
            own(LoginRefusal::PasswordLoginDisabled),
        ),
        ("locked", it.login(), json_answer(403, "UserLocked", locked), own(LoginRefusal::UserLocked)),
        ("locked, 2024", it.login(), json_answer(401, "User Locked", locked), own(LoginRefusal::UserLocked)),
        (
            "locked, second factor",
            it.select(),
            json_answer(403, "UserLocked", locked),
            own(SelectRefusal::UserLocked),
        ),
        (
            "another 400",
            it.login(),
            json_answer(400, "BadRequest", "?"),
            ErrorKind::Unexpected { status: 400 },
        ),
        (
            "single sign-on",
            it.select(),
            json_answer(400, "BadRequest", "Login with the auth method required by your organization."),
            own(SelectRefusal::PasswordLoginDisabled),
        ),
        (
            "expired session",
            it.mint(),
            json_answer(403, "TokenError", "Your token has expired. Please re-authenticate."),
            ErrorKind::TokenRefused(TokenRefusal::Expired),
        ),
        (
            "forged",
            it.verify(),
            json_answer(403, "TokenError", "invalid signature"),
            ErrorKind::TokenRefused(TokenRefusal::Malformed),
        ),
        (
            "wrong client secret",
            it.client_login(),
            json_answer(401, "Unauthorized", "Invalid credentials"),
            own(ClientLoginRefusal::InvalidCredentials),
        ),
        (
            "locked client secret",
            it.client_login(),
            json_answer(401, "Unauthorized", "This identity auth method is temporarily locked"),
            own(ClientLoginRefusal::IdentityLocked),
        ),
        ("nothing attached", it.universal_auth(), json_answer(404, "NotFound", "?"), own(NotAttached)),
        ("another kind", it.universal_auth(), json_answer(400, "BadRequest", "?"), own(NotAttached)),
        ("no project", it.project(), json_answer(404, "NotFound", "?"), own(NoSuchProject)),
        ("no member", it.membership(), json_answer(404, "NotFound", "?"), own(NotAMember)),
        ("no such identity", it.mint(), json_answer(404, "NotFound", "?"), ErrorKind::NotFound),
    ];
    for (name, route, response, expected) in table {
        assert_eq!((route.read)(&response), Err(expected), "{name}");
    }
}

#[test]
fn answers_that_no_infisical_gives_are_named_without_their_content() {
    let html = |status| Response {
        status,
        content_type: Some("text/html".to_owned()),
        body: Zeroizing::new(b"<html>marker</html>".to_vec()),
        ..Response::default()
    };
    let not_json = |status| ErrorKind::NotInfisical { status, what: "it is not JSON" };
    let redirect = |to: &str| Response { status: 302, location: Some(to.to_owned()), ..Response::default() };
    let redirected = |to: Option<&str>| ErrorKind::Redirected { to: to.map(str::to_owned) };
    let limited = |retry_after: &str| Response {
        retry_after: Some(retry_after.to_owned()),
        ..json_answer(429, "RateLimitExceeded", "Rate limit exceeded")
    };
    let other_json = Response { status: 200, ..json_answer(200, "", "marker") };
    let empty_token = Response {
        status: 200,
        body: Zeroizing::new(br#"{"accessToken":""}"#.to_vec()),
        ..json_answer(200, "", "")
    };
    let wrong_json = ErrorKind::NotInfisical { status: 200, what: "its JSON is not that of the route" };
    let table = [
        ("a page", html(200), not_json(200)),
        ("a page of a proxy", html(403), not_json(403)),
        ("a gateway's page", html(502), ErrorKind::ServerError { status: 502 }),
        ("other JSON", other_json, wrong_json.clone()),
        ("an empty token", empty_token, wrong_json),
        (
            "a redirect",
            redirect("https://sso.example.org/login?state=marker"),
            redirected(Some("https://sso.example.org")),
        ),
        ("a redirect to a path", redirect("/login?state=marker"), redirected(None)),
        ("a redirect into an app", redirect("app://login/marker"), redirected(None)),
        ("429", limited("7"), ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(7)) }),
        (
            "429 with a date",
            limited("Tue, 24 Nov 2026 08:00:00 GMT"),
            ErrorKind::RateLimited { retry_after: None },
        ),
    ];
    for (name, response, expected) in table {
        let error = (Routes::new().login().read)(&response).map(|_| ()).unwrap_err();
        assert!(!format!("{error} {error:?} {response:?}").contains("marker"), "{name}: {error:?}");
        assert_eq!(error, expected, "{name}");
    }
}
