//! The provider's own loop, references, logins and limits, against a cluster in memory and
//! the fake Infisical, with faults at any step.
//!
//! A step is a write to the cluster, or a request to the server. Time is tokio's, which
//! stands still until all wait: use it in `#[tokio::test(start_paused = true)]`.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use daemon::clock::Clock;
use fake_infisical::{Instance, Settings, Variant};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use provider_infisical::{
    api::resource::{Condition, Managed},
    connect::{Connector, Served, session::Shared},
    managed::{
        Means,
        claim::Claim,
        cluster::{ClusterError, Entry, ObjectKey},
        reconcile::{Poll, Reconciler},
        report::Requeue,
    },
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    clock::SimulatedClock,
    world::{FAULTS, Fault, thing::key},
};

mod cluster;
mod server;

pub(crate) const POLL: Duration = Duration::from_mins(1);

/// Where the team's objects are.
pub(crate) const TEAM: &str = "team";

pub(crate) struct State {
    /// By kind and name.
    pub(crate) objects: BTreeMap<(&'static str, ObjectKey), Value>,
    kinds: BTreeMap<&'static str, KindOf>,
    pub(crate) secrets: BTreeMap<ObjectKey, Value>,
    pub(crate) configs: BTreeMap<ObjectKey, Value>,
    usages: BTreeMap<ObjectKey, Value>,
    pub(crate) events: Vec<String>,
    /// What was written, to the cluster and to the server, in words.
    pub(crate) writes: Vec<String>,
    /// What the server was asked, reads too, as `GET /api/…`.
    pub(crate) requests: Vec<String>,
    pub(crate) server: Instance,
    pub(crate) organization_id: String,
    steps: usize,
    fault: Option<(usize, Fault)>,
    last_version: u64,
}

/// What others see of the objects of a kind.
#[derive(Clone, Copy)]
struct KindOf {
    entry: fn(&Value) -> Entry,
    claim: fn(&Value, &str) -> Option<Claim>,
}

/// One cluster, one server.
#[derive(Clone)]
pub(crate) struct Live {
    state: Arc<Mutex<State>>,
    clock: SimulatedClock,
    crashed: Arc<Notify>,
}

/// A process of the provider: what it remembers ends with it.
pub(crate) struct Process {
    live: Live,
    connector: Arc<Connector>,
}

impl Clock for Live {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Live {
    /// A server that was bootstrapped, and a `ClusterProviderConfig` named default with the
    /// connection Secret of the function.
    pub(crate) fn new() -> Self {
        Self::with(Settings { variant: Variant::Lenient, permission_lag: 0, ..Settings::default() })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let clock = SimulatedClock::start();
        let mut server = Instance::new(settings, 1);
        let (token, organization_id) = server::bootstrap(&mut server, clock.now());
        let state = State {
            objects: BTreeMap::new(),
            kinds: BTreeMap::new(),
            secrets: BTreeMap::new(),
            configs: BTreeMap::new(),
            usages: BTreeMap::new(),
            events: Vec::new(),
            writes: Vec::new(),
            requests: Vec::new(),
            server,
            organization_id,
            steps: 0,
            fault: None,
            last_version: 0,
        };
        let live = Self { state: Arc::new(Mutex::new(state)), clock, crashed: Arc::default() };
        live.secret("platform", "connection", &[("host", "http://infisical.example.org"), ("token", &token)]);
        let spec = json!({ "connectionSecretRef": { "namespace": "platform", "name": "connection" } });
        live.config("", "default", &spec);
        live
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Writes a Secret.
    pub(crate) fn secret(&self, namespace: &str, name: &str, pairs: &[(&str, &str)]) {
        let mut state = self.state();
        let data: BTreeMap<_, _> =
            pairs.iter().map(|&(name, value)| (name, k8s_openapi::ByteString(value.into()))).collect();
        let secret = json!({
            "metadata": { "namespace": namespace, "name": name, "resourceVersion": state.version() },
            "data": data,
        });
        state.secrets.insert(key(namespace, name), secret);
    }

    /// A value of a Secret of the team.
    pub(crate) fn value(&self, name: &str, of: &str) -> Option<String> {
        let secret = self.state().secrets.get(&key(TEAM, name)).cloned()?;
        let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(secret).unwrap();
        secret.data?.remove(of).map(|value| String::from_utf8(value.0).unwrap())
    }

    /// Writes a configuration; of the cluster where the namespace is empty.
    pub(crate) fn config(&self, namespace: &str, name: &str, spec: &Value) {
        let config = json!({ "metadata": { "namespace": namespace, "name": name }, "spec": spec });
        self.state().configs.insert(key(namespace, name), config);
    }

    /// A process that was just started.
    pub(crate) fn process(&self) -> Process {
        let shared = Shared::new(Arc::new(self.clone()), Arc::new(self.clone()));
        let connector = Arc::new(Connector::new(Arc::new(self.clone()), Arc::new(shared)));
        Process { live: self.clone(), connector }
    }

    /// Applies an object of the team, as an author: with `forProvider`.
    pub(crate) fn apply<K: Served>(&self, name: &str, parameters: &Value) -> Object<'_, K> {
        self.apply_spec(name, &json!({ "forProvider": parameters }))
    }

    /// The same, with the whole spec.
    pub(crate) fn apply_spec<K: Served>(&self, name: &str, spec: &Value) -> Object<'_, K> {
        self.apply_in(TEAM, name, spec, &json!({}))
    }

    /// The same, in a namespace, with metadata such as annotations.
    pub(crate) fn apply_in<K: Served>(
        &self,
        namespace: &str,
        name: &str,
        spec: &Value,
        metadata: &Value,
    ) -> Object<'_, K> {
        let mut state = self.state();
        let version = state.version();
        let mut object = json!({
            "apiVersion": provider_infisical::api::object::API_VERSION,
            "kind": K::KIND,
            "metadata": {
                "namespace": namespace,
                "name": name,
                "uid": format!("5f0e9d2c-0000-4000-8000-{version:0>12}"),
                "resourceVersion": version,
                "generation": 1,
                "creationTimestamp": self.clock.now().to_string(),
            },
            "spec": spec,
        });
        provider_infisical::managed::merge::apply(&mut object["metadata"], metadata);
        let entry = cluster::entry::<K>;
        state.kinds.insert(K::KIND, KindOf { entry, claim: cluster::claim::<K> });
        state.objects.insert((K::KIND, key(namespace, name)), object);
        drop(state);
        self.object_in(namespace, name)
    }

    /// An object of the team.
    pub(crate) fn object<K: Served>(&self, name: &str) -> Object<'_, K> {
        self.object_in(TEAM, name)
    }

    pub(crate) fn object_in<K: Served>(&self, namespace: &str, name: &str) -> Object<'_, K> {
        Object { live: self, at: key(namespace, name), kind: std::marker::PhantomData }
    }

    /// The next time that `steps` steps were taken, this goes wrong.
    pub(crate) fn fail(&self, steps: usize, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.steps + steps, fault));
    }

    pub(crate) fn steps(&self) -> usize {
        self.state().steps
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// One step: what `effect` does, unless a fault is due. `None` is a step whose answer
    /// is lost or that had no effect.
    async fn step<T>(&self, effect: impl FnOnce(&mut State, bool) -> T) -> Option<T> {
        let fault = {
            let mut state = self.state();
            state.steps += 1;
            let due = state.fault.filter(|(step, _)| *step == state.steps);
            due.map(|(_, fault)| fault)
        };
        match fault {
            None => Some(effect(&mut self.state(), false)),
            Some(Fault::Conflict) => Some(effect(&mut self.state(), true)),
            Some(Fault::NoAnswer) => None,
            Some(Fault::CrashBefore) => self.crash().await,
            Some(Fault::LostAnswer) => {
                effect(&mut self.state(), false);
                None
            }
            Some(Fault::CrashAfter) => {
                effect(&mut self.state(), false);
                self.crash().await
            }
        }
    }

    async fn crash<T>(&self) -> T {
        self.crashed.notify_one();
        pending().await
    }
}

impl Process {
    /// Reconciles once. `None` where the process ended in the midst.
    pub(crate) async fn reconcile<K: Served>(&self, at: &ObjectKey) -> Option<Result<Requeue, ClusterError>> {
        let live = &self.live;
        let connect: Arc<Connector> = Arc::clone(&self.connector);
        let means = Means::<K> {
            cluster: Arc::new(live.clone()),
            connect,
            directory: Arc::new(live.clone()),
            clock: Arc::new(live.clone()),
        };
        let reconciler = Reconciler::new(means, Poll { usual: POLL, shortest: Duration::from_secs(5) });
        tokio::select! {
            biased;
            ended = reconciler.reconcile(at) => Some(ended),
            () = live.crashed.notified() => None,
        }
    }

    /// Reconciles until there is nothing to do before the next poll; after a crash in
    /// another process.
    pub(crate) async fn settle<K: Served>(&mut self, at: &ObjectKey) {
        for _ in 0..100 {
            let wait = match self.reconcile::<K>(at).await {
                Some(Ok(Requeue::Never)) => return,
                Some(Ok(Requeue::After(wait))) if wait >= POLL => return,
                Some(Ok(Requeue::After(wait))) => wait,
                Some(Ok(Requeue::Backoff) | Err(_)) => Duration::from_secs(1),
                Some(Ok(Requeue::Now)) => Duration::ZERO,
                None => {
                    *self = self.live.process();
                    Duration::ZERO
                }
            };
            self.live.pass(wait).await;
        }
        let state = self.live.state();
        let object = state.objects.get(&(K::KIND, at.clone()));
        panic!("{} {at} does not settle: {object:#?} {:#?}", K::KIND, state.requests);
    }
}

/// One managed resource, as its author sees it.
pub(crate) struct Object<'a, K> {
    live: &'a Live,
    pub(crate) at: ObjectKey,
    kind: std::marker::PhantomData<K>,
}

impl<K: Served> Object<'_, K> {
    /// Reconciles it, in a process of its own, until there is nothing to do.
    pub(crate) async fn settle(&self) -> &Self {
        self.live.process().settle::<K>(&self.at).await;
        self
    }

    /// The same, and it is ready, and the next poll writes nothing.
    pub(crate) async fn ready(&self) -> &Self {
        self.settle().await;
        let said = self.conditions();
        assert_eq!(said, ["Ready=Available", "Synced=ReconcileSuccess"], "{} {}", K::KIND, self.at);
        self.steady().await
    }

    /// The next poll writes nothing, to neither side.
    pub(crate) async fn steady(&self) -> &Self {
        let writes = self.live.state().writes.len();
        let events = self.live.state().events.len();
        self.live.pass(POLL).await;
        self.settle().await;
        let state = self.live.state();
        assert_eq!(state.writes[writes..], Vec::<String>::new(), "{} {} is steady", K::KIND, self.at);
        assert_eq!(state.events[events..], Vec::<String>::new(), "{} {} is steady", K::KIND, self.at);
        drop(state);
        self
    }

    /// Reconciles it once.
    pub(crate) async fn reconcile(&self) -> &Self {
        self.live.process().reconcile::<K>(&self.at).await.unwrap().unwrap();
        self
    }

    /// An author changes it, by a merge patch.
    pub(crate) fn edit(&self, patch: &Value) -> &Self {
        self.live.state().write(&(K::KIND, self.at.clone()), patch);
        self
    }

    /// An author changes `spec.forProvider`, by a merge patch.
    pub(crate) fn change(&self, parameters: &Value) -> &Self {
        self.edit(&json!({ "spec": { "forProvider": parameters } }))
    }

    pub(crate) fn annotate(&self, name: &str, value: &str) -> &Self {
        self.edit(&json!({ "metadata": { "annotations": { name: value } } }))
    }

    /// Asks for it to be deleted.
    pub(crate) fn delete(&self) -> &Self {
        self.edit(&json!({ "metadata": { "deletionTimestamp": self.live.now().to_string() } }))
    }

    pub(crate) fn get(&self) -> Option<Managed<K>> {
        let object = self.live.state().objects.get(&(K::KIND, self.at.clone())).cloned();
        object.map(|object| serde_json::from_value(object).unwrap())
    }

    pub(crate) fn metadata(&self) -> ObjectMeta {
        self.get().unwrap().metadata
    }

    pub(crate) fn external_name(&self) -> Option<String> {
        self.metadata().annotations.unwrap_or_default().remove("crossplane.io/external-name")
    }

    /// `status.atProvider`.
    pub(crate) fn observed(&self) -> K::Observation {
        self.get().unwrap().status.unwrap().at_provider.unwrap()
    }

    /// `Type=Reason: message` of both conditions.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let conditions = self.get().unwrap().status.unwrap_or_default().conditions;
        let say = |it: &Condition| {
            let colon = if it.message.is_empty() { "" } else { ": " };
            format!("{}={}{colon}{}", it.type_, it.reason, it.message)
        };
        let mut said: Vec<_> = conditions.iter().map(say).collect();
        said.sort();
        said
    }
}

/// Runs `scene` once without a fault and once with each fault at each of its steps, and
/// checks what came of it each time.
pub(crate) async fn with_each_fault(
    prepare: impl AsyncFn(&Live),
    scene: impl AsyncFn(&Live),
    check: impl AsyncFn(&Live, &str),
) {
    let live = Live::new();
    prepare(&live).await;
    let before = live.steps();
    scene(&live).await;
    let steps = live.steps() - before;
    assert!(steps > 0, "nothing was done");
    check(&live, "without a fault").await;
    for fault in FAULTS {
        for step in 1..=steps {
            let live = Live::new();
            prepare(&live).await;
            live.fail(step, fault);
            scene(&live).await;
            live.state().fault = None;
            check(&live, &format!("{fault:?} at step {step} of {steps}")).await;
        }
    }
}
