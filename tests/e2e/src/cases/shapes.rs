//! The shapes of XR that there are, and what comes before and after the step.

use std::time::Duration;

use fake_infisical::Variant;
use kube::api::DynamicObject;
use serde_json::json;

use super::tls;
use crate::{
    certs::Authority,
    cluster::{condition, now, watch},
    figure::{Figure, alone},
    world::{SOON, World, infisical, secret},
    xrs::{CLAIM, CLUSTER, NAMESPACED, Pipeline, Xr},
};

/// On every variant of the server, measured.
pub(crate) async fn namespaced_xr(world: &mut World) {
    let variants = [Variant::Strict, Variant::Lenient, Variant::Fixed];
    for (number, variant) in variants.into_iter().cycle().take(9).enumerate() {
        let fake = infisical(variant).await;
        let name = format!("namespaced-{variant:?}-{number}").to_lowercase();
        let xr = Xr::new(NAMESPACED, &name);
        xr.create(world, &fake, &Pipeline::default()).await;
        world.until_condition(&xr, "InfisicalBootstrapped", "WaitingForInstance").await;
        assert!(fake.log().is_empty(), "nobody is asked before the instance is ready");

        let (secrets, xrs) = (world.secrets_of(&xr), world.xrs(&xr));
        let secret = format!("{name}-connection");
        let has_token = |secret: &DynamicObject| secret.data["data"]["token"].is_string();
        let is_ready = |xr: &DynamicObject| crate::cluster::is_true(xr, "Ready");
        let seen_at = async |what, api, name: &str, is_so: fn(&DynamicObject) -> bool| {
            watch(what, SOON, api, name, is_so).await;
            now()
        };
        let available = async {
            // The watches are there by then.
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.make_available(&xr).await
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
    let secret =
        watch("the claim's Secret has a token", SOON, &world.secrets_of(&xr), "claim-of-claim", has_token)
            .await;
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

/// The platform team's own email and password, as a credential of the step.
pub(crate) async fn step_credentials(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "step-credentials");
    let admin = [("email", "step@example.org"), ("password", "marker-password-of-the-step")];
    secret(&world.client, crate::NAMESPACE, "step-admin", &admin).await;
    let source = json!({ "namespace": crate::NAMESPACE, "name": "step-admin" });
    let pipeline = Pipeline {
        input: json!({ "admin": { "email": null, "credentials": "admin" } }),
        credentials: json!([{ "name": "admin", "source": "Secret", "secretRef": source }]),
        ..Pipeline::default()
    };
    xr.create(world, &fake, &pipeline).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    assert_eq!(fake.super_admins(), ["step@example.org"]);
    assert!(world.secrets_of(&xr).get_opt("step-credentials-admin").await.expect("an answer").is_none());
}

/// The platform team's own email and password, in a Secret per XR that comes
/// after the XR.
pub(crate) async fn required_admin_secret(world: &mut World) {
    let fake = infisical(Variant::Lenient).await;
    let xr = Xr::new(NAMESPACED, "required-secret");
    let input = json!({ "admin": { "email": null, "secretRef": { "name": "my-admin" } } });
    xr.create(world, &fake, &Pipeline::with_input(input)).await;
    world.make_available(&xr).await;
    world.until_condition(&xr, "InfisicalBootstrapped", "WaitingForAdmin").await;
    let admin = [("email", "required@example.org"), ("password", "marker-password-of-the-secret")];
    secret(&world.client, &xr.namespace, "my-admin", &admin).await;
    // Nothing that Crossplane watches has changed: the ttl brings the next call.
    world.ends_well_within(&xr, &fake, Duration::from_secs(20)).await;
    assert_eq!(fake.super_admins(), ["required@example.org"]);
}

/// https with a private CA out of a `ConfigMap`.
pub(crate) async fn required_ca_bundle(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let authority = Authority::new("private");
    let front = tls::front(&authority, fake.address()).await;
    let xr = Xr::new(NAMESPACED, "ca-bundle");
    crate::cluster::namespace(&world.client, &xr.namespace).await;
    crate::cluster::apply(
        &world.client,
        &json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "private-ca", "namespace": xr.namespace },
            "data": { "ca.crt": authority.certificate() },
        }),
    )
    .await;
    let tls = json!({ "caBundleFrom": { "configMapRef": { "name": "private-ca" } } });
    let pipeline = Pipeline::with_input(json!({ "instance": { "endpoint": { "tls": tls } } }));
    xr.create_at(world, &front.url(), &pipeline).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
}

/// The message on the XR tells a person what to do.
pub(crate) async fn wrong_input(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "wrong-input");
    let input = json!({ "admin": { "emial": "platform@example.org", "email": null } });
    xr.create(world, &fake, &Pipeline::with_input(input)).await;
    // Before that, Crossplane says that it looks at the pipeline.
    let names_the_field = |xr: &DynamicObject| {
        condition(xr, "Synced")
            .and_then(|synced| synced["message"].as_str())
            .is_some_and(|message| message.contains("input.admin") && message.contains("emial"))
    };
    let says = "the XR says which field is wrong";
    let object = watch(says, SOON, &world.xrs(&xr), &xr.name, names_the_field).await;
    assert_eq!(condition(&object, "Synced").map(|synced| &synced["status"]), Some(&json!("False")));
    // Mended, it goes on by itself.
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
}
