//! `docs/mistakes.md` is true: each mistake is made, the XR says what the page
//! says, and mended as the page says it is ready.
//!
//! What Crossplane itself adds is held against the real one by the case
//! `ten_mistakes`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_crossplane::{Crossplane, Earlier, Reconciled, structs};
use fake_infisical::Variant;
use function_infisical::contract::proto::v1::{Condition, State, Status};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    client::{authority, tls_in_front},
    page::{Applied, Mistake, NAMESPACE, Says, mistakes},
    world::{Kind, World, variant},
};

/// The condition that says what is waited for.
const BOOTSTRAPPED: &str = "InfisicalBootstrapped";

/// What Crossplane puts before the message of a fatal result.
fn fatal(step: &str, message: &str) -> String {
    format!("cannot compose resources: pipeline step \"{step}\" returned a fatal result: {message}")
}

fn page() -> Vec<Mistake> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mistakes.md");
    mistakes(&std::fs::read_to_string(path).unwrap())
}

/// What the step before this function composes.
fn composed(xr: &str) -> [(&'static str, Value); 3] {
    let of = |api_version, kind, suffix| {
        json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": format!("{xr}-{suffix}"), "namespace": NAMESPACE}, "spec": {"replicas": 1},
        })
    };
    [
        ("infisical", of("apps/v1", "Deployment", "infisical")),
        ("service", of("v1", "Service", "infisical")),
        ("database", of("apps/v1", "StatefulSet", "database")),
    ]
}

/// Puts into the cluster what is applied, and gives the name of the last step,
/// and what the ones before it say.
async fn apply(world: &mut World, mistake: &Mistake, applied: Applied) -> (String, Vec<Says>) {
    let Applied { mut xr, mut steps, objects } = applied;
    if xr["kind"] != "XInfisical" {
        xr["spec"]["crossplane"] = json!({"compositionRef": {"name": mistake.name}});
    }
    let crossplane = &mut world.crossplane;
    let (uid, status) = (crossplane.xr["metadata"]["uid"].clone(), crossplane.xr["status"].take());
    xr["metadata"]["uid"] = uid;
    xr["status"] = status;
    crossplane.xr = xr;
    crossplane.earlier.clear();
    for (name, manifest) in composed(&mistake.name) {
        crossplane.earlier.insert(name.to_owned(), Earlier { manifest, ready: 0.try_into().unwrap() });
    }
    crossplane.others = objects.iter().cloned().map(stored).collect();
    let last = steps.pop().unwrap();
    let mut said = Vec::new();
    for step in steps {
        said.push(compose(world, &step).await);
    }
    world.crossplane.input = last["input"].clone();
    for credential in last["credentials"].as_array().into_iter().flatten() {
        let secret = objects.iter().find(|it| it["metadata"] == credential["secretRef"]).unwrap();
        let data = secret["stringData"].as_object().unwrap().iter();
        let data = data.map(|(key, value)| (key.clone(), value.as_str().unwrap().as_bytes().to_vec()));
        let name = credential["name"].as_str().unwrap().to_owned();
        world.crossplane.credentials.insert(name, data.collect());
    }
    (last["step"].as_str().unwrap().to_owned(), said)
}

/// As the API server keeps a Secret.
fn stored(mut secret: Value) -> Value {
    let texts = secret["stringData"].take();
    for (key, text) in texts.as_object().unwrap() {
        secret["data"][key] = STANDARD.encode(text.as_str().unwrap()).into();
    }
    secret
}

/// A step of this function that comes before the last one, and what it says.
async fn compose(world: &mut World, step: &Value) -> Says {
    world.crossplane.input = step["input"].clone();
    let response = world.call(world.request()).await;
    let desired = State::decode(response.desired.unwrap().encode_to_vec().as_slice()).unwrap();
    for (name, resource) in desired.resources {
        let (manifest, ready) = (structs::decode(resource.resource.as_deref().unwrap()), resource.ready());
        world.crossplane.earlier.insert(name, Earlier { manifest, ready });
    }
    let is_ours = |condition: &&Condition| condition.r#type == BOOTSTRAPPED;
    let condition = response.conditions.iter().find(is_ours).unwrap();
    assert_eq!(condition.status(), Status::ConditionFalse, "the instance is not there yet");
    Says {
        condition_type: BOOTSTRAPPED.to_owned(),
        status: "False".to_owned(),
        reason: condition.reason.clone(),
        message: condition.message.clone().unwrap(),
    }
}

/// Reconciles until nothing changes, with an instance that is available.
async fn settle(world: &mut World) -> Reconciled {
    match world.settle().await {
        Reconciled::Applied { .. } => {
            world.crossplane.make_available("infisical");
            world.settle().await
        }
        other => other,
    }
}

/// What the XR says, as the page shows it. What steps before the last one said
/// stays, whatever becomes of that.
fn says(crossplane: &Crossplane, (step, before): (String, Vec<Says>), reconciled: &Reconciled) -> Vec<Says> {
    if let Reconciled::Fatal(message) = reconciled {
        let (condition_type, status, reason) = ("Synced".into(), "False".into(), "ReconcileError".into());
        let synced = Says { condition_type, status, reason, message: fatal(&step, message) };
        return [synced].into_iter().chain(before).collect();
    }
    let (status, reason, message) = crossplane.condition(BOOTSTRAPPED).unwrap();
    let (status, reason, message) = (status.to_owned(), reason.to_owned(), message.to_owned());
    vec![Says { condition_type: BOOTSTRAPPED.to_owned(), status, reason, message }]
}

#[test]
fn the_page_has_ten_mistakes() {
    let names: Vec<String> = page().into_iter().map(|mistake| mistake.name).collect();
    let numbers = ["1a", "1b", "2", "3", "4", "5", "6", "7", "8a", "8b", "8c", "9", "10"];
    assert_eq!(names, numbers.map(|number| format!("acme-{number}")));
}

#[tokio::test]
async fn the_xr_says_of_each_mistake_what_the_page_says_and_mended_it_is_ready() {
    for mistake in page() {
        // A strict server refuses the token of a bootstrap, and so one to adopt.
        let server = if mistake.adopts() { Variant::Fixed } else { Variant::Strict };
        let mut world = World::start(variant(server), Kind::Namespaced).await;
        is_said(&mut world, &mistake).await;
        is_mended(&mut world, &mistake).await;
    }
}

async fn is_said(world: &mut World, mistake: &Mistake) {
    let name = &mistake.name;
    let steps = apply(world, mistake, mistake.wrong()).await;
    let reconciled = settle(world).await;
    assert_eq!(says(&world.crossplane, steps, &reconciled), mistake.says, "{name}");
    let is_fatal = matches!(reconciled, Reconciled::Fatal(_));
    assert_eq!(!mistake.events.is_empty(), is_fatal, "{name}: waiting is no event, and a mistake is");
    assert!(mistake.events.iter().all(|[.., message]| *message == mistake.says[0].message), "{name}");
    if !is_fatal {
        // Crossplane does not watch a Secret that it looks up.
        let input = &world.crossplane.input;
        let looks_up = ["admin", "adopt"].iter().any(|field| !input[field]["secretRef"].is_null());
        let ttl = if looks_up { 10 } else { 60 };
        assert_eq!(world.crossplane.ttl, Some(ttl), "{name}: what is added later is noticed");
    }
    assert!(world.fake.log().is_empty(), "{name}: the server was asked");
}

async fn is_mended(world: &mut World, mistake: &Mistake) {
    let authority = authority("localhost", 2100);
    let (url, _tls) = if mistake.has_ca() {
        let (url, tls) = tls_in_front(world.fake.address(), &authority).await;
        (url, Some(tls))
    } else {
        (world.fake.url(), None)
    };
    let mut right = mistake.right(&url, &authority.ca_pem);
    if mistake.adopts() {
        let token = world.bootstrap_elsewhere("admin@example.org", "marker-password-of-theirs");
        right.objects[0]["stringData"]["admin-token"] = token.into();
    }
    apply(world, mistake, right).await;
    settle(world).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}: {}", mistake.name, world.story());
}
