//! A folder.

use provider_infisical::api::{environment::ProjectEnvironment, folder::SecretFolder, project::Project};
use serde_json::{Value, json};

use crate::live::{Live, with_each_fault};

fn api() -> Value {
    json!({
        "projectIdRef": { "name": "payments" },
        "environmentSlugRef": { "name": "live" },
        "name": "api",
        "description": "Of the API",
    })
}

/// A project with one environment.
pub(super) async fn environment(live: &Live) {
    let parameters = json!({ "name": "Payments", "slug": "payments", "shouldCreateDefaultEnvs": false });
    live.apply::<Project>("payments", &parameters).settle().await;
    let parameters = json!({ "projectIdRef": { "name": "payments" }, "name": "Live", "slug": "live" });
    live.apply::<ProjectEnvironment>("live", &parameters).settle().await;
}

fn project(live: &Live) -> String {
    live.object::<Project>("payments").external_name().unwrap()
}

fn folders(live: &Live, environment: &str, path: &str) -> Vec<Value> {
    let query = format!("projectId={}&environment={environment}&path={path}", project(live));
    let listed = live.by_hand("GET", &format!("/api/v2/folders?{query}"), &Value::Null);
    listed["folders"].as_array().unwrap().clone()
}

fn at(live: &Live, path: &str, name: &str) -> Value {
    json!({ "projectId": project(live), "environment": "live", "path": path, "name": name })
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_made_changed_and_deleted() {
    let live = Live::new();
    environment(&live).await;
    let folder = live.apply::<SecretFolder>("api", &api());
    folder.ready().await;
    let made = folders(&live, "live", "/").remove(0);
    assert_eq!(folder.external_name().as_deref(), made["id"].as_str());
    assert_eq!((&made["name"], &made["description"]), (&json!("api"), &json!("Of the API")));
    assert_eq!(folder.observed().path.as_deref(), Some("/api"));
    // A description stays when only the name is another.
    folder.change(&json!({ "name": "web", "description": null })).ready().await;
    let renamed = folders(&live, "live", "/").remove(0);
    assert_eq!(renamed["id"], made["id"]);
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("web"), &json!("Of the API")));
    folder.change(&json!({ "description": "" })).ready().await;
    assert_eq!(folders(&live, "live", "/")[0]["description"], Value::Null);
    folder.delete().settle().await;
    assert!(folder.get().is_none());
    assert_eq!(folders(&live, "live", "/"), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_makes_one_folder_and_deletes_it() {
    let scene = async |live: &Live| {
        live.apply::<SecretFolder>("api", &api()).settle().await;
    };
    with_each_fault(environment, scene, async |live, case| {
        let folder = live.object::<SecretFolder>("api");
        folder.ready().await;
        assert_eq!(folders(live, "live", "/").len(), 1, "{case}");
        folder.delete().settle().await;
        assert_eq!(folders(live, "live", "/").len(), 0, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_follows_its_environment_and_the_folder_that_it_is_in() {
    let live = Live::new();
    environment(&live).await;
    let outer = live.apply::<SecretFolder>("outer", &api());
    outer.ready().await;
    let mut parameters = api();
    parameters["folderPathRef"] = json!({ "name": "outer" });
    parameters["name"] = json!("inner");
    let inner = live.apply::<SecretFolder>("inner", &parameters);
    inner.ready().await;
    let id = inner.external_name();
    assert_eq!(inner.observed().path.as_deref(), Some("/api/inner"));
    outer.change(&json!({ "name": "web" })).ready().await;
    inner.ready().await;
    live.object::<ProjectEnvironment>("live").change(&json!({ "slug": "prod" })).ready().await;
    outer.ready().await;
    inner.ready().await;
    let observed = inner.observed();
    assert_eq!(
        (observed.path.as_deref(), observed.environment_slug.as_deref()),
        (Some("/web/inner"), Some("prod"))
    );
    assert_eq!(inner.external_name(), id, "it is still the same folder");
    assert_eq!(folders(&live, "prod", "/web").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_was_renamed_by_hand_is_found_and_one_that_was_deleted_is_made_again() {
    let live = Live::new();
    environment(&live).await;
    let folder = live.apply::<SecretFolder>("api", &api());
    folder.ready().await;
    let id = folder.external_name().unwrap();
    live.by_hand("PATCH", &format!("/api/v2/folders/{id}"), &at(&live, "/", "other"));
    folder.ready().await;
    assert_eq!(folder.external_name(), Some(id.clone()));
    assert_eq!(folders(&live, "live", "/")[0]["name"], "api");
    live.by_hand("DELETE", &format!("/api/v2/folders/{id}"), &at(&live, "/", "api"));
    folder.ready().await;
    assert_ne!(folder.external_name(), Some(id));
    assert_eq!(folders(&live, "live", "/").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_folder_with_content_is_not_deleted_unless_the_author_says_so() {
    let live = Live::new();
    environment(&live).await;
    let folder = live.apply::<SecretFolder>("api", &api());
    folder.ready().await;
    live.by_hand("POST", "/api/v2/folders", &at(&live, "/api", "inner"));
    folder.delete().reconcile().await;
    let said = folder.conditions().pop().unwrap();
    assert!(said.contains("the folder /api of live is not empty"), "{said}");
    assert_eq!(folders(&live, "live", "/api").len(), 1);
    folder.change(&json!({ "deletion": "Force" })).settle().await;
    assert_eq!(folders(&live, "live", "/").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_folder_of_somebody_else_is_not_touched_until_it_is_imported() {
    let live = Live::new();
    environment(&live).await;
    let made = live.by_hand("POST", "/api/v2/folders", &at(&live, "/", "api"));
    let folder = live.apply::<SecretFolder>("api", &api());
    folder.settle().await;
    assert!(folder.conditions()[0].contains("was not made by this object"), "{:?}", folder.conditions());
    assert_eq!(folders(&live, "live", "/")[0]["description"], Value::Null);
    for name in [made["folder"]["id"].as_str().unwrap(), "/api"] {
        folder.annotate("crossplane.io/external-name", name).ready().await;
        assert_eq!(folders(&live, "live", "/")[0]["description"], "Of the API");
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_goes_with_its_environment() {
    let live = Live::new();
    environment(&live).await;
    let folder = live.apply::<SecretFolder>("api", &api());
    folder.ready().await;
    live.object::<ProjectEnvironment>("live").delete().settle().await;
    folder.delete().settle().await;
    assert!(folder.get().is_none());
}
