//! What a steady call allocates: a guard against getting slow that does not
//! depend on the machine or on what else runs.
//!
//! A call is measured from its frame to the frame of its answer, in a process
//! of its own whose allocator counts. The bounds are in `bounds.rs`; whoever
//! makes a call dearer on purpose raises them there, in the same commit.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected, and so do its helpers"
)]

mod bounds;

use std::{convert::Infallible, sync::Arc, time::Duration};

use allocation_counter::AllocationInfo;
use bounds::{BOUNDS, Bound};
use bytes::Bytes;
use daemon::clock::SystemClock;
use fake_crossplane::{Crossplane, Reconciled};
use fake_infisical::{FakeInfisical, Options};
use function_infisical::{
    contract::proto::v1::{RunFunctionRequest, RunFunctionResponse},
    function::Function,
};
use infisical::client::Connector;
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// After this an XR that has not come to rest never will.
const LIMIT: Duration = Duration::from_mins(2);

/// An XR that is connected, and what it was connected to.
struct Steady {
    runtime: Runtime,
    function: Function,
    crossplane: Crossplane,
    _infisical: FakeInfisical,
}

impl Steady {
    fn reach() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let infisical = runtime.block_on(FakeInfisical::start(Options::default())).unwrap();
        let function =
            Function::new(Arc::new(Connector::default()), Arc::new(SystemClock), StdRng::seed_from_u64(1));
        let xr = json!({
            "apiVersion": "example.org/v1", "kind": "Vault",
            "metadata": {"name": "vault", "namespace": "team-a"},
            "spec": {"crossplane": {"compositionRef": {"name": "vault"}}},
        });
        let input = json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1",
            "kind": "Bootstrap",
            "instance": {"resource": "infisical", "endpoint": {"url": infisical.url()}},
            "admin": {"email": "platform@example.org"},
        });
        let crossplane = Crossplane::new(xr, input).composing("infisical", deployment("vault"));
        let mut steady = Self { runtime, function, crossplane, _infisical: infisical };
        steady.settle(false);
        steady.crossplane.make_available("infisical");
        steady.settle(true);
        steady
    }

    /// Reconciles until nothing changes any more and the XR is ready or not.
    fn settle(&mut self, ready: bool) {
        let Self { runtime, function, crossplane, .. } = self;
        let settled = async {
            let answer = async |request| Ok::<_, Infallible>(function.call(request, None).await);
            while crossplane.reconcile(answer).await != Ok(Reconciled::Applied { changed: false })
                || crossplane.is_ready() != ready
            {}
        };
        let settled = runtime.block_on(async { tokio::time::timeout(LIMIT, settled).await });
        assert!(settled.is_ok(), "the XR does not come to rest: {:?}", crossplane.events);
    }

    /// The request, with so many more composed resources.
    fn request(&self, others: usize) -> Bytes {
        let mut crossplane = self.crossplane.clone();
        for number in 0..others {
            let name = format!("other-{number}");
            crossplane = crossplane.composing(&name, deployment(&name));
            crossplane.composed.insert(name.clone(), deployment(&name));
        }
        crossplane.request().encode_to_vec().into()
    }

    fn call(&self, frame: Bytes) -> Vec<u8> {
        let request = RunFunctionRequest::decode(frame).unwrap();
        self.runtime.block_on(self.function.call(request, None)).encode_to_vec()
    }
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "team-a", "labels": {"app": name}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": name, "image": "registry.example.org/app:1", "env": [{"name": "A", "value": "b"}]},
        ]}}},
    })
}

#[test]
fn a_steady_call_allocates_no_more_than_it_may() {
    let steady = Steady::reach();
    let mut said = Vec::new();
    for bound in BOUNDS {
        let frame = steady.request(bound.others);
        // What is cached is cached now.
        let answer = RunFunctionResponse::decode(steady.call(frame.clone()).as_slice()).unwrap();
        assert!(answer.results.is_empty(), "a steady call has no events: {:?}", answer.results);
        let mut encoded = Vec::new();
        let counted: AllocationInfo = allocation_counter::measure(|| encoded = steady.call(frame.clone()));
        assert_eq!(counted.count_current, 1, "what a call leaves behind is its answer");
        let beyond_answer = counted.bytes_total.saturating_sub(u64::try_from(encoded.len()).unwrap());
        let measured = Bound { others: bound.others, allocations: counted.count_total, beyond_answer };
        let is_within =
            measured.allocations <= bound.allocations && measured.beyond_answer <= bound.beyond_answer;
        said.push((is_within, format!("{} bytes, {} back: {measured:?}", frame.len(), encoded.len())));
    }
    assert!(said.iter().all(|(is_within, _)| *is_within), "a call got dearer: {said:#?}");
}
