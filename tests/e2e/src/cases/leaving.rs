//! What stays when the function goes.

use fake_infisical::Variant;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::{
    cluster::{api, apply, until},
    world::{SOON, World, infisical},
    xrs::{NAMESPACED, Pipeline, Xr},
};

/// Both Secrets go with the step, and a copy that nobody owns stays.
pub(crate) async fn a_copy_outlives_the_step(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "leaving");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let secrets = world.secrets_of(&xr);
    for name in ["leaving-connection", "leaving-admin"] {
        let secret = secrets.get(name).await.expect("the Secret");
        apply(&world.client, &copy(&secret, &xr.namespace)).await;
    }

    let compositions = api(&world.client, "apiextensions.crossplane.io/v1", "Composition", None);
    let mut composition = compositions.get(&xr.name).await.expect("the Composition");
    let steps = composition.data["spec"]["pipeline"].as_array_mut().expect("a pipeline");
    steps.retain(|step| step["functionRef"]["name"] != crate::world::FUNCTION);
    compositions
        .replace(&xr.name, &kube::api::PostParams::default(), &composition)
        .await
        .expect("it is changed");
    for name in ["leaving-connection", "leaving-admin"] {
        let is_gone = async || secrets.get_opt(name).await.ok()?.is_none().then_some(());
        until("the Secret is gone", SOON, is_gone).await;
    }

    let token = world.key_of(&xr, "leaving-connection-kept", "token").await.expect("the copy");
    assert!(fake.token_works(&token), "nobody has revoked it");
    assert!(world.key_of(&xr, "leaving-admin-kept", "password").await.is_some());
}

/// The data without the owner and the labels.
fn copy(secret: &DynamicObject, namespace: &str) -> Value {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": secret.data["type"],
        "metadata": { "name": format!("{name}-kept"), "namespace": namespace },
        "data": secret.data["data"],
    })
}
