//! A membership, and an additional privilege that needs it.

use provider_infisical::api::{
    additional_privilege::AdditionalPrivilege, project::Project, project_identity::ProjectIdentity,
};
use serde_json::{Value, json};

use crate::live::{Live, TEAM, with_each_fault};

/// A project that a `Project` has, and an identity that somebody made: their ids.
async fn prepared(live: &Live) -> (String, String) {
    let project = live.apply::<Project>("payments", &json!({ "name": "Payments", "slug": "payments" }));
    project.ready().await;
    (project.external_name().unwrap(), identity(live, "payments"))
}

fn identity(live: &Live, name: &str) -> String {
    let organization = live.state().organization_id.clone();
    let body = json!({ "name": name, "organizationId": organization, "role": "no-access" });
    let made = live.by_hand("POST", "/api/v1/identities", &body);
    made["identity"]["id"].as_str().unwrap().to_owned()
}

fn member(identity: &str, roles: &Value) -> Value {
    json!({ "projectIdRef": { "name": "payments" }, "identityId": identity, "roles": roles })
}

fn privilege(identity: &str) -> Value {
    json!({
        "projectIdRef": { "name": "payments" },
        "identityId": identity,
        "slug": "reader",
        "permissions": [{
            "subject": "secrets",
            "action": ["readValue", "describeSecret"],
            "conditions": { "environment": "prod", "secretPath": { "$glob": "/team/**" } },
        }],
    })
}

fn roles(live: &Live, project: &str) -> Vec<(String, Vec<String>)> {
    let path = format!("/api/v1/projects/{project}/memberships/identities");
    let all = live.by_hand("GET", &path, &Value::Null)["identityMemberships"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let roles = |member: &Value| {
        let mut roles: Vec<_> =
            member["roles"].as_array().unwrap().iter().map(|role| text(&role["role"])).collect();
        roles.sort();
        (text(&member["identity"]["id"]), roles)
    };
    all.as_array().unwrap().iter().map(roles).collect()
}

#[tokio::test(start_paused = true)]
async fn a_membership_is_made_changed_and_deleted() {
    let live = Live::new();
    let (project, identity) = prepared(&live).await;
    let membership =
        live.apply::<ProjectIdentity>("payments", &member(&identity, &json!([{ "roleSlug": "viewer" }])));
    membership.ready().await;
    assert_eq!(membership.external_name(), Some(format!("{project}/{identity}")));
    assert!(roles(&live, &project).contains(&(identity.clone(), vec!["viewer".to_owned()])));
    let start = "2026-12-01T10:00:00+01:00";
    let temporary = json!({
        "roleSlug": "member", "isTemporary": true, "temporaryRange": "1h", "temporaryAccessStartTime": start,
    });
    membership.change(&json!({ "roles": [temporary, { "roleSlug": "viewer" }] })).ready().await;
    let both = vec!["member".to_owned(), "viewer".to_owned()];
    assert!(roles(&live, &project).contains(&(identity.clone(), both)));
    membership.delete().settle().await;
    assert!(!roles(&live, &project).iter().any(|(member, _)| *member == identity));
    assert!(membership.get().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_membership_and_a_privilege_that_are_cut_off_anywhere_are_made_once() {
    let prepare = async |live: &Live| {
        let (_, identity) = prepared(live).await;
        live.apply::<ProjectIdentity>("payments", &member(&identity, &json!([{ "roleSlug": "no-access" }])));
        live.apply::<AdditionalPrivilege>("reader", &privilege(&identity));
    };
    let scene = async |live: &Live| {
        live.object::<ProjectIdentity>("payments").settle().await;
        live.object::<AdditionalPrivilege>("reader").settle().await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        let (membership, privilege) =
            (live.object::<ProjectIdentity>("payments"), live.object::<AdditionalPrivilege>("reader"));
        membership.ready().await;
        privilege.ready().await;
        let posts = |part: &str| {
            let state = live.state();
            state.requests.iter().filter(|it| it.starts_with("POST") && it.contains(part)).count()
        };
        assert!(posts("additional-privilege") <= 2 && posts("memberships/identities") <= 2, "{case}");
        privilege.delete().settle().await;
        membership.delete().settle().await;
        assert!(privilege.get().is_none() && membership.get().is_none(), "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_privilege_waits_for_the_membership_and_says_so() {
    let live = Live::new();
    let (_, identity) = prepared(&live).await;
    let reader = live.apply::<AdditionalPrivilege>("reader", &privilege(&identity));
    for _ in 0..3 {
        reader.reconcile().await;
    }
    let said = reader.conditions().pop().unwrap();
    assert!(said.ends_with("not a member of the project"), "{said}");
    live.apply::<ProjectIdentity>("payments", &member(&identity, &json!([{ "roleSlug": "no-access" }])))
        .ready()
        .await;
    reader.ready().await;
    reader
        .change(&json!({ "permissions": [{ "subject": "secrets", "action": ["describeSecret"] }] }))
        .ready()
        .await;
    reader.change(&json!({ "slug": "other-reader" })).ready().await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_with_its_project_can_be_deleted_in_any_order() {
    let live = Live::new();
    let (_, identity) = prepared(&live).await;
    let membership =
        live.apply::<ProjectIdentity>("payments", &member(&identity, &json!([{ "roleSlug": "viewer" }])));
    membership.ready().await;
    let reader = live.apply::<AdditionalPrivilege>("reader", &privilege(&identity));
    reader.ready().await;
    live.object::<Project>("payments").delete().settle().await;
    membership.delete().settle().await;
    reader.delete().settle().await;
    assert!(live.object::<Project>("payments").get().is_none());
    assert!(membership.get().is_none() && reader.get().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_project_of_another_namespace_is_out_of_reach() {
    let live = Live::new();
    let (project, identity) = prepared(&live).await;
    let parameters = json!({
        "projectId": project.to_ascii_uppercase(), "identityId": identity, "roles": [{ "roleSlug": "admin" }],
    });
    let spec = json!({ "forProvider": parameters });
    let intruder = live.apply_in::<ProjectIdentity>("other", "intruder", &spec, &json!({}));
    intruder.reconcile().await;
    let said = intruder.conditions().pop().unwrap();
    assert!(said.ends_with("and that Project is another namespace's"), "{said}");
    let name = json!({ "annotations": { "crossplane.io/external-name": project } });
    let spec = json!({ "forProvider": { "name": "Mine", "slug": "payments" } });
    let taken = live.apply_in::<Project>("other", "taken", &spec, &name);
    taken.reconcile().await;
    let said = taken.conditions().pop().unwrap();
    assert!(said.contains(&format!("the Project {TEAM}/payments has it already")), "{said}");
    // Nor does it help to name the project as one's own.
    intruder.reconcile().await;
    let said = intruder.conditions().pop().unwrap();
    assert!(said.ends_with("and that Project is another namespace's"), "{said}");
    assert_eq!(roles(&live, &project).iter().filter(|(member, _)| *member == identity).count(), 0);
    intruder.delete().reconcile().await;
    taken.delete().reconcile().await;
    assert!(live.object::<Project>("payments").ready().await.get().is_some());
}
