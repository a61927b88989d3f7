//! Whatever the author of an XR or of its claim writes: the Secrets stay in the namespaces
//! that are theirs, nothing of another namespace is read, and nothing of it is sent.

use std::{cell::Cell, collections::BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_crossplane::Reconciled;
use fake_infisical::Variant;
use proptest::{
    option,
    prelude::{Just, Strategy, prop},
    prop_assert, prop_oneof,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};

use crate::world::{KINDS, Kind, World, variant};

/// Whose Secrets nobody may reach.
const VICTIM: &str = "victim";
/// What stands in them.
const MARKER: &str = "marker-of-the-victim";
/// What a Secret of the function's may be called there.
const NAMES: [&str; 5] = ["login", "vault-admin", "vault-connection", "vault-token", "vault-x7k2p-admin"];

/// What an author has written.
#[derive(Clone, Debug)]
struct Written {
    kind: Kind,
    /// Fields of `spec` that a field path of the input reads.
    fields: Vec<(&'static str, Value)>,
    connection_ref: Option<Value>,
    claim_ref: Option<Value>,
    resource_refs: Option<Value>,
    metadata: Option<Value>,
    conditions: Option<Value>,
    /// Whether the input has a token to adopt, whose Secret the XR names.
    adopts: bool,
    /// The claim that is there, and whether it names the XR.
    claim: Option<(&'static str, bool)>,
}

fn namespace() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!(VICTIM)),
        2 => select(vec!["team-a", "team-b", "team-c", "platform", "kube-system"]).prop_map(|it| json!(it)),
        1 => odd(),
    ]
}

fn name() -> impl Strategy<Value = Value> {
    prop_oneof![4 => select(NAMES.to_vec()).prop_map(|it| json!(it)), 1 => odd()]
}

/// What nobody expects there.
fn odd() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(""),
        json!(7),
        json!(true),
        json!([]),
        json!({"name": "login", "namespace": VICTIM}),
        json!("victim/login"),
        json!("../victim/login"),
        json!("Ω\u{0}\n"),
        json!("x".repeat(5000)),
    ])
}

fn reference() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (name(), namespace()).prop_map(|(name, namespace)| json!({"name": name, "namespace": namespace})),
        1 => odd(),
    ]
}

fn resource_reference() -> impl Strategy<Value = Value> {
    reference().prop_map(|mut reference| {
        if let Some(reference) = reference.as_object_mut() {
            reference.insert("apiVersion".to_owned(), json!("v1"));
            reference.insert("kind".to_owned(), json!("Secret"));
        }
        reference
    })
}

fn claim_reference() -> impl Strategy<Value = Value> {
    let api_version = select(vec!["example.org/v1", "v1", "other.org/v1", "example.org/v2"]);
    let kind = select(vec!["Vault", "Secret", "XVault", ""]);
    (api_version, kind, reference()).prop_map(|(api_version, kind, mut reference)| {
        if let Some(reference) = reference.as_object_mut() {
            reference.insert("apiVersion".to_owned(), json!(api_version));
            reference.insert("kind".to_owned(), json!(kind));
        }
        reference
    })
}

fn metadata() -> impl Strategy<Value = Value> {
    let key = select(vec![
        "crossplane.io/claim-name",
        "crossplane.io/claim-namespace",
        "crossplane.io/composite",
        "crossplane.io/composition-resource-name",
        "crossplane.io/external-name",
    ]);
    let value = select(vec![VICTIM, "login", "infisical-admin", "infisical-connection"]);
    prop::collection::btree_map(key, value, 0..4).prop_map(|entries| json!(entries))
}

fn conditions() -> impl Strategy<Value = Value> {
    let one = (
        select(vec!["InfisicalBootstrapped", "InfisicalTokenValid", "InfisicalHandedOff", "Ready"]),
        select(vec!["True", "False", "Unknown", "?"]),
        select(vec!["Bootstrapped", "Accepted", "PartiallyBootstrapped", "TokenRefused", "RightKept", "?"]),
        select(vec!["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday"]),
    );
    let one = one.prop_map(|(name, status, reason, since)| {
        json!({
            "type": name, "status": status, "reason": reason, "lastTransitionTime": since,
            "message": "Infisical at http://127.0.0.1 says so of platform@example.org",
        })
    });
    prop_oneof![4 => prop::collection::vec(one, 0..4).prop_map(|all| json!(all)), 1 => odd()]
}

fn written() -> impl Strategy<Value = Written> {
    let field = select(vec!["secretName", "team", "email", "url", "slug"]);
    let value = prop_oneof![
        2 => select(vec!["login", "sa-token", "payments", "a@example.org", "http://169.254.169.254"])
            .prop_map(|it| json!(it)),
        1 => odd(),
    ];
    let claim = option::of((select(vec![VICTIM, "team-c"]), prop::bool::ANY));
    (
        (select(KINDS.to_vec()), prop::collection::vec((field, value), 0..4)),
        (option::of(reference()), option::of(claim_reference())),
        (option::of(prop::collection::vec(resource_reference(), 0..3)), option::of(metadata())),
        (option::of(conditions()), prop::bool::ANY, claim),
    )
        .prop_map(
            |((kind, fields), (connection_ref, claim_ref), (refs, metadata), (conditions, adopts, claim))| {
                let resource_refs = refs.map(|refs| json!(refs));
                Written {
                    kind,
                    fields,
                    connection_ref,
                    claim_ref,
                    resource_refs,
                    metadata,
                    conditions,
                    adopts,
                    claim,
                }
            },
        )
}

impl Written {
    fn write(&self, world: &mut World) {
        let xr = &mut world.crossplane.xr;
        for (field, value) in &self.fields {
            xr["spec"][*field] = value.clone();
        }
        let references = [
            ("writeConnectionSecretToRef", &self.connection_ref),
            ("claimRef", &self.claim_ref),
            ("resourceRefs", &self.resource_refs),
        ];
        for (field, value) in references {
            if let Some(value) = value {
                xr["spec"][field] = value.clone();
            }
        }
        if let (Some(refs), Some(of_v2)) = (&self.resource_refs, xr["spec"].get_mut("crossplane")) {
            of_v2["resourceRefs"] = refs.clone();
        }
        if let Some(metadata) = &self.metadata {
            xr["metadata"]["labels"] = metadata.clone();
            xr["metadata"]["annotations"] = metadata.clone();
        }
        if let Some(conditions) = &self.conditions {
            xr["status"] = json!({"conditions": conditions});
        }
        world.crossplane.claim = self.claim.map(|(namespace, is_bound)| {
            let bound_to = if is_bound { "vault-x7k2p" } else { "another" };
            json!({
                "apiVersion": "example.org/v1", "kind": "Vault",
                "metadata": {"name": "login", "namespace": namespace},
                "spec": {"resourceRef": {
                    "apiVersion": "example.org/v1", "kind": "XVault", "name": bound_to,
                }},
            })
        });
    }

    /// Where Secrets may be composed.
    fn allowed(&self) -> BTreeSet<String> {
        let of = |reference: &Option<Value>| {
            let namespace = reference.as_ref()?.get("namespace")?.as_str()?;
            Some(namespace.to_owned())
        };
        match self.kind {
            Kind::Namespaced => BTreeSet::from(["team-a".to_owned()]),
            // The XRD declares the field, so the platform lets its author choose.
            Kind::Cluster => of(&self.connection_ref).into_iter().chain(["team-b".to_owned()]).collect(),
            Kind::Legacy => {
                let bound = self.claim.filter(|(_, is_bound)| *is_bound).map(|(namespace, _)| namespace);
                bound.into_iter().map(str::to_owned).collect()
            }
        }
    }
}

async fn hostile(written: &Written) -> World {
    // This one refuses no token of its own making: what is refused is another's.
    let mut world = World::start(variant(Variant::Lenient), written.kind).await;
    for name in NAMES {
        world.crossplane.others.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": VICTIM},
            "data": {"token": STANDARD.encode(MARKER), "email": STANDARD.encode("marker@example.org"), "password": STANDARD.encode(MARKER)},
        }));
    }
    let input = &mut world.crossplane.input;
    input["organizationFromCompositeFieldPath"] = json!("spec.team");
    if written.adopts {
        input["adopt"] =
            json!({"secretRef": {"nameFromCompositeFieldPath": "spec.secretName", "key": "token"}});
    }
    input["handOff"] = json!({"projects": [{"slugFromCompositeFieldPath": "spec.slug"}]});
    for (field, value) in [("secretName", "login"), ("team", "payments"), ("slug", "payments")] {
        world.crossplane.xr["spec"][field] = json!(value);
    }
    written.write(&mut world);
    world
}

/// Whether it has got that far that a token was had.
async fn stays_at_home(written: &Written) -> Result<bool, TestCaseError> {
    let mut world = hostile(written).await;
    let allowed = written.allowed();
    for nth in 0..8 {
        let required = world.call(world.crossplane.request()).await.requirements.unwrap_or_default();
        for selector in required
            .resources
            .values()
            .filter(|it| (it.api_version.as_str(), it.kind.as_str()) == ("v1", "Secret"))
        {
            let namespace = selector.namespace.clone().unwrap_or_default();
            let is_own = match written.kind {
                Kind::Cluster => namespace == "platform" || allowed.contains(&namespace),
                Kind::Namespaced | Kind::Legacy => allowed.contains(&namespace),
            };
            prop_assert!(is_own, "a Secret is looked up in {namespace:?}");
        }
        if nth == 3 {
            world.crossplane.make_available("infisical");
        }
        if nth == 6 {
            world.restart();
        }
        if let Reconciled::Fatal(message) = world.reconcile().await {
            prop_assert!(!message.contains(MARKER), "{message}");
        }
        for (name, object) in
            world.crossplane.composed.iter().filter(|(name, _)| name.starts_with("infisical-"))
        {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            prop_assert!(allowed.contains(namespace), "{name} is composed in {namespace:?}");
            prop_assert!(
                !object.to_string().contains(&STANDARD.encode(MARKER)),
                "{name} has what is the victim's"
            );
        }
    }
    prop_assert!(!world.story().contains(MARKER));
    let is_bound_there = allowed.contains(VICTIM);
    for entry in world.fake.log() {
        let is_refused = entry.authorized && entry.status == Some(401);
        let is_the_victims = entry.email.as_deref() == Some("marker@example.org");
        prop_assert!(is_bound_there || !(is_refused || is_the_victims), "{entry:?}");
    }
    Ok(world.crossplane.composed.contains_key("infisical-connection"))
}

#[test]
fn whatever_an_author_writes_stays_in_the_namespaces_that_are_theirs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let connected = Cell::new(0);
    TestRunner::new(config)
        .run(&written(), |written| {
            let is_connected = runtime.block_on(stays_at_home(&written))?;
            connected.set(connected.get() + u32::from(is_connected));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(connected.get() > 20, "hardly any gets far: {}", connected.get());
}
