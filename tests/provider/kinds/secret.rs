//! A secret.

use std::time::Duration;

use futures::future::join_all;
use provider_infisical::{
    api::{environment::ProjectEnvironment, folder::SecretFolder, project::Project, secret::Secret},
    managed::report::Requeue,
};
use serde_json::{Value, json};

use super::folder::environment;
use crate::{
    live::{Live, Object, POLL, Process, TEAM, with_each_fault},
    world::thing::key,
};

fn database() -> Value {
    json!({
        "projectIdRef": { "name": "payments" },
        "environmentSlugRef": { "name": "live" },
        "name": "DATABASE_URL",
        "valueSecretRef": { "name": "database", "key": "url" },
    })
}

/// A project with one environment, and a Secret with a value.
async fn value(live: &Live) {
    environment(live).await;
    live.secret(TEAM, "database", &[("url", "marker-one")]);
}

fn project(live: &Live) -> String {
    live.object::<Project>("payments").external_name().unwrap()
}

/// The secrets of a folder, by name.
fn secrets(live: &Live, environment: &str, path: &str) -> Vec<Value> {
    let query = format!(
        "projectId={}&environment={environment}&secretPath={path}&expandSecretReferences=false&includeImports=false",
        project(live)
    );
    let listed = live.by_hand("GET", &format!("/api/v4/secrets?{query}"), &Value::Null);
    let mut secrets = listed["secrets"].as_array().unwrap().clone();
    secrets.sort_by_key(|secret| secret["secretKey"].as_str().unwrap().to_owned());
    secrets
}

fn body(live: &Live, more: &Value) -> Value {
    let mut body = json!({ "projectId": project(live), "environment": "live", "secretPath": "/" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// No value is in an object, an event or a write.
fn no_value_is_shown(live: &Live) {
    let state = live.state();
    for shown in state.objects.values().map(Value::to_string).chain(state.events.iter().cloned()) {
        assert!(!shown.contains("marker"), "{shown}");
    }
}

/// Lists of secrets that were asked for.
fn lists(live: &Live) -> usize {
    live.state().requests.iter().filter(|line| line.starts_with("GET /api/v4/secrets?")).count()
}

/// Writes of secrets.
fn writes(live: &Live) -> usize {
    live.state().writes.iter().filter(|line| line.contains("/api/v4/secrets")).count()
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_made_changed_and_deleted() {
    let live = Live::new();
    value(&live).await;
    let secret = live.apply::<Secret>("url", &database());
    secret.ready().await;
    let made = secrets(&live, "live", "/").remove(0);
    assert_eq!((&made["secretKey"], &made["secretValue"]), (&json!("DATABASE_URL"), &json!("marker-one")));
    assert_eq!(secret.external_name().as_deref(), made["id"].as_str());
    live.secret(TEAM, "database", &[("url", "marker-two\n")]);
    secret.ready().await;
    assert_eq!(secrets(&live, "live", "/")[0]["secretValue"], "marker-two\n");
    let fields = json!({
        "comment": "Of the database",
        "metadata": [{ "key": "team", "value": "a" }, { "key": "tier", "value": "1" }],
        "skipMultilineEncoding": true,
    });
    secret.change(&fields).ready().await;
    let changed = secrets(&live, "live", "/").remove(0);
    assert_eq!(changed["secretComment"], "Of the database");
    assert_eq!(changed["secretMetadata"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&changed["skipMultilineEncoding"], &changed["secretValue"]),
        (&json!(true), &json!("marker-two\n"))
    );
    secret.change(&json!({ "name": "URL", "comment": "", "metadata": [] })).ready().await;
    let renamed = secrets(&live, "live", "/").remove(0);
    assert_eq!((&renamed["id"], &renamed["secretKey"]), (&made["id"], &json!("URL")));
    assert_eq!((&renamed["secretComment"], &renamed["secretMetadata"]), (&json!(""), &json!([])));
    no_value_is_shown(&live);
    secret.delete().settle().await;
    assert!(secret.get().is_none());
    assert_eq!(secrets(&live, "live", "/"), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_makes_one_secret_and_deletes_it() {
    let scene = async |live: &Live| {
        live.apply::<Secret>("url", &database()).settle().await;
    };
    with_each_fault(value, scene, async |live, case| {
        let secret = live.object::<Secret>("url");
        secret.ready().await;
        assert_eq!(secrets(live, "live", "/").len(), 1, "{case}");
        secret.delete().settle().await;
        assert_eq!(secrets(live, "live", "/").len(), 0, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_cut_off_anywhere_is_made() {
    let prepare = async |live: &Live| {
        value(live).await;
        live.apply::<Secret>("url", &database()).settle().await;
        live.secret(TEAM, "database", &[("url", "marker-two")]);
    };
    let scene = async |live: &Live| {
        live.object::<Secret>("url").settle().await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        live.object::<Secret>("url").ready().await;
        assert_eq!(secrets(live, "live", "/")[0]["secretValue"], "marker-two", "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_or_deleted_by_hand_is_made_as_it_was() {
    let live = Live::new();
    value(&live).await;
    let secret = live.apply::<Secret>("url", &database());
    secret.ready().await;
    let id = secret.external_name();
    live.by_hand("PATCH", "/api/v4/secrets/DATABASE_URL", &body(&live, &json!({ "secretValue": "by hand" })));
    secret.ready().await;
    assert_eq!(secrets(&live, "live", "/")[0]["secretValue"], "marker-one");
    let rename = json!({ "newSecretName": "OTHER" });
    live.by_hand("PATCH", "/api/v4/secrets/DATABASE_URL", &body(&live, &rename));
    secret.ready().await;
    assert_eq!(
        (&secrets(&live, "live", "/")[0]["secretKey"], secret.external_name()),
        (&json!("DATABASE_URL"), id)
    );
    live.by_hand("DELETE", "/api/v4/secrets/DATABASE_URL", &body(&live, &json!({})));
    secret.ready().await;
    assert_eq!(secrets(&live, "live", "/").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_is_not_touched_until_it_is_imported() {
    let live = Live::new();
    value(&live).await;
    let by_hand = body(&live, &json!({ "secretValue": "by hand" }));
    live.by_hand("POST", "/api/v4/secrets/DATABASE_URL", &by_hand);
    let secret = live.apply::<Secret>("url", &database());
    secret.settle().await;
    assert!(secret.conditions()[0].contains("was not made by this object"), "{:?}", secret.conditions());
    let made = secrets(&live, "live", "/").remove(0);
    assert_eq!(made["secretValue"], "by hand");
    for name in [made["id"].as_str().unwrap(), "DATABASE_URL"] {
        secret.annotate("crossplane.io/external-name", name).ready().await;
        assert_eq!(secrets(&live, "live", "/")[0]["secretValue"], "marker-one");
    }
    // A second object for the same says so and touches nothing.
    live.secret(TEAM, "other", &[("url", "marker-other")]);
    let mut parameters = database();
    parameters["valueSecretRef"]["name"] = json!("other");
    let second = live.apply::<Secret>("second", &parameters);
    second.annotate("crossplane.io/external-name", "DATABASE_URL").settle().await;
    assert!(
        second.conditions()[1].contains("the Secret team/url has it already"),
        "{:?}",
        second.conditions()
    );
    second.delete().settle().await;
    assert_eq!(secrets(&live, "live", "/")[0]["secretValue"], "marker-one");
}

#[tokio::test(start_paused = true)]
async fn without_its_value_a_secret_says_what_is_missing_and_can_still_be_deleted() {
    let live = Live::new();
    value(&live).await;
    live.state().secrets.remove(&key(TEAM, "database"));
    let secret = live.apply::<Secret>("url", &database());
    let says = async |part: &str| {
        secret.reconcile().await;
        let said = secret.conditions().pop().unwrap();
        assert!(said.ends_with(part), "{said}");
    };
    says("cannot get the value: there is no Secret team/database").await;
    live.secret(TEAM, "database", &[("other", "marker")]);
    says("the Secret team/database has no key url").await;
    live.secret(TEAM, "database", &[("url", " marker")]);
    says("or write spec.forProvider.trimValue: true").await;
    assert_eq!(writes(&live), 0);
    secret.change(&json!({ "trimValue": true })).ready().await;
    assert_eq!(secrets(&live, "live", "/")[0]["secretValue"], "marker");
    no_value_is_shown(&live);
    live.state().secrets.remove(&key(TEAM, "database"));
    secret.delete().settle().await;
    assert_eq!(secrets(&live, "live", "/").len(), 0);
}

fn session_key() -> Value {
    json!({
        "forProvider": {
            "projectIdRef": { "name": "payments" },
            "environmentSlugRef": { "name": "live" },
            "name": "SESSION_KEY",
            "generate": { "length": 48 },
        },
        "writeConnectionSecretToRef": { "name": "session" },
    })
}

#[tokio::test(start_paused = true)]
async fn a_generated_value_is_drawn_once_and_kept_whatever_happens() {
    let scene = async |live: &Live| {
        live.apply_spec::<Secret>("session", &session_key()).settle().await;
    };
    with_each_fault(environment, scene, async |live, case| {
        let secret = live.object::<Secret>("session");
        secret.ready().await;
        let drawn = live.value("session", "value").unwrap();
        assert_eq!(drawn.len(), 48, "{case}");
        let made = secrets(live, "live", "/");
        assert_eq!((made.len(), &made[0]["secretValue"]), (1, &json!(drawn)), "{case}");
        assert_eq!(made[0]["version"], 1, "{case}: another value was there before");
        live.by_hand(
            "PATCH",
            "/api/v4/secrets/SESSION_KEY",
            &body(live, &json!({ "secretValue": "by hand" })),
        );
        secret.ready().await;
        assert_eq!(secrets(live, "live", "/")[0]["secretValue"], json!(drawn), "{case}");
        assert_eq!(live.value("session", "value").unwrap(), drawn, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_value_is_not_generated_without_a_place_to_keep_it() {
    let live = Live::new();
    environment(&live).await;
    let secret = live.apply::<Secret>("session", &session_key()["forProvider"]);
    secret.reconcile().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.ends_with("write spec.writeConnectionSecretToRef"), "{said}");
    // Nor in a Secret of somebody else.
    live.secret(TEAM, "session", &[("value", "marker")]);
    let secret = live.apply_spec::<Secret>("session", &session_key());
    secret.reconcile().await;
    assert!(secret.conditions().pop().unwrap().contains("refusing to modify uncontrolled secret"));
    assert_eq!(writes(&live), 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_follows_its_folder_and_does_not_move() {
    let live = Live::new();
    value(&live).await;
    let parameters = json!({
        "projectIdRef": { "name": "payments" }, "environmentSlugRef": { "name": "live" }, "name": "api",
    });
    let folder = live.apply::<SecretFolder>("api", &parameters);
    folder.ready().await;
    let mut parameters = database();
    parameters["folderPathRef"] = json!({ "name": "api" });
    let secret = live.apply::<Secret>("url", &parameters);
    secret.ready().await;
    let id = secret.external_name();
    folder.change(&json!({ "name": "web" })).ready().await;
    secret.ready().await;
    live.object::<ProjectEnvironment>("live").change(&json!({ "slug": "prod" })).ready().await;
    secret.ready().await;
    assert_eq!(secret.external_name(), id, "it is still the same secret");
    assert_eq!(secret.observed().folder_path.as_deref(), Some("/web"));
    // To another folder it does not go, and it is not left behind.
    secret.change(&json!({ "folderPathRef": null, "folderPath": "/" })).settle().await;
    let said = secret.conditions().pop().unwrap();
    assert!(said.contains("folderPath is \"/\", and the secret's is \"/web\""), "{said}");
    assert_eq!((secrets(&live, "prod", "/").len(), secrets(&live, "prod", "/web").len()), (0, 1));
    secret.delete().settle().await;
    assert_eq!(secrets(&live, "prod", "/web").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_goes_with_its_project_and_is_made_again_with_it() {
    let live = Live::new();
    value(&live).await;
    let secret = live.apply::<Secret>("url", &database());
    secret.ready().await;
    live.by_hand("DELETE", &format!("/api/v1/projects/{}", project(&live)), &json!({}));
    live.object::<Project>("payments").ready().await;
    live.object::<ProjectEnvironment>("live").ready().await;
    secret.ready().await;
    assert_eq!(secrets(&live, "live", "/").len(), 1);
    live.object::<Project>("payments").change(&json!({ "deletion": "Force" })).delete().settle().await;
    secret.delete().settle().await;
    assert!(secret.get().is_none());
}

/// Reconciles all at once until none has anything to do before the next poll.
async fn settle_all(process: &Process, objects: &[Object<'_, Secret>]) {
    let settle = async |object: &Object<'_, Secret>| {
        for _ in 0..20 {
            match process.reconcile::<Secret>(&object.at).await.unwrap().unwrap() {
                Requeue::Never => return,
                Requeue::After(wait) if wait >= POLL => return,
                Requeue::Now => {}
                _ => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
        panic!("{} does not settle: {:?}", object.at, object.conditions());
    };
    join_all(objects.iter().map(settle)).await;
}

const FOLDERS: usize = 5;

/// How many secrets: what a cluster in memory costs grows with its square.
const SECRETS: usize = 250;

/// All of them, in five folders.
async fn many(live: &Live) -> Vec<Object<'_, Secret>> {
    value(live).await;
    for folder in 0..FOLDERS {
        let folder = format!("folder-{folder}");
        let body = json!({ "projectId": project(live), "environment": "live", "path": "/", "name": folder });
        live.by_hand("POST", "/api/v2/folders", &body);
    }
    let apply = |number: usize| {
        let mut parameters = database();
        parameters["name"] = json!(format!("KEY_{number}"));
        parameters["folderPath"] = json!(format!("/folder-{}", number % FOLDERS));
        live.apply::<Secret>(&format!("key-{number}"), &parameters)
    };
    (0..SECRETS).map(apply).collect()
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_secrets_take_a_few_writes_and_a_poll_of_them_one_read_of_each_folder() {
    let live = Live::new();
    let objects = many(&live).await;
    let process = live.process();
    settle_all(&process, &objects).await;
    assert_eq!(writes(&live), FOLDERS, "they are made");
    assert!(lists(&live) <= 6 * FOLDERS, "{}", lists(&live));
    for object in &objects {
        assert_eq!(object.conditions(), ["Ready=Available", "Synced=ReconcileSuccess"]);
    }
    for _ in 0..3 {
        let (lists_before, writes_before) = (lists(&live), live.state().writes.len());
        live.pass(POLL).await;
        settle_all(&process, &objects).await;
        assert_eq!(lists(&live) - lists_before, FOLDERS, "a poll");
        assert_eq!(live.state().writes.len(), writes_before, "a poll writes nothing");
    }
    live.secret(TEAM, "database", &[("url", "marker-two")]);
    live.pass(POLL).await;
    settle_all(&process, &objects).await;
    assert_eq!(writes(&live), 2 * FOLDERS, "all are changed");
    let changed = secrets(&live, "live", "/folder-3");
    assert_eq!(changed.len(), SECRETS / FOLDERS);
    assert!(changed.iter().all(|it| it["secretValue"] == "marker-two" && it["version"] == 2));
    for object in &objects {
        object.delete();
    }
    settle_all(&process, &objects).await;
    assert_eq!(writes(&live), 3 * FOLDERS, "they are deleted");
    assert_eq!(secrets(&live, "live", "/folder-3").len(), 0);
    assert!(objects.iter().all(|object| object.get().is_none()));
}

#[tokio::test(start_paused = true)]
async fn one_secret_that_is_refused_does_not_keep_the_others_from_being_made() {
    let live = Live::new();
    value(&live).await;
    let path = format!("/api/v1/projects/{}", project(&live));
    live.by_hand("PATCH", &path, &json!({ "autoCapitalization": true }));
    let apply = |number: usize| {
        let mut parameters = database();
        parameters["name"] = json!(if number == 7 { "lower".to_owned() } else { format!("KEY_{number}") });
        live.apply::<Secret>(&format!("key-{number}"), &parameters)
    };
    let objects: Vec<_> = (0..50).map(apply).collect();
    let process = live.process();
    join_all(objects.iter().map(|object| process.reconcile::<Secret>(&object.at))).await;
    // Each finds its project and environment before.
    join_all(objects.iter().map(|object| process.reconcile::<Secret>(&object.at))).await;
    assert_eq!(secrets(&live, "live", "/").len(), 49);
    let said = objects[7].conditions().pop().unwrap();
    assert!(said.ends_with("the project takes names in upper case only"), "{said}");
    assert!(writes(&live) < 25, "{}", writes(&live));
}
