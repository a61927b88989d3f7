use serde_json::from_slice;

use super::{membership::Role, *};
use crate::{Transaction, route::TABLE};

fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

fn bootstrap(email: &str) -> Request {
    let body = json!({ "email": email, "password": " marker-password ", "organization": "Acme" });
    Request::new("POST", "/api/v1/admin/bootstrap").json(&body)
}

fn login(email: &str, password: &str) -> Request {
    Request::new("POST", "/api/v3/auth/login").json(&json!({ "email": email, "password": password }))
}

fn body(response: &Response) -> Value {
    from_slice(&response.body).unwrap()
}

fn ready() -> (Instance, String) {
    let settings = Settings { variant: Variant::Lenient, ..Settings::default() };
    let mut instance = Instance::new(settings, 1);
    let answer = body(&instance.handle(now(), &bootstrap("a@example.com")));
    (instance, answer["identity"]["credentials"]["token"].as_str().unwrap().to_owned())
}

#[test]
fn the_same_seed_and_requests_give_the_same_answers() {
    let run = |seed| {
        let mut instance = Instance::new(Settings::default(), seed);
        instance.handle(now(), &bootstrap("a@example.com")).body
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn nothing_prints_a_password_or_a_token() {
    let (mut instance, token) = ready();
    let request = bootstrap("b@example.com").bearer(&token);
    let run = Instance::new(Settings::default(), 2).begin_bootstrap(&request).unwrap();
    let snapshot = instance.snapshot();
    let response = instance.handle(now(), &request);
    let printed = format!("{instance:?} {request:?} {run:?} {snapshot:?} {response:?}");
    assert!(!printed.contains("marker") && !printed.contains(&token), "{printed}");
}

#[test]
fn bootstraps_that_passed_the_checks_together_race() {
    let mut instance = Instance::new(Settings::default(), 1);
    let mut same = [(); 2].map(|()| instance.begin_bootstrap(&bootstrap("a@example.com")).unwrap());
    let mut other = instance.begin_bootstrap(&bootstrap("b@example.com")).unwrap();
    let [first, second] = &mut same;
    assert!(instance.step_bootstrap(now(), first).is_none());
    assert_eq!(instance.step_bootstrap(now(), second).unwrap().status, 500);
    for run in [first, &mut other] {
        let answer = loop {
            if let Some(answer) = instance.step_bootstrap(now(), run) {
                break answer;
            }
        };
        assert_eq!(answer.status, 200);
    }
    assert_eq!(instance.super_admins(), ["a@example.com", "b@example.com"]);
    assert_eq!((instance.successful_bootstraps(), instance.database.instance_admins.len()), (2, 1));
}

#[test]
fn a_bootstrap_that_stops_blocks_its_email_and_no_other() {
    let mut instance = Instance::new(Settings::default(), 1);
    let mut run = instance.begin_bootstrap(&bootstrap("a@example.com")).unwrap();
    assert!(instance.step_bootstrap(now(), &mut run).is_none());
    assert_eq!(run.next(), Transaction::Organization);
    let again = instance.handle(now(), &bootstrap("A@example.com"));
    assert_eq!(body(&again)["error"], "Instance initialization");
    assert_eq!(instance.handle(now(), &bootstrap("b@example.com")).status, 200);
}

#[test]
fn white_space_ends_an_email_and_not_a_password() {
    let mut instance = Instance::new(Settings::default(), 1);
    assert_eq!(instance.handle(now(), &bootstrap(" a@example.com")).status, 422);
    assert_eq!(instance.handle(now(), &bootstrap("a@example.com")).status, 200);
    assert_eq!(instance.handle(now(), &login("a@example.com", "marker-password")).status, 200);
    assert_eq!(instance.handle(now(), &login("a@example.com", " marker-password ")).status, 400);
}

#[test]
fn nobody_logs_in_without_a_user_agent() {
    let (mut instance, _) = ready();
    let request = Request { user_agent: None, ..login("a@example.com", "marker-password") };
    assert_eq!(instance.handle(now(), &request).status, 500);
}

#[test]
fn a_captcha_comes_after_failures_and_only_where_it_is_set_up() {
    let (mut instance, _) = ready();
    let wrong = login("a@example.com", "wrong");
    for _ in 0..20 {
        assert_eq!(body(&instance.handle(now(), &wrong))["message"], "Invalid credentials");
    }
    instance.settings.captcha_after = Some(10);
    let answer = instance.handle(now(), &login("a@example.com", "marker-password"));
    assert_eq!(body(&answer)["error"], "Captcha Required");
}

#[test]
fn tokens_follow_the_database_and_never_come_back() {
    let (mut instance, token) = ready();
    let before = instance.snapshot();
    assert!(instance.token_works(now(), &token));
    assert_eq!(instance.tokens_alive(now()).len(), 1);
    instance.revoke_all_tokens();
    assert!(!instance.token_works(now(), &token) && instance.tokens_alive(now()).is_empty());
    instance.restore(&before);
    assert!(instance.token_works(now(), &token));
    instance.reset_database();
    assert!(!instance.token_works(now(), &token));
    let again = body(&instance.handle(now(), &bootstrap("a@example.com")));
    assert_ne!(again["identity"]["credentials"]["token"], token);
}

#[test]
fn a_lenient_server_lets_a_token_without_an_end_live_for_its_longest_life() {
    let (instance, token) = ready();
    let later = |days: i64| now() + jiff::SignedDuration::from_hours(24 * days);
    assert!(instance.token_works(later(90), &token));
    assert!(!instance.token_works(later(91), &token));
    assert!(instance.tokens_alive(later(91)).is_empty());
}

#[test]
fn no_request_makes_it_panic() {
    let (mut instance, token) = ready();
    let bodies =
        ["", "{", "null", "[]", "3", r#"{"email":3}"#, r#"{"name":"x","organizationId":"é"}"#, "\u{0}"];
    let paths = [
        "",
        "/",
        "?",
        "/api/status?x",
        "/api/v1/admin/bootstrap",
        "/api/v3/auth/login",
        "/api/v1/nothing",
        "/api/v1/auth/token/renew",
        "/api/v1/auth/token-auth/identities//tokens?offset=-1&limit=x",
        "/api/v1/auth/token-auth/tokens/x/revoke",
        "/api/v2/workspace",
        "/api/v1/identities",
        "/api/v1/admin/identity-management/identities?offset=99999999999999999999",
    ];
    let routes = TABLE.iter().map(|(_, path, _)| *path);
    for path in paths.into_iter().chain(routes) {
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT", ""] {
            for text in bodies {
                for authorization in [None, Some("Bearer"), Some("Bearer a.b.c"), Some(token.as_str())] {
                    let request = Request {
                        body: text.as_bytes().to_vec(),
                        authorization: authorization.map(str::to_owned),
                        content_type: Some("application/json".to_owned()),
                        ..Request::new(method, path)
                    };
                    assert!((200..600).contains(&instance.handle(now(), &request).status), "{path}");
                }
            }
        }
    }
}

#[test]
fn a_route_that_is_none_is_not_found() {
    let (mut instance, _) = ready();
    assert_eq!(instance.handle(now(), &Request::new("GET", "/api/v1/nothing?a=b")).status, 404);
}

#[test]
fn a_members_secrets_are_read_until_the_token_ends_itself() {
    let (mut instance, token) = ready();
    let (project, secret) = ("shop", "/api/v3/secrets/raw/A?workspaceSlug=shop&environment=dev");
    let get = |path: &str| Request::new("GET", path).bearer(&token);
    assert_eq!(instance.handle(now(), &get(secret)).status, 404, "there is no project");
    instance.add_project(project);
    assert_eq!(instance.handle(now(), &get(secret)).status, 404, "there is no secret");
    instance.put_secret(project, "dev", ("A", "b"));
    assert_eq!(body(&instance.handle(now(), &get(secret)))["secret"]["secretValue"], "b");
    let list = "/api/v3/secrets/raw?workspaceSlug=shop&environment=";
    for (environment, count) in [("dev", 1), ("prod", 0)] {
        let listed = body(&instance.handle(now(), &get(&format!("{list}{environment}"))));
        assert_eq!(listed["secrets"].as_array().unwrap().len(), count, "{environment}");
    }
    for (role, status) in [("viewer", 200), ("no-access", 403)] {
        instance.database.projects[0].memberships[0].roles = vec![Role::permanent(String::new(), role)];
        assert_eq!(instance.handle(now(), &get(secret)).status, status, "{role}");
    }
    instance.database.projects[0].memberships.clear();
    assert_eq!(instance.handle(now(), &get(secret)).status, 403, "no member");
    let end = Request::new("POST", "/api/v1/auth/token/revoke").json(&json!({ "accessToken": token }));
    assert_eq!(instance.handle(now(), &end).status, 200);
    assert_eq!(instance.handle(now(), &get(secret)).status, 401);
}

/// An organization with a project `shop`, a secret in `/team`, and an identity that is
/// a member of the project with a role; with its token and the project's id.
struct Shop {
    instance: Instance,
    admin: String,
    reader: String,
    project: String,
    identity: String,
}

impl Shop {
    fn new(role: &str) -> Self {
        let (instance, admin) = ready();
        let mut shop =
            Self { instance, admin, reader: String::new(), project: String::new(), identity: String::new() };
        let organization = shop.instance.database.organizations[0].id.clone();
        let made = shop.post("/api/v1/projects", &json!({ "projectName": "Shop", "slug": "shop-one" }));
        shop.project = made["project"]["id"].as_str().unwrap().to_owned();
        let made = shop.post("/api/v1/identities", &json!({ "name": "app", "organizationId": organization }));
        shop.identity = made["identity"]["id"].as_str().unwrap().to_owned();
        let auth = format!("/api/v1/auth/token-auth/identities/{}", shop.identity);
        shop.post(&auth, &json!({}));
        let made = shop.post(&format!("{auth}/tokens"), &json!({}));
        shop.reader = made["accessToken"].as_str().unwrap().to_owned();
        shop.post(&shop.membership(), &json!({ "roles": [{ "role": role }] }));
        let folder = json!({ "projectId": shop.project, "environment": "prod", "name": "team" });
        shop.post("/api/v2/folders", &folder);
        let body = json!({
            "projectId": shop.project, "environment": "prod", "secretPath": "/team", "secretValue": "v",
        });
        shop.post("/api/v4/secrets/KEY", &body);
        shop
    }

    fn membership(&self) -> String {
        format!("/api/v1/projects/{}/memberships/identities/{}", self.project, self.identity)
    }

    fn post(&mut self, path: &str, value: &Value) -> Value {
        let answer = self.instance.handle(now(), &Request::new("POST", path).json(value).bearer(&self.admin));
        assert_eq!(answer.status, 200, "{path}: {}", body(&answer));
        body(&answer)
    }

    /// The status of a read of the secret by the identity, so many seconds later.
    fn read(&mut self, seconds: i64) -> u16 {
        let path =
            format!("/api/v4/secrets/KEY?projectId={}&environment=prod&secretPath=/team", self.project);
        let at = now() + jiff::SignedDuration::from_secs(seconds);
        self.instance.handle(at, &Request::new("GET", &path).bearer(&self.reader)).status
    }
}

#[test]
fn rights_come_and_go_ten_seconds_after_the_last_look() {
    let mut shop = Shop::new("no-access");
    assert_eq!(shop.read(0), 403);
    let change = |shop: &mut Shop, role: &str| {
        let request = Request::new("PATCH", &shop.membership()).json(&json!({ "roles": [{ "role": role }] }));
        assert_eq!(shop.instance.handle(now(), &request.bearer(&shop.admin)).status, 200);
    };
    change(&mut shop, "viewer");
    assert_eq!([shop.read(9), shop.read(10)], [403, 200]);
    change(&mut shop, "no-access");
    assert_eq!([shop.read(19), shop.read(20)], [200, 403]);
}

#[test]
fn a_privilege_permits_what_its_conditions_say() {
    for (path, status) in [("/team/**", 200), ("/other/**", 403)] {
        let mut shop = Shop::new("no-access");
        let privilege = json!({
            "identityId": shop.identity, "projectId": shop.project, "slug": "reader",
            "type": { "isTemporary": false },
            "permissions": [{
                "subject": "secrets", "action": ["describeSecret", "readValue"],
                "conditions": { "environment": "prod", "secretPath": { "$glob": path } },
            }],
        });
        shop.post("/api/v2/identity-project-additional-privilege", &privilege);
        assert_eq!(shop.read(0), status, "{path}");
    }
}

#[test]
fn each_write_of_a_secret_is_a_version_and_a_read_is_no_write() {
    let mut shop = Shop::new("viewer");
    let before = shop.instance.writes();
    assert_eq!(shop.read(0), 200);
    assert_eq!(shop.instance.writes(), before);
    let value = json!({ "projectId": shop.project, "environment": "prod", "secretPath": "/team", "secretValue": "v" });
    let request = Request::new("PATCH", "/api/v4/secrets/KEY").json(&value).bearer(&shop.admin);
    assert_eq!(shop.instance.handle(now(), &request).status, 200);
    assert_eq!(shop.instance.secret_version("shop-one", "prod", "/team/KEY"), Some(2));
    assert_eq!(shop.instance.writes(), before + 1);
}

#[test]
fn an_equal_create_that_comes_late_is_a_500_where_the_database_refuses_it() {
    let mut shop = Shop::new("viewer");
    let value = json!({ "projectId": shop.project, "environment": "prod", "secretPath": "/team", "secretValue": "v" });
    let request = Request::new("POST", "/api/v4/secrets/KEY").json(&value).bearer(&shop.admin);
    assert_eq!(body(&shop.instance.handle_late(now(), &request))["error"], "Create");
    assert_eq!(shop.instance.handle(now(), &request).status, 400);
}
