//! `docs/mistakes.md` under the real Crossplane: all of its mistakes at once,
//! and what the XRs then say, to the letter.

use fake_infisical::{FakeInfisical, Variant};
use futures::future::join_all;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::tls::{self, Front};
use crate::{
    certs::Authority,
    cluster::{apply, condition, events, is_true, namespace, until, watch},
    page::{Applied, Mistake, NAMESPACE, Says, mistakes},
    world::{SOON, World, bootstrap_elsewhere, infisical},
    xrs::{API_VERSION, CLUSTER, LEGACY, NAMESPACED, Xr},
};

/// A mistake with an instance of its own.
struct Played {
    mistake: Mistake,
    xr: Xr,
    fake: FakeInfisical,
    authority: Authority,
    front: Front,
}

/// The messages on the page are those of the XRs, and each is mended as the
/// page says.
pub(crate) async fn ten_mistakes(world: &mut World) {
    let world = &*world;
    namespace(&world.client, NAMESPACE).await;
    let page = std::fs::read_to_string(world.root.join("docs/mistakes.md")).expect("the page is there");
    let mut all = Vec::new();
    for mistake in mistakes(&page) {
        all.push(Played::make(world, mistake).await);
    }
    join_all(all.iter().map(|mistake| says(world, mistake))).await;
    for mistake in &all {
        mistake.mend(world).await;
    }
    join_all(all.iter().map(|mistake| mistake.ends_well(world))).await;
}

impl Played {
    async fn make(world: &World, mistake: Mistake) -> Self {
        // A strict server refuses the token of a bootstrap, and so one to adopt.
        let server = if mistake.adopts() { Variant::Fixed } else { Variant::Strict };
        let fake = infisical(server).await;
        let authority = Authority::new("private");
        let front = tls::front(&authority, fake.address()).await;
        let applied = mistake.wrong();
        let kind = match applied.xr["kind"].as_str() {
            Some("ClusterInfisical") => CLUSTER,
            Some("XInfisical") => LEGACY,
            _ => NAMESPACED,
        };
        let xr = Xr { namespace: NAMESPACE.to_owned(), ..Xr::new(kind, &mistake.name) };
        create(world, &xr, applied, "wrong").await;
        Self { mistake, xr, fake, authority, front }
    }

    async fn mend(&self, world: &World) {
        let Self { mistake, xr, fake, authority, front } = self;
        assert!(fake.log().is_empty(), "{}: the server was asked", xr.name);
        let url = if mistake.has_ca() { front.url() } else { fake.url() };
        let mut right = mistake.right(&url, &authority.certificate());
        if mistake.adopts() {
            let token = bootstrap_elsewhere(fake, "marker-password-of-theirs");
            right.objects[0]["stringData"]["admin-token"] = token.into();
        }
        create(world, xr, right, "right").await;
    }

    async fn ends_well(&self, world: &World) {
        world.make_available(&self.xr).await;
        if self.mistake.adopts() {
            // Somebody else bootstrapped it.
            world.is_connected(&self.xr, &self.fake, SOON).await;
        } else {
            world.ends_well(&self.xr, &self.fake).await;
        }
    }
}

/// Applies the objects, the Composition and the XR of a mistake.
async fn create(world: &World, xr: &Xr, applied: Applied, is: &str) {
    let Applied { xr: mut object, steps, objects } = applied;
    for object in &objects {
        apply(&world.client, object).await;
    }
    let compose = json!({
        "step": "compose", "functionRef": { "name": "function-compose" },
        "input": { "apiVersion": "compose.example.org/v1", "kind": "Instance", "readiness": "Checked" },
    });
    let pipeline: Vec<Value> = [compose].into_iter().chain(steps).collect();
    let composition = json!({
        "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition",
        "metadata": { "name": xr.name },
        "spec": {
            "mode": "Pipeline", "pipeline": pipeline,
            "compositeTypeRef": { "apiVersion": API_VERSION, "kind": xr.kind },
        },
    });
    apply(&world.client, &composition).await;
    object["apiVersion"] = API_VERSION.into();
    object["kind"] = xr.kind.into();
    let composition = json!({ "compositionRef": { "name": xr.name } });
    if xr.kind == LEGACY {
        object["spec"]["compositionRef"] = composition["compositionRef"].clone();
    } else {
        object["spec"]["crossplane"] = composition;
    }
    if !xr.is_namespaced {
        // Where the harness composes.
        object["spec"]["namespace"] = NAMESPACE.into();
    }
    // A change that has the XR reconciled: a step's credential brings no call.
    object["metadata"]["annotations"] = json!({ "e2e.example.org/is": is });
    apply(&world.client, &object).await;
}

/// Waits until the XR says what the page says, and has its events. What it waits
/// for keeps nothing else from being applied.
async fn says(world: &World, Played { mistake, xr, .. }: &Played) {
    let is_fatal = mistake.says.iter().any(|says| says.condition_type == "Synced");
    if !is_fatal {
        world.make_available(xr).await;
    }
    let is_said = |object: &DynamicObject| {
        let is_there = |says: &Says| {
            condition(object, &says.condition_type).is_some_and(|it| {
                it["status"] == says.status && it["reason"] == says.reason && it["message"] == says.message
            })
        };
        mistake.says.iter().all(is_there) && is_true(object, "Synced") != is_fatal
    };
    watch("the XR says what the page says", SOON, &world.xrs(xr), &xr.name, is_said).await;
    until("the XR has the events of the page", SOON, async || {
        let events = events(&world.client, &xr.name).await;
        mistake.events.iter().all(|event| events.contains(event)).then_some(())
    })
    .await;
}
