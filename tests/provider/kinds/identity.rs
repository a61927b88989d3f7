//! An identity, of the organization and of a project.

use provider_infisical::api::{identity::Identity, project::Project};
use serde_json::{Value, json};

use crate::{
    live::{Live, POLL, TEAM, with_each_fault},
    world::Fault,
};

fn ci() -> Value {
    json!({ "name": "ci", "metadata": [{ "key": "team", "value": "a" }] })
}

/// The identities of the organization of this name, as a read by id answers them.
fn named(live: &Live, name: &str) -> Vec<Value> {
    let organization = organization(live);
    let path = format!("/api/v1/identities?orgId={organization}");
    let all = live.by_hand("GET", &path, &Value::Null)["identities"].as_array().unwrap().clone();
    let of_name = all.iter().filter(|it| it["identity"]["name"] == name);
    let read = |it: &Value| {
        let path = format!("/api/v1/identities/{}", it["identityId"].as_str().unwrap());
        live.by_hand("GET", &path, &Value::Null)["identity"].clone()
    };
    of_name.map(read).collect()
}

pub(super) fn organization(live: &Live) -> String {
    let details = live.by_hand("GET", "/api/v1/identities/details", &Value::Null);
    details["identityDetails"]["organization"]["id"].as_str().unwrap().to_owned()
}

/// The id of the identity that the provider itself logs in with.
pub(super) fn own_id(live: &Live) -> String {
    let path = format!("/api/v1/identities?orgId={}", organization(live));
    let all = live.by_hand("GET", &path, &Value::Null)["identities"].as_array().unwrap().clone();
    assert_eq!(all.len(), 1, "only the one that bootstrap made");
    all[0]["identityId"].as_str().unwrap().to_owned()
}

/// The metadata of an identity without their ids.
fn metadata(identity: &Value) -> Vec<(&str, &str)> {
    let all = identity["metadata"].as_array().unwrap().iter();
    all.map(|it| (it["key"].as_str().unwrap(), it["value"].as_str().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn an_identity_of_the_organization_is_made_changed_and_deleted() {
    let live = Live::new();
    let identity = live.apply::<Identity>("ci", &ci());
    identity.ready().await;
    let uid = identity.metadata().uid.unwrap();
    let made = &named(&live, "ci")[0];
    assert_eq!(identity.external_name().as_deref(), made["identityId"].as_str());
    assert_eq!(
        (&made["role"], metadata(made)),
        (&json!("no-access"), vec![("team", "a"), ("crossplane.io/uid", &*uid)])
    );
    let shown = identity.observed();
    assert_eq!((shown.organization_id.unwrap(), shown.metadata.len()), (organization(&live), 1));
    identity
        .change(&json!({ "role": "member", "metadata": [{ "key": "team", "value": "b" }] }))
        .ready()
        .await;
    let changed = &named(&live, "ci")[0];
    assert_eq!(changed["role"], "member");
    assert_eq!(metadata(changed), [("team", "b"), ("crossplane.io/uid", &*uid)], "the mark stays");
    identity.change(&json!({ "name": "cd", "hasDeleteProtection": true })).ready().await;
    assert_eq!((named(&live, "ci").len(), named(&live, "cd").len()), (0, 1));
    identity.delete().reconcile().await;
    let said = identity.conditions().pop().unwrap();
    assert!(said.contains("take its delete protection away first"), "{said}");
    live.by_hand(
        "PATCH",
        &format!("/api/v1/identities/{}", identity.external_name().unwrap()),
        &json!({ "name": "cd", "hasDeleteProtection": false }),
    );
    identity.settle().await;
    assert!(identity.get().is_none() && named(&live, "cd").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_identity_of_a_project_follows_its_project() {
    let live = Live::new();
    let project = live.apply::<Project>(
        "payments",
        &json!({ "name": "Payments", "slug": "payments", "deletion": "Force" }),
    );
    let identity =
        live.apply::<Identity>("ci", &json!({ "name": "ci", "projectIdRef": { "name": "payments" } }));
    identity.reconcile().await;
    assert!(identity.conditions()[0].contains("may not yet be ready"), "{:?}", identity.conditions());
    project.ready().await;
    identity.ready().await;
    let in_project = |live: &Live| {
        let path = format!("/api/v1/projects/{}/identities", project.external_name().unwrap());
        live.by_hand("GET", &path, &Value::Null)["identities"].as_array().unwrap().clone()
    };
    assert_eq!(in_project(&live)[0]["id"].as_str(), identity.external_name().as_deref());
    assert_eq!(identity.observed().project_id, project.external_name());
    identity.change(&json!({ "name": "cd", "metadata": [{ "key": "a", "value": "b" }] })).ready().await;
    assert_eq!(in_project(&live)[0]["name"], "cd");
    // Somebody deletes the project, and the identity with it.
    live.by_hand("DELETE", &format!("/api/v1/projects/{}", project.external_name().unwrap()), &Value::Null);
    project.ready().await;
    identity.ready().await;
    assert_eq!(in_project(&live)[0]["id"].as_str(), identity.external_name().as_deref());
    identity.delete().settle().await;
    assert_eq!(in_project(&live), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn an_identity_does_not_move_to_another_project_and_is_deleted_where_it_is() {
    let live = Live::new();
    for name in ["first", "second"] {
        live.apply::<Project>(name, &json!({ "name": name, "slug": name })).ready().await;
    }
    let identity =
        live.apply::<Identity>("ci", &json!({ "name": "ci", "projectIdRef": { "name": "first" } }));
    identity.ready().await;
    let id = identity.external_name();
    identity.change(&json!({ "projectIdRef": { "name": "second" } })).settle().await;
    let said = identity.conditions().pop().unwrap();
    assert!(said.ends_with("which cannot be changed: make another Identity"), "{said}");
    assert_eq!(identity.external_name(), id);
    identity.delete().settle().await;
    for name in ["first", "second"] {
        let project = live.object::<Project>(name).external_name().unwrap();
        let left = live.by_hand("GET", &format!("/api/v1/projects/{project}/identities"), &Value::Null);
        assert_eq!(left["identities"], json!([]), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_deleted_by_hand_is_made_again() {
    let live = Live::new();
    let identity = live.apply::<Identity>("ci", &ci());
    identity.ready().await;
    let before = identity.external_name().unwrap();
    live.by_hand("DELETE", &format!("/api/v1/identities/{before}"), &Value::Null);
    live.pass(POLL).await;
    identity.ready().await;
    assert_ne!(identity.external_name().unwrap(), before);
    assert_eq!(named(&live, "ci").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_of_the_same_name_that_somebody_else_made_is_not_touched_until_it_is_imported() {
    let live = Live::new();
    let body = json!({ "name": "ci", "organizationId": organization(&live), "role": "member" });
    let made = live.by_hand("POST", "/api/v1/identities", &body);
    let id = made["identity"]["id"].as_str().unwrap();
    let identity = live.apply::<Identity>("ci", &ci());
    identity.ready().await;
    assert_eq!(named(&live, "ci").len(), 2, "names are not unique");
    assert_ne!(identity.external_name().as_deref(), Some(id));
    identity.delete().settle().await;
    assert_eq!(named(&live, "ci").len(), 1);
    let annotations = json!({ "annotations": { "crossplane.io/external-name": id } });
    let spec = json!({ "forProvider": { "name": "imported", "metadata": [{ "key": "a", "value": "b" }] } });
    let imported = live.apply_in::<Identity>(TEAM, "imported", &spec, &annotations);
    imported.ready().await;
    let theirs = &named(&live, "imported")[0];
    assert_eq!((theirs["identityId"].as_str(), &theirs["role"]), (Some(id), &json!("member")));
    imported.delete().settle().await;
    assert_eq!(named(&live, "imported").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_makes_one_identity_and_deletes_it() {
    let scene = async |live: &Live| {
        live.apply::<Identity>("ci", &ci()).settle().await;
    };
    with_each_fault(
        async |_: &Live| {},
        scene,
        async |live, case| {
            let identity = live.object::<Identity>("ci");
            identity.ready().await;
            assert_eq!(named(live, "ci").len(), 1, "{case}");
            identity.delete().settle().await;
            assert_eq!(named(live, "ci").len(), 0, "{case}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_and_a_delete_that_are_cut_off_anywhere_are_done() {
    let make = async |live: &Live| {
        live.apply::<Identity>("ci", &ci()).settle().await;
    };
    let change = async |live: &Live| {
        live.object::<Identity>("ci").change(&json!({ "name": "cd", "role": "member" })).settle().await;
    };
    with_each_fault(make, change, async |live, case| {
        live.object::<Identity>("ci").ready().await;
        assert_eq!(named(live, "cd")[0]["role"], "member", "{case}");
    })
    .await;
    let delete = async |live: &Live| {
        live.object::<Identity>("ci").delete().settle().await;
    };
    with_each_fault(make, delete, async |live, case| {
        assert_eq!(named(live, "ci").len(), 0, "{case}");
        assert!(live.object::<Identity>("ci").get().is_none(), "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_changed_after_a_crash_leaves_no_second_identity() {
    for step in 1..8 {
        let live = Live::new();
        let identity = live.apply::<Identity>("ci", &ci());
        live.fail(step, Fault::CrashAfter);
        let _ = live.process().reconcile::<Identity>(&identity.at).await;
        live.fail(1_000_000, Fault::NoAnswer);
        identity.change(&json!({ "name": "cd" })).ready().await;
        assert_eq!((named(&live, "ci").len(), named(&live, "cd").len()), (0, 1), "step {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_identity_that_the_provider_logs_in_with_is_not_changed_and_not_deleted() {
    let live = Live::new();
    let own = own_id(&live);
    for id in [own.clone(), own.to_uppercase()] {
        let annotations = json!({ "annotations": { "crossplane.io/external-name": id } });
        let spec = json!({ "forProvider": { "name": "mine", "role": "no-access" } });
        let identity = live.apply_in::<Identity>(TEAM, "mine", &spec, &annotations);
        identity.reconcile().await;
        let said = identity.conditions().pop().unwrap();
        assert!(said.contains("is the identity that the provider itself logs in with"), "{said}");
        identity.delete().reconcile().await;
        let said = identity.conditions().pop().unwrap();
        assert!(said.contains("delete failed") && said.contains("write only Observe"), "{said}");
        assert_eq!(own_id(&live), own);
        // As the message says.
        identity.edit(&json!({ "spec": { "managementPolicies": ["Observe"] } })).settle().await;
        assert!(identity.get().is_none());
        assert!(named(&live, "mine").is_empty(), "it kept its name");
    }
}
