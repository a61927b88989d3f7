//! The function between a control plane and a server, all in one process.
//!
//! Requests and responses pass through their encoding, as on the wire, and time
//! is the test's: one clock for the function and the fake Infisical.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use daemon::clock::Clock;
use fake_crossplane::{Crossplane, Reconciled};
use fake_infisical::{FakeInfisical, Options, Request, Route, Settings, Variant};
use function_infisical::{
    contract::proto::v1::{Requirements, Resources, RunFunctionRequest, RunFunctionResponse},
    function::Function,
    server::PREFIX,
};
use infisical::client::{Connector, Limits};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

/// Seconds since 1970, moved by hand. Who waits by it waits a hundredth of the time: what
/// is waited for is in this process.
pub(crate) struct TestClock {
    seconds: AtomicI64,
    slept: Mutex<Vec<Duration>>,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.slept.lock().unwrap().push(pause);
        Box::pin(tokio::time::sleep(pause / 100))
    }
}

impl TestClock {
    pub(crate) fn new(seconds: i64) -> Self {
        Self { seconds: AtomicI64::new(seconds), slept: Mutex::default() }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.seconds.fetch_add(i64::try_from(by.as_secs()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.seconds.fetch_sub(i64::try_from(by.as_secs()).unwrap(), Ordering::SeqCst);
    }

    /// For how long it was waited by it, each time.
    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

/// Which kind of XR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Namespaced,
    Cluster,
    Legacy,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Namespaced, Kind::Cluster, Kind::Legacy];
/// What a verification asks.
pub(crate) const VERIFIED: [Route; 2] = [Route::IdentityDetails, Route::AdminIdentities];
/// And of a token that this process has not had from the start.
pub(crate) const FOUND: [Route; 3] = [Route::IdentityDetails, Route::Status, Route::AdminIdentities];
pub(crate) const VARIANTS: [Variant; 3] = [Variant::Strict, Variant::Lenient, Variant::Fixed];

pub(crate) struct World {
    pub(crate) fake: FakeInfisical,
    pub(crate) crossplane: Crossplane,
    pub(crate) function: Arc<Function>,
    /// What the function counts.
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<TestClock>,
    /// By how many seconds the server's is ahead of it.
    pub(crate) server_ahead: Arc<AtomicI64>,
    /// Every response, encoded and printed, for a search of secrets.
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    /// Every password and token that was ever in one of the Secrets.
    pub(crate) secrets: BTreeSet<String>,
    limits: Limits,
    seed: u64,
}

pub(crate) fn variant(variant: Variant) -> Settings {
    Settings { variant, ..Settings::default() }
}

/// A function that gives up on a server after a second.
fn limits() -> Limits {
    let second = Duration::from_secs(1);
    Limits { connect: second, request: second, bootstrap: second * 2 }
}

impl World {
    pub(crate) async fn start(settings: Settings, kind: Kind) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(TestClock::new(1_795_470_829));
        let server_ahead = Arc::new(AtomicI64::new(0));
        let (time, ahead) = (Arc::clone(&clock), Arc::clone(&server_ahead));
        let time = move || time.now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst));
        let options = Options { settings, time: Arc::new(time), ..Options::default() };
        let fake = FakeInfisical::start(options).await.unwrap();
        let crossplane = crossplane(kind, &fake.url());
        let limits = limits();
        let (function, registry) = function(&clock, &limits, 1);
        let function = Arc::new(function);
        let said = Arc::default();
        let secrets = BTreeSet::new();
        Self { fake, crossplane, function, registry, clock, server_ahead, said, secrets, limits, seed: 1 }
    }

    /// Another instance, to which the input can point the XR.
    pub(crate) async fn another_instance(&self) -> FakeInfisical {
        let time = Arc::clone(&self.clock);
        let options = Options { time: Arc::new(move || time.now()), ..Options::default() };
        FakeInfisical::start(options).await.unwrap()
    }

    /// A world in which the XR is connected.
    pub(crate) async fn connected(settings: Settings, kind: Kind) -> Self {
        let mut world = Self::start(settings, kind).await;
        world.connect().await;
        world
    }

    /// Runs until the XR is ready and nothing changes any more.
    pub(crate) async fn connect(&mut self) {
        self.settle().await;
        self.crossplane.make_available("infisical");
        self.settle().await;
        assert!(self.crossplane.is_ready(), "{}", self.story());
    }

    /// The function's process is replaced by a new one, which remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.seed += 1;
        let (function, registry) = function(&self.clock, &self.limits, self.seed + 100);
        (self.function, self.registry) = (Arc::new(function), registry);
    }

    /// Another replica.
    pub(crate) fn another_function(&self) -> Function {
        function(&self.clock, &self.limits, self.seed + 100).0
    }

    /// See [`last_request`].
    pub(crate) fn request(&self) -> RunFunctionRequest {
        last_request(&self.crossplane)
    }

    pub(crate) async fn call(&self, request: RunFunctionRequest) -> RunFunctionResponse {
        call(&self.function, &self.said, request).await
    }

    pub(crate) async fn reconcile(&mut self) -> Reconciled {
        let (function, said) = (Arc::clone(&self.function), Arc::clone(&self.said));
        let mut asked = Vec::new();
        let answer = async |request| {
            let response = call(&function, &said, request).await;
            let asks = |it: &Requirements| !it.resources.is_empty() || !it.schemas.is_empty();
            if let Some(asks) = response.requirements.clone().filter(asks)
                && !asked.contains(&asks)
            {
                asked.push(asks);
            }
            Ok::<_, Infallible>(response)
        };
        self.crossplane.now = Some(self.clock.now().to_string());
        let reconciled = self.crossplane.reconcile(answer).await.unwrap();
        // Another one only to bring what is asked for.
        assert_eq!(self.crossplane.called, 1 + asked.len(), "calls in a reconcile");
        for (name, key) in [
            ("infisical-admin", "password"),
            ("infisical-connection", "token"),
            ("infisical-identity", "clientSecret"),
        ] {
            let secret = self.crossplane.secret(name).unwrap_or_default();
            self.secrets.extend(secret.get(key).filter(|value| !value.is_empty()).cloned());
        }
        reconciled
    }

    /// Reconciles as Crossplane does at once after a change, until there is none.
    pub(crate) async fn settle(&mut self) -> Reconciled {
        let mut last = self.reconcile().await;
        for _ in 0..20 {
            if last != (Reconciled::Applied { changed: true }) {
                return last;
            }
            last = self.reconcile().await;
        }
        panic!("the XR does not come to rest: {}", self.story());
    }

    /// Lets time pass as Crossplane does: called when the `ttl` says so.
    pub(crate) async fn live(&mut self, span: Duration) {
        let end = self.clock.now().checked_add(SignedDuration::try_from(span).unwrap()).unwrap();
        while self.clock.now() < end {
            let ttl = self.crossplane.ttl.expect("every response has a ttl");
            self.clock.advance(Duration::from_secs(u64::try_from(ttl).unwrap()));
            self.settle().await;
        }
    }

    /// What the server has been asked so far, to be given to [`Self::asked`].
    pub(crate) fn mark(&self) -> usize {
        self.fake.log().len()
    }

    /// The routes that were asked since a mark, in order.
    pub(crate) fn asked(&self, since: usize) -> Vec<Route> {
        self.fake.log().iter().skip(since).map(|entry| entry.route).collect()
    }

    /// The reasons of the events since the first `since` of them.
    pub(crate) fn events(&self, since: usize) -> Vec<&str> {
        self.crossplane.events.iter().skip(since).map(|event| event.reason.as_str()).collect()
    }

    /// Sets a key of the connection Secret by hand.
    pub(crate) fn put(&mut self, key: &str, value: &str) {
        let secret = self.crossplane.composed.get_mut("infisical-connection").unwrap();
        secret["data"][key] = json!(STANDARD.encode(value));
    }

    /// Somebody else sets the instance up, past the function.
    pub(crate) fn bootstrap_elsewhere(&self, email: &str, password: &str) -> String {
        let body = json!({"email": email, "password": password, "organization": "theirs"});
        let response = self.fake.ask(&Request::new("POST", "/api/v1/admin/bootstrap").json(&body));
        assert_eq!(response.status, 200);
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        answer["identity"]["credentials"]["token"].as_str().unwrap().to_owned()
    }

    /// Lets time pass until the XR says something.
    pub(crate) async fn until_reason(&mut self, condition_type: &str, reason: &str) {
        for _ in 0..60 {
            if self.crossplane.condition(condition_type).is_some_and(|(_, found, _)| found == reason) {
                return;
            }
            self.live(Duration::from_secs(1)).await;
        }
        panic!("{condition_type} is never {reason}: {}", self.story());
    }

    /// The token in the connection Secret.
    pub(crate) fn token(&self) -> String {
        let secret = self.crossplane.secret("infisical-connection").unwrap_or_default();
        secret.get("token").cloned().unwrap_or_default()
    }

    pub(crate) fn token_works(&self) -> bool {
        self.fake.token_works(&self.token())
    }

    /// Status and reason of both conditions.
    pub(crate) fn conditions(&self) -> [(String, String); 2] {
        ["InfisicalBootstrapped", "InfisicalTokenValid"].map(|condition_type| {
            let (status, reason, _) = self.crossplane.condition(condition_type).unwrap();
            (status.to_owned(), reason.to_owned())
        })
    }

    pub(crate) fn message(&self, condition_type: &str) -> String {
        self.crossplane.condition(condition_type).unwrap().2.to_owned()
    }

    /// The XR's status, printed.
    pub(crate) fn xr_status(&self) -> String {
        self.crossplane.xr["status"].to_string()
    }

    /// What a failed assertion shows.
    pub(crate) fn story(&self) -> String {
        format!("{:#?}\n{:#?}", self.crossplane.xr["status"], self.crossplane.events)
    }
}

fn function(clock: &Arc<TestClock>, limits: &Limits, seed: u64) -> (Function, Registry) {
    let mut registry = Registry::default();
    let connector = Connector::new(*limits);
    connector.register_metrics(registry.sub_registry_with_prefix(PREFIX));
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let function = Function::new(Arc::new(connector), clock, StdRng::seed_from_u64(seed));
    function.register_metrics(&mut registry);
    (function, registry)
}

async fn call(
    function: &Function,
    said: &Mutex<Vec<String>>,
    request: RunFunctionRequest,
) -> RunFunctionResponse {
    // Through the encoding and back, as on the wire.
    let request = RunFunctionRequest::decode(request.encode_to_vec().as_slice()).unwrap();
    let response = function.call(request, None).await;
    let texts = format!("{:?} {:?}", response.conditions, response.results);
    said.lock().unwrap().push(texts);
    RunFunctionResponse::decode(response.encode_to_vec().as_slice()).unwrap()
}

/// The smallest useful input.
pub(crate) fn input(url: &str) -> Value {
    json!({
        "apiVersion": "infisical.fn.crossplane.io/v1beta1",
        "kind": "Bootstrap",
        "instance": {"resource": "infisical", "endpoint": {"url": url}},
        "admin": {"email": "platform@example.org"},
    })
}

/// A control plane with an XR of a kind, whose instance is composed and at `url`.
pub(crate) fn crossplane(kind: Kind, url: &str) -> Crossplane {
    let xr = match kind {
        Kind::Namespaced => json!({
            "apiVersion": "example.org/v1", "kind": "Vault",
            "metadata": {"name": "vault", "namespace": "team-a"},
            "spec": {"crossplane": {"compositionRef": {"name": "vault"}}},
        }),
        Kind::Cluster => json!({
            "apiVersion": "example.org/v1", "kind": "ClusterVault",
            "metadata": {"name": "vault"},
            "spec": {
                "crossplane": {"compositionRef": {"name": "vault"}},
                "writeConnectionSecretToRef": {"name": "vault-token", "namespace": "team-b"},
            },
        }),
        Kind::Legacy => json!({
            "apiVersion": "example.org/v1", "kind": "XVault",
            "metadata": {"name": "vault-x7k2p"},
            "spec": {
                "claimRef": {
                    "apiVersion": "example.org/v1", "kind": "Vault",
                    "namespace": "team-c", "name": "vault",
                },
                "writeConnectionSecretToRef": {
                    "name": "0e4cf3f0-0000-4000-8000-000000000000", "namespace": "crossplane-system",
                },
            },
        }),
    };
    Crossplane::new(xr, input(url)).composing(
        "infisical",
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "vault", "namespace": "team-a"},
            "spec": {"replicas": 1},
        }),
    )
}

/// The request of a reconcile's last call, where nobody else has the names of the Secrets
/// that are not composed yet.
pub(crate) fn last_request(crossplane: &Crossplane) -> RunFunctionRequest {
    let mut request = crossplane.request();
    for ours in ["admin", "connection", "identity"] {
        if !crossplane.composed.contains_key(&format!("infisical-{ours}")) {
            request.required_resources.insert(format!("infisical-{ours}-secret"), Resources::default());
        }
    }
    request
}
