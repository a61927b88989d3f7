//! More than one XR, and ways to run Crossplane.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_infisical::{FakeInfisical, Variant};
use futures::future::join_all;

use crate::{
    cluster::until,
    functions::{client_config, served_certificate},
    world::{SOON, World, infisical},
    xrs::{NAMESPACED, Pipeline, Xr},
};

/// From nothing to a token that works.
async fn runs(world: &World, name: &str) -> (Xr, FakeInfisical) {
    let fake = infisical(Variant::Strict).await;
    let xr = Xr::new(NAMESPACED, name);
    xr.create(world, &fake, &Pipeline::default()).await;
    world.make_available(&xr).await;
    world.ends_well_within(&xr, &fake, Duration::from_secs(90)).await;
    (xr, fake)
}

/// All created and available at the same time.
pub(crate) async fn twenty_xrs_at_once(world: &mut World) {
    let world: &World = world;
    let names: Vec<_> = (1..=20).map(|number| format!("twenty-{number}")).collect();
    let all = join_all(names.iter().map(|name| runs(world, name))).await;
    for (xr, fake) in &all {
        assert_eq!(fake.bootstraps().asked, 1, "{}", xr.name);
    }
}

/// A certificate that is replaced is served, and Crossplane goes on.
pub(crate) async fn certificate_replaced(world: &mut World) {
    let client = client_config(&world.plane.crossplane_client);
    let port = world.function.port;
    let before = served_certificate(port, &client).await.expect("the function serves one");
    world.plane.authority.write(&world.function.certificates, &world.plane.authority.server());
    until("the new certificate is served", SOON, async || {
        served_certificate(port, &client).await.filter(|now| *now != before)
    })
    .await;
    // The connection that was there, and one that is new.
    runs(world, "certificate-kept-connection").await;
    world.restart_crossplane(&[]).await;
    runs(world, "certificate-new-connection").await;
}

/// Nothing is watched but the XR; a back-off brings the calls.
pub(crate) async fn realtime_compositions_off(world: &mut World) {
    world.restart_crossplane(&["--enable-realtime-compositions=false"]).await;
    runs(world, "realtime-off").await;
    world.restart_crossplane(&[]).await;
}

/// Crossplane may answer in the function's place, for as long as `ttl` lets it.
pub(crate) async fn response_cache_on(world: &mut World) {
    world.restart_crossplane(&["--enable-function-response-cache"]).await;
    let (xr, fake) = runs(world, "cache-on").await;
    // As docs/security.md warns: whole answers, in the clear.
    let token = world.token(&xr).await.expect("a ready XR has a token");
    let token = STANDARD.encode(token).into_bytes();
    let has_token = |file: &PathBuf| {
        std::fs::read(file).is_ok_and(|answer| answer.windows(token.len()).any(|part| part == token))
    };
    let folders = files(&world.folders.run.join("xfn-cache"));
    assert!(
        folders.iter().flat_map(|folder| files(folder)).any(|file| has_token(&file)),
        "the token is on disk"
    );
    // Deleted, it comes back: the request is another one.
    let secrets = world.secrets_of(&xr);
    secrets
        .delete("cache-on-connection", &kube::api::DeleteParams::default())
        .await
        .expect("it can be deleted");
    until("the Secret is back", SOON, async || {
        world.token(&xr).await.filter(|token| fake.token_works(token))
    })
    .await;
    world.ends_well(&xr, &fake).await;
    world.restart_crossplane(&[]).await;
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
