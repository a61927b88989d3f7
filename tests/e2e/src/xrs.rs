//! The kinds of XR that the cases make, their Compositions, and the XRs.

use std::time::Duration;

use fake_infisical::FakeInfisical;
use kube::Client;
use serde_json::{Value, json};

use crate::{
    cluster::{self, api, is_true, watch},
    world::World,
};

pub(crate) const API_VERSION: &str = "e2e.example.org/v1";
/// A namespaced v2 XR.
pub(crate) const NAMESPACED: &str = "Vault";
/// The same of an XRD that declares other things in the status.
pub(crate) const NAMESPACED_BARE: &str = "BareVault";
/// A cluster-scoped v2 XR.
pub(crate) const CLUSTER: &str = "ClusterVault";
/// A legacy XR.
pub(crate) const LEGACY: &str = "XVault";
/// A claim of it.
pub(crate) const CLAIM: &str = "VaultClaim";

/// What is deleted after a case: claims before their XRs.
pub(crate) const KINDS: [&str; 5] = [CLAIM, NAMESPACED, NAMESPACED_BARE, CLUSTER, LEGACY];

/// An XR or claim of a case.
#[derive(Clone)]
pub(crate) struct Xr {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Its own, or where what it composes goes.
    pub(crate) namespace: String,
    pub(crate) is_namespaced: bool,
    /// Where it is not called after the XR.
    pub(crate) connection_secret: Option<String>,
    /// Of the connection Secret.
    pub(crate) token_key: &'static str,
}

impl Xr {
    /// Named after the case, in a namespace of that name.
    pub(crate) fn new(kind: &'static str, name: &str) -> Self {
        Self {
            api_version: API_VERSION,
            kind,
            name: name.to_owned(),
            namespace: format!("e2e-{name}"),
            is_namespaced: !matches!(kind, CLUSTER | LEGACY),
            connection_secret: None,
            token_key: "token",
        }
    }

    pub(crate) fn is_claim(&self) -> bool {
        self.kind.ends_with("Claim")
    }

    /// Makes the Composition and the XR that uses it.
    pub(crate) async fn create(&self, world: &World, fake: &FakeInfisical, pipeline: &Pipeline) {
        self.create_at(world, &fake.url(), pipeline).await;
    }

    /// The same with any URL.
    pub(crate) async fn create_at(&self, world: &World, url: &str, pipeline: &Pipeline) {
        let client = &world.client;
        cluster::namespace(client, &self.namespace).await;
        cluster::apply(client, &pipeline.composition(self, url)).await;
        let composition = json!({ "compositionRef": { "name": self.name } });
        let mut spec = json!({ "url": url });
        match self.kind {
            NAMESPACED | NAMESPACED_BARE => spec["crossplane"] = composition,
            CLUSTER => {
                spec["crossplane"] = composition;
                spec["namespace"] = self.namespace.as_str().into();
            }
            _ => {
                spec["compositionRef"] = composition["compositionRef"].clone();
                spec["writeConnectionSecretToRef"] = json!({ "name": format!("{}-of-claim", self.name) });
            }
        }
        if let (Some(secret), NAMESPACED | CLUSTER) = (&self.connection_secret, self.kind) {
            spec["writeConnectionSecretToRef"] = json!({ "name": secret, "namespace": self.namespace });
        }
        let mut metadata = json!({ "name": self.name });
        if self.is_namespaced {
            metadata["namespace"] = self.namespace.as_str().into();
        }
        let xr = json!({ "apiVersion": API_VERSION, "kind": self.kind, "metadata": metadata, "spec": spec });
        cluster::apply(client, &xr).await;
    }
}

/// The pipeline of a Composition: something that composes, and this function.
#[derive(Clone)]
pub(crate) struct Pipeline {
    /// Merged into the smallest useful input.
    pub(crate) input: Value,
    /// `credentials` of the step.
    pub(crate) credentials: Value,
    /// Whether function-auto-ready comes after it; else the first step says
    /// what of the instance is ready.
    pub(crate) auto_ready: bool,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { input: json!({}), credentials: json!([]), auto_ready: false }
    }
}

impl Pipeline {
    pub(crate) fn with_input(input: Value) -> Self {
        Self { input, ..Self::default() }
    }

    pub(crate) fn composition(&self, xr: &Xr, url: &str) -> Value {
        let mut input = json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1",
            "kind": "Bootstrap",
            "instance": {
                "resource": "infisical",
                "endpoint": { "fromCompositeFieldPath": "spec.url", "allowedHosts": [url] },
            },
            "admin": { "email": "platform@example.org" },
            "status": "status.infisical",
        });
        merge(&mut input, &self.input);
        let mut compose = json!({ "apiVersion": "compose.example.org/v1", "kind": "Instance" });
        if !self.auto_ready {
            compose["readiness"] = "Checked".into();
        }
        let mut pipeline = vec![
            json!({ "step": "compose", "functionRef": { "name": "function-compose" }, "input": compose }),
            json!({
                "step": "infisical", "functionRef": { "name": "function-infisical" },
                "input": input, "credentials": self.credentials,
            }),
        ];
        if self.auto_ready {
            pipeline.push(json!({ "step": "ready", "functionRef": { "name": "function-auto-ready" } }));
        }
        let kind = if xr.kind == CLAIM { LEGACY } else { xr.kind };
        let mut spec = json!({
            "mode": "Pipeline",
            "compositeTypeRef": { "apiVersion": API_VERSION, "kind": kind },
            "pipeline": pipeline,
        });
        if kind == LEGACY {
            spec["writeConnectionSecretsToNamespace"] = crate::NAMESPACE.into();
        }
        json!({
            "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition",
            "metadata": { "name": xr.name }, "spec": spec,
        })
    }
}

/// Objects are merged, everything else is replaced, null removes.
fn merge(into: &mut Value, from: &Value) {
    match (into.as_object_mut(), from.as_object()) {
        (Some(into), Some(from)) => {
            for (name, value) in from {
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge(into.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        _ => *into = from.clone(),
    }
}

/// Creates the XRDs and waits until the kinds are served.
pub(crate) async fn define(client: &Client) {
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let namespaced = v2("Namespaced", NAMESPACED, "vaults", &open);
    for xrd in [namespaced, v2("Cluster", CLUSTER, "clustervaults", &open), legacy(&open)] {
        cluster::apply(client, &xrd).await;
    }
    for name in ["vaults", "clustervaults", "xvaults"] {
        is_served(client, name).await;
    }
    define_bare(client, &json!({ "host": { "type": "string" } })).await;
}

/// Creates or changes the XRD that declares this at `status.infisical`.
pub(crate) async fn define_bare(client: &Client, properties: &Value) {
    let declared = json!({ "type": "object", "properties": properties });
    cluster::apply(client, &v2("Namespaced", NAMESPACED_BARE, "barevaults", &declared)).await;
    is_served(client, "barevaults").await;
}

async fn is_served(client: &Client, name: &str) {
    let xrds = api(client, "apiextensions.crossplane.io/v1", "CompositeResourceDefinition", None);
    let name = format!("{name}.e2e.example.org");
    watch("the kind is served", Duration::from_mins(1), &xrds, &name, |xrd| is_true(xrd, "Established"))
        .await;
}

fn v2(scope: &str, kind: &str, plural: &str, infisical: &Value) -> Value {
    let secret = json!({
        "type": "object", "properties": { "name": { "type": "string" }, "namespace": { "type": "string" } },
    });
    json!({
        "apiVersion": "apiextensions.crossplane.io/v2", "kind": "CompositeResourceDefinition",
        "metadata": { "name": format!("{plural}.e2e.example.org") },
        "spec": {
            "scope": scope, "group": "e2e.example.org", "names": { "kind": kind, "plural": plural },
            "versions": [version(&json!({ "writeConnectionSecretToRef": secret }), infisical)],
        },
    })
}

fn legacy(infisical: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.crossplane.io/v1", "kind": "CompositeResourceDefinition",
        "metadata": { "name": "xvaults.e2e.example.org" },
        "spec": {
            "group": "e2e.example.org", "names": { "kind": LEGACY, "plural": "xvaults" },
            "claimNames": { "kind": CLAIM, "plural": "vaultclaims" },
            "connectionSecretKeys": ["token", "host", "organizationId"],
            "versions": [version(&json!({}), infisical)],
        },
    })
}

fn version(more: &Value, infisical: &Value) -> Value {
    let mut spec = json!({ "url": { "type": "string" }, "namespace": { "type": "string" }, "admin": { "type": "string" } });
    merge(&mut spec, more);
    let status = json!({ "infisical": infisical });
    json!({
        "name": "v1", "served": true, "referenceable": true,
        "schema": { "openAPIV3Schema": { "type": "object", "properties": {
            "spec": { "type": "object", "properties": spec },
            "status": { "type": "object", "properties": status },
        } } },
    })
}
