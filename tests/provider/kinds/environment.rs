//! An environment.

use provider_infisical::api::{environment::ProjectEnvironment, project::Project};
use serde_json::{Value, json};

use crate::live::{Live, with_each_fault};

fn production() -> Value {
    json!({ "projectIdRef": { "name": "payments" }, "name": "Live", "slug": "live" })
}

/// A project with an environment of its own.
async fn project(live: &Live) {
    let parameters = json!({ "name": "Payments", "slug": "payments", "shouldCreateDefaultEnvs": false });
    live.apply::<Project>("payments", &parameters).settle().await;
}

fn read(live: &Live) -> Value {
    let id = live.object::<Project>("payments").external_name().unwrap();
    live.by_hand("GET", &format!("/api/v1/projects/{id}"), &Value::Null)["project"].clone()
}

fn environments(live: &Live) -> Vec<Value> {
    read(live)["environments"].as_array().unwrap().clone()
}

fn at(live: &Live, id: &str) -> String {
    let project = live.object::<Project>("payments").external_name().unwrap();
    format!("/api/v1/projects/{project}/environments/{id}")
}

fn put_secret(live: &Live, environment: &str) {
    let body = json!({
        "projectId": live.object::<Project>("payments").external_name(),
        "environment": environment,
        "secretPath": "/",
        "secretValue": "v",
    });
    live.by_hand("POST", "/api/v4/secrets/KEY", &body);
}

#[tokio::test(start_paused = true)]
async fn an_environment_is_made_changed_and_deleted() {
    let live = Live::new();
    project(&live).await;
    let environment = live.apply::<ProjectEnvironment>("live", &production());
    environment.ready().await;
    let id = environments(&live)[0]["id"].clone();
    assert_eq!(environment.external_name().as_deref(), id.as_str());
    environment.change(&json!({ "name": "Production", "slug": "prod" })).ready().await;
    let made = &environments(&live)[0];
    assert_eq!((&made["id"], &made["name"], &made["slug"]), (&id, &json!("Production"), &json!("prod")));
    assert_eq!(environment.observed().slug.as_deref(), Some("prod"));
    environment.delete().settle().await;
    assert!(environment.get().is_none());
    let project = read(&live);
    assert_eq!((&project["environments"], &project["deletedEnvironments"]), (&json!([]), &json!([])));
}

#[tokio::test(start_paused = true)]
async fn a_position_is_kept_where_one_is_wanted() {
    let live = Live::new();
    project(&live).await;
    let table = [("one", None), ("two", None), ("three", Some(1))];
    for (slug, position) in table {
        let parameters = json!({
            "projectIdRef": { "name": "payments" }, "name": slug, "slug": slug, "position": position,
        });
        live.apply::<ProjectEnvironment>(slug, &parameters).ready().await;
    }
    let three = live.object::<ProjectEnvironment>("three");
    assert_eq!(three.observed().position, Some(1));
    // Its neighbours move, and need no write.
    live.object::<ProjectEnvironment>("one").steady().await;
    three.change(&json!({ "position": 2 })).ready().await;
    assert_eq!(three.observed().position, Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_makes_one_environment_and_deletes_it() {
    let scene = async |live: &Live| {
        live.apply::<ProjectEnvironment>("live", &production()).settle().await;
    };
    with_each_fault(project, scene, async |live, case| {
        let environment = live.object::<ProjectEnvironment>("live");
        environment.ready().await;
        assert_eq!(environments(live).len(), 1, "{case}");
        environment.delete().settle().await;
        assert_eq!(environments(live).len(), 0, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_was_deleted_by_hand_is_restored_with_what_it_held() {
    let live = Live::new();
    project(&live).await;
    let environment = live.apply::<ProjectEnvironment>("live", &production());
    environment.ready().await;
    let id = environment.external_name().unwrap();
    put_secret(&live, "live");
    live.by_hand("DELETE", &at(&live, &id), &json!({}));
    environment.ready().await;
    assert_eq!(environment.external_name(), Some(id.clone()));
    // One that is gone for good is made again.
    live.by_hand("DELETE", &format!("{}?hardDelete=true", at(&live, &id)), &json!({}));
    environment.ready().await;
    assert_ne!(environment.external_name(), Some(id));
    assert_eq!(environments(&live).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slug_that_a_deleted_environment_holds_is_not_taken_from_it() {
    let live = Live::new();
    project(&live).await;
    let environment = live.apply::<ProjectEnvironment>("live", &production());
    environment.ready().await;
    put_secret(&live, "live");
    let id = environment.external_name().unwrap();
    environment.delete().settle().await;
    assert_eq!(read(&live)["deletedEnvironments"][0]["id"], json!(id), "what it held can be restored");
    let again = live.apply::<ProjectEnvironment>("again", &production());
    again.reconcile().await;
    let said = again.conditions().pop().unwrap();
    assert!(said.contains("held by a deleted environment") && said.contains(&id), "{said}");
    again.annotate("crossplane.io/external-name", &id).ready().await;
    assert_eq!(again.external_name(), Some(id));
    again.change(&json!({ "deletion": "Permanent" })).settle().await;
    again.delete().settle().await;
    assert_eq!(read(&live)["deletedEnvironments"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_environment_of_somebody_else_is_not_touched_until_it_is_imported() {
    let live = Live::new();
    project(&live).await;
    let made = live.by_hand(
        "POST",
        at(&live, "").trim_end_matches('/'),
        &json!({ "name": "By hand", "slug": "live" }),
    );
    let environment = live.apply::<ProjectEnvironment>("live", &production());
    environment.settle().await;
    let said = environment.conditions().remove(0);
    assert!(said.contains("was not made by this object"), "{said}");
    assert_eq!(environments(&live)[0]["name"], "By hand");
    for name in [made["environment"]["id"].as_str().unwrap(), "live"] {
        environment.annotate("crossplane.io/external-name", name).ready().await;
        assert_eq!(environments(&live)[0]["name"], "Live");
    }
}

#[tokio::test(start_paused = true)]
async fn an_environment_follows_its_project_and_goes_with_it() {
    let live = Live::new();
    project(&live).await;
    let environment = live.apply::<ProjectEnvironment>("live", &production());
    environment.ready().await;
    let owner = live.object::<Project>("payments");
    let before = owner.external_name().unwrap();
    live.by_hand("DELETE", &format!("/api/v1/projects/{before}"), &json!({}));
    owner.ready().await;
    environment.ready().await;
    assert_eq!(environment.observed().project_id, owner.external_name());
    assert_ne!(owner.external_name(), Some(before));
    assert_eq!(environments(&live).len(), 1);
    owner.delete().settle().await;
    environment.delete().settle().await;
    assert!(environment.get().is_none());
}
