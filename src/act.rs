//! Carries out what the plan decides.
//!
//! Work runs as a task of its own, detached from the call that started it: a
//! deadline, a cancelled call or a lost response does not stop it, and its
//! outcome stays in [`Memory`] until it is seen in observed. At most one task
//! runs per XR and one per instance in a process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{clock::Clock, endpoint::Origin, infisical::Connect, metrics::Tokens, observe::XrKey};

mod establish;
mod memory;

pub use establish::{Establish, How, Login, Outcome};
pub use memory::{Accepted, Attempt, Held, LoginRefused, Memory, Remembered};

/// Starts work, counts it and remembers what came of it.
pub struct Act {
    memory: Arc<Memory>,
    connect: Arc<dyn Connect>,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
    tasks: TaskTracker,
    instances: Mutex<BTreeMap<Origin, Weak<tokio::sync::Mutex<()>>>>,
}

impl Act {
    /// Nothing is under way.
    #[must_use]
    pub fn new(
        memory: Arc<Memory>,
        connect: Arc<dyn Connect>,
        clock: Arc<dyn Clock>,
        tokens: Tokens,
    ) -> Self {
        Self { memory, connect, clock, tokens, tasks: TaskTracker::new(), instances: Mutex::default() }
    }

    /// Starts work for an XR, unless something has happened to it since
    /// `revision`: then the plan that asked for it is out of date.
    pub fn start(&self, key: &XrKey, revision: u64, work: Establish) {
        let Some(under_way) = self.memory.begin(key, revision) else { return };
        let instance = self.instance(work.endpoint.origin());
        let (connect, clock, memory) = (self.connect.clone(), self.clock.clone(), self.memory.clone());
        let tokens = self.tokens.clone();
        let key = key.clone();
        let task = async move {
            // Requests to one instance come from one task at a time, whichever
            // XRs they are for: its bootstrap has no lock.
            let _turn = instance.lock().await;
            let outcome = establish::establish(connect.as_ref(), &work).await;
            log(&work, &outcome);
            tokens.count(outcome.how, outcome.bootstrapped);
            memory.finish(&key, &work, outcome, clock.now());
            drop(under_way);
        };
        self.tasks.spawn(task.instrument(tracing::Span::current()));
    }

    /// Waits until no work is under way for an XR.
    pub async fn settled(&self, key: &XrKey) {
        if let Some(mut under_way) = self.memory.under_way(key) {
            // The sender is dropped when the work ends, even by a panic.
            while under_way.changed().await.is_ok() {}
        }
    }

    /// Waits until all work is done.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn instance(&self, origin: &Origin) -> Arc<tokio::sync::Mutex<()>> {
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = instances.get(origin).and_then(Weak::upgrade) {
            return instance;
        }
        instances.retain(|_, instance| instance.strong_count() > 0);
        let instance = Arc::new(tokio::sync::Mutex::new(()));
        instances.insert(origin.clone(), Arc::downgrade(&instance));
        instance
    }
}

fn log(work: &Establish, outcome: &Outcome) {
    let origin = work.endpoint.origin();
    match (&outcome.connection, &outcome.problem) {
        (Some(_), None) => {
            let (how, bootstrapped) = (outcome.how.map(How::label), outcome.bootstrapped);
            tracing::info!(%origin, how, bootstrapped, "the server accepted the token");
        }
        (_, Some(problem)) => {
            tracing::warn!(%origin, reason = problem.reason(), problem = problem.message(), "no new token");
        }
        (None, None) => {}
    }
}
