//! How often the function is called in a reconcile, as Crossplane counts what it
//! sends, and which replica is called.

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path, time::Duration};

use fake_infisical::Variant;
use serde_json::{Value, json};

use crate::{
    cluster::{annotate, until},
    dns::Dns,
    functions::FunctionProcess,
    process::free_port,
    world::{FUNCTION, SOON, World, infisical, secret},
    xrs::{NAMESPACED, Pipeline, Xr},
};

/// The step before, which asks for nothing: Crossplane calls it once in a reconcile.
const BEFORE: &str = "function-compose";

/// So many reconciles more are counted of an XR that is ready.
const STEADY: u64 = 5;

/// Where the replicas are, and by which name they are found: as behind the headless
/// Service that Crossplane makes for a Function.
const PODS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
const SERVICE: &str = "function-infisical.crossplane-system";

/// Where nothing has to be looked up.
pub(crate) async fn a_reconcile_is_one_call(world: &mut World) {
    let xr = Xr::new(NAMESPACED, "one-call");
    connects(world, &xr, &nothing_required(), Variant::Strict, 1).await;
}

/// Crossplane brings the Secret with a second call.
pub(crate) async fn what_is_required_takes_two_calls(world: &mut World) {
    let xr = Xr::new(NAMESPACED, "two-calls");
    supply(world, &xr).await;
    connects(world, &xr, &secret_required(), Variant::Strict, 2).await;
}

/// Crossplane's client goes from one to the other with every call, so that the two
/// calls of a reconcile go to different ones.
pub(crate) async fn two_replicas(world: &mut World) {
    let certificates = world.folders.run.join("replicas-certs");
    world.plane.authority.write(&certificates, &world.plane.authority.server_of(SERVICE));
    let (dns, port) = (Dns::serve(PODS.to_vec()).await, free_port());
    let names = ["function-infisical-2", "function-infisical-3"];
    let start = |(name, pod)| world.function.replica(name, (pod, port), &certificates);
    let replicas: Vec<FunctionProcess> = names.into_iter().zip(PODS).map(start).collect();
    world.point_to_endpoint(&format!("dns://127.0.0.1:{}/{SERVICE}:{port}", dns.port)).await;
    for variant in [Variant::Strict, Variant::Lenient] {
        let xr = Xr::new(NAMESPACED, &format!("replicas-{variant:?}").to_lowercase());
        connects(world, &xr, &nothing_required(), variant, 1).await;
        let [one, other] = names.map(|name| tags(&world.folders.logs, name, &xr));
        assert!(!one.is_empty() && !other.is_empty(), "both are called: {one:?}, {other:?}");

        let xr = Xr::new(NAMESPACED, &format!("replicas-required-{variant:?}").to_lowercase());
        supply(world, &xr).await;
        connects(world, &xr, &secret_required(), variant, 2).await;
        until("both calls of a reconcile are answered, each by another", SOON, async || {
            let [one, other] = names.map(|name| tags(&world.folders.logs, name, &xr));
            (!one.is_empty() && one == other).then_some(())
        })
        .await;
    }
    world.point_to(world.function.port).await;
    drop(replicas);
}

fn nothing_required() -> Pipeline {
    Pipeline::with_input(json!({ "status": null }))
}

fn secret_required() -> Pipeline {
    let admin = json!({ "email": null, "secretRef": { "name": "my-admin" } });
    Pipeline::with_input(json!({ "status": null, "admin": admin }))
}

async fn supply(world: &World, xr: &Xr) {
    crate::cluster::namespace(&world.client, &xr.namespace).await;
    let admin = [("email", "platform@example.org"), ("password", "marker-password-of-the-secret")];
    secret(&world.client, &xr.namespace, "my-admin", &admin).await;
}

/// From nothing to a token that works, and then some reconciles on with so many calls
/// each. Until the Secrets are observed one call more brings what is in their place.
async fn connects(world: &World, xr: &Xr, pipeline: &Pipeline, variant: Variant, calls: u64) {
    let fake = infisical(variant).await;
    xr.create(world, &fake, pipeline).await;
    world.make_available(xr).await;
    world.ends_well(xr, &fake).await;
    let bootstraps = fake.bootstraps();
    assert!(bootstraps.emails.iter().all(|email| *email == bootstraps.emails[0]), "{bootstraps:?}");
    let before = at_rest(world).await;
    let since = async || {
        let sent = world.plane.sent(&[FUNCTION, BEFORE]).await;
        (sent[0] - before[0], sent[1] - before[1])
    };
    for nth in 0..STEADY {
        let (_, reconciles) = since().await;
        annotate(&world.xrs(xr), &xr.name, &nth.to_string()).await;
        until("the XR is reconciled", SOON, async || (since().await.1 > reconciles).then_some(())).await;
    }
    // One may be under way.
    until(&format!("{FUNCTION} is called {calls} times for each reconcile"), SOON, async || {
        let (sent, reconciles) = since().await;
        (sent == calls * reconciles).then_some(())
    })
    .await;
}

/// How often the two were called, when no reconcile is under way.
async fn at_rest(world: &World) -> Vec<u64> {
    loop {
        let before = world.plane.sent(&[FUNCTION, BEFORE]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = world.plane.sent(&[FUNCTION, BEFORE]).await;
        if before == after {
            return after;
        }
    }
}

/// The tags of the requests that a replica has answered for an XR. The calls of a
/// reconcile have one tag, and so have those of two that found everything the same.
fn tags(logs: &Path, replica: &str, xr: &Xr) -> BTreeSet<String> {
    let log = std::fs::read_to_string(logs.join(format!("{replica}.log"))).expect("a replica has a log");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_xr = lines.filter(|line| line["message"] == "answered" && line["span"]["xr.name"] == xr.name);
    of_xr.filter_map(|line| line["span"]["request.tag"].as_str().map(str::to_owned)).collect()
}
