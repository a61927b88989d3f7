//! A reconcile is cut off at each of its steps, before and after the effect, loses
//! answers and races with authors: what comes next heals it, and nothing is doubled,
//! leaked or taken.

use serde_json::{Value, json};

use crate::world::{
    FAULTS, Fault, World,
    thing::{Author, key},
};

fn spec() -> Value {
    json!({
        "forProvider": { "name": "one", "size": 3 },
        "writeConnectionSecretToRef": { "name": "connection" },
    })
}

/// Runs `scene` once without a fault and once with each fault at each of its steps.
fn with_each_fault<const MARKED: bool>(
    prepare: impl Fn(&World<MARKED>),
    scene: impl Fn(&World<MARKED>),
    check: impl Fn(&World<MARKED>, &str),
) {
    let world = World::default();
    prepare(&world);
    let before = world.state().steps;
    scene(&world);
    let steps = world.state().steps - before;
    assert!(steps > 0, "nothing was done");
    check(&world, "without a fault");
    for fault in FAULTS {
        for step in 1..=steps {
            let world = World::default();
            prepare(&world);
            let at = world.state().steps + step;
            world.state().fault = Some((at, fault));
            scene(&world);
            check(&world, &format!("{fault:?} at step {step} of {steps}"));
        }
    }
}

fn is_made<const MARKED: bool>(world: &World<MARKED>, case: &str) {
    let author = world.author("team", "one");
    let resources = world.state().resources.clone();
    assert_eq!(resources.len(), 1, "{case}: {resources:?}");
    assert_eq!(author.resource().as_ref(), resources.first(), "{case}");
    assert!(author.is_ready(), "{case}: {:?}", author.conditions());
    let secret = world.state().secrets.get(&key("team", "connection")).cloned().unwrap();
    assert!(secret["data"]["id"].is_string(), "{case}: {secret}");
    is_steady(world, &author, case);
}

/// Nothing is written in the next poll, to neither side.
fn is_steady<const MARKED: bool>(world: &World<MARKED>, author: &Author<'_, MARKED>, case: &str) {
    world.state().fault = None;
    let writes = world.state().writes.len();
    let events = world.state().events.len();
    world.pass(crate::world::POLL);
    author.settle();
    assert_eq!(world.state().writes[writes..], Vec::<String>::new(), "{case}: a steady resource is written");
    assert_eq!(world.state().events.len(), events, "{case}: a steady resource has events");
}

fn is_gone<const MARKED: bool>(world: &World<MARKED>, case: &str) {
    assert_eq!(world.state().resources, [], "{case}: it is leaked");
    assert!(world.author("team", "one").object().is_none(), "{case}: the object stays");
}

fn make<const MARKED: bool>(world: &World<MARKED>) {
    world.author("team", "one").apply(&spec()).settle();
}

fn remove<const MARKED: bool>(world: &World<MARKED>) {
    world.author("team", "one").delete().settle();
}

#[test]
fn a_create_that_is_cut_off_anywhere_makes_one() {
    with_each_fault(|_: &World<false>| {}, make, is_made);
    with_each_fault(|_: &World<true>| {}, make, is_made);
}

#[test]
fn an_update_that_is_cut_off_anywhere_changes_it() {
    fn change<const MARKED: bool>(world: &World<MARKED>) {
        world.author("team", "one").edit(&json!({ "spec": { "forProvider": { "size": 4 } } })).settle();
    }
    fn is_changed<const MARKED: bool>(world: &World<MARKED>, case: &str) {
        is_made(world, case);
        assert_eq!(world.state().resources[0].size, 4, "{case}");
        let generation = world.author("team", "one").metadata().generation;
        let conditions = world.author("team", "one").object().unwrap().status.unwrap().conditions;
        assert!(conditions.iter().all(|it| it.observed_generation == generation), "{case}: {conditions:?}");
    }
    with_each_fault(make::<false>, change, is_changed);
    with_each_fault(make::<true>, change, is_changed);
}

#[test]
fn a_delete_that_is_cut_off_anywhere_leaves_nothing() {
    with_each_fault(make::<false>, remove, is_gone);
    with_each_fault(make::<true>, remove, is_gone);
}

#[test]
fn what_was_deleted_by_hand_is_made_again_whatever_happens() {
    fn prepare<const MARKED: bool>(world: &World<MARKED>) {
        make(world);
        world.state().resources.clear();
    }
    fn poll<const MARKED: bool>(world: &World<MARKED>) {
        world.author("team", "one").settle();
    }
    with_each_fault(prepare::<false>, poll, is_made);
    with_each_fault(prepare::<true>, poll, is_made);
}

#[test]
fn an_object_that_is_deleted_in_the_midst_of_a_create_leaves_nothing() {
    fn scene<const MARKED: bool>(world: &World<MARKED>) {
        let author = world.author("team", "one");
        author.apply(&spec());
        let _ = world.reconcile(&author.1);
        author.delete().settle();
    }
    with_each_fault(|_: &World<false>| {}, scene, is_gone);
    with_each_fault(|_: &World<true>| {}, scene, is_gone);
}

#[test]
fn a_create_that_is_cut_off_twice_makes_one() {
    fn twice<const MARKED: bool>() {
        for first in 1..12 {
            for second in 1..12 {
                for fault in FAULTS {
                    let world = World::<MARKED>::default();
                    let author = world.author("team", "one");
                    author.apply(&spec());
                    world.state().fault = Some((first, Fault::CrashAfter));
                    let _ = world.reconcile(&author.1);
                    let at = world.state().steps + second;
                    world.state().fault = Some((at, fault));
                    author.settle();
                    is_made(&world, &format!("CrashAfter at {first}, then {fault:?} at {second}"));
                }
            }
        }
    }
    twice::<false>();
    twice::<true>();
}

#[test]
fn two_leaders_at_each_step_make_one() {
    fn two<const MARKED: bool>() {
        for step in 1..12 {
            let world = World::<MARKED>::default();
            let author = world.author("team", "one");
            author.apply(&spec());
            // The first is stopped in the midst; its cache is what the second begins with.
            let cached = world.state().objects.clone();
            world.state().fault = Some((step, Fault::CrashAfter));
            let _ = world.reconcile(&author.1);
            world.state().cached = Some(cached);
            let _ = world.reconcile(&author.1);
            world.state().cached = None;
            author.settle();
            is_made(&world, &format!("the second begins at step {step} of the first"));
        }
    }
    two::<false>();
    two::<true>();
}

#[test]
fn what_two_creates_made_after_all_is_one_in_the_end() {
    let world = World::<true>::default();
    let author = world.author("team", "one");
    author.apply(&spec());
    world.state().fault = Some((4, Fault::CrashAfter));
    assert!(world.reconcile(&author.1).is_none());
    let uid = author.metadata().uid.unwrap();
    let resources = world.state().resources.clone();
    assert_eq!(resources.len(), 1, "the fourth step is the create");
    // Another leader's create, which was under way.
    let id = world.by_hand("one");
    world.state().resources.iter_mut().filter(|it| it.id == id).for_each(|it| it.mark.clone_from(&uid));
    author.settle();
    is_made(&world, "two creates");
    assert_eq!(world.state().resources[0].id, resources[0].id, "the first one stays");
}

fn make_next_to_it(world: &World<false>) {
    let author = world.author("team", "one");
    author.apply(&json!({ "forProvider": { "name": "one", "size": 3 } })).settle();
    assert_eq!(author.annotation("crossplane.io/external-name"), None);
}

#[test]
fn what_somebody_else_has_made_is_not_taken_whatever_happens() {
    // Somebody makes one of the name just before we do.
    with_each_fault(
        |world: &World<false>| {
            world.by_hand("one");
        },
        make_next_to_it,
        |world, case| {
            let resources = world.state().resources.clone();
            assert_eq!(resources.len(), 1, "{case}");
            assert_eq!(resources[0].size, 7, "{case}: it was changed");
            world.author("team", "one").delete().settle();
            assert_eq!(world.state().resources.len(), 1, "{case}: it was deleted");
        },
    );
}
