//! An instance that somebody else bootstrapped, as the CLI or the Helm chart
//! does: its token becomes ours, or it is said what is missing.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_infisical::{
    Fault, On, Request,
    Route::{Login, MintToken, RenewToken},
    Settings, Times, Variant,
};
use serde_json::{Value, json};

use crate::{
    repair::REPLACED,
    world::{FOUND, Kind, World, variant},
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

const PASSWORD: &str = "marker-theirs";

/// A Secret as the Helm chart writes it.
fn secret(token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "infisical-bootstrap", "namespace": "team-a"},
        "data": {"admin-token": STANDARD.encode(token)},
    })
}

/// A world whose instance somebody else set up, and the token that they have.
async fn theirs(settings: Settings) -> (World, String) {
    let mut world = World::start(settings, Kind::Namespaced).await;
    let token = world.bootstrap_elsewhere("root@example.org", PASSWORD);
    world.crossplane.input["adopt"] =
        json!({"secretRef": {"name": "infisical-bootstrap", "key": "admin-token"}});
    (world, token)
}

/// A token of their instance that works on a strict server too.
fn minted(world: &World) -> String {
    let ask = |request: Request| -> Value {
        let response = world.fake.ask(&request);
        assert_eq!(response.status, 200, "{request:?}");
        serde_json::from_slice(&response.body).unwrap()
    };
    let body = json!({"email": "root@example.org", "password": PASSWORD});
    let user = ask(Request::new("POST", "/api/v3/auth/login").json(&body));
    let user = user["accessToken"].as_str().unwrap();
    let organizations = ask(Request::new("GET", "/api/v1/organization").bearer(user));
    let body = json!({"organizationId": organizations["organizations"][0]["id"]});
    let session = ask(Request::new("POST", "/api/v3/auth/select-organization").bearer(user).json(&body));
    let session = session["token"].as_str().unwrap();
    let path = "/api/v1/admin/identity-management/identities?offset=0&limit=100";
    let identities = ask(Request::new("GET", path).bearer(session));
    let id = identities["identities"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/auth/token-auth/identities/{id}/tokens");
    let token = ask(Request::new("POST", &path).bearer(session).json(&json!({"name": "by hand"})));
    token["accessToken"].as_str().unwrap().to_owned()
}

fn supply(world: &mut World, password: &str) {
    world.crossplane.input["admin"] = json!({"credentials": "admin"});
    let data = [("email", "root@example.org"), ("password", password)];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
}

async fn make_ready(world: &mut World) {
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.settle().await;
}

#[tokio::test]
async fn a_token_that_works_is_adopted_without_a_password() {
    // The server is asked how long any token lives, or how much of its life has passed.
    for of in [Variant::Lenient, Variant::Fixed] {
        let (mut world, token) = theirs(variant(of)).await;
        world.crossplane.others.push(secret(&token));
        make_ready(&mut world).await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
        assert_eq!(world.token(), token);
        assert_eq!(world.conditions()[0], ("True".to_owned(), "Bootstrapped".to_owned()));
        assert_eq!(world.asked(0), FOUND, "{of:?}");
        assert!(!world.crossplane.composed.contains_key("infisical-admin"), "a password would be of no use");
        assert_eq!(world.events(0), ["Bootstrapped"]);
    }
}

#[tokio::test]
async fn an_adopted_token_is_renewed_and_kept_when_its_own_secret_is_gone() {
    for of in [Variant::Lenient, Variant::Fixed] {
        let (mut world, token) = theirs(variant(of)).await;
        world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
        world.crossplane.others.push(secret(&token));
        make_ready(&mut world).await;
        world.live(61 * DAY).await;
        assert_ne!(world.token(), token, "renewed when a third of its life is left");
        world.crossplane.others.clear();
        world.restart();
        world.live(100 * DAY).await;
        assert!(!world.fake.token_works(&token));
        assert!(world.token_works() && world.crossplane.is_ready(), "{}", world.story());
        assert_eq!(world.fake.count(Login), 0);
        assert_eq!(world.fake.count(RenewToken), 2);
        assert_eq!(world.fake.tokens_alive(world.fake.now()).len(), 1);
    }
}

#[tokio::test]
async fn a_dead_token_with_credentials_is_replaced_by_one_of_our_own() {
    let (mut world, dead) = theirs(variant(Variant::Strict)).await;
    supply(&mut world, PASSWORD);
    world.crossplane.others.push(secret(&dead));
    make_ready(&mut world).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.asked(0), REPLACED);
    // The dead one is not asked about again.
    let mark = world.mark();
    world.live(60 * MINUTE).await;
    assert!(world.asked(mark).iter().all(|route| *route != MintToken));
}

#[tokio::test]
async fn a_dead_token_without_credentials_is_said_once_and_asked_about_rarely() {
    let (mut world, dead) = theirs(variant(Variant::Strict)).await;
    world.crossplane.others.push(secret(&dead));
    make_ready(&mut world).await;
    assert_eq!(world.conditions()[0], ("False".to_owned(), "AdoptedTokenRefused".to_owned()));
    let message = world.message("InfisicalBootstrapped");
    assert!(message.contains("input.adopt.secretRef"), "{message}");
    assert!(message.contains("input.admin.credentials"), "{message}");
    world.live(6 * HOUR).await;
    assert_eq!(world.events(0), ["AdoptedTokenRefused"]);
    assert!(world.fake.log().len() <= 2 * 10, "{}", world.fake.log().len());
    assert_eq!(world.fake.count(Login), 0);

    // Another token in the Secret is tried at once, and so are credentials.
    world.crossplane.others = vec![secret(&minted(&world))];
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    world.fake.revoke_all_tokens();
    world.live(10 * MINUTE).await;
    assert_eq!(world.conditions()[0].1, "AdoptedTokenRefused");
    supply(&mut world, PASSWORD);
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}

#[tokio::test]
async fn a_new_token_in_the_adopted_secret_takes_the_place_of_ours_when_that_is_dead() {
    let (mut world, token) = theirs(variant(Variant::Fixed)).await;
    world.crossplane.others.push(secret(&token));
    make_ready(&mut world).await;
    world.fake.revoke_all_tokens();
    let fresh = minted(&world);
    world.crossplane.others = vec![secret(&fresh)];
    world.settle().await;
    assert_eq!(world.token(), token, "ours stands until it is found dead");
    world.live(10 * MINUTE).await;
    assert_eq!(world.token(), fresh);
    assert!(world.crossplane.is_ready());
    assert_eq!(world.fake.count(Login), 0);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_waited_for() {
    let (mut world, _) = theirs(variant(Variant::Fixed)).await;
    make_ready(&mut world).await;
    assert_eq!(world.conditions()[0], ("False".to_owned(), "WaitingForAdoptedToken".to_owned()));
    let message = world.message("InfisicalBootstrapped");
    let begin = "The token of the instance to adopt is not there yet: \
                 Secret \"team-a/infisical-bootstrap\" (input.adopt.secretRef) is not there";
    assert!(message.starts_with(begin), "{message}");

    world.crossplane.others.push(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "infisical-bootstrap", "namespace": "team-a"}, "data": {},
    }));
    world.settle().await;
    let message = world.message("InfisicalBootstrapped");
    assert!(message.contains("has nothing under key \"admin-token\"; add that key"), "{message}");
    assert!(world.fake.log().is_empty());
    assert!(world.events(0).is_empty(), "no event tells of waiting");

    world.crossplane.others = vec![secret(&minted(&world))];
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}

#[tokio::test]
async fn an_adopted_token_is_not_written_before_the_server_accepted_it() {
    let (mut world, token) = theirs(variant(Variant::Fixed)).await;
    world.crossplane.others.push(secret(&token));
    world.fake.inject(On::Any, Times::Always, Fault::FailBefore(503));
    make_ready(&mut world).await;
    assert_eq!(world.conditions()[0], ("False".to_owned(), "ServerError".to_owned()));
    assert!(!world.crossplane.composed.contains_key("infisical-connection"));
    world.fake.clear_faults();
    world.live(2 * MINUTE).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}

#[tokio::test]
async fn an_adopted_token_that_is_no_instance_admins_is_said_to_be_none() {
    let (mut world, token) = theirs(variant(Variant::Fixed)).await;
    world.fake.revoke_instance_admin();
    world.crossplane.others.push(secret(&token));
    make_ready(&mut world).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.token(), token);
    assert_eq!(world.conditions()[1], ("True".to_owned(), "NotInstanceAdmin".to_owned()));
    assert_eq!(world.events(0), ["Bootstrapped", "NotInstanceAdmin"]);
}

#[tokio::test]
async fn a_token_put_by_hand_into_the_connection_secret_is_kept() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.bootstrap_elsewhere("root@example.org", PASSWORD);
    make_ready(&mut world).await;
    assert_eq!(world.conditions()[0].1, "BootstrappedElsewhere");
    let (mark, token) = (world.mark(), minted(&world));
    world.crossplane.composed.insert(
        "infisical-connection".to_owned(),
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "connection.crossplane.io/v1alpha1",
            "metadata": {
                "name": "vault-connection", "namespace": "team-a",
                "ownerReferences": [{"controller": true, "uid": world.crossplane.xr["metadata"]["uid"]}],
            },
            "data": {"token": STANDARD.encode(&token)},
        }),
    );
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.token(), token);
    let data = world.crossplane.secret("infisical-connection").unwrap();
    assert_eq!(data["host"], world.fake.url(), "the rest of it is filled in");
    assert_eq!(world.asked(mark), FOUND);
    assert_eq!(world.fake.count(Login), 1, "the refused login is not repeated for it");
    world.live(DAY).await;
    assert_eq!(world.token(), token);
    assert_eq!(world.fake.count(Login), 1, "nor later, to look for siblings");
}

#[tokio::test]
async fn without_an_admin_the_adopted_token_is_renewed_and_a_dead_one_says_what_to_do() {
    let (mut world, token) = theirs(variant(Variant::Fixed)).await;
    world.crossplane.input.as_object_mut().unwrap().remove("admin");
    world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
    world.crossplane.input["handOff"] = json!({});
    world.crossplane.others.push(secret(&token));
    make_ready(&mut world).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    world.live(61 * DAY).await;
    assert_ne!(world.token(), token, "renewed when a third of its life is left");
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert!(!world.crossplane.composed.contains_key("infisical-admin"), "there is none");

    // The token dies, and with it the one of the Secret, or that Secret is gone.
    for others in [vec![secret(&token)], Vec::new()] {
        world.fake.revoke_all_tokens();
        world.crossplane.others = others;
        world.live(DAY + HOUR).await;
        assert_eq!(world.conditions()[0], ("False".to_owned(), "AdoptedTokenRefused".to_owned()));
        let message = world.message("InfisicalBootstrapped");
        for part in ["is refused or not there", "input.adopt.secretRef", "input.admin.credentials"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        world.crossplane.others = vec![secret(&minted(&world))];
        world.settle().await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    }
    assert_eq!(world.fake.count(Login), 0, "but by the hand of the test's person: {}", world.story());
}

#[tokio::test]
async fn an_instance_to_adopt_that_is_empty_is_set_up_once_an_email_is_written() {
    let mut world = World::start(variant(Variant::Fixed), Kind::Namespaced).await;
    let email = world.crossplane.input["admin"].take();
    world.crossplane.input.as_object_mut().unwrap().remove("admin");
    world.crossplane.input["adopt"] =
        json!({"secretRef": {"name": "infisical-bootstrap", "key": "admin-token"}});
    world.crossplane.others.push(secret("marker-of-a-token-that-was"));
    make_ready(&mut world).await;
    assert_eq!(world.conditions()[0], ("False".to_owned(), "InstanceEmpty".to_owned()));
    let message = world.message("InfisicalBootstrapped");
    assert!(message.contains("Write input.admin.email"), "{message}");
    world.live(HOUR).await;
    assert_eq!(world.events(0), ["InstanceEmpty"]);
    world.crossplane.input["admin"] = email;
    world.settle().await;
    world.live(2 * MINUTE).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}
