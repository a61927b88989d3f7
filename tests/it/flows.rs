//! From a ready instance to a connection Secret whose token works.

use std::{sync::Arc, time::Duration};

use fake_crossplane::Reconciled;
use fake_infisical::{Fault, On, Route, Settings, Times};
use function_infisical::contract::proto::v1::{
    Ready, Resources, RunFunctionRequest, RunFunctionResponse, State,
};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{KINDS, Kind, VARIANTS, World, variant};

fn state(response: &RunFunctionResponse) -> State {
    State::decode(response.desired.as_ref().unwrap().encode_to_vec().as_slice()).unwrap()
}

/// A world in which the next call bootstraps.
async fn about_to_bootstrap(settings: Settings) -> World {
    let mut world = World::start(settings, Kind::Namespaced).await;
    world.settle().await;
    world.crossplane.make_available("infisical");
    world
}

#[tokio::test]
async fn every_variant_and_kind_of_xr_ends_with_a_token_that_the_server_accepts() {
    for settings in VARIANTS.map(variant) {
        for kind in KINDS {
            let world = World::connected(settings, kind).await;
            let what = format!("{settings:?} {kind:?} {}", world.story());
            assert!(world.token_works(), "{what}");
            assert_eq!(world.fake.bootstraps().successful, 1, "{what}");
            assert_eq!(world.fake.bootstraps().emails, ["platform@example.org"], "{what}");
            let [bootstrapped, token_valid] = world.conditions();
            assert_eq!(bootstrapped, ("True".to_owned(), "Bootstrapped".to_owned()), "{what}");
            assert_eq!(token_valid, ("True".to_owned(), "Accepted".to_owned()), "{what}");
        }
    }
}

#[tokio::test]
async fn the_secrets_are_where_and_what_the_conventions_say() {
    let table = [
        (Kind::Namespaced, "vault-connection", "vault-admin", "team-a", "vault"),
        (Kind::Cluster, "vault-token", "vault-admin", "team-b", "vault"),
        (Kind::Legacy, "vault-x7k2p-connection", "vault-x7k2p-admin", "team-c", "vault"),
    ];
    for (kind, connection, admin, namespace, organization) in table {
        let world = World::connected(Settings::default(), kind).await;
        let secret = &world.crossplane.composed["infisical-connection"];
        assert_eq!(secret["metadata"]["name"], connection);
        assert_eq!(secret["metadata"]["namespace"], namespace);
        assert_eq!(secret["type"], "connection.crossplane.io/v1alpha1");
        let secret = &world.crossplane.composed["infisical-admin"];
        assert_eq!(secret["metadata"]["name"], admin);
        assert_eq!(secret["metadata"]["namespace"], namespace);
        assert_eq!(world.fake.organization_names(), [organization]);

        let data = world.crossplane.secret("infisical-connection").unwrap();
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        let expected =
            ["credentials", "expiresAt", "host", "identityId", "organizationId", "organizationSlug", "token"];
        assert_eq!(keys, expected);
        assert_eq!(data["host"], world.fake.url());
        assert_eq!(data["credentials"], format!(r#"{{"auth":{{"token":"{}"}}}}"#, data["token"]));
        assert!(data.values().all(|value| !value.is_empty()), "{:?}", data.keys());

        let details = &world.crossplane.connection_details;
        match kind {
            Kind::Legacy => assert_eq!(details["token"], data["token"].as_bytes()),
            Kind::Namespaced | Kind::Cluster => assert!(details.is_empty(), "a v2 XR has none"),
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_of_the_server_before_the_password_is_seen_in_observed() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.make_available("infisical");
    // The instance is ready from the start, and the response is lost each time.
    world.reconcile().await;
    let ready = {
        world.crossplane.make_available("infisical");
        let mut request = world.request();
        request.observed.as_mut().unwrap().resources.remove("infisical-admin");
        request.required_resources.insert("infisical-admin-secret".to_owned(), Resources::default());
        request
    };
    let mut admins = Vec::new();
    for _ in 0..3 {
        let response = world.call(ready.clone()).await;
        admins.push(state(&response).resources["infisical-admin"].clone());
        assert_eq!(response.conditions[0].reason, "PersistingAdmin");
    }
    assert!(world.fake.log().is_empty());
    assert!(admins.windows(2).all(|pair| pair[0] == pair[1]), "a stale read makes no second password");
    world.settle().await;
    assert!(world.crossplane.is_ready(), "{}", world.story());
}

#[tokio::test]
async fn the_xr_and_the_secrets_are_not_ready_before_the_token_is_persisted() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    let waiting = state(&world.call(world.request()).await);
    assert_eq!(waiting.composite.unwrap().ready(), Ready::False);
    assert_eq!(waiting.resources["infisical-admin"].ready(), Ready::False);

    world.settle().await;
    world.crossplane.make_available("infisical");
    let handed_out = state(&world.call(world.request()).await);
    assert_eq!(handed_out.composite.unwrap().ready(), Ready::False);
    assert_eq!(handed_out.resources["infisical-connection"].ready(), Ready::False);

    world.settle().await;
    let persisted = state(&world.call(world.request()).await);
    assert!(persisted.composite.is_none(), "an earlier step's opinion of the composite is left alone");
    assert_eq!(persisted.resources["infisical-admin"].ready(), Ready::True);
    assert_eq!(persisted.resources["infisical-connection"].ready(), Ready::True);
}

#[tokio::test]
async fn a_hundred_calls_at_once_bootstrap_once() {
    let world = about_to_bootstrap(Settings::default()).await;
    let request = world.request();
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (function, request) = (Arc::clone(&world.function), request.clone());
        calls.spawn(async move { function.call(request, None).await });
    }
    let responses = calls.join_all().await;
    let tokens: Vec<State> = responses.iter().map(state).collect();
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]), "all hand out the same");
    assert!(tokens[0].resources.contains_key("infisical-connection"));
    assert_eq!(world.fake.bootstraps().asked, 1);
    assert_eq!(world.fake.count(Route::MintToken), 1);
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_it_bootstraps_loses_nothing() {
    let mut world = about_to_bootstrap(Settings::default()).await;
    world.fake.inject(On::Route(Route::Bootstrap), Times::Next(1), Fault::Delay(Duration::from_millis(300)));
    let request = world.request();
    let call = world.function.call(request, None);
    // Long enough to start the work, too short for its end.
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    world.settle().await;
    assert!(world.crossplane.is_ready(), "{}", world.story());
    assert!(world.token_works());
    assert_eq!(world.fake.bootstraps().asked, 1);
    assert_eq!(world.fake.count(Route::MintToken), 1);
}

#[tokio::test]
async fn the_same_token_is_handed_out_until_it_is_seen() {
    let mut world = about_to_bootstrap(Settings::default()).await;
    let request = world.request();
    // A later step fails, and the response is thrown away, five times.
    let mut secrets = Vec::new();
    for _ in 0..5 {
        secrets.push(state(&world.call(request.clone()).await).resources["infisical-connection"].clone());
        world.clock.advance(Duration::from_secs(5));
    }
    assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works());
    assert_eq!(world.fake.count(Route::MintToken), 1);
}

#[tokio::test]
async fn a_slow_server_does_not_hold_up_the_call() {
    let mut world = about_to_bootstrap(Settings::default()).await;
    world.fake.inject(On::Any, Times::Always, Fault::Delay(Duration::from_millis(300)));
    let started = tokio::time::Instant::now();
    let deadline = Some(Duration::from_millis(400));
    let response = world.function.call(world.request(), deadline).await;
    assert!(started.elapsed() < Duration::from_millis(400), "half of the deadline is for the answer");
    assert_eq!(response.conditions[0].reason, "Bootstrapping");
    assert_eq!(response.meta.unwrap().ttl.unwrap().seconds, 1);
    for _ in 0..10 {
        world.settle().await;
        if world.crossplane.is_ready() {
            break;
        }
    }
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.fake.bootstraps().asked, 1);
}

#[tokio::test]
async fn work_waits_for_required_resources() {
    let mut world = about_to_bootstrap(Settings::default()).await;
    world.crossplane.input["admin"] = json!({"secretRef": {"name": "admin-of-vault"}});
    // The request as the reconcile's first call has it.
    let response = world.call(world.crossplane.request()).await;
    assert_eq!(response.conditions[0].reason, "WaitingForRequirements");
    let selector = &response.requirements.as_ref().unwrap().resources["infisical-admin-credentials"];
    assert_eq!((selector.kind.as_str(), selector.namespace.as_deref()), ("Secret", Some("team-a")));
    assert!(world.fake.log().is_empty());

    // Looked for, and not there.
    world.settle().await;
    assert_eq!(world.conditions()[0].1, "WaitingForAdmin");
    assert_eq!(world.crossplane.ttl, Some(10), "nobody calls when the Secret comes");
    assert!(world.fake.log().is_empty());

    world.crossplane.others.push(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "admin-of-vault", "namespace": "team-a"},
        "data": {"email": "cm9vdEBleGFtcGxlLm9yZw==", "password": "bWFya2VyLXN1cHBsaWVk"},
    }));
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.fake.bootstraps().emails, ["root@example.org"]);
}

#[tokio::test]
async fn a_reconcile_is_one_call_and_two_where_something_is_required() {
    let admin = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "admin-of-vault", "namespace": "team-a"},
        "data": {"email": "cm9vdEBleGFtcGxlLm9yZw==", "password": "bWFya2VyLXN1cHBsaWVk"},
    });
    for (admin, calls) in [(None, 1), (Some(admin), 2)] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        if let Some(admin) = admin {
            world.crossplane.input["admin"] = json!({"secretRef": {"name": "admin-of-vault"}});
            world.crossplane.others.push(admin);
        }
        world.reconcile().await;
        assert_eq!(world.crossplane.called, 2, "before the instance is ready");
        world.crossplane.make_available("infisical");
        world.reconcile().await;
        assert_eq!(world.crossplane.called, 2, "until all is observed, what is in its place is brought");
        world.settle().await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
        assert_eq!(world.crossplane.called, calls, "a steady one");
        let response = world.call(world.crossplane.request()).await;
        assert_eq!(response.requirements.is_some(), calls == 2, "none is no message at all");
    }
}

#[tokio::test]
async fn step_credentials_are_used_and_not_copied() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.input["admin"] = json!({"credentials": "admin"});
    let data = [("email", "root@example.org"), ("password", "marker-supplied")];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
    world.connect().await;
    assert!(world.token_works());
    assert_eq!(world.fake.bootstraps().emails, ["root@example.org"]);
    assert!(!world.crossplane.composed.contains_key("infisical-admin"));
}

#[tokio::test]
async fn an_instance_that_this_xr_does_not_compose_is_asked_at_once() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.input["instance"]["resource"] = json!(null);
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}

#[tokio::test]
async fn a_steady_state_changes_nothing_and_asks_nothing() {
    let mut world = World::connected(Settings::default(), Kind::Legacy).await;
    let asked = world.fake.log().len();
    let events = world.crossplane.events.clone();
    let request = world.request();
    let first = world.call(request.clone()).await;
    for _ in 0..20 {
        assert_eq!(world.reconcile().await, Reconciled::Applied { changed: false });
        assert!(world.call(request.clone()).await.encode_to_vec() == first.encode_to_vec());
    }
    assert_eq!(world.fake.log().len(), asked);
    assert_eq!(world.crossplane.events, events);
}

#[tokio::test]
async fn events_come_at_transitions_only() {
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let reasons: Vec<&str> = world.crossplane.events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(reasons, ["Bootstrapped"], "{}", world.story());
}

#[tokio::test]
async fn a_server_that_does_not_answer_changes_nothing() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    let before = world.crossplane.composed.clone();
    world.fake.inject(On::Any, Times::Always, Fault::FailBefore(503));
    world.live(Duration::from_hours(1)).await;
    assert_eq!(world.crossplane.composed, before);
    assert!(world.crossplane.is_ready());
    assert_eq!(world.conditions()[0].0, "True");
    assert_eq!(world.conditions()[1], ("Unknown".to_owned(), "ServerError".to_owned()));

    world.restart();
    world.live(Duration::from_mins(10)).await;
    assert_eq!(world.crossplane.composed, before, "nor after a restart");
    assert!(world.crossplane.is_ready());

    world.fake.clear_faults();
    world.live(Duration::from_mins(2)).await;
    assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()));
    assert_eq!(world.crossplane.composed, before);
}

#[tokio::test]
async fn a_new_process_keeps_the_token_that_works() {
    for settings in VARIANTS.map(variant) {
        let mut world = World::connected(settings, Kind::Namespaced).await;
        let before = (world.token(), world.crossplane.xr.clone());
        let minted = world.fake.count(Route::MintToken);
        world.restart();
        assert_eq!(world.settle().await, Reconciled::Applied { changed: false });
        assert_eq!((world.token(), world.crossplane.xr.clone()), before, "and no condition flaps");
        assert_eq!(world.fake.count(Route::MintToken), minted);
    }
}

#[tokio::test]
async fn two_replicas_that_do_not_talk_bootstrap_once_and_agree() {
    let mut world = about_to_bootstrap(Settings::default()).await;
    let other = Arc::new(world.another_function());
    world.fake.meet_bootstraps(2);
    let request = world.request();
    let both = [Arc::clone(&world.function), Arc::clone(&other)];
    let mut calls = JoinSet::new();
    for function in both.clone() {
        let request: RunFunctionRequest = request.clone();
        calls.spawn(async move { function.call(request, None).await });
    }
    calls.join_all().await;
    assert_eq!(world.fake.bootstraps().successful, 1);
    assert_eq!(world.fake.super_admins(), ["platform@example.org"]);
    for round in 0..12 {
        world.function = Arc::clone(&both[round % 2]);
        world.reconcile().await;
    }
    let settled = world.token();
    for round in 0..6 {
        world.function = Arc::clone(&both[round % 2]);
        assert_eq!(world.reconcile().await, Reconciled::Applied { changed: false });
    }
    assert_eq!(world.token(), settled, "they do not take turns in overwriting the Secret");
    assert!(world.crossplane.is_ready() && world.token_works());
}

#[tokio::test]
async fn the_status_names_what_is_not_secret() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.input["status"] = json!("status.infisical");
    world.connect().await;
    let status = &world.crossplane.xr["status"]["infisical"];
    let data = world.crossplane.secret("infisical-connection").unwrap();
    let expected = json!({
        "host": data["host"], "organizationId": data["organizationId"], "identityId": data["identityId"],
        "tokenExpiresAt": data["expiresAt"],
        "connectionSecretRef": {"name": "vault-connection", "namespace": "team-a"},
    });
    assert_eq!(*status, expected);

    world.crossplane.input["handOff"] = json!({"status": "status.infisical.identity"});
    world.settle().await;
    let identity = world.crossplane.secret("infisical-identity").unwrap();
    let secret = json!({"name": "vault-identity", "namespace": "team-a"});
    let handed_off = json!({"identityId": identity["identityId"], "secretRef": secret});
    assert_eq!(world.crossplane.xr["status"]["infisical"]["identity"], handed_off);
}

#[tokio::test]
async fn the_status_stays_whatever_the_secret_has_and_whoever_is_asked() {
    for details in [json!([{"name": "token", "value": "Token"}]), Value::Null] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.crossplane.input["status"] = json!("status.infisical");
        world.crossplane.input["handOff"] = json!({"status": "status.identity"});
        if details.is_array() {
            world.crossplane.input["connectionDetails"] = details;
            world.crossplane.input["handOff"]["connectionDetails"] =
                json!([{"name": "id", "value": "ClientId"}, {"name": "secret", "value": "ClientSecret"}]);
        }
        world.connect().await;
        let before = world.crossplane.xr["status"].clone();
        assert_eq!(before["infisical"].as_object().unwrap().len(), 5, "{before}");
        assert_eq!(before["identity"].as_object().unwrap().len(), 2, "{before}");
        // What is seen in the Secret is not held for ever.
        world.live(Duration::from_hours(1)).await;
        assert_eq!(world.xr_status(), before.to_string());
        // A new process that cannot ask.
        world.fake.inject(On::Any, Times::Always, Fault::FailBefore(503));
        world.restart();
        world.settle().await;
        for field in ["infisical", "identity"] {
            assert_eq!(world.crossplane.xr["status"][field], before[field]);
        }
    }
}
