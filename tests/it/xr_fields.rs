//! What the author of an XR writes beside the fields that the Composition hands over:
//! it decides nothing, or only what `docs/security.md` says.

use std::time::Duration;

use fake_crossplane::Reconciled;
use fake_infisical::Settings;
use serde_json::{Value, json};

use crate::world::{KINDS, Kind, World};

const OURS: [&str; 2] = ["infisical-admin", "infisical-connection"];

/// Namespace and name of each Secret.
fn places(world: &World) -> Vec<(Value, Value)> {
    let of = |name: &&str| {
        let metadata = &world.crossplane.composed[*name]["metadata"];
        (metadata["namespace"].clone(), metadata["name"].clone())
    };
    OURS.iter().map(of).collect()
}

#[tokio::test]
async fn what_the_xr_calls_the_organization_is_sent_once() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.input["organizationFromCompositeFieldPath"] = json!("spec.team");
    world.crossplane.xr["spec"]["team"] = json!("payments");
    world.connect().await;
    let slug =
        |world: &World| world.crossplane.secret("infisical-connection").unwrap()["organizationSlug"].clone();
    assert!(slug(&world).starts_with("payments"), "{}", slug(&world));

    let before = (slug(&world), world.token());
    world.crossplane.xr["spec"]["team"] = json!("of-somebody-else");
    world.restart();
    world.live(Duration::from_mins(11)).await;
    assert_eq!((slug(&world), world.token()), before, "{}", world.story());
    assert_eq!(world.fake.bootstraps().asked, 1);
}

#[tokio::test]
async fn a_namespaced_xr_writes_to_its_own_namespace_only() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.xr["spec"]["writeConnectionSecretToRef"] = json!({"name": "a", "namespace": "victim"});
    let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
    assert!(message.contains("victim") && message.contains("its own namespace only"), "{message}");
    assert!(
        world.fake.log().is_empty() && OURS.iter().all(|it| !world.crossplane.composed.contains_key(*it))
    );
}

#[tokio::test]
async fn a_cluster_scoped_xr_reads_nothing_where_its_connection_is_written() {
    for (key, own) in [("admin", None), ("adopt", None), ("admin", Some("platform"))] {
        let mut world = World::start(Settings::default(), Kind::Cluster).await;
        world.crossplane.xr["spec"]["writeConnectionSecretToRef"]["namespace"] = json!("victim");
        world.crossplane.input[key] = json!({"secretRef": {"name": "login"}});
        if let Some(own) = own {
            world.crossplane.input["writeConnectionSecretToRef"] = json!({"namespace": own});
        }
        world.crossplane.others.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": "victim"},
            "data": {"token": "bWFya2Vy", "email": "YUBleGFtcGxlLm9yZw==", "password": "bWFya2Vy"},
        }));
        world.settle().await;
        world.crossplane.make_available("infisical");
        let reconciled = world.settle().await;
        match own {
            None => assert!(matches!(reconciled, Reconciled::Fatal(_)), "{}", world.story()),
            Some(_) => assert_eq!(world.conditions()[0].1, "WaitingForAdmin", "{}", world.story()),
        }
        assert!(world.fake.log().is_empty(), "{key}: nothing is sent");
    }
}

#[tokio::test]
async fn labels_and_annotations_of_an_xr_decide_nothing() {
    for kind in KINDS {
        let plain = World::connected(Settings::default(), kind).await;
        let mut world = World::start(Settings::default(), kind).await;
        let forged = json!({
            "crossplane.io/claim-name": "theirs", "crossplane.io/claim-namespace": "victim",
            "crossplane.io/composite": "theirs", "crossplane.io/composition-resource-name": "infisical-admin",
            "crossplane.io/external-name": "theirs", "crossplane.io/paused": "false",
        });
        world.crossplane.xr["metadata"]["labels"] = forged.clone();
        world.crossplane.xr["metadata"]["annotations"] = forged;
        world.connect().await;
        assert_eq!(places(&world), places(&plain), "{kind:?}");
        let routes = |world: &World| world.fake.log().iter().map(|entry| entry.route).collect::<Vec<_>>();
        assert_eq!(routes(&world), routes(&plain), "{kind:?}");
    }
}

#[tokio::test]
async fn what_the_conditions_say_replaces_no_secret() {
    let forged = [
        ("InfisicalBootstrapped", "False", "PartiallyBootstrapped"),
        ("InfisicalBootstrapped", "False", "AdminLoginRefused"),
        ("InfisicalBootstrapped", "False", "AdminSecretMissing"),
        ("InfisicalTokenValid", "False", "TokenRefused"),
        ("InfisicalTokenValid", "False", "TokenEnded"),
        ("InfisicalTokenValid", "True", "Accepted"),
    ];
    for (condition_type, status, reason) in forged {
        let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
        let before = OURS.map(|name| world.crossplane.secret(name));
        // It lies ahead of every clock, and names server and email as the function would.
        let message = format!("Infisical at {} says so of platform@example.org", world.fake.url());
        let said = json!([{
            "type": condition_type, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2099-01-01T00:00:00Z",
        }]);
        for restarted in [false, true] {
            world.crossplane.xr["status"]["conditions"] = said.clone();
            if restarted {
                world.restart();
            }
            world.live(Duration::from_mins(11)).await;
            assert_eq!(OURS.map(|name| world.crossplane.secret(name)), before, "{reason}");
            assert!(world.token_works(), "{reason}: {}", world.story());
        }
        assert_eq!(world.conditions().map(|(_, reason)| reason), ["Bootstrapped", "Accepted"], "{reason}");
        assert!(world.crossplane.is_ready(), "{reason}");
    }
}
