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
    endpoint::{Endpoint, Origin},
    secret::{AccessToken, Credentials, Email, Fingerprint, Password},
};
use jiff::Timestamp;
use rand::CryptoRng;
use tokio::sync::watch;

use self::entry::{Entry, Server, is_alive, is_queued};
use super::{Before, Establish, HandOff, HandOffOutcome, HandedOff, MintedFor, Outcome, Told, held};
use crate::{
    connection::{Connection, ObservedConnection, Parts},
    due::{Due, is_recent},
    identity::ObservedIdentity,
    input::{ConnectionDetail, IdentityDetail},
    life::Life,
    metrics::Census,
    observe::{Neighbour, PreviousCondition, PreviousConditions, XrKey},
    pause,
    problem::Problem,
    proto::v1::RunFunctionResponse,
    respond::conditions,
};

mod changes;
mod entry;

/// For how long a token or client secret is held after it was seen in observed: longer
/// than any stale read.
pub(super) const HELD_AFTER_SEEN: Duration = Duration::from_mins(10);

/// A token, client secret or identity of ours that an earlier try has left is ended
/// when it is older than this: a replica that has just made one hands it out. So this
/// long after one was made another is sure to find them all.
pub(super) const SWEPT_AFTER: Duration = Duration::from_mins(10);

/// When it looks for them: what other replicas made at the same time is old enough by
/// then.
pub(super) const SWEEPS_AFTER: Duration = Duration::from_mins(11);

/// One that is younger, or was in observed so short a time ago, is ended by no other
/// replica. The other half of [`SWEPT_AFTER`] is for what is under way.
pub(super) const SAFE: Duration = Duration::from_mins(5);

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
pub struct Memory {
    /// In no order, so that a call costs the same however many there are; boxed,
    /// since an entry is a thousand bytes.
    entries: Mutex<HashMap<XrKey, Box<Entry>>>,
    /// The hour in which XRs were forgotten last.
    forgot_in: AtomicI64,
}

/// What is remembered of one XR, at the server that it is pointed at. What few XRs have,
/// or have for a short time, is boxed: there may be thousands of XRs.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The generated email and password. The same at every server.
    pub admin: Option<Credentials>,
    /// The email and password that a server has let in last, this one or another.
    pub let_in: Option<Box<Fingerprint>>,
    /// The token that the server accepted last.
    pub accepted: Option<Accepted>,
    /// Fingerprints of tokens that were tried: predecessors of the accepted
    /// one, and those that were refused.
    pub known: Box<[Fingerprint]>,
    /// The tokens that the server refused last.
    pub refused: Box<[Fingerprint]>,
    /// The token of a bootstrap, of an instance that had been connected before
    /// and was found empty.
    pub bootstrapped_again: Option<Box<Fingerprint>>,
    /// A token that bootstrap returned and that could not be tried yet.
    pub untested: Option<Box<AccessToken>>,
    /// The last problem, while there is one.
    pub held: Option<Box<Held>>,
    /// The last refused login.
    pub login_refused: Option<Box<LoginRefused>>,
    /// When to look for tokens that earlier tries have left alive.
    pub sweep_at: Option<Due>,
    /// When the server was asked last, and had answered or had not.
    pub asked_at: Option<Timestamp>,
    /// What is remembered of handing off, if that is asked for.
    pub hand_off: Option<Box<HandedOff>>,
    /// Whether work is under way.
    pub working: bool,
    /// Whether that waits for its turn at the instance.
    pub queued: bool,
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
    /// How long it lives, and how much of that has passed.
    pub life: Option<Life>,
    /// When it ends by the server's clock, to be shown.
    pub expires_at: Option<Timestamp>,
    /// Whether that is not known because the server could not be asked.
    pub end_is_open: bool,
    /// Whether its identity is an instance admin, as far as the server has said.
    pub is_instance_admin: Option<bool>,
    /// Whose it is. With these and the token the connection can be made anew.
    pub owner: Box<Owner>,
    /// All of it, until ten minutes after it was seen in observed.
    pub connection: Option<Arc<Connection>>,
    /// When it was seen in observed first.
    pub seen_at: Option<Timestamp>,
    /// When its token was seen in observed last.
    pub last_seen_at: Option<Timestamp>,
}

/// Whose token was accepted, as the server and the token said.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The organization's ID.
    pub organization_id: Box<str>,
    /// The organization's slug.
    pub organization_slug: Box<str>,
    /// The identity's ID, as far as the token says.
    pub identity_id: Option<Box<str>>,
    /// The id that the token has on the server; renewing keeps it.
    pub token_id: Option<Box<str>>,
}

impl Owner {
    /// That of a connection.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        Self {
            organization_id: connection.organization_id.as_str().into(),
            organization_slug: connection.organization_slug.as_str().into(),
            identity_id: connection.identity_id.as_deref().map(Into::into),
            token_id: Claims::of(&connection.token).token_id,
        }
    }
}

/// A problem of the connection.
pub type Held = held::Held<Attempt>;

/// What an attempt is made with. A change of it is worth a try at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The server.
    pub endpoint: Endpoint,
    /// The admin's credentials.
    pub credentials: Option<Fingerprint>,
    /// The email that the input names, which the credentials need not have.
    pub email: Option<Email>,
    /// What the organization is called.
    pub organization: String,
    /// Whose token is minted.
    pub minted_for: MintedFor,
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
    pub retry_at: Due,
}

impl Held {
    /// Whether it came of asking about this token.
    #[must_use]
    pub fn is_about(&self, accepted: &Accepted) -> bool {
        self.attempt.tokens.contains(&accepted.token)
    }
}

impl Remembered {
    /// Whether a token was tried before: it is the accepted one, one of its
    /// predecessors, or one that was refused.
    #[must_use]
    pub fn knows(&self, token: Fingerprint) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.token == token) || self.known.contains(&token)
    }

    /// Whether work that follows a failed attempt waits for its turn: at an instance that
    /// hangs others come first, and no call is to wait with them.
    #[must_use]
    pub fn stands_in_a_queue(&self) -> bool {
        self.queued && self.held.is_some()
    }

    /// Whether what the XR says may be newer than what this process was told: a
    /// replica that was told otherwise since has said so. In doubt it is this
    /// process that knows better.
    #[must_use]
    pub fn is_older_than(&self, said: &PreviousCondition) -> bool {
        self.asked_at.is_none_or(|asked_at| said.is_newer_than(asked_at))
    }

    fn learn(&mut self, token: Fingerprint) {
        remember(&mut self.known, token);
    }
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
    pub fn date(&self, key: &XrKey, previous: &mut PreviousConditions, now: Timestamp) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.changes.date(previous, entry.last_called, now);
        entry.last_called = Some(now);
    }

    /// What is remembered of an XR at the server that it is pointed at, if that is known.
    /// Notes that it was called, and which connection was seen in observed.
    pub fn recall(
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
    pub fn generate(&self, key: &XrKey, revision: u64, email: Email, rng: &mut impl CryptoRng) {
        let mut entries = self.lock();
        let remembered = entries.entry(key.clone()).or_default().present.remembered();
        if remembered.revision == revision {
            remembered.admin = Some(Credentials { email, password: Password::generate(rng) });
            remembered.revision += 1;
        }
    }

    /// Keeps credentials that were seen in the cluster, so that a Secret that is
    /// deleted by hand is written again.
    pub fn keep_admin(&self, key: &XrKey, admin: &Credentials) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        if entry.present.remembered.admin.as_ref() != Some(admin) {
            entry.present.remembered().admin = Some(admin.clone());
        }
    }

    /// Notes what was answered, for [`Self::census`].
    pub fn note(&self, key: &XrKey, response: &RunFunctionResponse, now: Timestamp) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(key) else { return };
        let ttl = response.meta.as_ref().and_then(|meta| meta.ttl.as_ref()).map_or(0, |ttl| ttl.seconds);
        let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
        entry.called_by = Some(Due::after(now, ttl * CALLED_WITHIN + CALL_IS_LATE_AFTER));
        let said = || response.conditions.iter().map(|says| (says.r#type.as_str(), says.reason.as_str()));
        if !said().eq(entry.said.iter().copied()) {
            entry.said = said().filter_map(|(name, reason)| conditions::known(name, reason)).collect();
        }
    }

    /// What the XRs say that are still called.
    #[must_use]
    pub fn census(&self, now: Timestamp) -> Census {
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
    pub fn begin(&self, key: &XrKey, server: &Endpoint, revision: u64) -> Option<watch::Sender<bool>> {
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
    pub fn under_way(&self, key: &XrKey) -> (Option<watch::Receiver<bool>>, Option<watch::Receiver<bool>>) {
        let entries = self.lock();
        let Some(entry) = entries.get(key) else { return (None, None) };
        let alive =
            |under_way: &Option<watch::Receiver<bool>>| under_way.clone().filter(|it| is_alive(Some(it)));
        (alive(&entry.present.under_way), alive(&entry.present.handing_off))
    }

    /// Notes what handing off has left in observed.
    pub fn see_identity(
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
    pub fn begin_hand_off(
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
    pub fn finish_hand_off(&self, key: &XrKey, work: &HandOff, outcome: HandOffOutcome, now: Timestamp) {
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
    pub fn finish(&self, key: &XrKey, work: &Establish, mut outcome: Outcome, now: Timestamp) {
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
        if let Some(let_in) = outcome.let_in(work) {
            entry.present.remembered().let_in = Some(Box::new(let_in));
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
            None => self.held = None,
        }
    }

    /// What another XR was told by an instance that does not answer.
    fn hear(&mut self, work: &Establish, told: Told) {
        self.revision += 1;
        self.asked_at = Some(told.at);
        let problem = Problem::told(work.endpoint.origin(), work.first_request(), told.error);
        let held = Held::told(self.held.as_deref(), work.attempt(), problem, told.retry_at);
        self.held = Some(Box::new(held));
    }

    /// It answers again: there is no reason to wait any more.
    pub(super) fn answers_again(&mut self, now: Timestamp) {
        if let Some(held) = &mut self.held {
            held.answers_again(now);
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
        let attempts = Held::attempts_after(self.held.as_deref(), &attempt, retry);
        let pause = pause::after(retry, attempts, key);
        // A token that works leaves time to try again.
        let pause = match &self.accepted {
            Some(Accepted { life: Some(life), verified_at, .. }) if *verified_at == work.now => {
                pause.max(pause::of_renewal(life.left(now), key))
            }
            _ => pause,
        };
        let retry_at = Due::after(now, pause);
        self.held = Some(Box::new(Held { problem, attempt, attempts, retry_at }));
    }
}

impl Accepted {
    /// The connection that was accepted, with the observed token in it, if that is the
    /// accepted one. What else is observed may have been edited since.
    #[must_use]
    pub fn with<'a>(&'a self, observed: &'a ObservedConnection) -> Option<Parts<'a>> {
        let token = observed.token.as_ref().filter(|token| token.fingerprint() == self.token)?;
        Some(Parts {
            token,
            origin: &self.origin,
            organization_id: &self.owner.organization_id,
            organization_slug: &self.owner.organization_slug,
            identity_id: self.owner.identity_id.as_deref(),
            expires_at: self.expires_at,
        })
    }

    /// Whether its identity was found not to be an instance admin (any more).
    #[must_use]
    pub fn lacks_the_right(&self) -> bool {
        self.is_instance_admin == Some(false)
    }

    /// Whether it was issued a short time ago.
    pub(crate) fn is_young(&self, now: Timestamp) -> bool {
        self.life.is_some_and(|life| life.was_issued_within(SAFE, now))
    }

    /// Whether its life is over, as far as is known.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some() && self.life.is_some_and(|life| life.is_over(now))
    }

    /// What the server's clock shows, as far as its end has told.
    pub(crate) fn shown_by_server(&self, now: Timestamp) -> Option<Timestamp> {
        let (end, life) = (self.expires_at?, self.life.filter(|_| !self.end_is_open)?);
        end.checked_sub(life.until_end(now)?).ok()
    }

    /// How long it lives, where that is known for sure.
    pub(crate) fn measured(&self, now: Timestamp) -> Option<Life> {
        self.life.filter(|life| life.is_known(now) && !self.end_is_open && self.verified_at <= now)
    }

    /// Whether no other replica revokes it, since it is young or was in the
    /// cluster a short time ago. A stale read does not show an older time.
    pub(crate) fn is_safe_from_others(&self, now: Timestamp) -> bool {
        self.is_young(now) || self.last_seen_at.is_some_and(|at| is_recent(at, SAFE, now))
    }

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
mod tests {
    use infisical::{
        api::Organization,
        endpoint::{Endpoint, Tls},
    };
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{
        input::{DetailValue, TokenPolicy},
        problem::ProblemKind,
    };

    #[test]
    fn an_xr_that_is_called_no_more_is_forgotten_after_a_day() {
        let memory = Memory::default();
        let at = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap();
        memory.recall(&XrKey::test("gone"), None, (None, &[]), at(0));
        memory.recall(&XrKey::test("alive"), None, (None, &[]), at(0));
        for hour in 1..=26 {
            memory.recall(&XrKey::test("alive"), None, (None, &[]), at(hour));
        }
        assert_eq!(memory.len(), 2, "one may be called again as late as this");
        memory.recall(&XrKey::test("alive"), None, (None, &[]), at(27));
        assert_eq!(memory.len(), 1);
    }

    const WANTED: [ConnectionDetail; 0] = [];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn wanted() -> Vec<ConnectionDetail> {
        vec![ConnectionDetail { name: "token".to_owned(), value: DetailValue::Token }]
    }

    fn mk_connection(token: &str, expires: i64) -> Connection {
        let organization = Organization { id: "o".to_owned(), name: "o".to_owned(), slug: "o".to_owned() };
        let origin = Origin::parse("http://infisical:8080").unwrap();
        let mut connection = Connection::new(AccessToken::new(token), origin, organization, None);
        connection.life = Life::issued(Some(at(0)), Some(at(expires)), at(0));
        connection.expires_at = Some(at(expires));
        connection
    }

    fn mk_observed(token: &str) -> ObservedConnection {
        let mut data = crate::composed_secret::SecretData::default();
        data.insert("token", token);
        ObservedConnection::read(data, &wanted())
    }

    fn mk_admin(password: &str) -> Credentials {
        Credentials { email: Email::parse("a@example.org").unwrap(), password: Password::new(password) }
    }

    fn mk_endpoint() -> Endpoint {
        Endpoint::new(Origin::parse("http://infisical:8080").unwrap(), Tls::default())
    }

    fn mk_work(token: &str) -> Establish {
        Establish {
            endpoint: mk_endpoint(),
            token: Some(AccessToken::new(token)),
            others: Vec::new(),
            measured: None,
            limited: None,
            may_bootstrap: true,
            renew: false,
            sweep: false,
            admin: Some(mk_admin("marker-password")),
            admin_is_generated: true,
            email: None,
            admin_was_in_use: false,
            adopts: false,
            rival: None,
            minted_for: MintedFor::default(),
            before: Before::Connected,
            login: super::super::Login::Allowed,
            organization: "o".to_owned(),
            token_name: "name".to_owned(),
            token_policy: TokenPolicy::default(),
            xr: None,
            now: at(0),
        }
    }

    fn mk_hand_off() -> HandOff {
        HandOff {
            endpoint: mk_endpoint(),
            token: AccessToken::new("a"),
            logins: Vec::new(),
            seen: None,
            name: "name".to_owned(),
            role: "member".to_owned(),
            projects: Arc::default(),
            identity_id: None,
            is_fresh: false,
            revoke: false,
            adopts: false,
            of_bootstrap: None,
            admin: None,
            login: super::super::Login::Allowed,
            sweep: false,
            now: at(0),
        }
    }

    fn accepting(token: &str, expires: i64) -> Outcome {
        Outcome { connection: Some(mk_connection(token, expires)), ..Outcome::default() }
    }

    #[test]
    fn the_token_that_was_accepted_last_is_handed_out_and_none_of_them_is_strange() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        for token in ["a", "b", "c"] {
            memory.finish(&key, &mk_work(token), accepting(token, 60), at(0));
        }
        let remembered = memory.recall(&key, None, (None, &WANTED), at(1));
        for token in ["a", "b", "c"] {
            assert!(remembered.knows(AccessToken::new(token).fingerprint()), "{token}");
        }
        let held = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
        assert_eq!(held.map(|connection| &connection.token), Some(&AccessToken::new("c")));
    }

    #[test]
    fn a_token_is_held_until_ten_minutes_after_it_was_seen() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        memory.finish(&key, &mk_work("a"), accepting("a", 9000), at(0));
        let see = |observed: Option<&ObservedConnection>, now| {
            memory
                .recall(&key, None, (observed, &wanted()), at(now))
                .accepted
                .as_ref()
                .unwrap()
                .connection
                .is_some()
        };
        assert!(see(None, 5000), "as long as it was not seen");
        assert!(see(Some(&mk_observed("a")), 5001), "it is seen first");
        assert!(see(Some(&mk_observed("a")), 5600));
        assert!(see(Some(&mk_observed("other")), 5700), "a stale read starts it anew");
        assert!(see(Some(&mk_observed("a")), 5701));
        assert!(see(Some(&mk_observed("a")), 6300));
        assert!(!see(Some(&mk_observed("a")), 6301));
        let remembered = memory.recall(&key, None, (None, &wanted()), at(6400));
        assert!(remembered.knows(AccessToken::new("a").fingerprint()), "a fingerprint stays");
    }

    #[test]
    fn only_so_many_tokens_are_recognised() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        for number in 0..100 {
            let token = format!("token-{number}");
            let refused = vec![AccessToken::new(token.as_str()).fingerprint()];
            memory.finish(&key, &mk_work(&token), Outcome { refused, ..Outcome::default() }, at(number));
        }
        let remembered = memory.recall(&key, None, (None, &WANTED), at(100));
        assert_eq!((remembered.known.len(), remembered.refused.len()), (KNOWN, KNOWN));
        assert!(remembered.knows(AccessToken::new("token-99").fingerprint()));
        assert!(!remembered.knows(AccessToken::new("token-0").fingerprint()));
    }

    #[test]
    fn a_token_that_could_not_be_tried_is_kept_until_it_was() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let untested = AccessToken::new("first");
        let outcome = Outcome { untested: Some(untested.clone()), ..Outcome::default() };
        memory.finish(&key, &mk_work("a"), outcome, at(0));
        let remembered = || memory.recall(&key, None, (None, &WANTED), at(1)).untested.as_deref().cloned();
        memory.finish(&key, &mk_work("first"), Outcome::default(), at(0));
        assert_eq!(remembered(), Some(untested.clone()), "the server could not be asked");
        let outcome = Outcome { refused: vec![untested.fingerprint()], ..Outcome::default() };
        memory.finish(&key, &mk_work("first"), outcome, at(0));
        assert_eq!(remembered(), None);
    }

    #[test]
    fn a_refused_login_is_remembered_until_one_is_accepted() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let problem = Problem::new(
            &Origin::parse("http://infisical:8080").unwrap(),
            ProblemKind::AdminLoginRefused { email: Email::parse("a@example.org").unwrap() },
        );
        let attempts = || {
            let remembered = memory.recall(&key, None, (None, &WANTED), at(1));
            remembered.login_refused.as_ref().map(|refused| refused.attempts)
        };
        let refused = || Outcome { login: Some(Err(problem.clone())), ..accepting("a", 60) };
        memory.finish(&key, &mk_work("a"), refused(), at(0));
        memory.finish(&key, &mk_work("a"), accepting("a", 60), at(0));
        assert_eq!(attempts(), Some(1), "a token that works says nothing of the password");
        memory.finish(&key, &mk_work("a"), refused(), at(0));
        assert_eq!(attempts(), Some(2));
        memory.finish(&key, &mk_work("a"), Outcome { login: Some(Ok(())), ..accepting("a", 60) }, at(0));
        assert_eq!(attempts(), None);
    }

    #[test]
    fn a_password_is_drawn_once_for_a_plan() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let mut rng = StdRng::seed_from_u64(1);
        let email = Email::parse("a@example.org").unwrap();
        let remembered = || memory.recall(&key, None, (None, &WANTED), at(0));
        let revision = remembered().revision;
        let drawn = |rng: &mut StdRng, revision| {
            memory.generate(&key, revision, email.clone(), rng);
            remembered().admin.clone().unwrap()
        };
        let first = drawn(&mut rng, revision);
        assert_eq!(drawn(&mut rng, revision), first, "the plan of another call is out of date");
        memory.finish(&key, &mk_work("a"), Outcome { bootstrapped: true, ..accepting("a", 60) }, at(0));
        assert_eq!(drawn(&mut rng, revision + 1), first, "so is one from before it was let in");
        assert_ne!(drawn(&mut rng, remembered().revision), first);
    }

    #[test]
    fn what_a_server_said_is_remembered_of_no_other() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let here = mk_endpoint();
        let place = |url, tls| Endpoint::new(Origin::parse(url).unwrap(), tls);
        let ca_bundle = Some("another".to_owned());
        let others = [
            place("http://elsewhere:8080", Tls::default()),
            place("http://infisical:8080", Tls { ca_bundle, ..Tls::default() }),
            place("http://infisical:8080", Tls { server_name: Some("b".to_owned()), ..Tls::default() }),
            place("http://infisical:8080", Tls { insecure_skip_verify: true, ..Tls::default() }),
        ];
        let recall = |server: &Endpoint, now| memory.recall(&key, Some(server), (None, &WANTED), at(now));
        let email = Email::parse("a@example.org").unwrap();
        let problem = Problem::new(here.origin(), ProblemKind::AdminLoginRefused { email });
        let outcome = Outcome {
            refused: vec![AccessToken::new("dead").fingerprint()],
            untested: Some(AccessToken::new("new")),
            login: Some(Err(problem.clone())),
            problem: Some(problem),
            ..Outcome::default()
        };
        recall(&here, 0);
        memory.keep_admin(&key, &mk_admin("marker-password"));
        memory.finish(&key, &mk_work("a"), accepting("a", 60), at(0));
        memory.finish(&key, &mk_work("a"), outcome, at(0));
        memory.finish_hand_off(&key, &mk_hand_off(), HandOffOutcome::default(), at(0));
        let full = recall(&here, 0);
        assert!(full.accepted.is_some() && full.untested.is_some() && full.hand_off.is_some());
        for other in &others {
            let there = recall(other, 1);
            assert!(there.admin == full.admin, "the password is the XR's own");
            assert!(there.accepted.is_none() && there.untested.is_none() && there.hand_off.is_none());
            assert!(there.held.is_none() && there.login_refused.is_none() && there.asked_at.is_none());
            assert!(there.known.is_empty() && there.refused.is_empty() && there.sweep_at.is_none());
        }
        assert!(recall(&others[3], 300).accepted.is_none());
        let unknown = memory.recall(&key, None, (None, &WANTED), at(300));
        assert!(unknown.accepted.is_none(), "where it is not known, it is where it was");
    }

    #[test]
    fn a_stale_read_of_where_the_server_is_loses_nothing_and_a_move_is_for_good_after_ten_minutes() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let elsewhere = Endpoint::new(Origin::parse("http://elsewhere").unwrap(), Tls::default());
        let recall = |server: &Endpoint, now| memory.recall(&key, Some(server), (None, &WANTED), at(now));
        recall(&mk_endpoint(), 0);
        memory.finish(&key, &mk_work("a"), accepting("a", 9000), at(0));
        recall(&elsewhere, 1);
        assert!(recall(&mk_endpoint(), 300).accepted.is_some());
        recall(&elsewhere, 301);
        recall(&elsewhere, 901);
        assert!(recall(&mk_endpoint(), 902).accepted.is_none());
    }

    #[test]
    fn what_comes_of_work_at_a_server_that_was_left_is_not_taken_for_the_present_ones() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let elsewhere = Endpoint::new(Origin::parse("http://elsewhere").unwrap(), Tls::default());
        let recall = |server: &Endpoint, now| memory.recall(&key, Some(server), (None, &WANTED), at(now));
        let revision = recall(&mk_endpoint(), 0).revision;
        let under_way = memory.begin(&key, &mk_endpoint(), revision).unwrap();
        assert!(!recall(&elsewhere, 1).working, "the new one does not wait for it");
        memory.finish(&key, &mk_work("a"), Outcome { bootstrapped: true, ..accepting("a", 60) }, at(2));
        drop(under_way);
        let there = recall(&elsewhere, 3);
        assert!(there.accepted.is_none());
        let in_use = mk_work("a").admin.map(|admin| admin.fingerprint());
        assert_eq!(there.let_in.as_deref().copied(), in_use, "but the password is in use");
        assert!(recall(&mk_endpoint(), 4).accepted.is_some());
    }

    #[test]
    fn an_xr_that_moves_from_server_to_server_does_not_grow() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        for number in 0..100 {
            let server = Endpoint::new(Origin::parse(&format!("http://{number}.x")).unwrap(), Tls::default());
            memory.recall(&key, Some(&server), (None, &WANTED), at(1));
        }
        assert_eq!(memory.lock().get(&key).unwrap().servers(), 3);
    }

    #[test]
    fn work_is_begun_once_and_not_on_an_old_plan() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        let revision = memory.recall(&key, None, (None, &WANTED), at(0)).revision;
        let under_way = memory.begin(&key, &mk_endpoint(), revision).unwrap();
        assert!(memory.begin(&key, &mk_endpoint(), revision).is_none(), "one at a time");
        assert!(memory.recall(&key, None, (None, &WANTED), at(0)).working);
        memory.finish(&key, &mk_work("a"), accepting("a", 60), at(0));
        drop(under_way);
        assert!(
            memory.begin(&key, &mk_endpoint(), revision).is_none(),
            "what was planned before is out of date"
        );
        let revision = memory.recall(&key, None, (None, &WANTED), at(0)).revision;
        let panicked = memory.begin(&key, &mk_endpoint(), revision).unwrap();
        drop(panicked);
        assert!(
            !memory.recall(&key, None, (None, &WANTED), at(0)).working,
            "a task that panics ends as well"
        );
    }

    #[test]
    fn what_falls_due_while_the_server_is_asked_was_not_done_yet() {
        let (memory, key) = (Memory::default(), XrKey::test("xr"));
        // Due after 40 s; the look at it began after 39 and ended after 42.
        let work = Establish { now: at(39), ..mk_work("a") };
        memory.finish(&key, &work, accepting("a", 60), at(42));
        let remembered = memory.recall(&key, None, (None, &WANTED), at(42));
        let accepted = remembered.accepted.as_ref().unwrap();
        assert_eq!(crate::plan::timing::check_at(accepted, &TokenPolicy::default(), &key, at(39)), at(40));
    }

    #[test]
    fn what_is_remembered_of_an_xr_does_not_grow_unnoticed() {
        // With the two counts of an Arc it fits the allocator's blocks of 384 bytes;
        // the next are of 448, and there may be ten thousand XRs.
        let size = std::mem::size_of::<Remembered>();
        assert!(size <= 384 - 16, "{size} bytes");
    }
}
