//! A cluster and a server in memory, with a kind that both know, and with faults at any
//! step of a reconcile.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use daemon::clock::Clock;
use futures::FutureExt as _;
use jiff::Timestamp;
use provider_infisical::managed::{
    Means,
    cluster::{ClusterError, ObjectKey},
    reconcile::{Poll, Reconciler},
    report::Requeue,
};
use serde_json::Value;

mod cluster;
mod server;
pub(crate) mod thing;

use thing::Thing;

pub(crate) const POLL: Duration = Duration::from_mins(1);

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends before the step has an effect.
    CrashBefore,
    /// The process ends when the step had its effect.
    CrashAfter,
    /// The step has no effect, and nobody knows.
    NoAnswer,
    /// The step has its effect, and nobody knows.
    LostAnswer,
    /// Somebody changes the object just before.
    Conflict,
}

pub(crate) const FAULTS: [Fault; 5] =
    [Fault::CrashBefore, Fault::CrashAfter, Fault::NoAnswer, Fault::LostAnswer, Fault::Conflict];

/// A resource on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) size: i64,
    pub(crate) colour: String,
    pub(crate) mark: String,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<ObjectKey, Value>,
    pub(crate) secrets: BTreeMap<ObjectKey, Value>,
    /// What a cache shows, where that is not the objects.
    pub(crate) cached: Option<BTreeMap<ObjectKey, Value>>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) events: Vec<(ObjectKey, String, String)>,
    /// What was written, to the cluster and to the server, in words.
    pub(crate) writes: Vec<String>,
    /// How often the server was asked.
    pub(crate) reads: usize,
    /// Every step that was taken.
    pub(crate) steps: usize,
    pub(crate) fault: Option<(usize, Fault)>,
    /// Every call to the server fails with this.
    pub(crate) refuses: Option<provider_infisical::managed::external::ExternalError>,
    /// Every create is refused.
    pub(crate) refuses_creates: bool,
    /// Somebody else makes one of this name just before a create.
    pub(crate) made_before_create: Option<String>,
    /// The server keeps this size whatever it is sent.
    pub(crate) keeps_size: Option<i64>,
    pub(crate) seconds: i64,
    last_version: u64,
    last_id: u64,
}

impl State {
    pub(crate) fn version(&mut self) -> String {
        self.last_version += 1;
        self.last_version.to_string()
    }

    fn id(&mut self) -> String {
        self.last_id += 1;
        format!("00000000-0000-4000-8000-{:012}", self.last_id)
    }
}

/// The world of one test. `MARKED` resources are found by a mark, others by their name.
#[derive(Clone, Default)]
pub(crate) struct World<const MARKED: bool>(Arc<Mutex<State>>);

impl<const MARKED: bool> Clock for World<MARKED> {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.state().seconds).unwrap()
    }
}

impl<const MARKED: bool> World<MARKED> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// One step of a reconcile: what `effect` does, unless a fault is due. `None` is a
    /// step whose answer is lost or that had no effect.
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
            Some(Fault::CrashBefore) => pending().await,
            Some(Fault::LostAnswer) => {
                effect(&mut self.state(), false);
                None
            }
            Some(Fault::CrashAfter) => {
                effect(&mut self.state(), false);
                pending().await
            }
        }
    }

    /// Reconciles once, in a process that was just started. `None` where it ended in the
    /// midst.
    pub(crate) fn reconcile(&self, at: &ObjectKey) -> Option<Result<Requeue, ClusterError>> {
        self.process().reconcile(at).now_or_never()
    }

    /// A process that was just started.
    pub(crate) fn process(&self) -> Reconciler<Thing<MARKED>> {
        let means = Means::<Thing<MARKED>> {
            cluster: Arc::new(self.clone()),
            connect: Arc::new(self.clone()),
            directory: Arc::new(self.clone()),
            clock: Arc::new(self.clone()),
        };
        let poll = Poll { usual: POLL, shortest: Duration::from_secs(5) };
        Reconciler::new(means, poll)
    }

    /// Reconciles until there is nothing to do before the next poll, and says how often.
    pub(crate) fn settle(&self, at: &ObjectKey) -> usize {
        for round in 1..100 {
            let wait = match self.reconcile(at) {
                Some(Ok(Requeue::Never)) => return round,
                Some(Ok(Requeue::After(wait))) if wait >= POLL => return round,
                Some(Ok(Requeue::After(wait))) => wait,
                Some(Ok(Requeue::Backoff) | Err(_)) => Duration::from_secs(1),
                Some(Ok(Requeue::Now)) | None => Duration::ZERO,
            };
            self.state().seconds += i64::try_from(wait.as_secs()).unwrap();
        }
        panic!("it does not settle: {:?}", self.state().writes);
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.state().seconds += i64::try_from(time.as_secs()).unwrap();
    }
}
