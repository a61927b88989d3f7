//! What is written to the XR's status where the XRD does not declare all of it.

use std::time::Duration;

use fake_crossplane::Reconciled;
use fake_infisical::{Settings, Variant};
use serde_json::{Value, json};

use crate::world::{KINDS, Kind, World, variant};

/// The condition that names what is left out.
const WRITTEN: &str = "InfisicalStatusWritten";

/// What the connection has on the status.
const OF_CONNECTION: [&str; 6] = [
    "connectionSecretRef.name",
    "connectionSecretRef.namespace",
    "host",
    "identityId",
    "organizationId",
    "tokenExpiresAt",
];

fn object(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// A schema of an XR that declares all that the connection has, at `status.infisical`.
fn whole() -> Value {
    let text = json!({"type": "string"});
    let reference = object(&json!({"name": text, "namespace": text}));
    let infisical = object(&json!({
        "host": text, "organizationId": text, "identityId": text, "tokenExpiresAt": text,
        "connectionSecretRef": reference,
    }));
    let status = object(&json!({"infisical": infisical}));
    object(&json!({"spec": {"type": "object"}, "status": status}))
}

/// The same without what is at these places.
fn without(places: &[&str]) -> Value {
    let mut schema = whole();
    for place in places {
        let mut at = &mut schema["properties"]["status"]["properties"];
        let (within, name) = place.rsplit_once('.').map_or((None, *place), |(a, b)| (Some(a), b));
        for name in within.iter().flat_map(|within| within.split('.')) {
            at = &mut at[name]["properties"];
        }
        at.as_object_mut().unwrap().remove(name);
    }
    schema
}

async fn start(kind: Kind, settings: Settings, schema: Value) -> World {
    let mut world = World::start(settings, kind).await;
    world.crossplane.input["status"] = json!("status.infisical");
    world.crossplane.schema = Some(schema);
    world
}

/// The texts that are at the places of the connection, and those that are not.
fn written(world: &World) -> (Vec<String>, Vec<String>) {
    let status = &world.crossplane.xr["status"]["infisical"];
    let is_there = |place: &&str| status.pointer(&format!("/{}", place.replace('.', "/"))).is_some();
    let (there, missing): (Vec<&str>, Vec<&str>) = OF_CONNECTION.into_iter().partition(is_there);
    let paths = |all: Vec<&str>| all.into_iter().map(|place| format!("status.infisical.{place}")).collect();
    (paths(there), paths(missing))
}

#[tokio::test]
async fn a_field_that_the_xrd_does_not_declare_is_left_out_and_named_and_all_else_is_applied() {
    let table: [&[&str]; 4] = [
        &["infisical.organizationId"],
        &["infisical.connectionSecretRef.namespace", "infisical.tokenExpiresAt"],
        &["infisical.connectionSecretRef"],
        &["infisical"],
    ];
    for (kind, places) in KINDS.into_iter().flat_map(|kind| table.map(|places| (kind, places))) {
        let mut world = start(kind, Settings::default(), without(places)).await;
        world.connect().await;
        assert!(world.token_works(), "{}", world.story());
        let (_, missing) = written(&world);
        let is_undeclared = |path: &&String| places.iter().any(|place| path.contains(place));
        assert!(missing.iter().all(|path| is_undeclared(&path)) && !missing.is_empty(), "{missing:?}");
        let (status, reason, message) = world.crossplane.condition(WRITTEN).unwrap();
        assert_eq!((status, reason), ("False", "FieldNotDeclared"), "{message}");
        assert!(message.contains(&missing.join(", ")), "{message}");
        let kind = world.crossplane.xr["kind"].as_str().unwrap();
        assert!(message.contains(&format!("The schema of {kind} (example.org/v1)")), "{message}");
        // The event is of the transition.
        world.live(Duration::from_mins(15)).await;
        assert_eq!(world.events(0), ["FieldNotDeclared", "Bootstrapped"], "{}", world.story());
    }
}

#[tokio::test]
async fn a_field_of_another_type_is_left_out_as_well() {
    let mut schema = whole();
    schema["properties"]["status"]["properties"]["infisical"]["properties"]["host"] =
        json!({"type": "object"});
    let mut world = start(Kind::Namespaced, Settings::default(), schema).await;
    world.connect().await;
    assert_eq!(written(&world).1, ["status.infisical.host"]);
}

#[tokio::test]
async fn what_is_declared_later_is_written_within_a_minute() {
    let mut world = start(Kind::Namespaced, Settings::default(), without(&["infisical"])).await;
    world.connect().await;
    assert_eq!(written(&world).0, [""; 0]);
    world.live(Duration::from_mins(5)).await;
    world.crossplane.schema = Some(whole());
    world.live(Duration::from_mins(1)).await;
    assert_eq!(written(&world).1, [""; 0], "{}", world.story());
    let (status, reason, _) = world.crossplane.condition(WRITTEN).unwrap();
    assert_eq!((status, reason), ("True", "FieldsDeclared"));
    assert_eq!(world.events(2), ["FieldsDeclared"], "{}", world.story());
    world.live(Duration::from_mins(11)).await;
    assert_eq!(world.crossplane.called, 1, "all is said");
    assert_eq!(world.events(3), [""; 0]);
}

#[tokio::test]
async fn a_field_that_is_not_declared_any_more_is_left_out() {
    let mut world = start(Kind::Namespaced, Settings::default(), whole()).await;
    world.connect().await;
    assert!(world.crossplane.condition(WRITTEN).is_none(), "nothing is missing");
    let gone = without(&["infisical.identityId"]);
    // The API server does not show what it does not know.
    world.crossplane.xr["status"]["infisical"].as_object_mut().unwrap().remove("identityId");
    world.crossplane.schema = Some(gone);
    world.settle().await;
    assert_eq!(written(&world).1, ["status.infisical.identityId"]);
    assert_eq!(world.crossplane.condition(WRITTEN).unwrap().1, "FieldNotDeclared");
}

#[tokio::test]
async fn the_schema_costs_a_call_only_until_the_status_is_written() {
    for settings in [Variant::Strict, Variant::Lenient].map(variant) {
        let mut world = start(Kind::Namespaced, settings, whole()).await;
        // It looks at its token once a day, so that seventy days are short.
        world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
        world.reconcile().await;
        assert_eq!(world.crossplane.called, 2, "before the instance is ready");
        world.connect().await;
        assert_eq!(world.crossplane.called, 1, "{}", world.story());
        // A process that knows nothing, and a token that is replaced.
        world.restart();
        world.reconcile().await;
        assert_eq!(world.crossplane.called, 1, "{}", world.story());
        world.live(Duration::from_hours(70 * 24)).await;
        assert_eq!(world.crossplane.called, 1, "{}", world.story());
    }
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.schema = Some(whole());
    world.connect().await;
    assert_eq!(world.crossplane.called, 1, "the input has no status");
}

#[tokio::test]
async fn replicas_that_are_called_in_turn_say_the_same() {
    for places in [["infisical.host"].as_slice(), &[]] {
        let mut world = start(Kind::Namespaced, Settings::default(), without(places)).await;
        world.connect().await;
        let status = world.xr_status();
        let other = std::sync::Arc::new(world.another_function());
        for _ in 0..6 {
            let replicas = [std::sync::Arc::clone(&world.function), std::sync::Arc::clone(&other)];
            let mut turn = 0;
            let answer = async |request| {
                turn += 1;
                Ok::<_, std::convert::Infallible>(replicas[turn % 2].call(request, None).await)
            };
            let reconciled = world.crossplane.reconcile(answer).await.unwrap();
            assert!(matches!(reconciled, Reconciled::Applied { .. }), "{reconciled:?}");
            assert_eq!(world.crossplane.called, 1 + usize::from(!places.is_empty()));
        }
        let conditions = |status: &str| status.matches(WRITTEN).count();
        assert_eq!(conditions(&world.xr_status()), conditions(&status));
        assert_eq!(
            world.events(0).iter().filter(|reason| **reason == "FieldNotDeclared").count(),
            places.len()
        );
    }
}

#[tokio::test]
async fn what_is_handed_off_is_left_out_as_well() {
    let mut world = start(Kind::Namespaced, Settings::default(), whole()).await;
    world.crossplane.input["handOff"] = json!({"status": "status.identity"});
    world.connect().await;
    assert!(world.crossplane.xr["status"]["identity"].is_null());
    let message = world.message(WRITTEN);
    let places =
        "status.identity.identityId, status.identity.secretRef.name, status.identity.secretRef.namespace";
    assert!(message.contains(places), "{message}");
    assert_eq!(written(&world).1, [""; 0], "the connection is declared");
    assert_eq!(world.crossplane.condition("InfisicalHandedOff").unwrap().0, "True");
}

#[tokio::test]
async fn without_a_schema_everything_is_written() {
    // The API server has none yet, and a Crossplane that cannot bring one.
    for capabilities in [true, false] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.crossplane.input["status"] = json!("status.infisical");
        world.connect().await;
        let mut request = world.request();
        request.observed.as_mut().unwrap().composite.as_mut().unwrap().resource = {
            let mut xr = world.crossplane.xr.clone();
            xr["status"].as_object_mut().unwrap().remove("infisical");
            Some(fake_crossplane::structs::encode(&xr))
        };
        if !capabilities {
            request.meta.as_mut().unwrap().capabilities.clear();
        }
        let response = world.call(request).await;
        assert_eq!(response.requirements.is_some(), capabilities);
        let manifest = response.desired.unwrap().composite_manifest().unwrap();
        let status = fake_crossplane::structs::decode(&manifest)["status"]["infisical"].clone();
        assert_eq!(status.as_object().unwrap().len(), 5, "{status}");
    }
}

/// As the function once did; it shows that the fake would tell.
#[tokio::test]
async fn a_status_that_is_not_declared_is_refused_with_all_conditions() {
    let mut world = start(Kind::Namespaced, Settings::default(), whole()).await;
    world.connect().await;
    let request = world.request();
    let response = world.call(request).await;
    world.crossplane.schema = Some(without(&["infisical.host"]));
    let before = world.xr_status();
    let Reconciled::Refused(why) = world.crossplane.apply(&response) else { panic!("{}", world.story()) };
    assert!(why.ends_with(".status.infisical.host: field not declared in schema"), "{why}");
    assert_eq!(world.xr_status(), before);
}
