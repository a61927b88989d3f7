//! What goes wrong: with the server, the function, Crossplane and the Secret.

use std::{sync::Arc, time::Duration};

use fake_infisical::{Fault, On, Route, Times, Variant};
use function_infisical::contract::proto::v1::RunFunctionResponse;
use kube::api::{DeleteParams, DynamicObject};
use serde_json::json;

use crate::{
    cluster::{until, watch},
    functions::{Hold, Relay, client_config, serve},
    world::{SOON, World, infisical},
    xrs::{NAMESPACED, Pipeline, Xr},
};

/// Somebody deletes the connection Secret: it comes back, with the same token
/// as far as memory goes, and without another bootstrap.
pub(crate) async fn connection_secret_deleted(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "secret-deleted");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let name = "secret-deleted-connection";
    let gone = async |world: &World| {
        let secrets = world.secrets_of(&xr);
        let uid = secrets.get(name).await.expect("the Secret").metadata.uid;
        secrets.delete(name, &DeleteParams::default()).await.expect("it can be deleted");
        watch("the Secret is back", SOON, &secrets, name, |secret| secret.metadata.uid != uid).await;
    };
    gone(world).await;
    world.ends_well(&xr, &fake).await;
    // Again, with a function that remembers nothing.
    world.restart_function().await;
    gone(world).await;
    world.ends_well(&xr, &fake).await;
    assert_eq!(fake.bootstraps().asked, 1);
}

/// Somebody revokes every token: the next verification replaces it.
pub(crate) async fn token_revoked(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "token-revoked");
    let pipeline = Pipeline::with_input(json!({ "token": { "verifyInterval": "10s" } }));
    xr.create(world, &fake, &pipeline).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let dead = world.token(&xr).await;
    fake.revoke_all_tokens();
    let living = async || world.token(&xr).await.filter(|token| fake.token_works(token));
    let token = until("the token is replaced", SOON, living).await;
    assert!(Some(token) != dead, "a token that works is another one");
    world.ends_well(&xr, &fake).await;
    assert_eq!(fake.bootstraps().asked, 1);
}

/// SIGKILL while the server works on the bootstrap, and has done nothing yet.
pub(crate) async fn function_killed_before_the_answer(world: &mut World) {
    killed_during_bootstrap(world, "killed-before", Fault::Hang).await;
}

/// SIGKILL when the server has answered, and the answer is lost.
pub(crate) async fn function_killed_after_the_answer(world: &mut World) {
    killed_during_bootstrap(world, "killed-after", Fault::HangAfter).await;
}

async fn killed_during_bootstrap(world: &mut World, name: &str, fault: Fault) {
    let fake = infisical(Variant::Strict).await;
    fake.inject(On::Route(Route::Bootstrap), Times::Next(1), fault);
    let xr = Xr::new(NAMESPACED, name);
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    until("a bootstrap is asked for", SOON, async || (fake.count(Route::Bootstrap) == 1).then_some(())).await;
    world.restart_function().await;
    world.ends_well(&xr, &fake).await;
    let emails = fake.bootstraps().emails;
    assert!(emails.iter().all(|email| email == "platform@example.org"), "{emails:?}");
}

/// For 30 s after the instance reports ready there is no answer.
pub(crate) async fn server_silent_for_30_s(world: &mut World) {
    let fake = infisical(Variant::Lenient).await;
    fake.inject(On::Any, Times::Always, Fault::Hang);
    let xr = Xr::new(NAMESPACED, "silent");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.until_condition(&xr, "InfisicalBootstrapped", "Unreachable").await;
    fake.clear_faults();
    world.ends_well_within(&xr, &fake, Duration::from_mins(1)).await;
}

/// SIGKILL of Crossplane when the function has answered with the connection,
/// and nothing was applied.
pub(crate) async fn crossplane_killed_before_the_apply(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let hold = Hold::first(has_connection);
    let answered = Arc::clone(&hold.held);
    let client = client_config(&world.plane.crossplane_client);
    let relay = Arc::new(Relay::new(world.function.port, &client, hold));
    let served = serve(relay, &world.function.certificates).await;
    world.point_to(served.port).await;

    let xr = Xr::new(NAMESPACED, "crossplane-killed");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    tokio::time::timeout(SOON, answered.notified()).await.expect("the connection is answered");
    world.plane.kill_crossplane().await;
    assert!(world.token(&xr).await.is_none(), "nothing was applied");
    // The function as well: what it remembered is lost with it.
    world.restart_function().await;
    world.point_to(world.function.port).await;
    world.restart_crossplane(&[]).await;
    world.ends_well(&xr, &fake).await;
    assert_eq!(fake.bootstraps().asked, 1);
}

fn has_connection(response: &RunFunctionResponse) -> bool {
    response.desired.as_ref().is_some_and(|desired| desired.resource("infisical-connection").is_some())
}

/// Deleted, and made again under its name with a new database behind it.
pub(crate) async fn xr_deleted_and_made_again(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "made-again");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let first = world.token(&xr).await;
    let xrs = world.xrs(&xr);
    let uid = xrs.get(&xr.name).await.expect("the XR").metadata.uid;
    xrs.delete(&xr.name, &DeleteParams::default()).await.expect("it can be deleted");
    until("the XR is gone", SOON, async || xrs.get_opt(&xr.name).await.ok()?.is_none().then_some(())).await;
    let new = infisical(Variant::Strict).await;
    xr.create(world, &new, &Pipeline::default()).await;
    assert_ne!(xrs.get(&xr.name).await.expect("the XR").metadata.uid, uid);
    // Until the old Deployment is gone, the new XR cannot have its own.
    let is_new = |deployment: &DynamicObject| {
        let owners = deployment.metadata.owner_references.as_deref().unwrap_or_default();
        owners.iter().all(|owner| Some(&owner.uid) != uid.as_ref())
    };
    watch("the new XR has a Deployment", SOON, &deployments(world, &xr), "made-again-infisical", is_new)
        .await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &new).await;
    assert!(world.token(&xr).await != first, "another instance, another token");
}

fn deployments(world: &World, xr: &Xr) -> kube::Api<DynamicObject> {
    crate::cluster::api(&world.client, "apps/v1", "Deployment", Some(&xr.namespace))
}
