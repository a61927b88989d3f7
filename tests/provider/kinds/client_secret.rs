//! A client secret: shown once, made anew before the old one goes.

use std::time::Duration;

use provider_infisical::api::{
    client_secret::ClientSecret, identity::Identity, universal_auth::UniversalAuth,
};
use serde_json::{Value, json};

use super::{identity::own_id, universal_auth::identity};
use crate::{
    live::{Live, Object, POLL, TEAM, with_each_fault},
    world::{Fault, thing::key},
};

const SECRET: &str = "ci-login";

fn spec(parameters: &Value) -> Value {
    let mut wanted = json!({ "identityIdRef": { "name": "ci" }, "description": "of ci" });
    wanted.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    json!({ "forProvider": wanted, "writeConnectionSecretToRef": { "name": SECRET } })
}

/// An identity with Universal Auth.
async fn prepare(live: &Live) -> String {
    let id = identity(live, "ci").await;
    live.apply::<UniversalAuth>("ci", &json!({ "identityIdRef": { "name": "ci" } })).settle().await;
    id
}

async fn make<'a>(live: &'a Live, parameters: &Value) -> Object<'a, ClientSecret> {
    let secret = live.apply_spec::<ClientSecret>("ci", &spec(parameters));
    secret.settle().await;
    secret
}

/// The client secrets of the identity ci that are not revoked.
fn alive(live: &Live) -> Vec<Value> {
    let id = live.object::<Identity>("ci").external_name().unwrap();
    let path = format!("/api/v1/auth/universal-auth/identities/{id}/client-secrets");
    live.by_hand("GET", &path, &Value::Null)["clientSecretData"].as_array().unwrap().clone()
}

/// There is one, the object has its name, and what the Secret holds logs in.
fn works(live: &Live, case: &str) {
    let alive = alive(live);
    assert_eq!(alive.len(), 1, "{case}: {alive:?}");
    let name = live.object::<ClientSecret>("ci").external_name();
    assert_eq!(alive[0]["id"].as_str(), name.as_deref(), "{case}");
    assert_eq!(live.value(SECRET, "clientSecretId"), name, "{case}");
    logs_in(live, case);
}

/// Whoever reads the Secret now can log in.
fn logs_in(live: &Live, case: &str) {
    let value = |key: &str| live.value(SECRET, key).unwrap_or_else(|| panic!("{case}: no {key}"));
    let (client_id, client_secret) = (value("clientId"), value("clientSecret"));
    assert!(live.state().server.client_secret_works(&client_id, &client_secret), "{case}");
}

#[tokio::test(start_paused = true)]
async fn it_is_made_and_shown_in_the_connection_secret_and_nowhere_else() {
    let live = Live::new();
    prepare(&live).await;
    let secret = make(&live, &json!({})).await;
    secret.ready().await;
    works(&live, "made");
    assert_eq!(live.value(SECRET, "host").as_deref(), Some("http://infisical.example.org"));
    let uid = secret.metadata().uid.unwrap();
    assert_eq!(alive(&live)[0]["description"], format!("of ci [crossplane.io/uid: {uid}]"));
    assert_eq!(secret.observed().description.as_deref(), Some("of ci"));
    let value = live.value(SECRET, "clientSecret").unwrap();
    let object = serde_json::to_string(&secret.get().unwrap()).unwrap();
    let events = live.state().events.join("\n");
    assert!(!object.contains(&value) && !events.contains(&value), "{object} {events}");
    secret.delete().settle().await;
    assert_eq!(alive(&live), Vec::<Value>::new());
    assert!(secret.get().is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_without_a_place_for_what_is_shown_once() {
    let live = Live::new();
    prepare(&live).await;
    let secret = live.apply::<ClientSecret>("ci", &json!({ "identityIdRef": { "name": "ci" } }));
    secret.reconcile().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.contains("spec.writeConnectionSecretToRef is missing: name a Secret"), "{said}");
    assert_eq!(alive(&live), Vec::<Value>::new());
    // Nor with one that is somebody else's.
    live.secret(TEAM, SECRET, &[("password", "theirs")]);
    secret.edit(&json!({ "spec": { "writeConnectionSecretToRef": { "name": SECRET } } })).reconcile().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.contains("refusing to modify uncontrolled secret"), "{said}");
    assert_eq!(alive(&live), Vec::<Value>::new());
    assert_eq!(live.value(SECRET, "password").as_deref(), Some("theirs"));
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_universal_auth() {
    let live = Live::new();
    identity(&live, "ci").await;
    let secret = live.apply_spec::<ClientSecret>("ci", &spec(&json!({})));
    secret.reconcile().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.contains("make a UniversalAuth for it"), "{said}");
    live.apply::<UniversalAuth>("ci", &json!({ "identityIdRef": { "name": "ci" } })).settle().await;
    secret.ready().await;
    works(&live, "made");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_revoked_or_used_up_is_made_again() {
    let live = Live::new();
    let id = prepare(&live).await;
    let secret = make(&live, &json!({})).await;
    secret.ready().await;
    let before = secret.external_name().unwrap();
    let path = format!("/api/v1/auth/universal-auth/identities/{id}/client-secrets/{before}/revoke");
    live.by_hand("POST", &path, &json!({}));
    live.pass(POLL).await;
    secret.ready().await;
    assert_ne!(secret.external_name(), Some(before));
    works(&live, "made again");
    // With its Universal Auth gone and there again, the client ID is another one too.
    live.by_hand("DELETE", &format!("/api/v1/auth/universal-auth/identities/{id}"), &Value::Null);
    live.object::<UniversalAuth>("ci").settle().await;
    secret.ready().await;
    works(&live, "attached again");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_lost_or_overwritten_is_made_anew() {
    let live = Live::new();
    prepare(&live).await;
    let secret = make(&live, &json!({})).await;
    secret.ready().await;
    let at = key(TEAM, SECRET);
    live.state().secrets.remove(&at);
    live.pass(POLL).await;
    secret.ready().await;
    works(&live, "the Secret was deleted");
    live.state().secrets.get_mut(&at).unwrap()["data"]["clientSecret"] = json!("eHh4eA==");
    live.pass(POLL).await;
    secret.ready().await;
    works(&live, "somebody wrote another value");
    // Another place for it.
    secret.edit(&json!({ "spec": { "writeConnectionSecretToRef": { "name": "other" } } })).ready().await;
    assert_eq!(live.value("other", "clientSecretId"), secret.external_name());
    assert_eq!(alive(&live).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_rotated_by_age_and_the_old_one_goes_last() {
    let live = Live::new();
    prepare(&live).await;
    let secret = make(&live, &json!({ "rotateAfter": "1h" })).await;
    secret.ready().await;
    let mut before = secret.external_name();
    for _ in 0..3 {
        live.pass(Duration::from_mins(50)).await;
        secret.steady().await;
        assert_eq!(secret.external_name(), before, "it is young");
        live.pass(Duration::from_mins(10)).await;
        let from = live.state().writes.len();
        secret.ready().await;
        let writes = live.state().writes[from..].to_vec();
        let at = |what: &str| writes.iter().position(|line| line.contains(what)).unwrap();
        let (made, told, revoked) = (at("/client-secrets"), at("patch Secret team/ci-login"), at("/revoke"));
        assert!(made < told && told < revoked, "{writes:?}");
        assert_ne!(secret.external_name(), before);
        works(&live, "rotated");
        before = secret.external_name();
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_one_is_kept_for_a_while_if_the_author_says_so() {
    let live = Live::new();
    prepare(&live).await;
    let secret = make(&live, &json!({ "rotateAfter": "1h", "keepOldFor": "10m" })).await;
    secret.ready().await;
    live.pass(Duration::from_hours(1)).await;
    secret.ready().await;
    assert_eq!(alive(&live).len(), 2);
    logs_in(&live, "with the new one");
    live.pass(Duration::from_mins(10)).await;
    secret.ready().await;
    works(&live, "the old one is gone");
    live.pass(Duration::from_hours(1)).await;
    secret.settle().await;
    secret.delete().settle().await;
    assert_eq!(alive(&live), Vec::<Value>::new(), "both go with the object");
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_is_made_anew_and_what_cannot_be_changed_counts_for_the_next() {
    let live = Live::new();
    prepare(&live).await;
    let secret = make(&live, &json!({ "ttl": 7200 })).await;
    secret.ready().await;
    secret.change(&json!({ "ttl": 3600, "numUsesLimit": 5 })).settle().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.contains("ttl is 3600") && said.contains("counts for the next one"), "{said}");
    works(&live, "it stays");
    live.pass(Duration::from_hours(2)).await;
    secret.ready().await;
    works(&live, "made anew");
    let state = &alive(&live)[0];
    assert_eq!((&state["clientSecretTTL"], &state["clientSecretNumUsesLimit"]), (&json!(3600), &json!(5)));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_made_by_hand_is_not_touched_and_an_imported_one_is_not_rotated() {
    let live = Live::new();
    let id = prepare(&live).await;
    let path = format!("/api/v1/auth/universal-auth/identities/{id}/client-secrets");
    let theirs = live.by_hand("POST", &path, &json!({ "description": "of ci" }));
    let secret = make(&live, &json!({})).await;
    secret.ready().await;
    assert_eq!(alive(&live).len(), 2);
    secret.delete().settle().await;
    assert_eq!(alive(&live)[0]["id"], theirs["clientSecretData"]["id"]);
    // It goes with its object.
    live.state().secrets.remove(&key(TEAM, SECRET));
    let name = theirs["clientSecretData"]["id"].as_str().unwrap();
    let annotations = json!({ "annotations": { "crossplane.io/external-name": name } });
    let imported = live.apply_in::<ClientSecret>(TEAM, "imported", &spec(&json!({})), &annotations);
    imported.settle().await;
    let said = imported.conditions().pop().unwrap();
    assert!(said.contains("was imported") && said.contains("take the annotation"), "{said}");
    assert_eq!(alive(&live).len(), 1, "nothing was made and nothing revoked");
    // As the message says.
    imported.edit(&json!({ "metadata": { "annotations": { "crossplane.io/external-name": null } } }));
    imported.ready().await;
    assert_eq!(alive(&live).len(), 2);
    imported.delete().settle().await;
    assert_eq!(alive(&live)[0]["id"], theirs["clientSecretData"]["id"]);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_move_to_another_identity_and_follows_one_that_was_made_again() {
    let live = Live::new();
    let before = prepare(&live).await;
    identity(&live, "cd").await;
    let secret = make(&live, &json!({})).await;
    secret.ready().await;
    secret.change(&json!({ "identityIdRef": { "name": "cd" } })).settle().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.contains("make another ClientSecret, and delete this one"), "{said}");
    works(&live, "it stays");
    secret.change(&json!({ "identityIdRef": { "name": "ci" } })).ready().await;
    live.by_hand("DELETE", &format!("/api/v1/identities/{before}"), &Value::Null);
    live.object::<Identity>("ci").settle().await;
    live.object::<UniversalAuth>("ci").settle().await;
    secret.ready().await;
    works(&live, "the identity was made again");
    // Moved and deleted at once: it is revoked where it is.
    secret.change(&json!({ "identityIdRef": { "name": "cd" } })).settle().await;
    secret.delete().settle().await;
    assert_eq!(alive(&live), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_makes_one_that_works_and_revokes_it() {
    let prepare = async |live: &Live| {
        prepare(live).await;
    };
    let scene = async |live: &Live| {
        make(live, &json!({})).await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        let secret = live.object::<ClientSecret>("ci");
        secret.ready().await;
        works(live, case);
        secret.delete().settle().await;
        assert_eq!(alive(live), Vec::<Value>::new(), "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_is_cut_off_anywhere_ends_with_one_that_works() {
    let old = async |live: &Live| {
        prepare(live).await;
        make(live, &json!({ "rotateAfter": "1h" })).await;
        live.pass(Duration::from_hours(1)).await;
    };
    let rotate = async |live: &Live| {
        let before = live.object::<ClientSecret>("ci").external_name();
        // Whatever happens, what the Secret holds works at each moment.
        for _ in 0..200 {
            let _ = live.process().reconcile::<ClientSecret>(&live.object::<ClientSecret>("ci").at).await;
            logs_in(live, "while it is rotated");
            let is_new = live.object::<ClientSecret>("ci").external_name() != before;
            if is_new && alive(live).len() == 1 {
                return;
            }
            live.pass(Duration::from_secs(1)).await;
        }
        panic!("it is not rotated: {:?}", live.object::<ClientSecret>("ci").conditions());
    };
    with_each_fault(old, rotate, async |live, case| {
        live.object::<ClientSecret>("ci").ready().await;
        works(live, case);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_is_cut_off_twice_ends_with_one_that_works() {
    for (first, second) in (1..=14).flat_map(|first| (1..=14).map(move |second| (first, second))) {
        let live = Live::new();
        prepare(&live).await;
        let secret = make(&live, &json!({ "rotateAfter": "1h" })).await;
        live.pass(Duration::from_hours(1)).await;
        for (step, fault) in [(first, Fault::CrashAfter), (second, Fault::LostAnswer)] {
            live.fail(step, fault);
            let _ = live.process().reconcile::<ClientSecret>(&secret.at).await;
            logs_in(&live, "while it is rotated");
        }
        // A step that was not reached does not fail later.
        live.fail(1_000_000, Fault::NoAnswer);
        secret.ready().await;
        works(&live, &format!("CrashAfter at {first}, then LostAnswer at {second}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_value_that_is_made_anew_and_cut_off_anywhere_ends_with_one_that_works() {
    let lost = async |live: &Live| {
        prepare(live).await;
        make(live, &json!({})).await;
        live.state().secrets.remove(&key(TEAM, SECRET));
        live.pass(POLL).await;
    };
    let heal = async |live: &Live| {
        live.object::<ClientSecret>("ci").settle().await;
    };
    with_each_fault(lost, heal, async |live, case| {
        live.object::<ClientSecret>("ci").ready().await;
        works(live, case);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_deleted_in_the_midst_of_a_rotation_leaves_nothing() {
    let old = async |live: &Live| {
        prepare(live).await;
        make(live, &json!({ "rotateAfter": "1h" })).await;
        live.pass(Duration::from_hours(1)).await;
    };
    let scene = async |live: &Live| {
        let secret = live.object::<ClientSecret>("ci");
        let _ = live.process().reconcile::<ClientSecret>(&secret.at).await;
        secret.delete().settle().await;
    };
    with_each_fault(old, scene, async |live, case| {
        assert_eq!(alive(live), Vec::<Value>::new(), "{case}");
        assert!(live.object::<ClientSecret>("ci").get().is_none(), "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_a_client_secret_of_the_identity_that_the_provider_logs_in_with() {
    let live = Live::new();
    let own = own_id(&live);
    live.by_hand("POST", &format!("/api/v1/auth/universal-auth/identities/{own}"), &json!({}));
    for id in [own.clone(), own.to_uppercase()] {
        let spec = json!({
            "forProvider": { "identityId": id },
            "writeConnectionSecretToRef": { "name": SECRET },
        });
        let secret = live.apply_spec::<ClientSecret>("mine", &spec);
        secret.reconcile().await;
        let said = secret.conditions().pop().unwrap();
        assert!(
            said.contains("create failed") && said.contains("the provider itself logs in with"),
            "{said}"
        );
        assert_eq!(live.value(SECRET, "clientSecret"), None);
        secret.delete().settle().await;
        assert!(secret.get().is_none());
        // It goes with its object.
        live.state().secrets.remove(&key(TEAM, SECRET));
    }
    let path = format!("/api/v1/auth/universal-auth/identities/{own}/client-secrets");
    assert_eq!(live.by_hand("GET", &path, &Value::Null)["clientSecretData"], json!([]));
}
