//! The XR's status where the XRD does not declare what is written there.

use fake_infisical::Variant;
use kube::api::DynamicObject;
use serde_json::json;

use crate::{
    cluster::{annotate, condition, events, is_true, until, watch},
    world::{SOON, World, infisical},
    xrs::{self, NAMESPACED_BARE, Pipeline, Xr},
};

/// The condition that names what is left out.
const WRITTEN: &str = "InfisicalStatusWritten";

/// The rest of the status is applied, the XR says what is missing, and when that is
/// declared it is written.
pub(crate) async fn field_not_declared(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED_BARE, "not-declared");
    xr.create(world, &fake, &Pipeline::default()).await;
    let missing = "status.infisical.connectionSecretRef.name, status.infisical.connectionSecretRef.namespace, \
                   status.infisical.identityId, status.infisical.organizationId, status.infisical.tokenExpiresAt";
    let said = world.until_condition(&xr, WRITTEN, "FieldNotDeclared").await;
    assert!(said["message"].as_str().is_some_and(|message| message.contains(missing)), "{said}");
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let object = world.xrs(&xr).get(&xr.name).await.expect("the XR");
    assert_eq!(object.data["status"]["infisical"], json!({ "host": fake.url() }));
    for kind in ["Synced", "Ready", "InfisicalBootstrapped", "InfisicalTokenValid"] {
        assert!(is_true(&object, kind), "{kind}: {:?}", condition(&object, kind));
    }
    // The Function may still be starting, which Crossplane warns of as well.
    let is_refused =
        |event: &[String; 3]| event[0] == "Warning" && !event[2].contains("pipeline status unknown");
    let warnings: Vec<_> = events(&world.client, &xr.name).await.into_iter().filter(is_refused).collect();
    let of_reason = |reason: &str| warnings.iter().filter(|event| event[1] == reason).count();
    assert_eq!((of_reason("FieldNotDeclared"), of_reason("ComposeResources")), (1, 0), "{warnings:?}");

    let text = json!({ "type": "string" });
    let reference = json!({ "type": "object", "properties": { "name": text, "namespace": text } });
    xrs::define_bare(
        &world.client,
        &json!({
            "host": text, "organizationId": text, "identityId": text, "tokenExpiresAt": text,
            "connectionSecretRef": reference,
        }),
    )
    .await;
    let is_written = |object: &DynamicObject| {
        object.data["status"]["infisical"].as_object().is_some_and(|status| status.len() == 5)
            && is_true(object, WRITTEN)
    };
    // The ttl of a minute would bring the call as well.
    let xrs = world.xrs(&xr);
    until("the XR is reconciled with the new schema", SOON, async || {
        annotate(&xrs, &xr.name, "declared").await;
        let object = xrs.get(&xr.name).await.ok()?;
        is_written(&object).then_some(())
    })
    .await;
    watch("all is written", SOON, &xrs, &xr.name, is_written).await;
    world.ends_well(&xr, &fake).await;
}
