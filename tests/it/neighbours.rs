//! Two XRs that are pointed at one instance: whose it is, is said to whom it may be said.

use std::sync::Arc;

use fake_crossplane::{Crossplane, Reconciled};
use fake_infisical::Settings;
use serde_json::json;

use crate::world::{KINDS, Kind, World, crossplane};

const BOOTSTRAPPED: &str = "InfisicalBootstrapped";
const OTHER_UID: &str = "6d2f6c5e-0000-4000-8000-000000000777";

/// Another XR, in the namespace of the first of its kind if it has one.
fn another(kind: Kind, url: &str) -> Crossplane {
    let mut crossplane = crossplane(kind, url);
    // The claim of a legacy one names it.
    if kind != Kind::Legacy {
        crossplane.xr["metadata"]["name"] = json!("second");
    }
    crossplane.xr["metadata"]["uid"] = json!(OTHER_UID);
    crossplane
}

/// A world whose first XR is connected, and that goes on with a second one of the same
/// instance until that knows what is wrong.
async fn second(first: Kind, change: impl FnOnce(&mut Crossplane), kind: Kind) -> World {
    let mut world = World::connected(Settings::default(), first).await;
    let mut second = another(kind, &world.fake.url());
    change(&mut second);
    world.crossplane = second;
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.until_reason(BOOTSTRAPPED, "BootstrappedElsewhere").await;
    world
}

#[tokio::test]
async fn an_xr_of_the_same_namespace_is_named_as_the_one_whose_instance_it_is() {
    let world = second(Kind::Namespaced, |_| {}, Kind::Namespaced).await;
    let (message, url) = (world.message(BOOTSTRAPPED), world.fake.url());
    let expected = format!("Infisical at {url} is the instance of Vault team-a/vault already: ");
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.contains("platform@example.org. Point this XR at an instance of its own. "), "{message}");
    assert!(!message.contains("somebody else"), "{message}");
}

#[tokio::test]
async fn no_xr_is_named_across_namespaces_or_where_there_is_none() {
    for first in KINDS {
        for kind in KINDS {
            if first == Kind::Namespaced && kind == Kind::Namespaced {
                continue;
            }
            let world = second(first, |_| {}, kind).await;
            let message = world.message(BOOTSTRAPPED);
            assert!(message.contains(" was set up by somebody else: "), "{first:?} {kind:?}: {message}");
            assert!(!message.contains("vault"), "{first:?} {kind:?}: {message}");
        }
    }
    let elsewhere = |second: &mut Crossplane| second.xr["metadata"]["namespace"] = json!("team-b");
    let world = second(Kind::Namespaced, elsewhere, Kind::Namespaced).await;
    assert!(!world.message(BOOTSTRAPPED).contains("team-a"), "{}", world.message(BOOTSTRAPPED));
    let said = world.said.lock().unwrap().concat();
    assert!(!said.contains("is the instance of"), "nor in an event");
}

#[tokio::test]
async fn an_xr_that_was_made_again_is_not_named_to_itself() {
    let named_alike = |second: &mut Crossplane| second.xr["metadata"]["name"] = json!("vault");
    let world = second(Kind::Namespaced, named_alike, Kind::Namespaced).await;
    assert!(world.message(BOOTSTRAPPED).contains("somebody else"), "{}", world.message(BOOTSTRAPPED));
}

#[tokio::test]
async fn a_replica_that_does_not_know_whose_instance_it_is_repeats_what_the_xr_says() {
    let mut world = second(Kind::Namespaced, |_| {}, Kind::Namespaced).await;
    world.settle().await;
    let (message, events) = (world.message(BOOTSTRAPPED), world.crossplane.events.len());
    let knows = Arc::clone(&world.function);
    let does_not = Arc::new(world.another_function());
    for _ in 0..4 {
        for function in [&does_not, &knows] {
            world.function = Arc::clone(function);
            world.clock.advance(std::time::Duration::from_mins(20));
            assert_eq!(world.settle().await, Reconciled::Applied { changed: false });
            assert_eq!(world.message(BOOTSTRAPPED), message);
        }
    }
    assert_eq!(world.events(events), [] as [&str; 0]);
}

#[tokio::test]
async fn an_xr_that_was_told_of_somebody_else_is_told_once_whose_instance_it_is() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    let knows = Arc::clone(&world.function);
    world.restart();
    world.crossplane = another(Kind::Namespaced, &world.fake.url());
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.until_reason(BOOTSTRAPPED, "BootstrappedElsewhere").await;
    assert!(world.message(BOOTSTRAPPED).contains("somebody else"), "this replica does not know");
    let events = world.crossplane.events.len();
    let does_not = std::mem::replace(&mut world.function, knows);
    world.settle().await;
    let named = world.message(BOOTSTRAPPED);
    assert!(named.contains(" is the instance of Vault team-a/vault already"), "{named}");
    world.function = does_not;
    assert_eq!(world.settle().await, Reconciled::Applied { changed: false });
    assert_eq!(world.message(BOOTSTRAPPED), named);
    assert_eq!(world.events(events), [] as [&str; 0], "the reason is the same");
}

#[tokio::test]
async fn another_server_of_the_same_xr_is_not_said_to_be_a_neighbours() {
    let mut world = second(Kind::Namespaced, |_| {}, Kind::Namespaced).await;
    let other = world.another_instance().await;
    world.crossplane.input["instance"]["endpoint"]["url"] = json!(other.url());
    world.settle().await;
    assert!(world.crossplane.is_ready(), "{}", world.story());
    assert!(!world.xr_status().contains("is the instance of"), "{}", world.xr_status());
}
