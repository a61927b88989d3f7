//! The examples, applied as their README says.
//!
//! One thing is not as in the file: the endpoint is a fake's URL, because there
//! is no DNS in a cluster without nodes. Nor is there a provider-helm, so that
//! example is only rendered.

use fake_infisical::Variant;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};

use crate::{
    cluster::{api, api_of, apply, is_true, namespace, until, watch},
    world::{SOON, World, infisical},
    xrs::Xr,
};

/// Where the examples are applied.
const NAMESPACE: &str = "team-a";

/// What a user applies last, and looks at then.
struct Example {
    folder: &'static str,
    file: &'static str,
    kind: &'static str,
    /// Where it is not called after the XR.
    connection_secret: Option<&'static str>,
}

const EXAMPLES: [Example; 3] = [
    Example { folder: "external", file: "xr.yaml", kind: "InfisicalConnection", connection_secret: None },
    Example { folder: "namespaced", file: "xr.yaml", kind: "Infisical", connection_secret: None },
    Example {
        folder: "legacy-claim",
        file: "claim.yaml",
        kind: "InfisicalClaim",
        connection_secret: Some("acme-infisical"),
    },
];

/// Each ends with a token in the Secret that its README names.
pub(crate) async fn examples_are_applied(world: &mut World) {
    namespace(&world.client, NAMESPACE).await;
    for example in &EXAMPLES {
        let fake = infisical(Variant::Strict).await;
        define(world, example).await;
        apply(&world.client, &composition(world, example, &fake.url())).await;
        let documents = example.documents(world, example.file);
        apply(&world.client, &documents[0]).await;
        let xr = Xr {
            api_version: "platform.example.org/v1alpha1",
            kind: example.kind,
            name: "acme".to_owned(),
            namespace: NAMESPACE.to_owned(),
            connection_secret: example.connection_secret.map(str::to_owned),
        };
        if example.folder != "external" {
            world.until_condition(&xr, "InfisicalBootstrapped", "WaitingForInstance").await;
            assert!(fake.log().is_empty(), "nobody is asked before the instance is ready");
            world.make_stateful_set_ready(NAMESPACE, "acme-postgresql").await;
            for deployment in ["acme-redis", "acme"] {
                world.make_deployment_available(NAMESPACE, deployment).await;
            }
        }
        world.ends_well(&xr, &fake).await;
        assert_eq!(fake.organization_names(), ["Acme"], "{}", example.folder);
        delete(world, &xr).await;
    }
}

/// What comes before the Composition.
async fn define(world: &World, example: &Example) {
    for file in ["rbac.yaml", "required.yaml", "xrd.yaml"] {
        for document in example.documents(world, file) {
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
    let mut composition = example.documents(world, "composition.yaml").remove(0);
    let steps = composition["spec"]["pipeline"].as_array_mut().expect("a pipeline");
    let step = steps.iter_mut().find(|step| step["functionRef"]["name"] == crate::world::FUNCTION);
    step.expect("the function is in it")["input"]["instance"]["endpoint"] = json!({ "url": url });
    composition
}

/// With all that it composed, whose names the next example has too. The garbage
/// collector looks for new kinds of owners twice a minute only.
async fn delete(world: &World, xr: &Xr) {
    let xrs = world.xrs(xr);
    xrs.delete(&xr.name, &DeleteParams::default()).await.expect("it can be deleted");
    until("the example is gone", SOON, async || xrs.get_opt(&xr.name).await.ok()?.is_none().then_some(()))
        .await;
    let composed = ListParams::default().labels("crossplane.io/composite");
    for (version, kind) in
        [("v1", "Secret"), ("v1", "Service"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet")]
    {
        let all = api(&world.client, version, kind, Some(NAMESPACE));
        let is_gone = async || {
            // The XR of a claim may compose once more after the claim is gone.
            all.delete_collection(&DeleteParams::default(), &composed).await.ok()?;
            all.list(&composed).await.ok()?.items.is_empty().then_some(())
        };
        until("what the example composed is gone", SOON, is_gone).await;
    }
}

impl Example {
    /// What is in a file, if it is there.
    fn documents(&self, world: &World, file: &str) -> Vec<Value> {
        let path = world.root.join("examples").join(self.folder).join(file);
        let Ok(text) = std::fs::read_to_string(&path) else { return Vec::new() };
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
