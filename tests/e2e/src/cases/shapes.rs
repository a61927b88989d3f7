//! The shapes of XR that there are, and what comes before and after the step.

use fake_infisical::Variant;
use kube::api::DynamicObject;
use serde_json::json;

use crate::{
    cluster::{condition, now, watch},
    figure::{Figure, alone},
    world::{SOON, World, infisical},
    xrs::{CLAIM, CLUSTER, NAMESPACED, Pipeline, Xr},
};

/// On every variant of the server, measured.
pub(crate) async fn namespaced_xr(world: &mut World) {
    for variant in [Variant::Strict, Variant::Lenient, Variant::Fixed] {
        let fake = infisical(variant).await;
        let name = format!("namespaced-{variant:?}").to_lowercase();
        let xr = Xr::new(NAMESPACED, &name);
        xr.create(world, &fake, &Pipeline::default()).await;
        world.until_condition(&xr, "InfisicalBootstrapped", "WaitingForInstance").await;
        assert!(fake.log().is_empty(), "nobody is asked before the instance is ready");

        let (secrets, xrs) = (world.secrets(&xr), world.xrs(&xr));
        let secret = format!("{name}-connection");
        let has_token = |secret: &DynamicObject| secret.data["data"]["token"].is_string();
        let is_ready = |xr: &DynamicObject| crate::cluster::is_true(xr, "Ready");
        let seen_at = async |what, api, name: &str, is_so: fn(&DynamicObject) -> bool| {
            watch(what, SOON, api, name, is_so).await;
            now()
        };
        let available = async {
            // The watches are there by then.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let begin = now();
            world.make_available(&xr).await;
            begin
        };
        let (begin, persisted, ready) = tokio::join!(
            available,
            seen_at("the connection Secret has a token", &secrets, &secret, has_token),
            seen_at("the XR is ready", &xrs, &name, is_ready),
        );
        world.ends_well(&xr, &fake).await;
        let (to_secret, to_ready) = (persisted - begin, ready - begin);
        world.figures.0.push(Figure { variant, to_secret, to_ready, alone: alone(variant).await });
    }
}

/// Down to the Secret that the claim's author asked for.
pub(crate) async fn claim_with_legacy_xr(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(CLAIM, "claim");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let has_token = |secret: &DynamicObject| secret.data["data"]["token"].is_string();
    let secret = watch("the claim's Secret has a token", SOON, &world.secrets(&xr), "claim-of-claim", has_token).await;
    assert!(secret.data["data"]["identityId"].is_null(), "the XRD filters the keys");
    let of_claim = Xr { connection_secret: Some("claim-of-claim".to_owned()), ..xr };
    let token = world.token(&of_claim).await.expect("a token");
    assert!(fake.token_works(&token), "the server refuses the token in the claim's Secret");
}

/// The author of the XR says where the Secret goes.
pub(crate) async fn cluster_scoped_xr(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr { connection_secret: Some("vault".to_owned()), ..Xr::new(CLUSTER, "cluster") };
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let object = world.xrs(&xr).get("cluster").await.expect("the XR");
    let status = &object.data["status"]["infisical"];
    assert_eq!(status["host"], fake.url(), "the XR's status says where Infisical is");
    assert_eq!(status["connectionSecretRef"], json!({ "name": "vault", "namespace": "e2e-cluster" }));
}

/// The XR is ready when the token is, and not before.
pub(crate) async fn auto_ready_comes_after(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "auto-ready");
    xr.create(world, &fake, &Pipeline { auto_ready: true, ..Pipeline::default() }).await;
    let waiting = world.until_condition(&xr, "InfisicalBootstrapped", "WaitingForInstance").await;
    assert!(waiting["message"].as_str().is_some_and(|message| message.contains("infisical")), "{waiting}");
    let object = world.xrs(&xr).get(&xr.name).await.expect("the XR");
    assert_ne!(condition(&object, "Ready").map(|ready| &ready["status"]), Some(&json!("True")));
    world.make_available(&xr).await;
    // As the StatefulSet's controller would.
    let sets = crate::cluster::api(&world.client, "apps/v1", "StatefulSet", Some(&xr.namespace));
    let status = json!({
        "observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1,
        "availableReplicas": 1, "currentRevision": "a", "updateRevision": "a",
    });
    crate::cluster::patch_status(&sets, "auto-ready-database", &status).await;
    world.ends_well(&xr, &fake).await;
}
