//! One controller: from the changes of a kind's objects to reconciles, a few at a time.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use kube::runtime::{
    applier,
    controller::{Action, Config, trigger_self},
    reflector::{ObjectRef, Store},
    watcher,
};

use crate::{
    api::resource::Managed,
    cluster::directory::{Changed, refers_to},
    managed::{cluster::ObjectKey, external::ManagedKind, reconcile::Reconciler, report::Requeue},
};

/// After the first failure; it doubles with each.
const SHORTEST: Duration = Duration::from_secs(1);

/// At most.
const LONGEST: Duration = Duration::from_mins(1);

/// What a cache needs to learn of what we just wrote.
const CATCH_UP: Duration = Duration::from_millis(50);

/// By how much a poll comes earlier or later, as a share of its interval, so that not all
/// come at once.
const JITTER: f64 = 0.1;

/// How often in a row each object has failed.
#[derive(Debug, Default)]
pub struct Backoff(Mutex<BTreeMap<ObjectKey, u32>>);

impl Backoff {
    /// How long to wait for, now that it has failed again.
    fn failed(&self, at: &ObjectKey) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failures.entry(at.clone()).or_default();
        let wait = SHORTEST.saturating_mul(1 << (*failures).min(6)).min(LONGEST);
        *failures += 1;
        wait
    }

    fn succeeded(&self, at: &ObjectKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(at);
    }

    /// When an object is looked at again. `chance` lies between 0 and 1.
    #[must_use]
    pub fn action(&self, at: &ObjectKey, requeue: Requeue, chance: f64) -> Action {
        if requeue == Requeue::Backoff {
            return Action::requeue(self.failed(at));
        }
        self.succeeded(at);
        match requeue {
            Requeue::Never => Action::await_change(),
            Requeue::Now => Action::requeue(CATCH_UP),
            Requeue::Backoff => Action::requeue(SHORTEST),
            Requeue::After(wait) => Action::requeue(wait.mul_f64(1.0 + JITTER * (2.0 * chance - 1.0))),
        }
    }
}

/// Reconciles what `changed` yields, what refers to what `referred` yields, and again when
/// it is due, until `stop`. What is under way then is brought to its end.
pub async fn run<K: ManagedKind>(
    reconciler: Arc<Reconciler<K>>,
    store: Store<Managed<K>>,
    changed: impl Stream<Item = Result<Managed<K>, watcher::Error>> + Send + 'static,
    referred: impl Stream<Item = Changed> + Send + 'static,
    concurrency: u16,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let backoff = Arc::new(Backoff::default());
    let reconcile = move |object: Arc<Managed<K>>, reconciler: Arc<Reconciler<K>>| {
        let backoff = Arc::clone(&backoff);
        async move { Ok::<_, Infallible>(reconcile(&reconciler, &backoff, &object).await) }.boxed()
    };
    let referring = store.clone();
    let referred = referred.flat_map(move |changed| {
        let state = referring.state().into_iter();
        let refer: Vec<_> = state.filter(|object| refers_to(object, &changed)).collect();
        stream::iter(refer.into_iter().map(|object| Ok(ObjectRef::from_obj(&*object).into())))
    });
    let changed = trigger_self(changed, ());
    let queue = stream::select(changed, referred).take_until(stop);
    let config = Config::default().concurrency(concurrency);
    let never = |_: Arc<Managed<K>>, error: &Infallible, _: Arc<Reconciler<K>>| match *error {};
    let mut done = std::pin::pin!(applier(reconcile, never, reconciler, store, queue, config));
    while let Some(outcome) = done.next().await {
        if let Err(error) = outcome {
            tracing::debug!(kind = K::KIND, %error, "a watch was interrupted");
        }
    }
}

async fn reconcile<K: ManagedKind>(
    reconciler: &Reconciler<K>,
    backoff: &Backoff,
    object: &Managed<K>,
) -> Action {
    let at = ObjectKey::of(&object.metadata);
    let requeue = reconciler.reconcile(&at).await.unwrap_or_else(|error| {
        tracing::warn!(kind = K::KIND, object = %at, %error, "cannot reconcile");
        Requeue::Backoff
    });
    tracing::debug!(kind = K::KIND, object = %at, ?requeue, "reconciled");
    backoff.action(&at, requeue, rand::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_come_later_and_later_until_one_succeeds() {
        let backoff = Backoff::default();
        let at = ObjectKey { namespace: "team".to_owned(), name: "one".to_owned() };
        let waits: Vec<_> = (0..9).map(|_| backoff.failed(&at).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.action(&at, Requeue::Never, 0.5), Action::await_change());
        assert_eq!(backoff.action(&at, Requeue::Backoff, 0.5), Action::requeue(SHORTEST));
    }

    #[test]
    fn polls_are_spread() {
        let backoff = Backoff::default();
        let at = ObjectKey { namespace: "team".to_owned(), name: "one".to_owned() };
        let minute = Requeue::After(Duration::from_mins(1));
        for (chance, seconds) in [(0.0, 54), (0.5, 60), (1.0, 66)] {
            assert_eq!(
                backoff.action(&at, minute, chance),
                Action::requeue(Duration::from_secs(seconds)),
                "{chance}"
            );
        }
    }
}
