//! Carries out what the plan decides.
//!
//! Work runs as a task of its own, detached from the call that started it: a
//! deadline, a cancelled call or a lost response does not stop it, and its
//! outcome stays in [`Memory`] until it is seen in observed. At most one task of
//! each kind runs per XR, and one in all per instance, in a process. One XR at a time asks
//! an instance that does not answer.
//!
//! Rule 3 and Rule 4 are kept here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use daemon::clock::Clock;
use infisical::{Connect, endpoint::Origin};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use self::reachability::Reachability;
use crate::model::{
    hand_off::{HandOff, HandOffOutcome},
    work::{Establish, How, Outcome},
    xr::XrKey,
};

mod establish;
mod hand_off;
mod memory;
mod reachability;
mod tokens;
mod xrs;

pub(crate) use memory::Memory;
pub(crate) use tokens::Tokens;
pub(crate) use xrs::Xrs;

/// Starts work, counts it and remembers what came of it.
pub(crate) struct Act {
    memory: Arc<Memory>,
    connect: Arc<dyn Connect>,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
    tasks: TaskTracker,
    instances: Mutex<BTreeMap<Origin, Weak<tokio::sync::Mutex<()>>>>,
    reachability: Arc<Reachability>,
}

impl Act {
    /// Nothing is under way.
    #[must_use]
    pub(crate) fn new(
        memory: Arc<Memory>,
        connect: Arc<dyn Connect>,
        clock: Arc<dyn Clock>,
        tokens: Tokens,
    ) -> Self {
        let (tasks, instances, reachability) = (TaskTracker::new(), Mutex::default(), Arc::default());
        Self { memory, connect, clock, tokens, tasks, instances, reachability }
    }

    /// Starts work for an XR, unless something has happened to it since
    /// `revision`: then the plan that asked for it is out of date. Where the instance is
    /// known not to answer, that is what comes of it.
    pub(crate) fn start(&self, key: &XrKey, revision: u64, work: Establish) {
        let Some(under_way) = self.memory.begin(key, &work.endpoint, revision) else { return };
        let (connect, clock, memory) = (self.connect.clone(), self.clock.clone(), self.memory.clone());
        let (key, tokens, origin) = (key.clone(), self.tokens.clone(), work.endpoint.origin().clone());
        let reachability = self.reachability.clone();
        let leave = match reachability.may_ask(&work.endpoint, &key, clock.now()) {
            Ok(leave) => leave,
            Err(told) => return memory.tell(&key, &work, told),
        };
        self.spawn(&origin, under_way, async move {
            if let Err(told) = reachability.may_still_ask(leave, &work.endpoint, &key, clock.now()) {
                return memory.tell(&key, &work, told);
            }
            let outcome = establish::establish(connect.as_ref(), clock.as_ref(), &work).await;
            log(&work, &outcome);
            tokens.count(outcome.how, outcome.bootstrapped);
            let now = clock.now();
            let answers_again = reachability.heard(&work.endpoint, outcome.silence(&work), now);
            memory.finish(&key, &work, outcome, now);
            if answers_again {
                memory.answers_again(&work.endpoint, now);
            }
        });
    }

    /// The same for handing off.
    pub(crate) fn start_hand_off(&self, key: &XrKey, revision: u64, work: HandOff) {
        let Some(under_way) = self.memory.begin_hand_off(key, &work.endpoint, revision) else { return };
        let (connect, clock, memory) = (self.connect.clone(), self.clock.clone(), self.memory.clone());
        let (key, origin) = (key.clone(), work.endpoint.origin().clone());
        let reachability = self.reachability.clone();
        let leave = match reachability.may_ask(&work.endpoint, &key, clock.now()) {
            Ok(leave) => leave,
            Err(told) => return memory.tell_hand_off(&key, &work, told),
        };
        self.spawn(&origin, under_way, async move {
            if let Err(told) = reachability.may_still_ask(leave, &work.endpoint, &key, clock.now()) {
                return memory.tell_hand_off(&key, &work, told);
            }
            let outcome = hand_off::hand_off(connect.as_ref(), &work).await;
            log_hand_off(&work, &outcome);
            let now = clock.now();
            let answers_again = reachability.heard(&work.endpoint, outcome.silence(&work), now);
            memory.finish_hand_off(&key, &work, outcome, now);
            if answers_again {
                memory.answers_again(&work.endpoint, now);
            }
        });
    }

    /// Carries work out, and drops `under_way` when its outcome is remembered.
    fn spawn(
        &self,
        origin: &Origin,
        under_way: watch::Sender<bool>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let instance = self.instance(origin);
        let task = async move {
            // Requests to one instance come from one task at a time, whichever
            // XRs they are for: its bootstrap has no lock.
            let _turn = instance.lock().await;
            under_way.send_replace(true);
            work.await;
            drop(under_way);
        };
        self.tasks.spawn(task.instrument(tracing::Span::current()));
    }

    /// Waits until work for an XR ends, or at once if none is under way.
    pub(crate) async fn settled(&self, key: &XrKey) {
        // The sender is dropped when the work ends, even by a panic.
        let ended = async |mut under_way: watch::Receiver<bool>| while under_way.changed().await.is_ok() {};
        match self.memory.under_way(key) {
            (None, None) => {}
            (Some(one), None) | (None, Some(one)) => ended(one).await,
            // What comes of the first of them is worth another plan.
            (Some(one), Some(other)) => tokio::select! {
                () = ended(one) => {}
                () = ended(other) => {}
            },
        }
    }

    /// Waits until all work is done.
    pub(crate) async fn drain(&self) {
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
            tracing::warn!(%origin, reason = problem.reason().as_str(), problem = problem.message(), "no new token");
        }
        (None, None) => {}
    }
}

fn log_hand_off(work: &HandOff, outcome: &HandOffOutcome) {
    let origin = work.endpoint.origin();
    if let Some(problem) = &outcome.problem {
        tracing::warn!(%origin, reason = problem.reason().as_str(), problem = problem.message(), "not handed off");
    } else if outcome.made {
        tracing::info!(%origin, "the server accepted a new client secret");
    }
}
