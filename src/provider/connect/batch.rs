//! Writes that are due together go together.
//!
//! What waits for the same place is taken at once, as much as the server takes. A batch
//! has its effect as a whole or not at all, so one that is refused is tried by halves,
//! and one bad write does not fail the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::managed::external::{ExternalError, Failure};

/// For how long the first one waits for others.
const WINDOW: Duration = Duration::from_millis(50);

/// How many go together at most.
const LONGEST: usize = 1000;

/// How many bytes they have at most: a server takes a mebibyte, braces and names included.
pub const LARGEST: usize = 1_000_000;

/// After so many that were refused one by one, and none that was not, the others are not
/// tried: it is not up to them.
const HOPELESS: usize = 16;

/// One write.
pub trait Item: Send + Sync {
    /// What of it may be in a batch once.
    fn name(&self) -> &str;

    /// How many bytes it has in a request.
    fn size(&self) -> usize;
}

/// Sends the writes of one place.
#[async_trait]
pub trait Sender<T>: Send + Sync {
    /// Sends all of them in one request.
    ///
    /// # Errors
    /// None of them has an effect, or nobody knows.
    async fn send(&self, items: &[T]) -> Result<(), Refused>;
}

/// Why a batch was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub error: ExternalError,
    /// Whether it may be because of one of them.
    pub may_be_one: bool,
}

/// The writes that wait, by their place.
pub struct Batches<K, T> {
    queues: Mutex<BTreeMap<K, Arc<Queue<T>>>>,
}

struct Queue<T> {
    /// Held by who sends.
    flight: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting<T>>,
}

struct Waiting<T> {
    last: u64,
    items: Vec<(u64, T)>,
    done: BTreeMap<u64, Result<(), ExternalError>>,
}

impl<K, T> Default for Batches<K, T> {
    fn default() -> Self {
        Self { queues: Mutex::default() }
    }
}

impl<K: Ord + Clone, T: Item> Batches<K, T> {
    /// Writes one, together with the others of this place.
    ///
    /// # Errors
    /// Why this one was not done.
    pub async fn write(&self, key: &K, item: T, sender: &dyn Sender<T>) -> Result<(), ExternalError> {
        let queue = self.queue(key);
        let ticket = queue.put(item);
        tokio::time::sleep(WINDOW).await;
        let _flight = queue.flight.lock().await;
        if let Some(done) = ticket.done() {
            return done;
        }
        let mut taken = Taken { queue: &queue, left: BTreeSet::new() };
        let items = queue.take();
        taken.left = items.iter().map(|(number, _)| *number).collect();
        carry_out(items, sender, &mut taken).await;
        drop(taken);
        ticket.done().unwrap_or_else(|| Err(given_up()))
    }

    fn queue(&self, key: &K) -> Arc<Queue<T>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(key) {
            return Arc::clone(queue);
        }
        queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        let waiting = Mutex::new(Waiting { last: 0, items: Vec::new(), done: BTreeMap::new() });
        let queue = Arc::new(Queue { flight: tokio::sync::Mutex::default(), waiting });
        queues.insert(key.clone(), Arc::clone(&queue));
        queue
    }
}

impl<T> Queue<T> {
    fn put(&self, item: T) -> Ticket<'_, T> {
        let mut waiting = self.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.items.push((number, item));
        Ticket { queue: self, number }
    }

    fn take(&self) -> Vec<(u64, T)> {
        std::mem::take(&mut self.waiting().items)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        // A panic while the lock is held leaves a valid state behind.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for a write. Without him it is not sent any more.
struct Ticket<'q, T> {
    queue: &'q Queue<T>,
    number: u64,
}

impl<T> Ticket<'_, T> {
    fn done(&self) -> Option<Result<(), ExternalError>> {
        self.queue.waiting().done.remove(&self.number)
    }
}

impl<T> Drop for Ticket<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.items.retain(|(number, _)| *number != self.number);
        waiting.done.remove(&self.number);
    }
}

/// What is being sent. If its sender gives up, nobody knows what became of it.
struct Taken<'q, T> {
    queue: &'q Queue<T>,
    left: BTreeSet<u64>,
}

impl<T> Taken<'_, T> {
    fn done(&mut self, items: Vec<(u64, T)>, answer: &Result<(), ExternalError>) {
        let mut waiting = self.queue.waiting();
        for (number, _) in items {
            self.left.remove(&number);
            waiting.done.insert(number, answer.clone());
        }
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.done.extend(self.left.iter().map(|number| (*number, Err(given_up()))));
    }
}

fn given_up() -> ExternalError {
    ExternalError::unknown("the write was given up before there was an answer")
}

/// Sends all, and says of each what became of it.
async fn carry_out<T: Item>(items: Vec<(u64, T)>, sender: &dyn Sender<T>, taken: &mut Taken<'_, T>) {
    let mut parts = parts(items);
    let (mut refused, mut is_hopeful) = (0, false);
    while let Some(Part { mut items, is_doubtful }) = parts.pop() {
        let (numbers, bare): (Vec<u64>, Vec<T>) = items.drain(..).unzip();
        let answer = sender.send(&bare).await;
        let mut items: Vec<_> = numbers.into_iter().zip(bare).collect();
        let Err(Refused { error, may_be_one }) = answer else {
            is_hopeful = true;
            taken.done(items, &Ok(()));
            continue;
        };
        let is_doubtful = is_doubtful || error.failure == Failure::Unknown;
        if may_be_one && items.len() > 1 && (is_hopeful || refused < HOPELESS) {
            let others = items.split_off(items.len() / 2);
            parts.push(Part { items: others, is_doubtful });
            parts.push(Part { items, is_doubtful });
            continue;
        }
        refused += 1;
        taken.done(items, &Err(in_doubt(error, is_doubtful)));
    }
}

/// What exists may be what the batch made that it was in before.
fn in_doubt(error: ExternalError, is_doubtful: bool) -> ExternalError {
    match error.failure {
        Failure::Exists if is_doubtful => ExternalError { failure: Failure::Unknown, ..error },
        _ => error,
    }
}

struct Part<T> {
    items: Vec<(u64, T)>,
    /// Whether it may have had an effect before.
    is_doubtful: bool,
}

/// What goes together: as many as the server takes, and each name once. The first ones
/// are at the end.
fn parts<T: Item>(items: Vec<(u64, T)>) -> Vec<Part<T>> {
    let mut parts: Vec<Part<T>> = Vec::new();
    let (mut size, mut names) = (0, BTreeSet::new());
    for (number, item) in items {
        let is_new = !names.insert(item.name().to_owned());
        let length = parts.last().map_or(LONGEST, |part| part.items.len());
        if is_new || length >= LONGEST || size + item.size() > LARGEST {
            parts.push(Part { items: Vec::new(), is_doubtful: false });
            names = BTreeSet::from([item.name().to_owned()]);
            size = 0;
        }
        size += item.size();
        if let Some(part) = parts.last_mut() {
            part.items.push((number, item));
        }
    }
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Word(String, usize);

    impl Item for Word {
        fn name(&self) -> &str {
            &self.0
        }

        fn size(&self) -> usize {
            self.1
        }
    }

    /// A server that refuses some words.
    #[derive(Default)]
    struct Server {
        refuses: Vec<&'static str>,
        fails: bool,
        forbids: bool,
        requests: Mutex<Vec<Vec<String>>>,
    }

    #[async_trait]
    impl Sender<Word> for Server {
        async fn send(&self, items: &[Word]) -> Result<(), Refused> {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let names: Vec<String> = items.iter().map(|item| item.0.clone()).collect();
            let is_refused = names.iter().any(|name| self.refuses.contains(&&**name));
            self.requests.lock().unwrap().push(names);
            let refused = |error| Err(Refused { error, may_be_one: true });
            match () {
                () if self.forbids => refused(ExternalError::refused("permission denied")),
                () if is_refused && self.fails && items.len() > 1 => {
                    refused(ExternalError::unknown("the server failed (500)"))
                }
                () if is_refused => refused(ExternalError::exists("it exists already")),
                () => Ok(()),
            }
        }
    }

    fn word(name: &str) -> Word {
        Word(name.to_owned(), 100)
    }

    async fn write(server: &Server, words: Vec<Word>) -> Vec<Result<(), ExternalError>> {
        let batches = Batches::default();
        let write = |word| {
            let batches = &batches;
            async move { batches.write(&"folder", word, server).await }
        };
        join_all(words.into_iter().map(write)).await
    }

    fn numbered(count: usize) -> Vec<Word> {
        (0..count).map(|number| word(&format!("w{number}"))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_writes_of_one_place_are_one_request() {
        let server = Server::default();
        assert!(write(&server, numbered(1000)).await.iter().all(Result::is_ok));
        assert_eq!(server.requests.lock().unwrap().len(), 1);
        assert!(write(&server, numbered(1001)).await.iter().all(Result::is_ok));
        assert_eq!(server.requests.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_not_larger_than_a_server_takes() {
        let server = Server::default();
        let words = (0..5).map(|number| Word(number.to_string(), 400_000)).collect();
        assert!(write(&server, words).await.iter().all(Result::is_ok));
        let lengths: Vec<_> = server.requests.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_name_is_once_in_a_request() {
        let server = Server::default();
        assert!(write(&server, vec![word("a"), word("b"), word("a")]).await.iter().all(Result::is_ok));
        assert_eq!(*server.requests.lock().unwrap(), [vec!["a", "b"], vec!["a"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_bad_write_does_not_fail_the_others() {
        let server = Server { refuses: vec!["w7", "w900"], ..Server::default() };
        let answers = write(&server, numbered(1000)).await;
        let failed: Vec<_> =
            answers.iter().enumerate().filter(|(_, it)| it.is_err()).map(|(index, _)| index).collect();
        assert_eq!(failed, [7, 900]);
        assert_eq!(answers[7].as_ref().unwrap_err().failure, Failure::Exists);
        let requests = server.requests.lock().unwrap().len();
        assert!(requests < 45, "{requests}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_exists_after_a_failure_may_be_what_was_made_before_it() {
        let server = Server { refuses: vec!["w1"], fails: true, ..Server::default() };
        let answers = write(&server, numbered(4)).await;
        assert_eq!(answers[1].as_ref().unwrap_err().failure, Failure::Unknown);
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_write_nothing_does_not_try_each() {
        let server = Server { forbids: true, ..Server::default() };
        assert!(write(&server, numbered(1000)).await.iter().all(Result::is_err));
        let requests = server.requests.lock().unwrap().len();
        assert!(requests < 60, "{requests}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_is_not_sent() {
        let (server, batches) = (Server::default(), Batches::default());
        let early =
            tokio::time::timeout(Duration::from_millis(10), batches.write(&"folder", word("early"), &server));
        assert!(early.await.is_err());
        assert_eq!(batches.write(&"folder", word("late"), &server).await, Ok(()));
        assert_eq!(*server.requests.lock().unwrap(), [["late"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_was_sent_by_who_gave_up_nobody_knows_what_became() {
        let (server, batches) = (Server::default(), Batches::default());
        let sends = batches.write(&"folder", word("first"), &server);
        let sends = tokio::time::timeout(Duration::from_millis(80), sends);
        let waits = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            batches.write(&"folder", word("second"), &server).await
        };
        let (sends, waits) = tokio::join!(sends, waits);
        assert!(sends.is_err());
        assert_eq!(waits.unwrap_err().failure, Failure::Unknown);
    }
}
