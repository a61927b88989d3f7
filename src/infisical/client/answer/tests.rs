//! Every recorded exchange of the server goes through `decode`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{identities, wire},
    *,
};
use crate::{
    AdminIdentity, Bootstrapped, Config, ListedToken, MintedToken, Organization, SelectedOrganization,
    Status,
    secret::{AccessToken, ClientSecret, UserToken},
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

fn read(operation: Operation, response: &Response) -> Result<Read, ErrorKind> {
    match operation {
        Operation::Status => decode::<wire::Status>(operation, response).map(|a| Read::Status(a.into())),
        Operation::Config => {
            decode::<wire::ConfigAnswer>(operation, response).map(|a| Read::Config(a.into()))
        }
        Operation::Bootstrap => {
            decode::<wire::BootstrapAnswer>(operation, response).map(|a| Read::Bootstrapped(a.into()))
        }
        Operation::Login => {
            decode::<wire::LoginAnswer>(operation, response).map(|a| Read::Session(a.access_token))
        }
        Operation::Organizations => {
            decode::<wire::Organizations>(operation, response).map(|a| Read::Organizations(a.into()))
        }
        Operation::SelectOrganization => {
            decode::<wire::SelectAnswer>(operation, response).map(|a| Read::Selected(a.into()))
        }
        Operation::AdminIdentities => {
            decode::<wire::AdminIdentities>(operation, response).map(|a| Read::Identities(a.into()))
        }
        Operation::InstanceAdmin => decode::<serde::de::IgnoredAny>(operation, response).map(|_| Read::Done),
        Operation::MintToken => {
            decode::<wire::MintAnswer>(operation, response).map(|a| Read::Minted(a.into()))
        }
        Operation::ListTokens => decode::<wire::Tokens>(operation, response).map(|a| Read::Tokens(a.into())),
        Operation::RevokeToken => decode::<wire::Done>(operation, response).map(|_| Read::Done),
        Operation::RenewToken => {
            decode::<wire::RenewAnswer>(operation, response).map(|a| Read::Renewed(a.access_token))
        }
        Operation::IdentityDetails => {
            decode::<wire::DetailsAnswer>(operation, response).map(|a| Read::Details(a.into()))
        }
        Operation::Project => {
            decode::<identities::ProjectAnswer>(operation, response).map(|a| Read::Id(a.id))
        }
        Operation::CreateIdentity => {
            decode::<identities::CreateIdentityAnswer>(operation, response).map(|a| Read::Id(a.identity.id))
        }
        Operation::UniversalAuth | Operation::AttachUniversalAuth => {
            decode::<identities::UniversalAuthAnswer>(operation, response)
                .map(|a| Read::Id(a.identity_universal_auth.client_id))
        }
        Operation::CreateClientSecret => decode::<identities::ClientSecretAnswer>(operation, response)
            .map(|a| Read::ClientSecret(a.client_secret)),
        Operation::UniversalAuthLogin => {
            decode::<identities::LoginAnswer>(operation, response).map(|a| Read::Renewed(a.access_token))
        }
        Operation::Identities
        | Operation::DeleteIdentity
        | Operation::ListClientSecrets
        | Operation::RevokeClientSecret
        | Operation::ProjectMembership
        | Operation::AddToProject
        | Operation::EndToken
        | Operation::RevokeInstanceAdmin => decode::<wire::Done>(operation, response).map(|_| Read::Done),
    }
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
    use Operation as O;
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
    let table: Vec<(&str, Operation, Result<Read, ErrorKind>)> = vec![
        ("strict status", O::Status, Ok(Read::Status(status))),
        ("strict config-uninitialized", O::Config, config(false)),
        ("strict config-initialized", O::Config, config(true)),
        ("strict bootstrap-missing-fields", O::Bootstrap, invalid(&["email", "organization", "password"])),
        ("strict bootstrap-invalid-email", O::Bootstrap, invalid(&["email"])),
        ("strict bootstrap-malformed-json", O::Bootstrap, failed()),
        (
            "strict bootstrap-ok",
            O::Bootstrap,
            Ok(Read::Bootstrapped(Bootstrapped {
                organization: strict_acme(),
                identity_id: identity.to_owned(),
                token: access("strict bootstrap-ok", "/identity/credentials/token"),
            })),
        ),
        ("strict bootstrap-again-same-body", O::Bootstrap, Err(ErrorKind::AlreadySetUp)),
        ("strict bootstrap-again-other-email", O::Bootstrap, Err(ErrorKind::AlreadySetUp)),
        ("strict bootstrap-partial-user-exists", O::Bootstrap, Err(ErrorKind::UserAlreadyExists)),
        ("strict bootstrap-race-same-email", O::Bootstrap, failed()),
        ("strict verify-bootstrap-token", O::IdentityDetails, refused(TokenRefusal::ExceededMaxAge)),
        ("strict renew-bootstrap-token", O::RenewToken, refused(TokenRefusal::ExceededMaxAge)),
        ("strict login-unknown-user", O::Login, Err(ErrorKind::InvalidCredentials)),
        ("strict login-wrong-password", O::Login, Err(ErrorKind::InvalidCredentials)),
        ("strict login-ok", O::Login, Ok(Read::Session(user("strict login-ok", "/accessToken")))),
        ("strict admin-identities-without-organization", O::AdminIdentities, refused(TokenRefusal::Other)),
        ("strict list-organizations", O::Organizations, Ok(Read::Organizations(vec![strict_acme()]))),
        ("strict list-organizations-as-identity", O::Organizations, Err(ErrorKind::Forbidden)),
        (
            "strict select-organization",
            O::SelectOrganization,
            Ok(Read::Selected(SelectedOrganization {
                token: user("strict select-organization", "/token"),
                mfa_required: false,
            })),
        ),
        ("strict admin-identities", O::AdminIdentities, identities()),
        ("strict admin-identities-with-minted-token", O::InstanceAdmin, Ok(Read::Done)),
        ("strict escalation-refused-admin-api", O::InstanceAdmin, Err(ErrorKind::Forbidden)),
        ("strict admin-api-after-revoke", O::InstanceAdmin, Err(ErrorKind::Forbidden)),
        (
            "strict list-tokens",
            O::ListTokens,
            Ok(Read::Tokens(vec![ListedToken {
                id: "35852507-6bec-4a3a-a996-faa3f2cc00ff".to_owned(),
                name: "Instance Admin Token".to_owned(),
                created_at: "2026-11-23T21:53:48.992Z".parse().unwrap(),
                revoked: false,
            }])),
        ),
        (
            "strict mint-token",
            O::MintToken,
            minted("strict mint-token", "3c3165d0-67ec-4929-b244-b83086bc215e"),
        ),
        (
            "strict mint-token-2",
            O::MintToken,
            minted("strict mint-token-2", "fde0db06-7383-42f7-a9e9-39fc1be66d68"),
        ),
        ("strict escalation-refused-mint", O::MintToken, Err(ErrorKind::Forbidden)),
        (
            "strict create-identity",
            O::CreateIdentity,
            Ok(Read::Id("9f91da01-5c78-49b1-9949-73354737126c".to_owned())),
        ),
        (
            "strict attach-universal-auth",
            O::AttachUniversalAuth,
            Ok(Read::Id("44464bef-a646-49c0-96f1-17685cc2bf97".to_owned())),
        ),
        (
            "strict create-client-secret",
            O::CreateClientSecret,
            Ok(Read::ClientSecret(ClientSecret::new(token_in(
                &recorded()["strict create-client-secret"],
                "/clientSecret",
            )))),
        ),
        (
            "strict universal-auth-login",
            O::UniversalAuthLogin,
            Ok(Read::Renewed(access("strict universal-auth-login", "/accessToken"))),
        ),
        ("strict revoke-instance-admin", O::RevokeInstanceAdmin, Ok(Read::Done)),
        ("strict revoke-instance-admin-again", O::RevokeInstanceAdmin, Err(ErrorKind::NotInstanceAdmin)),
        ("strict verify-minted-token", O::IdentityDetails, Ok(Read::Details(strict_acme()))),
        (
            "strict renew-minted-token",
            O::RenewToken,
            Ok(Read::Renewed(access("strict renew-minted-token", "/accessToken"))),
        ),
        ("strict revoke-token", O::RevokeToken, Ok(Read::Done)),
        ("strict verify-revoked-token", O::IdentityDetails, refused(TokenRefusal::Revoked)),
        ("strict verify-malformed-token", O::IdentityDetails, refused(TokenRefusal::Malformed)),
        ("strict verify-no-token", O::IdentityDetails, refused(TokenRefusal::Other)),
        (
            "lenient bootstrap-ok",
            O::Bootstrap,
            Ok(Read::Bootstrapped(Bootstrapped {
                organization: lenient_acme(),
                identity_id: "ec7688e3-e893-42d6-8741-f95322ea0fc2".to_owned(),
                token: access("lenient bootstrap-ok", "/identity/credentials/token"),
            })),
        ),
        ("lenient verify-bootstrap-token", O::IdentityDetails, Ok(Read::Details(lenient_acme()))),
        (
            "lenient renew-bootstrap-token",
            O::RenewToken,
            Ok(Read::Renewed(access("lenient renew-bootstrap-token", "/accessToken"))),
        ),
        (
            "lenient self-mint",
            O::MintToken,
            minted("lenient self-mint", "05c83f0f-81ee-499a-aa41-38532749ad27"),
        ),
        ("lenient verify-expired-token", O::IdentityDetails, refused(TokenRefusal::Expired)),
        ("lenient renew-expired-token", O::RenewToken, refused(TokenRefusal::Expired)),
    ];
    let mut unaccounted: Vec<&str> = all.keys().map(String::as_str).collect();
    for (name, operation, expected) in &table {
        assert_route(name, *operation, &all[*name]);
        assert_eq!(&read(*operation, &response_of(&all[*name])), expected, "{name}");
        unaccounted.retain(|left| left != name);
    }
    unaccounted.sort_unstable();
    let mut not_ours = NOT_OURS;
    not_ours.sort_unstable();
    assert_eq!(unaccounted, not_ours, "recorded exchanges that no row is about");
}

/// The row reads the answer as that of the route that gave it.
fn assert_route(name: &str, operation: Operation, exchange: &Value) {
    let path = exchange["request"]["path"].as_str().unwrap().split('?').next().unwrap();
    let (before, after) = operation.template().split_once("{id}").unwrap_or((operation.template(), ""));
    assert!(path.starts_with(before) && path.ends_with(after), "{name}: {path}");
    assert_eq!(exchange["request"]["method"], operation.method().as_str(), "{name}");
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
    use Operation as O;
    let captcha = "Accomplish the required captcha by logging in via Web";
    let locked = "User is locked due to multiple failed login attempts. An email has been sent to you";
    let table = [
        ("captcha", O::Login, json_answer(400, "Captcha Required", captcha), ErrorKind::CaptchaRequired),
        (
            "password login off",
            O::Login,
            json_answer(400, "BadRequest", "Login with email is disabled by administrator."),
            ErrorKind::PasswordLoginDisabled,
        ),
        ("locked", O::Login, json_answer(403, "UserLocked", locked), ErrorKind::UserLocked),
        ("locked, 2024", O::Login, json_answer(401, "User Locked", locked), ErrorKind::UserLocked),
        (
            "locked, second factor",
            O::SelectOrganization,
            json_answer(403, "UserLocked", locked),
            ErrorKind::UserLocked,
        ),
        ("another 400", O::Login, json_answer(400, "BadRequest", "?"), ErrorKind::Unexpected { status: 400 }),
        (
            "single sign-on",
            O::SelectOrganization,
            json_answer(400, "BadRequest", "Login with the auth method required by your organization."),
            ErrorKind::PasswordLoginDisabled,
        ),
        (
            "expired session",
            O::MintToken,
            json_answer(403, "TokenError", "Your token has expired. Please re-authenticate."),
            ErrorKind::TokenRefused(TokenRefusal::Expired),
        ),
        (
            "forged",
            O::IdentityDetails,
            json_answer(403, "TokenError", "invalid signature"),
            ErrorKind::TokenRefused(TokenRefusal::Malformed),
        ),
        ("no such identity", O::MintToken, json_answer(404, "NotFound", "?"), ErrorKind::NotFound),
    ];
    for (name, operation, response, expected) in table {
        assert_eq!(classify(operation, &response), expected, "{name}");
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
        let error = decode::<wire::LoginAnswer>(Operation::Login, &response).map(|_| ()).unwrap_err();
        assert!(!format!("{error} {error:?} {response:?}").contains("marker"), "{name}: {error:?}");
        assert_eq!(error, expected, "{name}");
    }
}
