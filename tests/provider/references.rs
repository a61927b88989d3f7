//! References: what they lead to is written down, follows what it names, and never leads
//! to what another namespace has.

use serde_json::{Value, json};

use crate::world::{Fault, POLL, World};

fn parent() -> Value {
    json!({ "forProvider": { "name": "parent" } })
}

fn child(parent: &Value) -> Value {
    let mut spec = json!({ "forProvider": { "name": "child" } });
    spec["forProvider"].as_object_mut().unwrap().extend(parent.as_object().unwrap().clone());
    spec
}

fn parent_id(world: &World<false>) -> Option<String> {
    world.author("team", "child").object().unwrap().spec.for_provider.parent_id
}

fn steady(world: &World<false>) {
    let writes = world.state().writes.len();
    world.pass(POLL);
    world.author("team", "child").settle();
    assert_eq!(world.state().writes[writes..], Vec::<String>::new());
}

#[test]
fn nothing_is_made_before_a_reference_leads_somewhere() {
    let world = World::<false>::default();
    let author = world.author("team", "child");
    author.apply(&child(&json!({ "parentIdRef": { "name": "parent" } })));
    world.reconcile(&author.1).unwrap().unwrap();
    assert_eq!(world.state().resources, []);
    let why = "Synced=ReconcileError: cannot resolve references: cannot get referenced resource \"parent\": it \
               does not exist";
    assert_eq!(author.conditions(), [why]);
    world.author("team", "parent").apply(&parent()).settle();
    author.settle();
    assert!(author.is_ready(), "{:?}", author.conditions());
    assert_eq!(parent_id(&world), world.author("team", "parent").annotation("crossplane.io/external-name"));
    steady(&world);
}

#[test]
fn a_selector_chooses_by_labels_and_writes_down_what_it_chose() {
    let world = World::<false>::default();
    for (name, label) in [("a", "other"), ("b", "payments")] {
        world.author("team", name).apply(&json!({ "forProvider": { "name": name } }));
        world.author("team", name).edit(&json!({ "metadata": { "labels": { "app": label } } })).settle();
    }
    let author = world.author("team", "child");
    author.apply(&child(&json!({ "parentIdSelector": { "matchLabels": { "app": "payments" } } }))).settle();
    let parameters = author.object().unwrap().spec.for_provider;
    assert_eq!(parameters.parent_id_ref.unwrap().name, "b");
    assert_eq!(parameters.parent_id, world.author("team", "b").annotation("crossplane.io/external-name"));
    steady(&world);
}

#[test]
fn what_is_made_again_under_another_id_is_followed() {
    let world = World::<false>::default();
    let above = world.author("team", "parent");
    above.apply(&parent()).settle();
    let author = world.author("team", "child");
    author.apply(&child(&json!({ "parentIdRef": { "name": "parent" } }))).settle();
    let before = parent_id(&world);
    world.state().resources.retain(|resource| resource.name != "parent");
    world.pass(POLL);
    above.settle();
    author.settle();
    assert_ne!(parent_id(&world), before);
    assert_eq!(parent_id(&world), above.annotation("crossplane.io/external-name"));
    assert!(author.is_ready());
}

#[test]
fn a_value_that_an_author_wrote_stays() {
    let world = World::<false>::default();
    let id = world.by_hand("by hand");
    world.author("team", "parent").apply(&parent()).settle();
    let author = world.author("team", "child");
    author.apply(&child(&json!({ "parentId": id, "parentIdRef": { "name": "parent" } }))).settle();
    assert_eq!(parent_id(&world), Some(id));
    assert!(author.is_ready());
}

#[test]
fn an_id_of_what_another_namespace_has_is_refused() {
    let world = World::<false>::default();
    let theirs = world.author("platform", "parent");
    theirs.apply(&parent()).settle();
    let id = theirs.annotation("crossplane.io/external-name").unwrap();
    for id in [id.clone(), id.to_ascii_uppercase()] {
        let author = world.author("team", "child");
        author.apply(&child(&json!({ "parentId": id })));
        world.reconcile(&author.1).unwrap().unwrap();
        let said = author.conditions().pop().unwrap();
        assert!(said.ends_with("and that Thing is another namespace's"), "{said}");
        assert_eq!(world.state().resources.len(), 1, "nothing was made for {id}");
        // And it can be deleted.
        author.delete();
        world.reconcile(&author.1).unwrap().unwrap();
    }
    let author = world.author("team", "child");
    author.apply(&child(&json!({ "parentId": "../parents" })));
    world.reconcile(&author.1).unwrap().unwrap();
    assert!(author.conditions().pop().unwrap().contains("which is no id of a Thing"));
}

#[test]
fn a_child_is_deleted_after_what_it_refers_to() {
    let world = World::<false>::default();
    let above = world.author("team", "parent");
    above.apply(&parent()).settle();
    let author = world.author("team", "child");
    author.apply(&child(&json!({ "parentIdRef": { "name": "parent" } }))).settle();
    above.delete().settle();
    author.delete().settle();
    assert_eq!(world.state().resources, []);
    assert!(author.object().is_none());
}

#[test]
fn a_refused_create_that_could_not_be_written_down_adopts_nothing() {
    let world = World::<false>::default();
    let author = world.author("team", "child");
    author.apply(&json!({ "forProvider": { "name": "child" } }));
    let process = world.process();
    let reconcile = || futures::FutureExt::now_or_never(process.reconcile(&author.1)).unwrap();
    // Steps: look, look afresh, begin, create, close.
    world.state().fault = Some((5, Fault::NoAnswer));
    world.state().made_before_create = Some("child".to_owned());
    assert!(reconcile().is_err(), "the refusal cannot be written down");
    for _ in 0..3 {
        let _ = reconcile();
        world.pass(POLL);
    }
    assert_eq!(author.annotation("crossplane.io/external-name"), None, "{:?}", author.conditions());
    assert!(author.conditions()[0].contains("was not made by this object"), "{:?}", author.conditions());
    author.delete();
    reconcile().unwrap();
    assert_eq!(world.state().resources.len(), 1, "what is somebody else's stays");
}
