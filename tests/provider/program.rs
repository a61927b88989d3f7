//! The provider as a whole, in front of an API server that only counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use kube::client::Body;
use prometheus_client::registry::Registry;
use provider_infisical::{
    managed::reconcile::Poll,
    provider::{Provider, Settings},
};

fn client(asked: &Arc<AtomicUsize>) -> kube::Client {
    let asked = Arc::clone(asked);
    let answer = tower::service_fn(move |_: http::Request<Body>| {
        asked.fetch_add(1, Ordering::Relaxed);
        async {
            Ok::<_, std::convert::Infallible>(
                http::Response::builder().status(503).body(Body::empty()).unwrap(),
            )
        }
    });
    kube::Client::new(answer, "default")
}

#[tokio::test]
async fn nothing_is_asked_before_it_leads_and_it_ends_when_it_is_told_to() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (told, stop) = tokio::sync::oneshot::channel::<()>();
    let poll = Poll { usual: Duration::from_mins(1), shortest: Duration::from_secs(10) };
    let provider = Provider::new(
        client(&asked),
        Arc::new(daemon::clock::SystemClock),
        Settings { poll, concurrency: 1 },
        &mut Registry::default(),
        stop.map(drop).boxed().shared(),
    );
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 0, "another replica may lead");
    let running = provider.run();
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(asked.load(Ordering::Relaxed) > 0);
        told.send(()).unwrap();
    };
    let ended = tokio::time::timeout(Duration::from_secs(5), futures::future::join(running, stopping)).await;
    assert!(ended.is_ok(), "it does not end");
}
