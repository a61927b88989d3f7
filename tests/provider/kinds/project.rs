//! A project.

use provider_infisical::api::project::Project;
use serde_json::{Value, json};

use crate::live::{Live, with_each_fault};

fn payments() -> Value {
    json!({ "name": "Payments", "slug": "payments" })
}

fn projects(live: &Live) -> Vec<Value> {
    live.by_hand("GET", "/api/v1/projects", &Value::Null)["projects"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_project_is_made_changed_and_deleted() {
    let live = Live::new();
    let project = live.apply::<Project>("payments", &payments());
    project.ready().await;
    assert_eq!(project.external_name().as_deref(), projects(&live)[0]["id"].as_str());
    project.change(&json!({ "name": "Pay", "description": "of the team", "hasDeleteProtection": true }));
    project.ready().await;
    let made = &projects(&live)[0];
    assert_eq!((&made["name"], &made["description"]), (&json!("Pay"), &json!("of the team")));
    project.change(&json!({ "hasDeleteProtection": false })).ready().await;
    project.delete().settle().await;
    assert_eq!(projects(&live), Vec::<Value>::new());
    assert!(project.get().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_makes_one_project_and_deletes_it() {
    let prepare = async |_: &Live| {};
    let scene = async |live: &Live| {
        live.apply::<Project>("payments", &payments()).settle().await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        let project = live.object::<Project>("payments");
        project.ready().await;
        assert_eq!(projects(live).len(), 1, "{case}");
        project.delete().settle().await;
        assert_eq!(projects(live).len(), 0, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_project_that_somebody_else_made_is_not_touched_until_it_is_imported() {
    let live = Live::new();
    let body = json!({ "projectName": "By hand", "slug": "payments" });
    let id = live.by_hand("POST", "/api/v1/projects", &body)["project"]["id"].clone();
    let project = live.apply::<Project>("payments", &payments());
    project.settle().await;
    assert!(project.conditions()[0].contains("was not made by this object"), "{:?}", project.conditions());
    assert_eq!(projects(&live)[0]["name"], "By hand");
    for name in [id.as_str().unwrap(), "payments"] {
        project.annotate("crossplane.io/external-name", name).ready().await;
        assert_eq!(projects(&live)[0]["name"], "Payments");
    }
}

#[tokio::test(start_paused = true)]
async fn a_protected_project_is_not_deleted_while_it_holds_secrets() {
    let live = Live::new();
    let project = live.apply::<Project>("payments", &payments());
    project.ready().await;
    let body = json!({
        "projectId": project.external_name(), "environment": "dev", "secretPath": "/", "secretValue": "v",
    });
    live.by_hand("POST", "/api/v4/secrets/KEY", &body);
    project.delete().reconcile().await;
    assert_eq!(projects(&live).len(), 1);
    let said = project.conditions().pop().unwrap();
    assert!(said.contains("the project holds secrets (1 in dev at /)"), "{said}");
    project.change(&json!({ "deletion": "Force" })).settle().await;
    assert_eq!(projects(&live).len(), 0);
}
