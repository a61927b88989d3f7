//! A Secret that is there already under the name of one of ours, and is not ours: it is
//! neither read nor changed, and goes on being there when the XR is deleted.

use std::time::Duration;

use fake_crossplane::{Earlier, Reconciled};
use fake_infisical::Settings;
use function_infisical::contract::proto::v1::Ready;
use serde_json::{Value, json};

use crate::world::{KINDS, Kind, World};

/// The Secrets: their name in the pipeline and in the cluster, and the condition that is
/// about them.
const OURS: [(&str, &str, &str); 3] = [
    ("infisical-connection", "connection", "InfisicalBootstrapped"),
    ("infisical-admin", "admin", "InfisicalBootstrapped"),
    ("infisical-identity", "identity", "InfisicalHandedOff"),
];

/// Whose a Secret is that is in the way.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Nobodys,
    Anothers,
    AnEarlierXrs,
    Deleted,
}

const FOREIGN: [Whose; 2] = [Whose::Nobodys, Whose::Anothers];
const LEAVING: [Whose; 2] = [Whose::AnEarlierXrs, Whose::Deleted];

async fn start(kind: Kind) -> World {
    let mut world = World::start(Settings::default(), kind).await;
    world.crossplane.input["handOff"] = json!({});
    world
}

fn in_the_way(world: &World, kind: Kind, suffix: &str, whose: Whose) -> Value {
    let xr = &world.crossplane.xr;
    let namespace = match kind {
        Kind::Namespaced => "team-a",
        Kind::Cluster => "team-b",
        Kind::Legacy => "team-c",
    };
    let name = match (kind, suffix) {
        // As the XR names it.
        (Kind::Cluster, "connection") => "vault-token".to_owned(),
        _ => format!("{}-{suffix}", xr["metadata"]["name"].as_str().unwrap()),
    };
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace, "uid": "somebodys"},
        "data": {"token": "bWFya2VyLXRva2Vu", "email": "YUBleGFtcGxlLm9yZw==", "password": "bWFya2Vy"},
    });
    let owner = |api_version: &Value, kind: &Value, name: &Value| {
        json!([{
            "apiVersion": api_version, "kind": kind, "name": name, "uid": "of-another",
            "controller": true, "blockOwnerDeletion": true,
        }])
    };
    let metadata = &mut secret["metadata"];
    match whose {
        Whose::Nobodys => {}
        Whose::Anothers => {
            metadata["ownerReferences"] = owner(&json!("example.org/v1"), &xr["kind"], &json!("another"));
        }
        Whose::AnEarlierXrs => {
            // Of an earlier version of its API.
            let name = &xr["metadata"]["name"];
            metadata["ownerReferences"] = owner(&json!("example.org/v1alpha1"), &xr["kind"], name);
        }
        Whose::Deleted => metadata["deletionTimestamp"] = json!("2026-11-25T00:00:00Z"),
    }
    secret
}

/// Lives for a while with a Secret in the way, and shows that it stays as it was.
async fn is_left_alone(world: &mut World, secret: &Value) {
    world.crossplane.others.push(secret.clone());
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.live(Duration::from_mins(2)).await;
    assert!(world.crossplane.others.contains(secret), "{:?}", world.crossplane.others);
    assert!(!world.crossplane.is_ready(), "{}", world.story());
}

/// It goes away, and ours is composed in its place.
async fn goes_away(world: &mut World, resource: &str) {
    world.crossplane.others.clear();
    world.live(Duration::from_mins(1)).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{resource}: {}", world.story());
    assert!(world.crossplane.composed.contains_key(resource), "{resource}");
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_not_taken_over() {
    for kind in KINDS {
        for (resource, suffix, condition) in OURS {
            for whose in FOREIGN {
                let mut world = start(kind).await;
                let secret = in_the_way(&world, kind, suffix, whose);
                is_left_alone(&mut world, &secret).await;
                let (status, reason, message) = world.crossplane.condition(condition).unwrap();
                assert_eq!((status, reason), ("False", "SecretTaken"), "{kind:?} {suffix} {whose:?}");
                let metadata = &secret["metadata"];
                let place = format!(
                    "Secret {}/{} is there already",
                    metadata["namespace"].as_str().unwrap(),
                    metadata["name"].as_str().unwrap()
                );
                assert!(message.contains(&place) && !message.contains("marker"), "{message}");
                assert!(!world.crossplane.composed.contains_key(resource));
                assert_eq!(world.events(0).iter().filter(|it| **it == "SecretTaken").count(), 1);
                let is_connected = resource == "infisical-identity";
                assert_eq!(world.token_works(), is_connected, "what stands in nobody's way goes on");
                assert_eq!(world.fake.log().is_empty(), !is_connected, "nothing is made that has no place");
                let errors = world.crossplane.events.iter().filter(|it| it.reason == "ComposeResources");
                assert_eq!(errors.count(), 0, "{}", world.story());

                goes_away(&mut world, resource).await;
                assert_eq!(world.crossplane.called, 1, "once all are observed nothing is looked up");
            }
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_going_away_is_waited_for() {
    for kind in KINDS {
        for (resource, suffix, condition) in OURS {
            for whose in LEAVING {
                let mut world = start(kind).await;
                let secret = in_the_way(&world, kind, suffix, whose);
                is_left_alone(&mut world, &secret).await;
                let (status, reason, _) = world.crossplane.condition(condition).unwrap();
                assert_eq!((status, reason), ("False", "WaitingForSecret"), "{kind:?} {suffix} {whose:?}");
                assert!(!world.events(0).contains(&"WaitingForSecret"), "nothing is to be mended");
                goes_away(&mut world, resource).await;
            }
        }
    }
}

#[tokio::test]
async fn a_secret_of_ours_that_is_not_observed_yet_is_in_nobodys_way() {
    for kind in KINDS {
        let mut world = start(kind).await;
        world.connect().await;
        for (resource, ..) in OURS {
            let whole = world.crossplane.clone();
            let secret = world.crossplane.composed.remove(resource).unwrap();
            world.crossplane.others.push(secret.clone());
            let Reconciled::Applied { .. } = world.reconcile().await else { panic!("{}", world.story()) };
            let reasons = ["InfisicalBootstrapped", "InfisicalHandedOff"]
                .map(|condition| world.crossplane.condition(condition).unwrap().1);
            assert_eq!(reasons, ["Bootstrapped", "HandedOff"], "{kind:?} {resource}");
            // Emitted again out of memory, it is the same.
            assert_eq!(world.crossplane.composed[resource]["data"], secret["data"], "{kind:?} {resource}");
            world.crossplane = whole;
        }
    }
}

#[tokio::test]
async fn a_name_that_is_taken_stops_nothing_that_stands() {
    // A token that is soon to be renewed, since what is in the way is looked at often.
    let settings = Settings { max_token_ttl: 3600, ..Settings::default() };
    let mut world = World::start(settings, Kind::Namespaced).await;
    world.connect().await;
    let token = world.token();
    // Handing off is asked for later, and where its Secret belongs there is one.
    let secret = in_the_way(&world, Kind::Namespaced, "identity", Whose::Nobodys);
    world.crossplane.others.push(secret.clone());
    world.crossplane.input["handOff"] = json!({"instanceAdmin": "Revoke"});
    world.live(Duration::from_hours(2)).await;
    assert_eq!(world.crossplane.condition("InfisicalHandedOff").unwrap().1, "SecretTaken");
    assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()));
    assert!(world.token_works() && world.token() != token, "it was renewed");
    assert_eq!(world.crossplane.others, [secret]);
}

#[tokio::test]
async fn an_admin_secret_that_is_none_of_ours_is_looked_at_where_one_is_composed_only() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    let secret = in_the_way(&world, Kind::Namespaced, "admin", Whose::Nobodys);
    world.crossplane.others.push(secret.clone());
    // It is what the message says to do where it has the admin's login.
    world.crossplane.input["admin"] = json!({"secretRef": {"name": "vault-admin"}});
    world.connect().await;
    assert!(world.token_works());
    assert_eq!(world.fake.bootstraps().emails, ["a@example.org"]);
    assert_eq!(world.crossplane.others, [secret]);
}

/// The type of a Secret is immutable, so one of another type is not taken over.
#[tokio::test]
async fn crossplane_does_not_take_over_a_secret_of_another_type() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    let secret = in_the_way(&world, Kind::Namespaced, "of-another-step", Whose::Nobodys);
    world.crossplane.others.push(secret.clone());
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "connection.crossplane.io/v1alpha1",
        "metadata": {"name": "vault-of-another-step"},
    });
    world.crossplane.earlier.insert("other".to_owned(), Earlier { manifest, ready: Ready::Unspecified });
    world.settle().await;
    assert_eq!(world.crossplane.others, [secret]);
    let message = |event: &fake_crossplane::Event| event.message.contains("type: field is immutable");
    assert!(world.crossplane.events.iter().any(message), "{}", world.story());
}

/// What would become of it if the function composed it all the same.
#[tokio::test]
async fn crossplane_takes_over_what_nobody_controls_and_deletes_it_later() {
    for whose in FOREIGN {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        let secret = in_the_way(&world, Kind::Namespaced, "of-another-step", whose);
        world.crossplane.others.push(secret.clone());
        let manifest = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault-of-another-step"},
            "data": {"token": "b3Vycw=="},
        });
        world.crossplane.earlier.insert("other".to_owned(), Earlier { manifest, ready: Ready::Unspecified });
        world.settle().await;
        if let Whose::Anothers = whose {
            assert_eq!(world.crossplane.others, [secret], "who controls it keeps it");
            assert!(world.events(0).contains(&"ComposeResources"), "{}", world.story());
            continue;
        }
        assert!(world.crossplane.others.is_empty());
        let taken = &world.crossplane.composed["other"];
        assert_eq!(taken["metadata"]["uid"], "somebodys");
        assert_eq!(
            taken["data"],
            json!({"token": "b3Vycw==", "email": secret["data"]["email"],
            "password": secret["data"]["password"]})
        );
        world.crossplane.earlier.remove("other");
        world.settle().await;
        assert!(!world.crossplane.composed.contains_key("other"), "it is gone");
    }
}
