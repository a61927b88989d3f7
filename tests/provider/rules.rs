//! What users of crossplane-runtime rely on, and what they suffer elsewhere.

use std::time::Duration;

use provider_infisical::managed::{external::ExternalError, report::Requeue};
use serde_json::{Value, json};

use crate::world::{POLL, World, thing::key};

const EXTERNAL_NAME: &str = "crossplane.io/external-name";
const FINALIZER: &str = "finalizer.managedresource.crossplane.io";

fn spec(size: i64) -> Value {
    json!({ "forProvider": { "name": "one", "size": size } })
}

fn with_policies(policies: &Value) -> Value {
    json!({ "forProvider": { "name": "one", "size": 3 }, "managementPolicies": policies })
}

fn world() -> World<false> {
    World::default()
}

fn no_writes(world: &World<false>) {
    let writes = world.state().writes.clone();
    let to_server: Vec<_> = writes.iter().filter(|it| !it.contains(' ')).collect();
    assert!(to_server.is_empty(), "{to_server:?}");
}

#[test]
fn a_new_resource_is_made_and_ready_in_one_reconcile() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::After(POLL))));
    assert!(author.is_ready(), "{:?}", author.conditions());
    assert_eq!(author.metadata().finalizers, Some(vec![FINALIZER.to_owned()]));
    assert_eq!(author.annotation(EXTERNAL_NAME), Some(world.state().resources[0].id.clone()));
    assert_eq!(author.events(), ["CreatedExternalResource"]);
    let writes = world.state().writes.clone();
    // The intent, the resource, its name, what the server chose, the status.
    let patch = "patch team/one";
    assert_eq!(writes, [patch, "create", patch, patch, patch]);
}

#[test]
fn a_steady_resource_is_read_once_in_a_poll_and_written_nowhere() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    let reads = world.state().reads;
    let writes = world.state().writes.len();
    for _ in 0..5 {
        world.pass(POLL);
        assert_eq!(author.settle(), 1);
    }
    assert_eq!(world.state().reads, reads + 5);
    assert_eq!(world.state().writes.len(), writes);
}

#[test]
fn what_is_paused_is_left_alone_and_goes_on_later() {
    let world = world();
    let author = world.author("team", "one");
    author.apply_with(&spec(3), &json!({ "crossplane.io/paused": "true" }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Never)));
    assert_eq!(author.conditions(), ["Synced=ReconcilePaused"]);
    author.settle();
    assert_eq!(author.events(), ["ReconciliationPaused"], "told once");
    no_writes(&world);
    author.annotate("crossplane.io/paused", "false").settle();
    assert!(author.is_ready());
}

#[test]
fn no_policies_pause_and_some_do_not_go_together() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&with_policies(&json!([])));
    author.settle();
    assert_eq!(author.conditions(), ["Synced=ReconcilePaused"]);
    author.edit(&json!({ "spec": { "managementPolicies": ["Create"] } }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Never)));
    let said = author.conditions();
    assert!(said[0].starts_with("Synced=ReconcileError: spec.managementPolicies is [Create]"), "{said:?}");
    assert_eq!(author.events(), ["ReconciliationPaused", "CannotUseInvalidManagementPolicy"]);
    no_writes(&world);
}

#[test]
fn what_is_only_observed_is_shown_and_never_touched() {
    let world = world();
    let id = world.by_hand("one");
    let author = world.author("team", "one");
    author.apply(&with_policies(&json!(["Observe"]))).settle();
    assert!(author.is_ready(), "{:?}", author.conditions());
    let shown = author.object().unwrap().status.unwrap().at_provider.unwrap();
    assert_eq!((shown.id, shown.size), (Some(id), 7));
    author.delete().settle();
    assert!(author.object().is_none());
    assert_eq!(world.state().resources.len(), 1);
    no_writes(&world);
}

#[test]
fn what_is_only_observed_and_is_not_there_is_an_error_until_it_is() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&with_policies(&json!(["Observe"])));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::After(POLL))));
    assert_eq!(
        author.conditions(),
        [
            "Ready=Unavailable: external resource does not exist",
            "Synced=ReconcileError: observe failed: external resource does not exist",
        ]
    );
    world.by_hand("one");
    author.settle();
    assert!(author.is_ready());
}

#[test]
fn each_policy_allows_what_it_says() {
    let size = |world: &World<false>| world.state().resources.first().map(|resource| resource.size);
    // The policies; the size after a create, after an edit and after a delete.
    let table = [
        (json!(["*"]), Some(3), Some(4), None),
        (json!(["Observe", "Create", "Update", "LateInitialize", "Delete"]), Some(3), Some(4), None),
        (json!(["Observe", "Create", "Update"]), Some(3), Some(4), Some(4)),
        (json!(["Observe", "Create", "Delete"]), Some(3), Some(3), None),
        (json!(["Observe", "Create"]), Some(3), Some(3), Some(3)),
    ];
    for (policies, made, changed, deleted) in table {
        let world = world();
        let author = world.author("team", "one");
        author.apply(&with_policies(&policies)).settle();
        assert_eq!(size(&world), made, "{policies}");
        author.edit(&json!({ "spec": { "forProvider": { "size": 4 } } })).settle();
        assert_eq!(size(&world), changed, "{policies}");
        assert!(author.is_ready(), "{policies}: {:?}", author.conditions());
        author.delete().settle();
        assert_eq!(size(&world), deleted, "{policies}");
        assert!(author.object().is_none(), "{policies}");
    }
}

#[test]
fn what_an_author_names_is_imported_by_its_id_or_its_key() {
    for by_key in [false, true] {
        let world = world();
        let id = world.by_hand("one");
        let name = if by_key { "one" } else { &*id };
        let author = world.author("team", "mine");
        author.apply_with(&json!({ "forProvider": { "size": 3 } }), &json!({ EXTERNAL_NAME: name })).settle();
        assert!(author.is_ready(), "{:?}", author.conditions());
        assert_eq!(author.annotation(EXTERNAL_NAME).as_deref(), Some(name), "it stays as it was written");
        assert_eq!(world.state().resources[0].size, 3);
        assert_eq!(author.events(), ["UpdatedExternalResource"]);
        author.delete().settle();
        assert_eq!(world.state().resources, []);
    }
}

#[test]
fn what_somebody_else_has_made_is_not_taken_and_the_message_says_how_to() {
    let world = world();
    let id = world.by_hand("one");
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    let said = author.conditions().concat();
    assert!(said.contains("exists already") && said.ends_with(&format!("external-name to {id}")), "{said}");
    author.delete().settle();
    assert!(author.object().is_none());
    assert_eq!(world.state().resources[0].size, 7);
    no_writes(&world);
}

#[test]
fn the_second_object_for_one_resource_says_so_and_touches_nothing() {
    let world = world();
    let first = world.author("team", "one");
    first.apply(&spec(3)).settle();
    let id = first.annotation(EXTERNAL_NAME).unwrap();
    let second = world.author("other-team", "thief");
    second.apply_with(&spec(9), &json!({ EXTERNAL_NAME: id })).settle();
    let said = second.conditions().concat();
    assert!(said.contains("the Thing team/one has it already"), "{said}");
    assert_eq!(second.object().unwrap().status.unwrap().at_provider, None, "nothing is shown of it");
    second.delete().settle();
    assert!(second.object().is_none());
    world.pass(POLL);
    first.settle();
    assert!(first.is_ready(), "{:?}", first.conditions());
    assert_eq!(world.state().resources[0].size, 3);
}

#[test]
fn whoever_imports_what_an_older_object_made_is_the_second_however_old_it_is() {
    let world = world();
    // The object is older, and paused until the other has made the resource.
    let thief = world.author("other-team", "thief");
    thief.apply_with(&spec(9), &json!({ "crossplane.io/paused": "true" })).settle();
    world.pass(Duration::from_hours(1));
    let owner = world.author("team", "one");
    owner.apply(&spec(3)).settle();
    let id = owner.annotation(EXTERNAL_NAME).unwrap();
    thief.annotate(EXTERNAL_NAME, &id).annotate("crossplane.io/paused", "false").settle();
    assert!(thief.conditions().concat().contains("has it already"), "{:?}", thief.conditions());
    assert_eq!(world.state().resources[0].size, 3);
}

#[test]
fn what_cannot_be_changed_is_refused_and_never_made_again() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    let before = world.state().resources.clone();
    author.edit(&json!({ "spec": { "forProvider": { "colour": "green" } } }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::After(POLL))));
    assert_eq!(
        author.conditions(),
        [
            "Ready=Available",
            "Synced=ReconcileError: update failed: spec.forProvider.colour cannot be changed",
        ]
    );
    assert_eq!(author.events().last().unwrap(), "CannotUpdateExternalResource");
    assert_eq!(world.state().resources, before);
}

#[test]
fn a_server_that_keeps_what_it_wants_is_not_asked_again_and_again() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    world.state().keeps_size = Some(5);
    author.edit(&json!({ "spec": { "forProvider": { "size": 4 } } }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    let updates = world.state().writes.iter().filter(|it| *it == "update").count();
    assert_eq!(updates, 1);
    assert!(author.conditions().concat().contains("answers something else"), "{:?}", author.conditions());
}

#[test]
fn what_the_server_chose_is_written_into_the_spec_if_it_may_be() {
    for (policies, expected) in
        [(json!(["*"]), Some("red")), (json!(["Observe", "Create", "Update", "Delete"]), None)]
    {
        let world = world();
        let author = world.author("team", "one");
        author.apply(&with_policies(&policies)).settle();
        let colour = author.object().unwrap().spec.for_provider.colour;
        assert_eq!(colour.as_deref(), expected, "{policies}");
    }
}

#[test]
fn what_is_changed_by_hand_is_changed_back_in_the_next_poll() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    world.state().resources[0].size = 8;
    world.pass(POLL);
    author.settle();
    assert_eq!(world.state().resources[0].size, 3);
    assert_eq!(author.events(), ["CreatedExternalResource", "UpdatedExternalResource"]);
}

#[test]
fn a_resource_that_cannot_be_used_is_unavailable() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(-1)).settle();
    assert_eq!(author.conditions(), ["Ready=Unavailable: it is too small", "Synced=ReconcileSuccess"]);
}

#[test]
fn it_is_polled_as_often_as_its_author_says_but_not_too_often() {
    let world = world();
    let author = world.author("team", "one");
    author.apply_with(&spec(3), &json!({ "crossplane.io/poll-interval": "10m" }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::After(Duration::from_mins(10)))));
    author.annotate("crossplane.io/poll-interval", "1s");
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::After(Duration::from_secs(5)))));
}

#[test]
fn a_reconcile_that_is_asked_for_is_done_and_written_down_once() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    author.annotate("crossplane.io/reconcile-requested-at", "now").settle();
    author.settle();
    let handled = author.object().unwrap().status.unwrap().last_handled_reconcile_at;
    assert_eq!(handled.as_deref(), Some("now"));
    assert_eq!(author.events(), ["CreatedExternalResource", "ReconcileRequestHandled"]);
}

#[test]
fn a_server_that_does_not_answer_changes_no_ready() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    let secret = author.object().unwrap().status.unwrap().at_provider;
    world.state().refuses = Some(ExternalError::unknown("no answer within the time limit"));
    world.pass(POLL);
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert_eq!(
        author.conditions(),
        ["Ready=Available", "Synced=ReconcileError: observe failed: no answer within the time limit"]
    );
    assert_eq!(author.object().unwrap().status.unwrap().at_provider, secret);
    let writes = world.state().writes.len();
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert_eq!(world.state().writes.len(), writes, "it is said once");
    assert_eq!(author.events(), ["CreatedExternalResource", "CannotObserveExternalResource"]);
}

#[test]
fn a_server_that_asks_to_wait_is_left_alone_for_as_long() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3));
    let wait = Duration::from_secs(42);
    world.state().refuses = Some(ExternalError { wait: Some(wait), ..ExternalError::refused("429") });
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::After(wait))));
}

#[test]
fn a_create_that_was_refused_is_closed_and_says_creating() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3));
    // The find is answered, the create is not allowed.
    world.state().refuses_creates = true;
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert_eq!(
        author.conditions(),
        ["Ready=Creating", "Synced=ReconcileError: create failed: permission denied"]
    );
    assert_eq!(author.events(), ["CannotCreateExternalResource"]);
    // Somebody makes it: it is not ours.
    world.by_hand("one");
    author.settle();
    assert!(author.conditions().concat().contains("was not made by this object"));
}

#[test]
fn the_connection_secret_is_ours_or_nothing_is_made() {
    let world = world();
    let author = world.author("team", "one");
    let at = key("team", "connection");
    let foreign = json!({ "metadata": { "name": "connection", "namespace": "team", "resourceVersion": "1" },
        "type": "Opaque", "data": {} });
    world.state().secrets.insert(at.clone(), foreign.clone());
    let mut wanted = spec(3);
    wanted["writeConnectionSecretToRef"] = json!({ "name": "connection" });
    author.apply(&wanted);
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert_eq!(
        author.conditions(),
        [
            "Synced=ReconcileError: cannot create or update connection secret: refusing to modify uncontrolled \
          secret of type \"Opaque\""
        ]
    );
    assert_eq!(author.events(), ["CannotPublishConnectionDetails"]);
    assert_eq!(world.state().secrets[&at], foreign);
    no_writes(&world);
    world.state().secrets.clear();
    author.settle();
    assert!(author.is_ready());
    let secret = world.state().secrets[&at].clone();
    assert_eq!(secret["type"], "connection.crossplane.io/v1alpha1");
    assert_eq!(secret["data"]["once"], "c2hvd24gb25jZQ==");
    assert_eq!(secret["metadata"]["ownerReferences"][0]["kind"], "Thing");
}

#[test]
fn the_resource_stays_while_others_hold_the_object() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3)).settle();
    author.edit(&json!({ "metadata": { "finalizers": [FINALIZER, "others"] } })).delete();
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert_eq!(world.state().resources.len(), 1);
    author.edit(&json!({ "metadata": { "finalizers": [FINALIZER] } })).settle();
    assert!(author.object().is_none());
    assert_eq!(world.state().resources, []);
    assert_eq!(author.events(), ["CreatedExternalResource", "DeletedExternalResource"]);
}

#[test]
fn what_an_old_cache_shows_is_not_acted_upon() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&spec(3));
    let cached = world.state().objects.clone();
    author.settle();
    world.state().cached = Some(cached);
    let resources = world.state().resources.clone();
    world.state().resources.clear();
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Now)), "its intent is refused");
    assert!(!world.state().writes.iter().skip(5).any(|it| it == "create"));
    world.state().resources = resources;
    world.state().cached = None;
    author.settle();
    assert!(author.is_ready());
}

#[test]
fn a_name_that_is_no_id_and_no_key_is_refused() {
    let world = World::<true>::default();
    let author = world.author("team", "one");
    author.apply_with(&spec(3), &json!({ EXTERNAL_NAME: "one" }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert!(author.conditions().concat().contains("which is no id of a Thing"), "{:?}", author.conditions());
    assert_eq!(world.state().resources, []);
}

#[test]
fn what_is_not_said_to_be_which_one_is_asked_for() {
    let world = world();
    let author = world.author("team", "one");
    author.apply(&json!({ "forProvider": {}, "managementPolicies": ["Observe"] }));
    assert_eq!(world.reconcile(&author.1), Some(Ok(Requeue::Backoff)));
    assert!(author.conditions().concat().contains("spec.forProvider.name is missing"));
    assert_eq!(world.state().reads, 0, "nothing is asked by an empty key");
}
