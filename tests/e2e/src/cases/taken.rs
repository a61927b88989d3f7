//! A Secret of somebody else under the name of one of ours.

use fake_infisical::{Route, Variant};
use kube::api::{DeleteParams, DynamicObject};
use serde_json::json;

use crate::{
    cluster::{apply, events, namespace},
    world::{World, infisical},
    xrs::{NAMESPACED, Pipeline, Xr},
};

/// It was there before the XR. Crossplane would take it over: it is of the type that the
/// function's has, and nobody controls it. It is left as it is, and when it goes away the
/// XR is connected.
pub(crate) async fn secret_of_somebody_else(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let (xr, name) = (Xr::new(NAMESPACED, "taken"), "taken-connection");
    namespace(&world.client, &xr.namespace).await;
    let theirs = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "connection.crossplane.io/v1alpha1",
        "metadata": { "name": name, "namespace": xr.namespace },
        "stringData": { "token": "somebodys-token", "note": "not of this composite resource" },
    });
    apply(&world.client, &theirs).await;
    let secrets = world.secrets_of(&xr);
    let before = secrets.get(name).await.expect("the Secret");

    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    let said = world.until_condition(&xr, "InfisicalBootstrapped", "SecretTaken").await;
    let place = format!("Secret {}/{name} is there already", xr.namespace);
    assert!(said["message"].as_str().is_some_and(|message| message.contains(&place)), "{said}");
    // Some reconciles on it is the same, whole.
    // What is in the place of the Secret is brought with a second call.
    world.reconcile_again(&xr, 2).await;
    let after = secrets.get(name).await.expect("nobody has deleted it");
    let whole = |secret: &DynamicObject| {
        let metadata = &secret.metadata;
        (metadata.uid.clone(), metadata.resource_version.clone(), secret.data.clone())
    };
    assert_eq!(whole(&after), whole(&before), "nobody has written to it");
    assert_eq!(fake.count(Route::Bootstrap), 0, "no token is made that has no place");
    let warned = events(&world.client, &xr.name).await;
    let of_it = warned.iter().filter(|event| event[1] == "SecretTaken").count();
    assert_eq!(of_it, 1, "{warned:?}");

    secrets.delete(name, &DeleteParams::default()).await.expect("it can be deleted");
    world.ends_well(&xr, &fake).await;
    let ours = secrets.get(name).await.expect("the Secret");
    assert!(ours.data["data"]["note"].is_null(), "nothing of the other's is in it");
}
