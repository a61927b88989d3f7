//! What the author of an XR decides, and what is the Composition's: from which
//! namespace a login is read, and what Secrets are called.

use std::{collections::BTreeMap, time::Duration};

use fake_crossplane::{
    Reconciled,
    calls::{Calls, Next},
};
use fake_infisical::{Entry, Fault, On, Settings, Times, Variant};
use function_infisical::contract::proto::v1::{ResourceSelector, RunFunctionResponse};
use serde_json::{Value, json};

use crate::world::{KINDS, Kind, World, variant};

/// The response of a reconcile that is used.
async fn used(world: &World) -> RunFunctionResponse {
    let mut calls = Calls::new(world.crossplane.request());
    loop {
        let response = world.call(calls.request.clone()).await;
        match calls.take(&response, &world.crossplane) {
            Next::Used => return response,
            Next::Again => {}
            Next::Unstable => panic!("what is asked for changes from call to call"),
        }
    }
}

/// What is required, once it does not change any more. Not the places of the function's
/// own Secrets, from which nothing is taken.
async fn required(world: &World) -> BTreeMap<String, ResourceSelector> {
    let mut required = used(world).await.requirements.unwrap_or_default().resources;
    for ours in ["admin", "connection", "identity"] {
        required.remove(&format!("infisical-{ours}-secret"));
    }
    required
}

/// Where it is looked for.
async fn looked_for_in(world: &World) -> Vec<Option<String>> {
    required(world).await.into_values().map(|selector| selector.namespace).collect()
}

async fn with_secrets(kind: Kind, own: Value) -> World {
    let mut world = World::start(Settings::default(), kind).await;
    let named = json!({"nameFromCompositeFieldPath": "spec.secretName"});
    world.crossplane.input["admin"] = json!({"secretRef": named});
    world.crossplane.input["adopt"] = json!({"secretRef": named});
    world.crossplane.input["instance"]["endpoint"] = json!({
        "url": "https://infisical.example.org", "tls": {"caBundleFrom": {"configMapRef": {"name": "ca"}}},
    });
    world.crossplane.input["writeConnectionSecretToRef"] = own;
    world.crossplane.xr["spec"]["secretName"] = json!("of-somebody");
    world
}

#[tokio::test]
async fn what_is_sent_to_the_server_is_never_read_where_the_xrs_spec_says() {
    let table = [
        (Kind::Namespaced, json!({}), "team-a"),
        (Kind::Cluster, json!({"namespace": "platform"}), "platform"),
        (Kind::Legacy, json!({}), "team-c"),
        (Kind::Legacy, json!({"namespace": "platform"}), "team-c"),
    ];
    for (kind, own, namespace) in table {
        let world = with_secrets(kind, own).await;
        let objects = if kind == Kind::Legacy { 4 } else { 3 }; // the claim, too
        assert_eq!(looked_for_in(&world).await, vec![Some(namespace.to_owned()); objects], "{kind:?}");
    }
}

#[tokio::test]
async fn without_a_namespace_of_its_own_the_composition_has_to_write_one() {
    for (input, field) in [
        (json!({"admin": {"secretRef": {"name": "a"}}}), "input.admin.secretRef.namespace"),
        (json!({"adopt": {"secretRef": {"name": "a"}}}), "input.adopt.secretRef.namespace"),
        (
            json!({"instance": {"endpoint": {"tls": {"caBundleFrom": {"secretRef": {"name": "a"}}}}}}),
            "input.instance.endpoint.tls.caBundleFrom.secretRef.namespace",
        ),
    ] {
        let mut world = World::start(Settings::default(), Kind::Cluster).await;
        world.crossplane.input["instance"]["endpoint"]["url"] = json!("https://infisical.example.org");
        merge(&mut world.crossplane.input, &input);
        let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
        assert!(message.starts_with(&format!("{field}: is missing")), "{message}");
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            into.remove("email");
            from.iter().for_each(|(name, value)| merge(into.entry(name).or_insert(json!({})), value));
        }
        (into, from) => *into = from.clone(),
    }
}

#[tokio::test]
async fn no_credentials_go_to_another_port_or_scheme_of_an_allowed_host() {
    for from in ["fromCompositeFieldPath", "fromComposedResource"] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        let url = world.fake.url();
        let (source, whose) = match from {
            "fromCompositeFieldPath" => (json!("spec.url"), "the composite resource"),
            _ => {
                (json!({"resource": "infisical", "fieldPath": "spec.url"}), "composed resource \"infisical\"")
            }
        };
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.crossplane.xr["spec"]["url"] = json!(url);
        world.crossplane.composed.get_mut("infisical").unwrap()["spec"]["url"] = json!(url);
        let port = world.fake.address().port();
        for allowed in ["127.0.0.1".to_owned(), "http://127.0.0.1".to_owned(), format!("127.0.0.1:{port}")] {
            world.crossplane.input["instance"]["endpoint"] = json!({from: source, "allowedHosts": [allowed]});
            let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
            let begin = format!(
                "input.instance.endpoint.allowedHosts: spec.url of {whose} names {url}, which is not"
            );
            assert!(message.starts_with(&begin), "{message}");
        }
        assert!(world.fake.log().is_empty());
        world.crossplane.input["instance"]["endpoint"] = json!({from: source, "allowedHosts": [url]});
        world.reconcile().await;
        assert!(!world.fake.log().is_empty(), "{}", world.story());
    }
}

#[tokio::test]
async fn a_secret_that_is_there_goes_on_under_its_name() {
    for kind in KINDS {
        let mut world = World::start(Settings::default(), kind).await;
        world.crossplane.input["handOff"] = json!({"status": "status.identity"});
        world.crossplane.input["status"] = json!("status.infisical");
        world.connect().await;
        let said = || ["InfisicalBootstrapped", "InfisicalTokenValid", "InfisicalHandedOff"];
        let before = (said().map(|it| world.message(it)), world.crossplane.xr["status"].clone());
        world.crossplane.input["writeConnectionSecretToRef"] = json!({"name": "another"});
        world.crossplane.input["handOff"]["writeConnectionSecretToRef"] = json!({"name": "a-third"});
        if kind != Kind::Legacy {
            world.crossplane.xr["spec"]["writeConnectionSecretToRef"]["name"] = json!("another");
        }
        world.restart();
        world.live(Duration::from_mins(11)).await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
        let after = (said().map(|it| world.message(it)), world.crossplane.xr["status"].clone());
        assert_eq!(after, before, "{kind:?}");

        world.crossplane.composed.remove("infisical-connection");
        world.live(Duration::from_mins(11)).await;
        assert!(world.message("InfisicalTokenValid").ends_with("another"), "{}", world.story());
    }
}

#[tokio::test]
async fn the_connection_may_not_be_called_as_the_admins_secret() {
    for of_spec in [false, true] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        let parent = if of_spec { &mut world.crossplane.xr["spec"] } else { &mut world.crossplane.input };
        parent["writeConnectionSecretToRef"] = json!({"name": "vault-admin"});
        let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
        assert!(
            message.starts_with("input.writeConnectionSecretToRef.name: is \"vault-admin\""),
            "{message}"
        );
        assert!(world.fake.log().is_empty());
    }
}

#[tokio::test]
async fn what_stands_in_the_place_of_an_email_is_not_repeated() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    // The keys are swapped.
    world.crossplane.input["admin"]["secretRef"] =
        json!({"name": "supplied", "emailKey": "password", "passwordKey": "email"});
    world.crossplane.others.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "supplied", "namespace": "team-a"},
        "data": {"email": "YUBleGFtcGxlLm9yZw==", "password": "bWFya2VyQGV4YW1wbGUub3Jn"},
    }));
    let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
    assert!(message.contains("input.admin") && !message.contains("marker"), "{message}");
}

/// A legacy XR whose author names a claim in the namespace of somebody else.
async fn forged(claim: Option<Value>) -> World {
    let mut world = World::start(Settings::default(), Kind::Legacy).await;
    world.crossplane.xr["spec"]["claimRef"]["namespace"] = json!("victim");
    world.crossplane.claim = claim;
    world
}

fn claim_in_victim(resource: &str) -> Value {
    json!({
        "apiVersion": "example.org/v1", "kind": "Vault",
        "metadata": {"name": "vault", "namespace": "victim"},
        "spec": {"resourceRef": {"apiVersion": "example.org/v1", "kind": "XVault", "name": resource}},
    })
}

fn our_secrets(world: &World) -> Vec<&str> {
    let composed = world.crossplane.composed.keys().map(String::as_str);
    composed.filter(|name| name.starts_with("infisical-")).collect()
}

#[tokio::test]
async fn a_claim_that_does_not_name_the_xr_gets_no_secret_in_its_namespace() {
    let mut of_another_kind = claim_in_victim("vault-x7k2p");
    of_another_kind["spec"]["resourceRef"]["kind"] = json!("XOther");
    let unbound = json!({
        "apiVersion": "example.org/v1", "kind": "Vault",
        "metadata": {"name": "vault", "namespace": "victim"}, "spec": {},
    });
    let claims = [None, Some(unbound), Some(claim_in_victim("another-xr")), Some(of_another_kind)];
    let mut said = Vec::new();
    for claim in claims {
        let mut world = forged(claim).await;
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.live(Duration::from_mins(1)).await;
        assert!(our_secrets(&world).is_empty(), "{:?}", our_secrets(&world));
        assert!(world.fake.log().is_empty() && world.crossplane.connection_details.is_empty());
        assert!(!world.crossplane.is_ready());
        assert_eq!(world.conditions()[0].1, "WaitingForClaim");
        said.push(world.message("InfisicalBootstrapped"));
    }
    assert!(said.iter().all(|message| *message == said[0]), "whether a claim is there is not told: {said:?}");
}

#[tokio::test]
async fn a_claim_is_served_as_soon_as_it_names_the_xr() {
    let mut world = forged(None).await;
    world.settle().await;
    world.crossplane.claim = Some(claim_in_victim("vault-x7k2p"));
    world.live(Duration::from_secs(10)).await;
    world.crossplane.make_available("infisical");
    world.settle().await;
    assert!(world.crossplane.is_ready(), "{}", world.story());
    let connection = &world.crossplane.composed["infisical-connection"]["metadata"];
    assert_eq!(connection["namespace"], "victim", "who may write claims there has bound it");
    assert!(looked_for_in(&world).await.is_empty(), "from then on nothing has to be looked up");

    world.crossplane.claim = None;
    world.restart();
    world.live(Duration::from_mins(11)).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}

#[tokio::test]
async fn no_login_is_read_in_the_namespace_of_a_claim_that_does_not_name_the_xr() {
    for (key, own) in [("admin", json!({})), ("adopt", json!({"namespace": "platform"}))] {
        let mut world = forged(None).await;
        world.crossplane.input[key]["secretRef"] = json!({"name": "sa-token"});
        world.crossplane.input["writeConnectionSecretToRef"] = own;
        world.crossplane.others.push(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "sa-token", "namespace": "victim"},
            "data": {"token": "bWFya2VyLXRva2Vu", "email": "YUBleGFtcGxlLm9yZw==", "password": "bWFya2Vy"},
        }));
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.live(Duration::from_mins(1)).await;
        let required = required(&world).await;
        assert!(required.values().all(|selector| selector.kind != "Secret"), "{required:?}");
        assert!(world.fake.log().is_empty(), "{key}: nothing is sent");
    }
}

#[tokio::test]
async fn what_the_xrs_author_calls_a_claim_may_be_no_object_of_another_api() {
    for (api_version, kind) in [("v1", "Secret"), ("other.org/v1", "Vault"), ("example.org/v1", "XVault")] {
        let mut world = forged(None).await;
        world.crossplane.xr["spec"]["claimRef"]["apiVersion"] = json!(api_version);
        world.crossplane.xr["spec"]["claimRef"]["kind"] = json!(kind);
        assert!(looked_for_in(&world).await.is_empty(), "{kind} of {api_version}");
        world.settle().await;
        assert_eq!(world.conditions()[0].1, "WaitingForClaim");
    }
}

#[tokio::test]
async fn connection_details_of_a_legacy_xr_are_neither_tried_nor_handed_out() {
    for is_reachable in [true, false] {
        // One that refuses no token of its own making.
        let mut world = World::start(variant(Variant::Lenient), Kind::Legacy).await;
        // What `spec.writeConnectionSecretToRef` points at, whoever owns it.
        let foreign = BTreeMap::from([("token".to_owned(), b"marker-of-somebody".to_vec())]);
        world.crossplane.connection_details = foreign;
        if !is_reachable {
            world.fake.inject(On::Any, Times::Always, Fault::CloseBefore);
        }
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.live(Duration::from_mins(1)).await;
        assert_ne!(world.token(), "marker-of-somebody");
        assert_eq!(world.crossplane.is_ready(), is_reachable, "{}", world.story());
        let is_sent = |entry: &Entry| entry.authorized && (!is_reachable || entry.status == Some(401));
        assert!(!world.fake.log().iter().any(is_sent), "it is sent nowhere");
    }
}

#[tokio::test]
async fn a_secret_that_the_xr_does_not_control_is_neither_read_nor_changed() {
    for kind in KINDS {
        for name in ["infisical-connection", "infisical-admin", "infisical-identity"] {
            let mut world = World::start(Settings::default(), kind).await;
            world.crossplane.input["handOff"] = json!({});
            // Orphaned by another XR, and named by the author in the resourceRefs of this one.
            let orphan = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": "theirs", "namespace": "victim"},
                "data": {"token": "bWFya2VyLXRva2Vu", "email": "YUBleGFtcGxlLm9yZw==", "password": "bWFya2Vy"},
            });
            world.crossplane.composed.insert(name.to_owned(), orphan.clone());
            let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
            assert!(message.contains(name) && message.contains("victim/theirs"), "{message}");
            assert_eq!(world.crossplane.composed[name], orphan, "{kind:?}");
            assert!(world.fake.log().is_empty());
        }
    }
}

#[tokio::test]
async fn a_legacy_xr_without_a_claim_composes_where_the_input_says_only() {
    let mut world = World::start(Settings::default(), Kind::Legacy).await;
    world.crossplane.xr["spec"].as_object_mut().unwrap().remove("claimRef");
    let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
    assert!(message.contains("has neither a namespace nor a claim; write here the namespace"), "{message}");
    world.crossplane.input["writeConnectionSecretToRef"] = json!({"namespace": "platform"});
    world.connect().await;
    assert_eq!(world.crossplane.composed["infisical-admin"]["metadata"]["namespace"], "platform");
}
