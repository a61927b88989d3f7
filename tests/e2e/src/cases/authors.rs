//! What whoever may write an XR, or the connection Secret, makes of it.

use fake_infisical::{FakeInfisical, Variant};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    cluster::{api, apply, namespace, until},
    world::{SOON, World, infisical, secret},
    xrs::{API_VERSION, CLAIM, LEGACY, NAMESPACED, Pipeline, Xr},
};

/// A legacy XR that names a claim which is not its own, in the namespace of somebody
/// else, once with a Secret there as the one that Crossplane reads its connection details
/// from: Crossplane then applies what is composed and refuses to write the details.
pub(crate) async fn a_forged_claim_reaches_no_namespace(world: &mut World) {
    // This one refuses no token of its own making.
    let fake = infisical(Variant::Lenient).await;
    let (victim, marker) = ("e2e-forged-victim", "marker-token-of-the-victim");
    namespace(&world.client, victim).await;
    secret(&world.client, victim, "sa-token", &[("token", marker)]).await;
    forge(world, &fake, "forged", json!({}), ("InfisicalBootstrapped", "WaitingForClaim")).await;
    let details = json!({ "name": "sa-token", "namespace": victim });
    forge(world, &fake, "forged-details", details, ("Synced", "ReconcileError")).await;
    assert!(fake.log().is_empty(), "nothing is sent: {:?}", fake.log());
    let secrets: Api<_> = api(&world.client, "v1", "Secret", Some(victim));
    let there = secrets.list(&ListParams::default()).await.expect("Secrets can be listed");
    let names: Vec<_> = there.items.iter().filter_map(|secret| secret.metadata.name.as_deref()).collect();
    assert_eq!(names, ["sa-token"], "no Secret is composed there");
    let of_victim = Xr { namespace: victim.to_owned(), ..Xr::new(LEGACY, "forged") };
    assert_eq!(world.key_of(&of_victim, "sa-token", "token").await.as_deref(), Some(marker));
}

async fn forge(
    world: &World,
    fake: &FakeInfisical,
    name: &str,
    details: Value,
    said: (&'static str, &'static str),
) {
    let (victim, xr) = ("e2e-forged-victim", Xr::new(LEGACY, name));
    let pipeline = Pipeline::with_input(json!({ "status": null }));
    apply(&world.client, &pipeline.composition(&xr, &fake.url())).await;
    let mut forged = json!({
        "apiVersion": API_VERSION, "kind": LEGACY, "metadata": { "name": xr.name },
        "spec": {
            "url": fake.url(), "compositionRef": { "name": xr.name },
            "claimRef": { "apiVersion": API_VERSION, "kind": CLAIM, "namespace": victim, "name": "theirs" },
        },
    });
    if details != json!({}) {
        forged["spec"]["writeConnectionSecretToRef"] = details;
    }
    apply(&world.client, &forged).await;
    world.until_condition(&xr, said.0, said.1).await;
    world.make_deployment_available(victim, &format!("{name}-infisical")).await;
    world.reconcile_again(&xr, 1).await;
    world.until_condition(&xr, said.0, said.1).await;
}

/// Somebody edits what stands beside the token: it is undone, and the server is not asked.
pub(crate) async fn connection_secret_edited(world: &mut World) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, "secret-edited");
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well(&xr, &fake).await;
    let asked = fake.log().len();
    edit(world, &xr, &fake).await;
    assert_eq!(fake.log().len(), asked, "the server is not asked");
    // A function that remembers nothing asks first.
    world.restart_function().await;
    edit(world, &xr, &fake).await;
    world.ends_well(&xr, &fake).await;
}

async fn edit(world: &World, xr: &Xr, fake: &FakeInfisical) {
    let wrong = json!({ "stringData": { "host": "http://elsewhere", "credentials": "{}" } });
    let name = format!("{}-connection", xr.name);
    let before = world.key(xr, "credentials").await;
    let patched = world.secrets_of(xr).patch(&name, &PatchParams::default(), &Patch::Merge(&wrong)).await;
    patched.expect("the Secret can be edited");
    let is_undone = async || {
        let (host, credentials) = (world.key(xr, "host").await, world.key(xr, "credentials").await);
        (host.as_deref() == Some(fake.url().as_str()) && credentials == before).then_some(())
    };
    until("the edit is undone", SOON, is_undone).await;
}
