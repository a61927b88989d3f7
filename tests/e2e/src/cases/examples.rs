//! The examples, applied as their README says.

use kube::api::{DeleteParams, DynamicObject};
use serde_json::Value;

use crate::{
    cluster::{api_of, apply, condition, is_true, namespace, watch},
    world::{SOON, World},
};

/// What Crossplane accepts, composes, and waits for.
pub(crate) async fn examples_are_applied(world: &mut World) {
    namespace(&world.client, "team-a").await;
    for (example, xr) in [("namespaced", "xr.yaml"), ("legacy-claim", "claim.yaml")] {
        for file in ["rbac.yaml", "xrd.yaml"] {
            apply_all(world, example, file).await;
        }
        let xrd = documents(world, example, "xrd.yaml").remove(0);
        let name = xrd["metadata"]["name"].as_str().expect("an XRD has a name");
        let is_served = |xrd: &DynamicObject| is_true(xrd, "Established");
        watch("the kind is served", SOON, &api_of(&world.client, &xrd), name, is_served).await;
        if xr == "claim.yaml" {
            let is_offered = |xrd: &DynamicObject| is_true(xrd, "Offered");
            watch("the claim's kind is served", SOON, &api_of(&world.client, &xrd), name, is_offered).await;
        }
        apply_all(world, example, "composition.yaml").await;
        apply_all(world, example, xr).await;
        let xr = documents(world, example, xr).remove(0);
        let (xrs, name) =
            (api_of(&world.client, &xr), xr["metadata"]["name"].as_str().expect("an XR has a name"));
        let waits = |xr: &DynamicObject| {
            condition(xr, "InfisicalBootstrapped").is_some_and(|it| it["reason"] == "WaitingForInstance")
        };
        watch(&format!("{example} waits for its instance"), SOON, &xrs, name, waits).await;
        xrs.delete(name, &DeleteParams::default()).await.expect("it can be deleted");
        let is_gone = async || xrs.get_opt(name).await.ok()?.is_none().then_some(());
        crate::cluster::until("the example is gone", SOON, is_gone).await;
    }
}

async fn apply_all(world: &World, example: &str, file: &str) {
    for document in documents(world, example, file) {
        apply(&world.client, &document).await;
    }
}

fn documents(world: &World, example: &str, file: &str) -> Vec<Value> {
    let path = world.root.join("examples").join(example).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
