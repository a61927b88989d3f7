//! What a process remembers of each XR between calls.
//!
//! Memory makes things cheaper and safer, never possible: whatever is lost with
//! the process is found again in the cluster and on the server. It holds a
//! generated password until the XR is forgotten, and a token until ten minutes
//! after it was seen in observed, so that neither a lost response nor a stale
//! read loses them; after that a fingerprint is all that is kept of it, and what is not
//! secret of the connection.
//!
//! What a server said is remembered of that server, and nothing lasts longer than its
//! reason: an answer until the next one, a problem until what was tried has changed, a
//! refused login until its time has come.
//!
//! Rule 4 is kept here.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use daemon::clock::later;
use infisical::{
    claims::Claims,
    endpoint::Endpoint,
    secret::{AccessToken, Credentials, Email, Fingerprint, Password},
};
use jiff::Timestamp;
use rand::CryptoRng;
use tokio::sync::watch;

use self::entry::{Entry, Server, is_alive, is_queued};
use super::reachability::Told;
use crate::{
    input::{ConnectionDetail, IdentityDetail},
    model::{
        condition::ConditionType,
        connection::{Connection, ObservedConnection},
        due::Due,
        hand_off::{HandOff, HandOffOutcome},
        identity::ObservedIdentity,
        life::Life,
        pause,
        problem::Problem,
        reason::Reason,
        remembered::{Accepted, Failure, LoginRefused, Owner, Remembered},
        replicas::{HELD_AFTER_SEEN, SWEEPS_AFTER, SWEPT_AFTER},
        work::{Before, Establish, Outcome},
        xr::{Neighbour, PreviousConditions, XrKey},
    },
};

mod census;
mod changes;
mod entry;

pub(crate) use census::Census;

/// An XR is forgotten when it was not called for so long. A day is longer than
/// any `ttl` that this function gives (`verifyInterval` ends at 24 h).
const FORGOTTEN_AFTER: Duration = Duration::from_hours(26);

/// An XR that was not called within so many `ttl`s is not counted any more: it is
/// deleted. Crossplane's response cache hands a `ttl` out a second time, and adds a
/// tenth to each.
const CALLED_WITHIN: u32 = 3;

/// How much later than that a call may come from a busy control plane.
const CALL_IS_LATE_AFTER: Duration = Duration::from_mins(2);

/// Seconds between two looks for XRs to forget.
const FORGET_EVERY: i64 = 60 * 60;

/// How many tokens, and how many client secrets, of an XR are recognised: the present
/// one's predecessors and those of other replicas.
const KNOWN: usize = 8;

/// What the processes of one instance of this function remember, by XR.
#[derive(Default)]
pub(crate) struct Memory {
    /// In no order, so that a call costs the same however many there are; boxed,
    /// since an entry is a thousand bytes.
    entries: Mutex<HashMap<XrKey, Box<Entry>>>,
    /// The hour in which XRs were forgotten last.
    forgot_in: AtomicI64,
}

/// Adds the newest at the end, and lets the oldest go.
pub(super) fn remember(known: &mut Box<[Fingerprint]>, newest: Fingerprint) {
    let others = known.iter().filter(|known| **known != newest).copied();
    let mut all: Vec<Fingerprint> = others.chain([newest]).collect();
    let surplus = all.len().saturating_sub(KNOWN);
    *known = all.split_off(surplus).into_boxed_slice();
}

/// Takes one out.
pub(super) fn forget(known: &mut Box<[Fingerprint]>, one: Fingerprint) {
    *known = known.iter().filter(|known| **known != one).copied().collect();
}

impl Memory {
    /// Notes a call, and dates the changes of the XR's conditions by the clock here.
    pub(crate) fn date(&self, key: &XrKey, previous: &mut PreviousConditions, now: Timestamp) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.changes.date(previous, entry.last_called, now);
        entry.last_called = Some(now);
    }

    /// What is remembered of an XR at the server that it is pointed at, if that is known.
    /// Notes that it was called, and which connection was seen in observed.
    pub(crate) fn recall(
        &self,
        key: &XrKey,
        server: Option<&Endpoint>,
        (observed, wanted): (Option<&ObservedConnection>, &[ConnectionDetail]),
        now: Timestamp,
    ) -> Arc<Remembered> {
        self.forget(now);
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.last_called = Some(now);
        let present = entry.pointed_at(server, now);
        let (working, queued) = (present.is_working(), is_queued(present.under_way.as_ref()));
        let remembered = present.remembered();
        (remembered.working, remembered.queued) = (working, queued);
        if let Some(accepted) = &mut remembered.accepted {
            accepted.notice(observed, wanted, now);
        }
        Arc::clone(&present.remembered)
    }

    /// Draws the credentials of an XR, unless something has happened since `revision`:
    /// they are drawn once, whoever asks.
    pub(crate) fn generate(&self, key: &XrKey, revision: u64, email: Email, rng: &mut impl CryptoRng) {
        let mut entries = self.lock();
        let remembered = entries.entry(key.clone()).or_default().present.remembered();
        if remembered.revision == revision {
            remembered.admin = Some(Credentials { email, password: Password::generate(rng) });
            remembered.revision += 1;
        }
    }

    /// Keeps credentials that were seen in the cluster, so that a Secret that is
    /// deleted by hand is written again.
    pub(crate) fn keep_admin(&self, key: &XrKey, admin: &Credentials) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        if entry.present.remembered.admin.as_ref() != Some(admin) {
            entry.present.remembered().admin = Some(admin.clone());
        }
    }

    /// Notes what was answered: the reason of each condition, by its type, and when Crossplane
    /// calls again.
    pub(crate) fn note(
        &self,
        key: &XrKey,
        said: impl Iterator<Item = (ConditionType, Reason)> + Clone,
        ttl: Duration,
        now: Timestamp,
    ) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(key) else { return };
        entry.called_by = Some(Due::after(now, ttl * CALLED_WITHIN + CALL_IS_LATE_AFTER));
        if !said.clone().eq(entry.said.iter().copied()) {
            entry.said = said.collect();
        }
    }

    /// What the XRs say that are still called.
    #[must_use]
    pub(crate) fn census(&self, now: Timestamp) -> Census {
        let entries = self.lock();
        let is_called = |entry: &&Entry| entry.is_called(now);
        let mut census = Census::default();
        for entry in entries.values().map(AsRef::as_ref).filter(is_called) {
            for said in &*entry.said {
                *census.reasons.entry(*said).or_default() += 1;
            }
            let ends = entry.present.remembered.accepted.as_ref().and_then(|accepted| accepted.expires_at);
            let first = census.first_token_ends.into_iter().chain(ends.map(Timestamp::as_second)).min();
            census.first_token_ends = first;
        }
        census
    }

    /// Marks work as under way until what is returned is dropped. `None` when
    /// there is some already, or something has happened since `revision`.
    pub(crate) fn begin(&self, key: &XrKey, server: &Endpoint, revision: u64) -> Option<watch::Sender<bool>> {
        let mut entries = self.lock();
        let there = entries.get_mut(key)?.at(server)?;
        if there.is_working() || there.remembered.revision != revision {
            return None;
        }
        let (sender, receiver) = watch::channel(false);
        there.under_way = Some(receiver);
        Some(sender)
    }

    /// Tells when the work that is under way ends, and when handing off does, at the
    /// server that the XR is pointed at.
    pub(crate) fn under_way(
        &self,
        key: &XrKey,
    ) -> (Option<watch::Receiver<bool>>, Option<watch::Receiver<bool>>) {
        let entries = self.lock();
        let Some(entry) = entries.get(key) else { return (None, None) };
        let alive =
            |under_way: &Option<watch::Receiver<bool>>| under_way.clone().filter(|it| is_alive(Some(it)));
        (alive(&entry.present.under_way), alive(&entry.present.handing_off))
    }

    /// Notes what handing off has left in observed.
    pub(crate) fn see_identity(
        &self,
        key: &XrKey,
        server: Option<&Endpoint>,
        (observed, wanted): (Option<&ObservedIdentity>, &[IdentityDetail]),
        now: Timestamp,
    ) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.last_called = Some(now);
        let present = entry.pointed_at(server, now);
        let under_way = present.handing_off.as_ref();
        let (working, queued) = (is_alive(under_way), is_queued(under_way));
        let state = present.remembered().hand_off.get_or_insert_default();
        (state.working, state.queued) = (working, queued);
        state.notice(observed, wanted, now);
    }

    /// As [`Self::begin`], of handing off.
    pub(crate) fn begin_hand_off(
        &self,
        key: &XrKey,
        server: &Endpoint,
        revision: u64,
    ) -> Option<watch::Sender<bool>> {
        let mut entries = self.lock();
        let there = entries.get_mut(key)?.at(server)?;
        let state = there.remembered.hand_off.as_ref()?;
        if is_alive(there.handing_off.as_ref()) || state.revision != revision {
            return None;
        }
        let (sender, receiver) = watch::channel(false);
        there.handing_off = Some(receiver);
        Some(sender)
    }

    /// Remembers what came of handing off, and what that says of the connection.
    pub(crate) fn finish_hand_off(
        &self,
        key: &XrKey,
        work: &HandOff,
        outcome: HandOffOutcome,
        now: Timestamp,
    ) {
        let mut entries = self.lock();
        let Some(there) = entries.entry(key.clone()).or_default().at(&work.endpoint) else { return };
        there.handing_off = None;
        let token = work.token.fingerprint();
        let remembered = there.remembered();
        if let Some(accepted) = remembered.accepted.as_mut().filter(|it| it.token == token) {
            if outcome.right_is_gone {
                accepted.is_instance_admin = Some(false);
            }
            if outcome.token_refused {
                // It is asked about at once.
                accepted.verified_at = Timestamp::UNIX_EPOCH;
            }
        }
        if let Some((login, admin)) = outcome.login.clone().zip(work.admin.as_ref()) {
            remembered.note_login(key, admin, login, now);
        }
        remembered.hand_off.get_or_insert_default().absorb(key, work, outcome, now);
    }

    /// Remembers what came of work.
    pub(crate) fn finish(&self, key: &XrKey, work: &Establish, mut outcome: Outcome, now: Timestamp) {
        let mut entries = self.lock();
        if outcome.is_elsewhere()
            && let Some(neighbour) = neighbour_at(&entries, key, work, now)
        {
            outcome.is_instance_of(&neighbour);
        }
        let entry = entries.entry(key.clone()).or_default();
        if entry.xr.as_deref() != work.xr.as_ref() {
            entry.xr = work.xr.clone().map(Box::new);
        }
        if let Some(logged_in) = outcome.logged_in(work) {
            entry.present.remembered().logged_in = Some(Box::new(logged_in));
        }
        let Some(there) = entry.at(&work.endpoint) else { return };
        there.under_way = None;
        there.remembered().absorb(key, work, outcome, now);
    }

    /// Remembers, in the place of what came of work, what another XR was told by an
    /// instance that does not answer.
    pub(super) fn tell(&self, key: &XrKey, work: &Establish, told: Told) {
        let mut entries = self.lock();
        let Some(there) = entries.entry(key.clone()).or_default().at(&work.endpoint) else { return };
        there.under_way = None;
        there.remembered().hear(work, told);
    }

    /// The same for handing off.
    pub(super) fn tell_hand_off(&self, key: &XrKey, work: &HandOff, told: Told) {
        let mut entries = self.lock();
        let Some(there) = entries.entry(key.clone()).or_default().at(&work.endpoint) else { return };
        there.handing_off = None;
        there.remembered().hand_off.get_or_insert_default().hear(work, told);
    }

    /// What has waited for an instance to answer is due. This looks at every XR, and there
    /// is one such answer for each silence.
    pub(super) fn answers_again(&self, server: &Endpoint, now: Timestamp) {
        let server = Server::from(server);
        for entry in self.lock().values_mut() {
            entry.answers_again(&server, now);
        }
    }

    /// Forgets XRs that were not called for longer than any `ttl`. Looks for them
    /// once an hour, so that a call costs the same however many there are.
    fn forget(&self, now: Timestamp) {
        let hour = now.as_second() / FORGET_EVERY;
        if self.forgot_in.swap(hour, Ordering::Relaxed) == hour {
            return;
        }
        self.lock().retain(|_, entry| {
            // Ahead of a clock that was set back it is counted from now.
            let last_called = entry.last_called.map(|at| at.min(now));
            entry.last_called = last_called;
            let forgotten = last_called.is_some_and(|at| later(at, FORGOTTEN_AFTER) < now);
            entry.is_busy() || !forgotten
        });
    }

    /// How many XRs are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Nothing that is done under the lock can leave it half done.
    fn lock(&self) -> MutexGuard<'_, HashMap<XrKey, Box<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first by name of the XRs that are connected to the server of the work and may be
/// named to the XR that it is for.
fn neighbour_at(
    entries: &HashMap<XrKey, Box<Entry>>,
    key: &XrKey,
    work: &Establish,
    now: Timestamp,
) -> Option<Neighbour> {
    let own = work.xr.as_ref()?;
    let is_there = |entry: &Entry| {
        let accepted = entry.present.remembered.accepted.as_ref();
        entry.is_called(now) && accepted.is_some_and(|it| it.origin == *work.endpoint.origin())
    };
    let others = entries.iter().filter(|(other, entry)| *other != key && is_there(entry));
    others.filter_map(|(_, entry)| entry.xr.as_deref()).filter(|other| own.may_name(other)).min().cloned()
}

impl Remembered {
    fn learn(&mut self, token: Fingerprint) {
        remember(&mut self.known, token);
    }

    fn absorb(&mut self, key: &XrKey, work: &Establish, outcome: Outcome, now: Timestamp) {
        self.revision += 1;
        self.asked_at = Some(now);
        if work.sweep {
            let again = Due::after(now, SWEPT_AFTER);
            self.sweep_at = if outcome.swept { None } else { Some(again) };
        }
        // One that could not be tried is kept until it was.
        let refused = |token: &AccessToken| outcome.refused.contains(&token.fingerprint());
        let untested = self.untested.take().filter(|token| outcome.connection.is_none() && !refused(token));
        self.untested = outcome.untested.map(Box::new).or(untested);
        for refused in outcome.refused {
            self.learn(refused);
            remember(&mut self.refused, refused);
            if self.accepted.as_ref().is_some_and(|accepted| accepted.token == refused) {
                self.accepted = None;
            }
        }
        if outcome.connection.is_none() && outcome.problem.is_none() {
            // An empty instance is left alone until it is ready: what it accepted is gone.
            self.accepted = None;
        }
        if let Some((hand_off, identity)) = self.hand_off.as_mut().zip(outcome.of_bootstrap) {
            hand_off.of_bootstrap = Some(identity);
        }
        if let Some(connection) = outcome.connection {
            let again = outcome.bootstrapped && work.before == Before::Connected;
            self.bootstrapped_again = again.then(|| Box::new(connection.token.fingerprint()));
            self.accept(work, connection, now);
        }
        if let Some((login, admin)) = outcome.login.zip(work.admin.as_ref()) {
            self.note_login(key, admin, login, now);
        }
        match outcome.problem {
            Some(problem) => self.hold(key, work, problem, now),
            None => self.failure = None,
        }
    }

    /// What another XR was told by an instance that does not answer.
    fn hear(&mut self, work: &Establish, told: Told) {
        self.revision += 1;
        self.asked_at = Some(told.at);
        let problem = Problem::told(work.endpoint.origin(), work.first_request(), told.error);
        let failure = Failure::told(self.failure.as_deref(), work.attempt(), problem, told.retry_at);
        self.failure = Some(Box::new(failure));
    }

    /// It answers again: there is no reason to wait any more.
    pub(super) fn answers_again(&mut self, now: Timestamp) {
        if let Some(failure) = &mut self.failure {
            failure.answers_again(now);
        }
        if let Some(hand_off) = &mut self.hand_off {
            hand_off.answers_again(now);
        }
    }

    fn note_login(&mut self, key: &XrKey, admin: &Credentials, login: Result<(), Problem>, now: Timestamp) {
        let credentials = admin.fingerprint();
        self.login_refused = login.err().map(|problem| {
            let again = self.login_refused.as_ref().filter(|refused| refused.credentials == credentials);
            let attempts = again.map_or(1, |refused| refused.attempts.saturating_add(1));
            let retry_at = Due::after(now, pause::after(problem.retry(), attempts, key));
            Box::new(LoginRefused { credentials, problem, attempts, retry_at })
        });
    }

    fn accept(&mut self, work: &Establish, connection: Connection, now: Timestamp) {
        let token = connection.token.fingerprint();
        // The first that was not refused, which are known already, was accepted. What comes
        // after it was not tried.
        let tried = work.tokens().map(AccessToken::fingerprint).find(|it| !self.refused.contains(it));
        if let Some(tried) = tried {
            self.learn(tried);
        }
        let before = self.accepted.take();
        let owner = Box::new(Owner::of(&connection));
        let is_the_same =
            |before: &Accepted| before.owner.token_id.is_some() && before.owner.token_id == owner.token_id;
        if !before.as_ref().is_some_and(is_the_same) {
            self.sweep_at = Some(Due::after(now, SWEEPS_AFTER));
        }
        let same = before.as_ref().filter(|before| before.token == token);
        let (seen_at, last_seen_at) = same.map_or((None, None), |it| (it.seen_at, it.last_seen_at));
        let known_end = same.and_then(|same| same.expires_at);
        // Where the server could not be asked when it ends, what is known of that stays.
        let measured = same.and_then(|same| same.measured(now));
        let life = match known_end {
            Some(_) if connection.end_is_open => measured
                .or_else(|| Life::found(Claims::of(&connection.token).issued_at, known_end, None, now)),
            _ => connection.life.or_else(|| same.and_then(|same| same.life)),
        };
        let was_admin =
            before.as_ref().filter(|before| is_the_same(before)).and_then(|it| it.is_instance_admin);
        if let Some(before) = &before {
            self.learn(before.token);
        }
        forget(&mut self.refused, token);
        self.accepted = Some(Accepted {
            token,
            origin: connection.origin.clone(),
            // What was due by the time at which the work began was done.
            verified_at: work.now,
            life,
            expires_at: connection.expires_at.or(known_end),
            end_is_open: connection.end_is_open && (known_end.is_none() || measured.is_none()),
            is_instance_admin: connection.is_instance_admin.or(was_admin),
            owner,
            connection: Some(Arc::new(connection)),
            seen_at,
            last_seen_at,
        });
    }

    fn hold(&mut self, key: &XrKey, work: &Establish, problem: Problem, now: Timestamp) {
        let attempt = work.attempt();
        let retry = problem.retry();
        let attempts = Failure::attempts_after(self.failure.as_deref(), &attempt, retry);
        let pause = pause::after(retry, attempts, key);
        // A token that works leaves time to try again.
        let pause = match &self.accepted {
            Some(Accepted { life: Some(life), verified_at, .. }) if *verified_at == work.now => {
                pause.max(pause::of_renewal(life.left(now), key))
            }
            _ => pause,
        };
        let retry_at = Due::after(now, pause);
        self.failure = Some(Box::new(Failure { problem, attempt, attempts, retry_at }));
    }
}

impl Accepted {
    /// Notes whether the connection is in observed, all of it; what is not is
    /// held in memory.
    fn notice(&mut self, observed: Option<&ObservedConnection>, wanted: &[ConnectionDetail], now: Timestamp) {
        let Some(observed) = observed else { return };
        if observed.token.as_ref().map(AccessToken::fingerprint) == Some(self.token) {
            self.last_seen_at = Some(now);
        }
        let Some(connection) = &self.connection else { return };
        let is_there = observed.in_place && connection.parts().is_in(observed, wanted);
        if is_there {
            let seen_at = self.seen_at.map_or(now, |at| at.min(now));
            self.seen_at = Some(seen_at);
            // Of one that may be used so many times only it is kept what the server said,
            // not to ask again.
            let is_limited = || Claims::of(&connection.token).is_limited();
            if Due::after(seen_at, HELD_AFTER_SEEN).is_over(now) && !is_limited() {
                self.connection = None;
            }
        } else {
            self.seen_at = None;
        }
    }
}

#[cfg(test)]
mod tests;
