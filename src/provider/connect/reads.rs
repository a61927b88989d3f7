//! Lists that are read once for all that need them.
//!
//! Resources of one scope are looked at in the same poll, and one list has all of them.
//! An answer is kept for about a poll, and whoever comes while one is under way waits for
//! it. After a write, what was asked for before its end counts no more.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use daemon::clock::Clock;
use jiff::Timestamp;

use crate::managed::external::{ExternalError, Read};

/// For how long who needs a new answer waits for others who do.
const GATHER: Duration = Duration::from_millis(20);

/// Answers of one kind, by what was asked for.
pub struct Reads<K, T> {
    entries: Mutex<BTreeMap<K, Arc<Entry<T>>>>,
    clock: Arc<dyn Clock>,
    age: Duration,
}

/// The answer to one question.
struct Entry<T> {
    /// Held while it is asked. Those who wait come in the order in which they asked.
    flight: tokio::sync::Mutex<()>,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// Counts what happens, so that it has an order.
    now: u64,
    /// The last write.
    written: u64,
    kept: Option<Kept<T>>,
}

struct Kept<T> {
    /// What happened later is not in it.
    begun: u64,
    at: Timestamp,
    answer: Result<Arc<T>, ExternalError>,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        let state = State { now: 0, written: 0, kept: None };
        Self { flight: tokio::sync::Mutex::default(), state: Mutex::new(state) }
    }
}

impl<K: Ord + Clone, T> Reads<K, T> {
    /// Nothing was asked yet. Answers are kept for `age`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, age: Duration) -> Self {
        Self { entries: Mutex::default(), clock, age }
    }

    /// The answer to a question: one that is kept, where that will do, or what `ask` says.
    ///
    /// # Errors
    /// What `ask` answers. An error is shared by those who waited for it, and not kept.
    pub async fn get<F>(
        &self,
        key: &K,
        read: Read,
        ask: impl FnOnce() -> F + Send,
    ) -> Result<Arc<T>, ExternalError>
    where
        F: Future<Output = Result<T, ExternalError>> + Send,
    {
        let entry = self.entry(key);
        let asked = entry.tick();
        let kept = || (read == Read::Shared).then(|| entry.shared(self.clock.now(), self.age)).flatten();
        if let Some(kept) = kept() {
            return Ok(kept);
        }
        let _flight = entry.flight.lock().await;
        // Somebody else may have asked since.
        if let Some(answer) = entry.since(asked) {
            return answer;
        }
        if let Some(kept) = kept() {
            return Ok(kept);
        }
        if read == Read::Fresh {
            // What was written together is looked for together.
            tokio::time::sleep(GATHER).await;
        }
        let (begun, at) = (entry.tick(), self.clock.now());
        let answer = ask().await.map(Arc::new);
        entry.state().kept = Some(Kept { begun, at, answer: answer.clone() });
        answer
    }

    /// Something of what a question is about is changed. To be called before the change and
    /// after it: what is asked for meanwhile may or may not see it.
    pub fn written(&self, key: &K) {
        let entry = self.entry(key);
        let now = entry.tick();
        entry.state().written = now;
    }

    fn entry(&self, key: &K) -> Arc<Entry<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key) {
            return Arc::clone(entry);
        }
        // Nobody asks for what is gone any more.
        let now = self.clock.now();
        entries.retain(|_, entry| Arc::strong_count(entry) > 1 || entry.is_younger(now, self.age * 2));
        Arc::clone(entries.entry(key.clone()).or_default())
    }
}

impl<T> Entry<T> {
    fn tick(&self) -> u64 {
        let mut state = self.state();
        state.now += 1;
        state.now
    }

    /// The answer that is kept, if nothing was written since and it is young enough.
    fn shared(&self, now: Timestamp, age: Duration) -> Option<Arc<T>> {
        let state = self.state();
        let kept =
            state.kept.as_ref().filter(|kept| kept.begun > state.written && kept.is_younger(now, age))?;
        kept.answer.as_ref().ok().cloned()
    }

    /// What was asked for later than this.
    fn since(&self, asked: u64) -> Option<Result<Arc<T>, ExternalError>> {
        let state = self.state();
        state.kept.as_ref().filter(|kept| kept.begun > asked).map(|kept| kept.answer.clone())
    }

    fn is_younger(&self, now: Timestamp, age: Duration) -> bool {
        self.state().kept.as_ref().is_some_and(|kept| kept.is_younger(now, age))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic while the lock is held leaves a valid state behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    /// A clock that went back makes nothing younger.
    fn is_younger(&self, now: Timestamp, age: Duration) -> bool {
        Duration::try_from(now.duration_since(self.at)).is_ok_and(|passed| passed < age)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_800_000_000 + self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    struct World {
        hand: Arc<Hand>,
        reads: Reads<&'static str, usize>,
        asked: AtomicUsize,
    }

    impl World {
        fn new() -> Self {
            let hand = Arc::new(Hand::default());
            let clock: Arc<dyn Clock> = Arc::clone(&hand) as _;
            Self { hand, reads: Reads::new(clock, Duration::from_secs(54)), asked: AtomicUsize::default() }
        }

        /// Answers with how often it was asked.
        async fn get(&self, read: Read) -> usize {
            let ask = || async {
                let count = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(count)
            };
            *self.reads.get(&"folder", read, ask).await.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_come_in_a_poll_share_one_answer() {
        let world = World::new();
        let answers = join_all((0..1000).map(|_| world.get(Read::Shared))).await;
        assert!(answers.iter().all(|answer| *answer == 1));
        world.hand.0.store(53, Ordering::Relaxed);
        assert_eq!(world.get(Read::Shared).await, 1);
        world.hand.0.store(54, Ordering::Relaxed);
        assert_eq!(world.get(Read::Shared).await, 2, "it is too old");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_to_be_fresh_is_asked_for_after_it_is_wanted() {
        let world = World::new();
        assert_eq!(world.get(Read::Shared).await, 1);
        assert_eq!(world.get(Read::Fresh).await, 2);
        // One is under way when all others come; they share the next one.
        let first = world.get(Read::Fresh);
        let others = async {
            tokio::time::sleep(Duration::from_millis(25)).await;
            join_all((0..1000).map(|_| world.get(Read::Fresh))).await
        };
        let (first, others) = tokio::join!(first, others);
        assert_eq!(first, 3);
        assert!(others.iter().all(|answer| *answer == 4), "{:?}", &others[..4]);
        assert_eq!(world.get(Read::Shared).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_older_than_a_write_says_nothing_after_it() {
        let world = World::new();
        assert_eq!(world.get(Read::Shared).await, 1);
        world.reads.written(&"folder");
        // It is asked for while the write is under way.
        assert_eq!(world.get(Read::Shared).await, 2);
        world.reads.written(&"folder");
        assert_eq!(world.get(Read::Shared).await, 3);
        assert_eq!(world.get(Read::Shared).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_in_the_midst_of_a_list_makes_the_next_one_list_again() {
        let world = World::new();
        let write = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.reads.written(&"folder");
        };
        let (answer, ()) = tokio::join!(world.get(Read::Shared), write);
        assert_eq!(answer, 1);
        assert_eq!(world.get(Read::Shared).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_shared_by_those_who_wait_and_not_kept() {
        let world = World::new();
        let fail = || async {
            world.asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            Err(ExternalError::refused("permission denied"))
        };
        let all = join_all((0..100).map(|_| world.reads.get(&"folder", Read::Shared, fail))).await;
        assert!(all.iter().all(Result::is_err));
        let asked = world.asked.load(Ordering::Relaxed);
        assert!(asked <= 2, "{asked}");
        assert_eq!(world.get(Read::Shared).await, asked + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_question_to_the_next() {
        let world = World::new();
        let given_up = tokio::time::timeout(Duration::from_millis(1), world.get(Read::Shared)).await;
        assert!(given_up.is_err());
        assert_eq!(world.get(Read::Shared).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_asks_for_any_more_is_forgotten() {
        let world = World::new();
        world.get(Read::Shared).await;
        world.hand.0.store(200, Ordering::Relaxed);
        world.reads.written(&"another");
        assert_eq!(world.reads.entries.lock().unwrap().keys().collect::<Vec<_>>(), [&"another"]);
    }
}
