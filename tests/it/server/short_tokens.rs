//! The binary, in real time, with a server whose tokens live one minute: at every
//! second a client that has nothing but the Secret is let in.
//!
//! `TOKEN_SECONDS` says for how long, ten minutes if it is not set.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "whoever has the Secret is no part of the function; what was seen is told"
)]

use std::{convert::Infallible, time::Duration};

use fake_crossplane::{Crossplane, Reconciled};
use fake_infisical::{FakeInfisical, Options, Route, Settings, Variant};
use function_infisical::contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient;
use tokio::{
    sync::Mutex,
    time::{Instant, interval, sleep},
};

use super::{
    process::Process,
    support::{channel, soon, until},
};
use crate::world::{Kind, crossplane};

/// How long a token lives, in seconds.
const LIFE: i64 = 60;

/// Calls the binary as Crossplane does: at once after a change, then by its `ttl`.
async fn keep_reconciling(cluster: &Mutex<Crossplane>, process: &Process) -> Infallible {
    let mut client = FunctionRunnerServiceClient::new(channel(process.addr).await);
    loop {
        // The lock is not held during the call: the Secret is read meanwhile.
        let mut seen = cluster.lock().await.clone();
        let answer = async |request| client.run_function(request).await.map(tonic::Response::into_inner);
        let reconciled = seen.reconcile(answer).await.unwrap();
        let ttl = seen.ttl.unwrap();
        // What a kubelet does.
        seen.make_available("infisical");
        *cluster.lock().await = seen;
        let pause = if reconciled == (Reconciled::Applied { changed: true }) {
            Duration::from_millis(100)
        } else {
            // And the tenth that Crossplane may add.
            Duration::from_secs(u64::try_from(ttl).unwrap()) * 11 / 10
        };
        sleep(pause).await;
    }
}

/// Whether the token in the Secret is let in, at the address in the Secret.
async fn is_let_in(http: &reqwest::Client, cluster: &Mutex<Crossplane>) -> bool {
    let secret = cluster.lock().await.secret("infisical-connection").unwrap();
    let url = format!("{}/api/v1/identities/details", secret["host"]);
    soon(http.get(url).bearer_auth(&secret["token"]).send()).await.unwrap().status().is_success()
}

#[tokio::test]
#[ignore = "takes as long as it says; .ci/run runs it"]
async fn with_tokens_of_one_minute_the_secret_works_at_every_second() {
    let seconds = std::env::var("TOKEN_SECONDS").map_or(600, |text| text.parse().unwrap());
    let settings = Settings { variant: Variant::Strict, max_token_ttl: LIFE, ..Settings::default() };
    let fake = FakeInfisical::start(Options { settings, ..Options::default() }).await.unwrap();
    let cluster = Mutex::new(crossplane(Kind::Namespaced, &fake.url()));
    let process = Process::start();
    tokio::select! {
        _ = keep_reconciling(&cluster, &process) => {}
        () = look_every_second(&cluster, Duration::from_secs(seconds)) => {}
    }
    let renewals = fake.count(Route::RenewToken);
    println!("{renewals} renewals");
    assert_eq!(fake.count(Route::Bootstrap), 1);
    assert!(
        i64::try_from(renewals).unwrap() >= i64::try_from(seconds).unwrap() / LIFE,
        "{renewals} renewals"
    );
}

async fn look_every_second(cluster: &Mutex<Crossplane>, span: Duration) {
    // A client takes the one of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    until("the Secret is there", async || cluster.lock().await.secret("infisical-connection").is_some())
        .await;
    let (start, mut tick, mut looks) = (Instant::now(), interval(Duration::from_secs(1)), 0);
    while start.elapsed() < span {
        tick.tick().await;
        assert!(is_let_in(&http, cluster).await, "not after {:?}", start.elapsed());
        looks += 1;
    }
    println!("let in {looks} times in {span:?}");
}
