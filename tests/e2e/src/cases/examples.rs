//! The examples, applied as their README says.
//!
//! One thing is not as in the file: the endpoint is a fake's URL, because there
//! is no DNS in a cluster without nodes. External Secrets Operator runs. There are no
//! providers: what uses the connection is held against its kind by the API server, and
//! a stand-in sets what its controller would.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_infisical::{FakeInfisical, Variant};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    cluster::{api, api_of, apply, condition, is_true, namespace, patch_status, until, watch},
    render::URL,
    world::{SOON, World, bootstrap_elsewhere, infisical},
    xrs::Xr,
};

/// As long as Crossplane waits before it tries again.
const LATER: Duration = Duration::from_secs(90);

/// Where a Release says that the chart's Service is.
const OF_RELEASE: &str = "http://{{ $xr.metadata.name }}.{{ $xr.metadata.namespace }}.svc:8080";

/// Where the examples are applied.
const NAMESPACE: &str = "team-a";

/// What a user applies last, and looks at then.
struct Example {
    folder: &'static str,
    file: &'static str,
    kind: &'static str,
    /// Where it is not called after the XR.
    connection_secret: Option<&'static str>,
    token_key: &'static str,
    is_namespaced: bool,
    /// What uses the connection, in the order in which it becomes ready.
    consumers: &'static [Consumer],
}

/// Something of another project: apiVersion, kind and name.
type Consumer = (&'static str, &'static str, &'static str);

const EXAMPLE: Example = Example {
    folder: "",
    file: "xr.yaml",
    kind: "",
    connection_secret: None,
    token_key: "token",
    is_namespaced: true,
    consumers: &[],
};

const EXAMPLES: [Example; 5] = [
    Example { folder: "adopt", kind: "AdoptedInfisical", ..EXAMPLE },
    Example { folder: "external", kind: "InfisicalConnection", ..EXAMPLE },
    Example { folder: "helm", kind: "InfisicalRelease", ..EXAMPLE },
    Example { folder: "namespaced", kind: "Infisical", ..EXAMPLE },
    Example {
        folder: "legacy-claim",
        file: "claim.yaml",
        kind: "InfisicalClaim",
        connection_secret: Some("acme-infisical"),
        ..EXAMPLE
    },
];

const EXTERNAL_SECRETS: Example = Example {
    folder: "external-secrets",
    kind: "SecretsOfTeam",
    consumers: &[
        ("external-secrets.io/v1", "SecretStore", "acme"),
        ("external-secrets.io/v1", "ExternalSecret", "acme"),
    ],
    ..EXAMPLE
};

/// The project that its XR names.
const PROJECT: &str = "shop-x1y2";

/// Those whose consumers are of providers, for which the harness stands in.
const WITH_PROVIDERS: [Example; 3] = [
    Example {
        folder: "http",
        kind: "HttpProject",
        consumers: &[("http.m.crossplane.io/v1alpha2", "DisposableRequest", "acme-project")],
        ..EXAMPLE
    },
    Example {
        folder: "opentofu",
        kind: "TofuProject",
        token_key: "INFISICAL_TOKEN",
        consumers: &[("opentofu.m.upbound.io/v1beta1", "Workspace", "acme")],
        ..EXAMPLE
    },
    Example {
        folder: "provider-infisical",
        kind: "InfisicalProject",
        is_namespaced: false,
        consumers: &[
            ("identity.crossplane.infisical.com/v1alpha1", "Identity", "acme-shop"),
            ("project.crossplane.infisical.com/v1alpha1", "Project", "acme-shop"),
            // Composed when the Project has an id.
            ("secret.crossplane.infisical.com/v1alpha1", "Secret", "acme-database-password"),
        ],
        ..EXAMPLE
    },
];

/// Each ends with a token in the Secret that its README names.
pub(crate) async fn examples_are_applied(world: &mut World) {
    namespace(&world.client, NAMESPACE).await;
    define_kinds_of_providers(world).await;
    for example in &EXAMPLES {
        let fake = infisical(Variant::Strict).await;
        let xr = create(world, example, &fake).await;
        if ["helm", "namespaced", "legacy-claim"].contains(&example.folder) {
            world.until_condition(&xr, "InfisicalBootstrapped", "WaitingForInstance").await;
            assert!(fake.log().is_empty(), "nobody is asked before the instance is ready");
            start_instance(world, example).await;
        }
        if example.folder == "adopt" {
            world.is_connected(&xr, &fake, SOON).await;
            assert_eq!(fake.bootstraps().asked, 0, "somebody else has");
        } else {
            world.ends_well(&xr, &fake).await;
        }
        assert_eq!(fake.organization_names(), ["Acme"], "{}", example.folder);
        if example.folder == "namespaced" {
            let may = [
                may_read(world, "get", "acme-connection").await,
                may_read(world, "get", "acme-admin").await,
                may_read(world, "list", "").await,
            ];
            assert_eq!(may, [true, false, false], "what reader.yaml allows");
        }
        delete(world, example, &xr).await;
    }
}

/// Plays whoever would run the instance that an example composes.
async fn start_instance(world: &World, example: &Example) {
    if example.folder == "helm" {
        let releases = api(&world.client, "helm.m.crossplane.io/v1beta1", "Release", Some(NAMESPACE));
        return patch_status(&releases, "acme", &ready()).await;
    }
    world.make_stateful_set_ready(NAMESPACE, "acme-postgresql").await;
    for deployment in ["acme-redis", "acme"] {
        world.make_deployment_available(NAMESPACE, deployment).await;
    }
}

/// Asks the API server what the service account of reader.yaml may do.
async fn may_read(world: &World, verb: &str, name: &str) -> bool {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
        "spec": {
            "user": format!("system:serviceaccount:{NAMESPACE}:shop"),
            "resourceAttributes": {
                "namespace": NAMESPACE, "resource": "secrets", "verb": verb, "name": name,
            },
        },
    });
    let review = serde_json::from_value(review).expect("a review");
    let reviews = api(&world.client, "authorization.k8s.io/v1", "SubjectAccessReview", None);
    let answer: DynamicObject = reviews.create(&PostParams::default(), &review).await.expect("an answer");
    answer.data["status"]["allowed"] == true
}

/// Until the operator is installed, Crossplane says so, and nothing is lost. Then it
/// reads a secret as the identity that was handed off.
pub(crate) async fn external_secrets_come_later(world: &mut World) {
    namespace(&world.client, NAMESPACE).await;
    let example = &EXTERNAL_SECRETS;
    let fake = infisical(Variant::Strict).await;
    let xr = create(world, example, &fake).await;
    let names_the_kind = |xr: &DynamicObject| {
        condition(xr, "Synced")
            .and_then(|synced| synced["message"].as_str())
            .is_some_and(|message| message.contains("external-secrets.io"))
    };
    watch("the XR names the kind", SOON, &world.xrs(&xr), &xr.name, names_the_kind).await;
    until("it is bootstrapped", SOON, async || (fake.bootstraps().successful == 1).then_some(())).await;
    fake.add_project(PROJECT);
    fake.put_secret(PROJECT, "dev", ("DATABASE_PASSWORD", "of-the-shop"));
    define_kinds(world, &kinds_in(&world.kinds_of_external_secrets())).await;
    let _operator = world.start_external_secrets();
    world.until_condition(&xr, "InfisicalHandedOff", "HandedOff").await;
    watch("the XR is ready", LATER, &world.xrs(&xr), &xr.name, |xr| is_true(xr, "Ready")).await;
    world.ends_well(&xr, &fake).await;
    let secrets = Api::<Secret>::namespaced(world.client.clone(), NAMESPACE);
    let read = secrets.get("acme-database").await.expect("what the ExternalSecret names");
    assert_eq!(read.data.unwrap_or_default()["password"].0, b"of-the-shop");
    delete(world, example, &xr).await;
}

/// What uses the connection is taken by the API server as it is, and the XR is
/// ready when all of it is.
pub(crate) async fn consumers_are_composed(world: &mut World) {
    namespace(&world.client, NAMESPACE).await;
    define_kinds_of_providers(world).await;
    for example in &WITH_PROVIDERS {
        let fake = infisical(Variant::Strict).await;
        let xr = create(world, example, &fake).await;
        world.until_condition(&xr, "InfisicalTokenValid", "Accepted").await;
        if example.folder == "provider-infisical" {
            world.until_condition(&xr, "InfisicalHandedOff", "HandedOff").await;
            let (client_id, client_secret) = world.identity(&xr).await.expect("a Secret with both");
            assert!(fake.client_secret_works(&client_id, &client_secret));
            let names_the_secret =
                |xr: &DynamicObject| xr.data["status"]["identity"]["secretRef"]["name"] == "acme-identity";
            watch("the status names the Secret", SOON, &world.xrs(&xr), &xr.name, names_the_secret).await;
        }
        consume(world, example, &xr).await;
        world.ends_well(&xr, &fake).await;
        delete(world, example, &xr).await;
    }
}

/// Plays the controllers of what uses the connection.
async fn consume(world: &World, example: &Example, xr: &Xr) {
    for (api_version, kind, name) in example.consumers {
        let object = world.xrs(xr).get(&xr.name).await.expect("the XR");
        assert!(!is_true(&object, "Ready"), "{}: {kind} is not ready yet", example.folder);
        let consumers = api(&world.client, api_version, kind, example.is_namespaced.then_some(NAMESPACE));
        until(&format!("{kind} is composed"), LATER, async || consumers.get(name).await.ok()).await;
        patch_status(&consumers, name, &ready()).await;
    }
}

/// What the controllers of the other projects say of what is well.
fn ready() -> Value {
    let condition = |kind| {
        json!({
            "type": kind, "status": "True", "reason": "Available",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    json!({
        "conditions": [condition("Ready"), condition("Synced")],
        "atProvider": { "id": "7c1e6d1a-0000-4000-8000-000000000001" },
    })
}

/// The kinds of the providers, and what Crossplane may do with them; its RBAC
/// manager allows that where the provider is.
async fn define_kinds_of_providers(world: &World) {
    let mut kinds = kinds_in(&world.root.join("tests/fixtures/crds"));
    kinds.retain(|kind| kind["spec"]["group"] != "external-secrets.io");
    define_kinds(world, &kinds).await;
    let groups: Vec<_> = kinds.iter().map(|kind| &kind["spec"]["group"]).collect();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {
            "name": "crossplane-composes-kinds-of-providers",
            "labels": { "rbac.crossplane.io/aggregate-to-crossplane": "true" },
        },
        "rules": [{ "apiGroups": groups, "resources": ["*"], "verbs": ["*"] }],
    });
    apply(&world.client, &role).await;
}

fn kinds_in(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).expect("the kinds are there");
    let mut kinds: Vec<_> = files.flatten().flat_map(|file| read(&file.path())).collect();
    kinds.retain(|kind| kind["kind"] == "CustomResourceDefinition");
    kinds
}

async fn define_kinds(world: &World, kinds: &[Value]) {
    for kind in kinds {
        apply(&world.client, kind).await;
        let name = kind["metadata"]["name"].as_str().expect("a CRD has a name");
        let is_served = |crd: &DynamicObject| is_true(crd, "Established");
        watch("the kind is served", SOON, &api_of(&world.client, kind), name, is_served).await;
    }
}

/// Applies an example up to its XR.
async fn create(world: &World, example: &Example, fake: &FakeInfisical) -> Xr {
    define(world, example, fake).await;
    apply(&world.client, &composition(world, example, &fake.url())).await;
    let documents = example.documents(world, example.file);
    apply(&world.client, &documents[0]).await;
    Xr {
        api_version: "platform.example.org/v1alpha1",
        kind: example.kind,
        name: "acme".to_owned(),
        namespace: NAMESPACE.to_owned(),
        is_namespaced: example.is_namespaced,
        connection_secret: example.connection_secret.map(str::to_owned),
        token_key: example.token_key,
    }
}

/// What comes before the Composition.
async fn define(world: &World, example: &Example, fake: &FakeInfisical) {
    for file in ["rbac.yaml", "reader.yaml", "providerconfig.yaml", "required.yaml", "xrd.yaml"] {
        // Of a claim it is what Crossplane makes of it.
        if file == "required.yaml" && example.file == "claim.yaml" {
            continue;
        }
        for mut document in example.documents(world, file) {
            if document["metadata"]["name"] == "infisical-bootstrap-secret" {
                let token = bootstrap_elsewhere(fake, "change-me-before-applying");
                document["data"]["token"] = STANDARD.encode(token).into();
            }
            if let Some(name) = document["metadata"]["namespace"].as_str() {
                namespace(&world.client, name).await;
            }
            apply(&world.client, &document).await;
        }
    }
    let xrd = example.documents(world, "xrd.yaml").remove(0);
    let name = xrd["metadata"]["name"].as_str().expect("an XRD has a name");
    let has_claims = xrd["spec"]["claimNames"].is_object();
    let is_served =
        |xrd: &DynamicObject| is_true(xrd, "Established") && (!has_claims || is_true(xrd, "Offered"));
    watch("the kinds are served", SOON, &api_of(&world.client, &xrd), name, is_served).await;
}

fn composition(world: &World, example: &Example, url: &str) -> Value {
    let text = std::fs::read_to_string(example.path(world, "composition.yaml")).expect("a Composition");
    let text = text.replace(URL, url).replace(OF_RELEASE, url);
    let mut composition: Value = serde_saphyr::from_str(&text).expect("YAML");
    let steps = composition["spec"]["pipeline"].as_array_mut().expect("a pipeline");
    let step = steps.iter_mut().find(|step| step["functionRef"]["name"] == crate::world::FUNCTION);
    let endpoint = &mut step.expect("the function is in it")["input"]["instance"]["endpoint"];
    if endpoint["fromComposedResource"].is_null() {
        *endpoint = json!({ "url": url });
    }
    composition
}

/// With all that it composed, whose names the next example has too. The garbage
/// collector looks for new kinds of owners twice a minute only.
async fn delete(world: &World, example: &Example, xr: &Xr) {
    let xrs = world.xrs(xr);
    xrs.delete(&xr.name, &DeleteParams::default()).await.expect("it can be deleted");
    until("the example is gone", SOON, async || xrs.get_opt(&xr.name).await.ok()?.is_none().then_some(()))
        .await;
    let composed = ListParams::default().labels("crossplane.io/composite");
    let ours = [("v1", "Secret"), ("v1", "Service"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet")]
        .map(|(version, kind)| (version, kind, Some(NAMESPACE)));
    // One that is left says that it is ready to the next XR of its name.
    let namespace = example.is_namespaced.then_some(NAMESPACE);
    let consumers = example.consumers.iter().map(|(version, kind, _)| (*version, *kind, namespace));
    for (version, kind, namespace) in ours.into_iter().chain(consumers) {
        let all = api(&world.client, version, kind, namespace);
        let is_gone = async || {
            // The XR of a claim may compose once more after the claim is gone.
            all.delete_collection(&DeleteParams::default(), &composed).await.ok()?;
            all.list(&composed).await.ok()?.items.is_empty().then_some(())
        };
        until("what the example composed is gone", SOON, is_gone).await;
    }
}

impl Example {
    fn path(&self, world: &World, file: &str) -> PathBuf {
        world.root.join("examples").join(self.folder).join(file)
    }

    /// What is in a file, if it is there.
    fn documents(&self, world: &World, file: &str) -> Vec<Value> {
        let path = self.path(world, file);
        if path.is_file() { read(&path) } else { Vec::new() }
    }
}

fn read(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
