//! What the author of an XR decides, and what is the Composition's: from which
//! namespace a login is read, and what Secrets are called.

use std::time::Duration;

use fake_crossplane::Reconciled;
use fake_infisical::Settings;
use serde_json::{Value, json};

use crate::world::{KINDS, Kind, World};

/// Where the Secrets of an input are looked for, by requirement.
async fn looked_for_in(world: &World) -> Vec<Option<String>> {
    let response = world.call(world.crossplane.request()).await;
    let required = response.requirements.unwrap_or_default().resources;
    required.into_values().map(|selector| selector.namespace).collect()
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
        assert_eq!(looked_for_in(&world).await, vec![Some(namespace.to_owned()); 3], "{kind:?}");
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
