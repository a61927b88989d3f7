//! What a process remembers of each XR between calls.
//!
//! Memory makes things cheaper and safer, never possible: whatever is lost with
//! the process is found again in the cluster and on the server. It holds a
//! generated password until the XR is forgotten, and a token until ten minutes
//! after it was seen in observed, so that neither a lost response nor a stale
//! read loses them; after that a fingerprint is all that is kept.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rand::CryptoRng;
use tokio::sync::watch;

use super::{Establish, Outcome};
use crate::{
    connection::{Connection, ObservedConnection},
    endpoint::Origin,
    input::ConnectionDetail,
    observe::XrKey,
    plan::timing,
    problem::{Problem, ProblemKind},
    secret::{AccessToken, Credentials, Email, Fingerprint, Password},
};

/// For how long a token is held after it was seen in observed: longer than any
/// stale read.
const HELD_AFTER_SEEN: Duration = Duration::from_mins(10);

/// A token that an earlier try has left alive is revoked when it is older than
/// this, so this long after a token was minted one is sure to find them all.
pub(super) const SWEPT_AFTER: Duration = Duration::from_mins(10);

/// An XR is forgotten when it was not called for so long. A day is longer than
/// any `ttl` that this function gives (`verifyInterval` ends at 24 h).
const FORGOTTEN_AFTER: Duration = Duration::from_hours(26);

/// Seconds between two looks for XRs to forget.
const FORGET_EVERY: i64 = 60 * 60;

/// How many tokens of an XR are recognised: the present one's predecessors and
/// those of other replicas.
const KNOWN_TOKENS: usize = 8;

/// What the processes of one instance of this function remember, by XR.
#[derive(Default)]
pub struct Memory {
    entries: Mutex<BTreeMap<XrKey, Entry>>,
    /// The hour in which XRs were forgotten last.
    forgot_in: AtomicI64,
}

#[derive(Default)]
struct Entry {
    remembered: Remembered,
    under_way: Option<watch::Receiver<()>>,
    last_called: Option<Timestamp>,
}

/// What is remembered of one XR.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The generated email and password.
    pub admin: Option<Credentials>,
    /// The token that the server accepted last.
    pub accepted: Option<Accepted>,
    /// Fingerprints of tokens that were tried: predecessors of the accepted
    /// one, and those that were refused.
    pub known: Vec<Fingerprint>,
    /// The tokens that the server refused last.
    pub refused: Vec<Fingerprint>,
    /// The token of a bootstrap, of an instance that had been connected before
    /// and was found empty.
    pub bootstrapped_again: Option<Fingerprint>,
    /// A token that bootstrap returned and that could not be tried yet.
    pub untested: Option<AccessToken>,
    /// The last problem, while there is one.
    pub held: Option<Held>,
    /// The last refused login.
    pub login_refused: Option<LoginRefused>,
    /// An email that an interrupted bootstrap has used up.
    pub burnt: Option<Email>,
    /// When to look for tokens that earlier tries have left alive.
    pub sweep_at: Option<Timestamp>,
    /// Whether work is under way.
    pub working: bool,
    /// Counts what has happened, so that a plan made on an older state is not
    /// carried out.
    pub revision: u64,
}

/// A token that the server accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Which.
    pub token: Fingerprint,
    /// The server that did.
    pub origin: Origin,
    /// When it did so last.
    pub verified_at: Timestamp,
    /// When the token was issued.
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// All of it, until ten minutes after it was seen in observed.
    pub connection: Option<Connection>,
    /// When it was seen in observed first.
    pub seen_at: Option<Timestamp>,
}

/// A problem, and when it is worth trying again.
#[derive(Clone, Debug)]
pub struct Held {
    /// The problem.
    pub problem: Problem,
    /// What was tried.
    pub attempt: Attempt,
    /// How often in a row.
    pub attempts: u32,
    /// When it is tried again, unless what would be tried has changed.
    pub retry_at: Timestamp,
}

/// What an attempt is made with. A change of it is worth a try at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The server.
    pub origin: Origin,
    /// The admin's credentials.
    pub credentials: Option<Fingerprint>,
    /// The tokens.
    pub tokens: Vec<Fingerprint>,
}

/// A login that was refused.
#[derive(Clone, Debug)]
pub struct LoginRefused {
    /// With which credentials.
    pub credentials: Fingerprint,
    /// In which way.
    pub problem: Problem,
    /// How often in a row.
    pub attempts: u32,
    /// When these credentials are tried again.
    pub retry_at: Timestamp,
}

impl Remembered {
    /// Whether a token was tried before: it is the accepted one, one of its
    /// predecessors, or one that was refused.
    #[must_use]
    pub fn knows(&self, token: Fingerprint) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.token == token) || self.known.contains(&token)
    }

    fn learn(&mut self, token: Fingerprint) {
        push(&mut self.known, token);
    }
}

/// Adds the newest at the end, and lets the oldest go.
fn push(tokens: &mut Vec<Fingerprint>, token: Fingerprint) {
    tokens.retain(|known| *known != token);
    tokens.push(token);
    let surplus = tokens.len().saturating_sub(KNOWN_TOKENS);
    tokens.drain(..surplus);
}

impl Memory {
    /// What is remembered of an XR. Notes that it was called, and which
    /// connection was seen in observed.
    pub fn recall(
        &self,
        key: &XrKey,
        observed: Option<&ObservedConnection>,
        wanted: &[ConnectionDetail],
        now: Timestamp,
    ) -> Remembered {
        self.forget(now);
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.last_called = Some(now);
        entry.remembered.working = entry.is_working();
        if let Some(accepted) = &mut entry.remembered.accepted {
            accepted.notice(observed, wanted, now);
        }
        entry.remembered.clone()
    }

    /// The generated credentials of an XR: drawn once, whoever asks.
    pub fn generate(&self, key: &XrKey, email: Email, rng: &mut impl CryptoRng) {
        let mut entries = self.lock();
        let remembered = &mut entries.entry(key.clone()).or_default().remembered;
        let is_burnt = |admin: &Credentials| remembered.burnt.as_ref() == Some(&admin.email);
        if remembered.admin.as_ref().is_none_or(is_burnt) {
            remembered.admin = Some(Credentials { email, password: Password::generate(rng) });
            remembered.revision += 1;
        }
    }

    /// Keeps credentials that were seen in the cluster, so that a Secret that is
    /// deleted by hand is written again.
    pub fn keep_admin(&self, key: &XrKey, admin: &Credentials) {
        let mut entries = self.lock();
        let remembered = &mut entries.entry(key.clone()).or_default().remembered;
        if remembered.admin.as_ref() != Some(admin) {
            remembered.admin = Some(admin.clone());
        }
    }

    /// Marks work as under way until what is returned is dropped. `None` when
    /// there is some already, or something has happened since `revision`.
    pub fn begin(&self, key: &XrKey, revision: u64) -> Option<watch::Sender<()>> {
        let mut entries = self.lock();
        let entry = entries.get_mut(key)?;
        if entry.is_working() || entry.remembered.revision != revision {
            return None;
        }
        let (sender, receiver) = watch::channel(());
        entry.under_way = Some(receiver);
        Some(sender)
    }

    /// Tells when the work that is under way ends.
    pub fn under_way(&self, key: &XrKey) -> Option<watch::Receiver<()>> {
        self.lock().get(key)?.under_way.clone()
    }

    /// Remembers what came of work.
    pub fn finish(&self, key: &XrKey, work: &Establish, outcome: Outcome, now: Timestamp) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.under_way = None;
        entry.remembered.absorb(key, work, outcome, now);
    }

    /// Forgets XRs that were not called for longer than any `ttl`. Looks for them
    /// once an hour, so that a call costs the same however many there are.
    fn forget(&self, now: Timestamp) {
        let hour = now.as_second() / FORGET_EVERY;
        if self.forgot_in.swap(hour, Ordering::Relaxed) == hour {
            return;
        }
        self.lock().retain(|_, entry| {
            let forgotten = entry.last_called.is_some_and(|at| timing::later(at, FORGOTTEN_AFTER) < now);
            entry.is_working() || !forgotten
        });
    }

    /// How many XRs are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Nothing that is done under the lock can leave it half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<XrKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether a task holds the sending end. A task that panics drops it.
    fn is_working(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.has_changed().is_ok())
    }
}

impl Remembered {
    fn absorb(&mut self, key: &XrKey, work: &Establish, outcome: Outcome, now: Timestamp) {
        self.revision += 1;
        if work.sweep {
            let again = timing::later(now, SWEPT_AFTER);
            self.sweep_at = if outcome.swept { None } else { Some(again) };
        }
        // One that could not be tried is kept until it was.
        let refused = |token: &AccessToken| outcome.refused.contains(&token.fingerprint());
        let untested = self.untested.take().filter(|token| outcome.connection.is_none() && !refused(token));
        self.untested = outcome.untested.or(untested);
        for refused in outcome.refused {
            self.learn(refused);
            push(&mut self.refused, refused);
            if self.accepted.as_ref().is_some_and(|accepted| accepted.token == refused) {
                self.accepted = None;
            }
        }
        if let Some(connection) = outcome.connection {
            let again = outcome.bootstrapped && work.connected_before;
            self.bootstrapped_again = again.then(|| connection.token.fingerprint());
            self.accept(work, connection, now);
        }
        if let Some(login) = outcome.login {
            self.note_login(key, work, login, now);
        }
        match outcome.problem {
            Some(problem) => self.hold(key, work, problem, now),
            None => self.held = None,
        }
    }

    fn note_login(&mut self, key: &XrKey, work: &Establish, login: Result<(), Problem>, now: Timestamp) {
        let Some(credentials) = work.admin.as_ref().map(Credentials::fingerprint) else { return };
        self.login_refused = login.err().map(|problem| {
            let again = self.login_refused.as_ref().filter(|refused| refused.credentials == credentials);
            let attempts = again.map_or(1, |refused| refused.attempts.saturating_add(1));
            let retry_at = timing::later(now, timing::pause(problem.retry(), attempts, key));
            LoginRefused { credentials, problem, attempts, retry_at }
        });
    }

    fn accept(&mut self, work: &Establish, connection: Connection, now: Timestamp) {
        let token = connection.token.fingerprint();
        for tried in work.attempt().tokens {
            self.learn(tried);
        }
        let before = self.accepted.take();
        if before.as_ref().is_none_or(|before| before.token != token) {
            self.sweep_at = Some(timing::later(now, SWEPT_AFTER));
        }
        let seen_at = before.as_ref().filter(|before| before.token == token).and_then(|it| it.seen_at);
        if let Some(before) = &before {
            self.learn(before.token);
        }
        self.refused.retain(|refused| *refused != token);
        let fresh = Accepted {
            token,
            origin: connection.origin.clone(),
            verified_at: now,
            issued_at: connection.issued_at,
            expires_at: connection.expires_at,
            connection: Some(connection),
            seen_at,
        };
        self.accepted = Some(match before {
            // Of two that work, every replica prefers the same one, so that they
            // do not take turns in overwriting each other's.
            Some(before) if before.is_preferred_to(&fresh) => {
                self.learn(fresh.token);
                before
            }
            _ => fresh,
        });
    }

    fn hold(&mut self, key: &XrKey, work: &Establish, problem: Problem, now: Timestamp) {
        if let ProblemKind::PartiallyBootstrapped { email } = &problem.kind {
            self.burnt = Some(email.clone());
        }
        let attempt = work.attempt();
        let retry = problem.retry();
        let again =
            self.held.as_ref().filter(|held| held.attempt == attempt && held.problem.retry() == retry);
        let attempts = again.map_or(1, |held| held.attempts.saturating_add(1));
        let retry_at = timing::later(now, timing::pause(retry, attempts, key));
        self.held = Some(Held { problem, attempt, attempts, retry_at });
    }
}

impl Accepted {
    /// Notes whether the connection is in observed, all of it; what is not is
    /// held in memory.
    fn notice(&mut self, observed: Option<&ObservedConnection>, wanted: &[ConnectionDetail], now: Timestamp) {
        let (Some(connection), Some(observed)) = (&self.connection, observed) else { return };
        let is_there = observed.in_place && observed.data == connection.data(wanted);
        if is_there {
            let seen_at = *self.seen_at.get_or_insert(now);
            if timing::later(seen_at, HELD_AFTER_SEEN) <= now {
                self.connection = None;
            }
        } else {
            self.seen_at = None;
        }
    }

    /// Whether this token, known to work and held in full, is handed out rather
    /// than another that works: the one that lives longer, then the larger
    /// fingerprint.
    fn is_preferred_to(&self, other: &Self) -> bool {
        let rank = |accepted: &Self| (accepted.expires_at, accepted.token);
        self.connection.is_some()
            && self.origin == other.origin
            && self.token != other.token
            && rank(self) > rank(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xr_that_is_called_no_more_is_forgotten_after_a_day() {
        let memory = Memory::default();
        let at = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap();
        memory.recall(&XrKey::test("gone"), None, &[], at(0));
        memory.recall(&XrKey::test("alive"), None, &[], at(0));
        for hour in 1..=26 {
            memory.recall(&XrKey::test("alive"), None, &[], at(hour));
        }
        assert_eq!(memory.len(), 2, "one may be called again as late as this");
        memory.recall(&XrKey::test("alive"), None, &[], at(27));
        assert_eq!(memory.len(), 1);
    }
}
