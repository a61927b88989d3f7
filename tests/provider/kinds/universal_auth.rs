//! Universal Auth of an identity.

use provider_infisical::api::{identity::Identity, universal_auth::UniversalAuth};
use serde_json::{Value, json};

use super::identity::own_id;
use crate::live::{Live, Object, POLL, TEAM, with_each_fault};

/// A ready identity, and its id.
pub(super) async fn identity(live: &Live, name: &str) -> String {
    let identity = live.apply::<Identity>(name, &json!({ "name": name }));
    identity.settle().await;
    identity.external_name().unwrap()
}

fn apply<'a>(live: &'a Live, parameters: &Value) -> Object<'a, UniversalAuth> {
    let mut wanted = json!({ "identityIdRef": { "name": "ci" } });
    wanted.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    live.apply::<UniversalAuth>("login", &wanted)
}

fn path(id: &str) -> String {
    format!("/api/v1/auth/universal-auth/identities/{id}")
}

fn attached(live: &Live, id: &str) -> Value {
    live.by_hand("GET", &path(id), &Value::Null)["identityUniversalAuth"].clone()
}

fn methods(live: &Live, id: &str) -> Value {
    live.by_hand("GET", &format!("/api/v1/identities/{id}"), &Value::Null)["identity"]["identity"]["authMethods"]
        .clone()
}

#[tokio::test(start_paused = true)]
async fn it_is_attached_changed_and_removed() {
    let live = Live::new();
    let id = identity(&live, "ci").await;
    let login = apply(&live, &json!({ "accessTokenTtl": 600, "lockoutThreshold": 5 }));
    login.ready().await;
    assert_eq!(login.external_name().as_ref(), Some(&id));
    assert_eq!(login.observed().client_id.as_deref(), attached(&live, &id)["clientId"].as_str());
    let table = [
        (json!({ "accessTokenTtl": 300 }), "accessTokenTTL", json!(300)),
        (json!({ "accessTokenMaxTtl": 3600 }), "accessTokenMaxTTL", json!(3600)),
        // Above the limit that was there, and below the one that comes with it.
        (json!({ "accessTokenTtl": 7200, "accessTokenMaxTtl": 7200 }), "accessTokenTTL", json!(7200)),
        (json!({ "accessTokenNumUsesLimit": 9 }), "accessTokenNumUsesLimit", json!(9)),
        (json!({ "accessTokenPeriod": 60 }), "accessTokenPeriod", json!(60)),
        (json!({ "lockoutEnabled": false }), "lockoutEnabled", json!(false)),
        (json!({ "lockoutThreshold": 7 }), "lockoutThreshold", json!(7)),
        (json!({ "lockoutDurationSeconds": 60 }), "lockoutDurationSeconds", json!(60)),
        (json!({ "lockoutCounterResetSeconds": 10 }), "lockoutCounterResetSeconds", json!(10)),
        (
            json!({ "accessTokenTrustedIps": [{ "ipAddress": "::/0" }] }),
            "accessTokenTrustedIps",
            json!([{ "type": "ipv6", "prefix": 0, "ipAddress": "::" }]),
        ),
        (
            json!({ "clientSecretTrustedIps": [{ "ipAddress": "0.0.0.0/0" }] }),
            "clientSecretTrustedIps",
            json!([{ "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" }]),
        ),
    ];
    for (change, field, expected) in table {
        login.change(&change).ready().await;
        assert_eq!(attached(&live, &id)[field], expected, "{change}");
    }
    login.delete().settle().await;
    assert_eq!(methods(&live, &id), json!([]));
    assert!(login.get().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_licence_is_refused_with_what_to_do() {
    let live = Live::new();
    let id = identity(&live, "ci").await;
    let login = apply(&live, &json!({ "clientSecretTrustedIps": [{ "ipAddress": "10.0.0.0/8" }] }));
    login.reconcile().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.contains("leave out spec.forProvider.accessTokenTrustedIps"), "{said}");
    assert!(said.ends_with("the server has no licence for it"), "{said}");
    assert_eq!(methods(&live, &id), json!([]));
}

#[tokio::test(start_paused = true)]
async fn it_is_attached_again_under_another_client_id_after_it_was_removed_by_hand() {
    let live = Live::new();
    let id = identity(&live, "ci").await;
    let login = apply(&live, &json!({}));
    login.ready().await;
    let before = login.observed().client_id;
    live.by_hand("DELETE", &path(&id), &Value::Null);
    live.pass(POLL).await;
    login.ready().await;
    assert_ne!(login.observed().client_id, before);
}

#[tokio::test(start_paused = true)]
async fn it_follows_an_identity_that_was_made_again() {
    let live = Live::new();
    let before = identity(&live, "ci").await;
    let login = apply(&live, &json!({}));
    login.ready().await;
    live.by_hand("DELETE", &format!("/api/v1/identities/{before}"), &Value::Null);
    live.object::<Identity>("ci").settle().await;
    login.ready().await;
    let after = live.object::<Identity>("ci").external_name();
    assert_eq!(login.external_name(), after);
    assert_eq!(methods(&live, &after.unwrap()), json!(["universal-auth"]));
}

#[tokio::test(start_paused = true)]
async fn it_does_not_move_to_another_identity() {
    let live = Live::new();
    let (first, second) = (identity(&live, "ci").await, identity(&live, "cd").await);
    let login = apply(&live, &json!({}));
    login.ready().await;
    login.change(&json!({ "identityIdRef": { "name": "cd" } })).settle().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.contains("make another UniversalAuth, and delete this one"), "{said}");
    assert_eq!(methods(&live, &second), json!([]));
    login.delete().settle().await;
    assert_eq!(methods(&live, &first), json!([]), "it is deleted where it is");
}

#[tokio::test(start_paused = true)]
async fn one_that_somebody_else_attached_is_not_touched_until_it_is_imported() {
    let live = Live::new();
    let id = identity(&live, "ci").await;
    live.by_hand("POST", &path(&id), &json!({ "accessTokenTTL": 60 }));
    let login = apply(&live, &json!({ "accessTokenTtl": 600 }));
    login.settle().await;
    assert!(login.conditions()[0].contains("was not made by this object"), "{:?}", login.conditions());
    assert_eq!(attached(&live, &id)["accessTokenTTL"], 60);
    login.annotate("crossplane.io/external-name", &id).ready().await;
    assert_eq!(attached(&live, &id)["accessTokenTTL"], 600);
    // Two objects for one.
    let other = live.apply::<UniversalAuth>("other", &json!({ "identityId": id, "accessTokenTtl": 5 }));
    other.annotate("crossplane.io/external-name", &id).settle().await;
    assert!(other.conditions()[0].contains("team/login has it already"), "{:?}", other.conditions());
    other.delete().settle().await;
    assert_eq!(attached(&live, &id)["accessTokenTTL"], 600);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_attaches_it_once_and_removes_it() {
    let prepare = async |live: &Live| {
        identity(live, "ci").await;
    };
    let scene = async |live: &Live| {
        apply(live, &json!({ "accessTokenTtl": 600 })).settle().await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        let login = live.object::<UniversalAuth>("login");
        let id = live.object::<Identity>("ci").external_name().unwrap();
        login.ready().await;
        assert_eq!(attached(live, &id)["accessTokenTTL"], 600, "{case}");
        login.delete().settle().await;
        assert_eq!(methods(live, &id), json!([]), "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_cut_off_anywhere_is_done() {
    let prepare = async |live: &Live| {
        identity(live, "ci").await;
        apply(live, &json!({ "accessTokenTtl": 600 })).settle().await;
    };
    let scene = async |live: &Live| {
        live.object::<UniversalAuth>("login").change(&json!({ "accessTokenTtl": 60 })).settle().await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        let login = live.object::<UniversalAuth>("login");
        login.ready().await;
        assert_eq!(attached(live, &login.external_name().unwrap())["accessTokenTTL"], 60, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_adds_a_login_to_the_identity_that_the_provider_logs_in_with() {
    let live = Live::new();
    let own = own_id(&live);
    let before = methods(&live, &own);
    for id in [own.clone(), own.to_uppercase()] {
        let login = live.apply::<UniversalAuth>("login", &json!({ "identityId": id }));
        login.reconcile().await;
        let said = login.conditions().pop().unwrap();
        assert!(
            said.contains("create failed") && said.contains("the provider itself logs in with"),
            "{said}"
        );
        assert_eq!(methods(&live, &own), before);
        login.delete().settle().await;
        assert!(login.get().is_none(), "nothing was made, and nothing keeps it");
    }
    // One that is there already is not changed and not removed.
    live.by_hand("POST", &path(&own), &json!({}));
    let annotations = json!({ "annotations": { "crossplane.io/external-name": own } });
    let spec = json!({ "forProvider": { "identityId": own, "accessTokenTtl": 5 } });
    let login = live.apply_in::<UniversalAuth>(TEAM, "taken", &spec, &annotations);
    login.reconcile().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.contains("update failed") && said.contains("the provider itself logs in with"), "{said}");
    login.delete().reconcile().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.contains("delete failed") && said.contains("the provider itself logs in with"), "{said}");
    assert_eq!(attached(&live, &own)["accessTokenTTL"], 2_592_000);
}
