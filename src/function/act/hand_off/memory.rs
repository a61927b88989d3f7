//! What a process remembers of handing off, beside what it remembers of the
//! connection. The same holds here: whatever is lost with the process is found
//! again in the cluster and on the server.

use std::sync::Arc;

use infisical::{
    claims::Claims,
    endpoint::Origin,
    secret::{Fingerprint, UniversalAuth},
};
use jiff::Timestamp;

use super::{
    super::{
        Told,
        held::Held,
        memory::{HELD_AFTER_SEEN, SAFE, SWEEPS_AFTER, SWEPT_AFTER, forget, remember},
    },
    HandOff, HandOffAttempt, HandOffOutcome,
};
use crate::{
    due::{Due, is_recent},
    identity::{Identity, ObservedIdentity},
    input::{IdentityDetail, Project},
    observe::{PreviousCondition, XrKey},
    pause,
    problem::Problem,
};

/// What is remembered of handing off.
#[derive(Clone, Debug, Default)]
pub struct HandedOff {
    /// The client secret that the server accepted last.
    pub accepted: Option<AcceptedIdentity>,
    /// Fingerprints of those that were tried.
    pub known: Box<[Fingerprint]>,
    /// Those that the server refused last.
    pub refused: Box<[Fingerprint]>,
    /// One that was made and could not be tried yet.
    pub untested: Option<UniversalAuth>,
    /// The identity that bootstrap has made, where this process has seen which it is.
    pub of_bootstrap: Option<Box<str>>,
    /// The last problem, while there is one.
    pub held: Option<HeldHandOff>,
    /// When to look for what earlier tries have left.
    pub sweep_at: Option<Due>,
    /// When the server was asked last, and had answered or had not.
    pub asked_at: Option<Timestamp>,
    /// Whether work is under way.
    pub working: bool,
    /// Whether that waits for its turn at the instance.
    pub queued: bool,
    /// Counts what has happened, so that a plan made on an older state is not
    /// carried out.
    pub revision: u64,
}

/// A client secret that the server accepted.
#[derive(Clone, Debug)]
pub struct AcceptedIdentity {
    /// Which, with its client ID.
    pub login: Fingerprint,
    /// The identity's id.
    pub identity_id: Option<String>,
    /// The projects that it was found or made a member of.
    pub projects: Arc<[Project]>,
    /// The server that did.
    pub origin: Origin,
    /// The id of the connection's token at that time.
    pub token_id: Option<Box<str>>,
    /// When it did so last.
    pub verified_at: Timestamp,
    /// When it was made, if this process has made it.
    pub made_at: Option<Timestamp>,
    /// All of it, until ten minutes after it was seen in observed.
    pub identity: Option<Identity>,
    /// When all of it was seen in observed first.
    pub seen_at: Option<Timestamp>,
    /// When it was seen in observed last.
    pub last_seen_at: Option<Timestamp>,
}

/// A problem of handing off.
pub type HeldHandOff = Held<HandOffAttempt>;

impl AcceptedIdentity {
    /// Whether no other replica revokes it, since it is young or was in the cluster
    /// a short time ago.
    pub(crate) fn is_safe_from_others(&self, now: Timestamp) -> bool {
        let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| is_recent(at, SAFE, now));
        is_recent(self.made_at) || is_recent(self.last_seen_at)
    }

    fn notice(&mut self, observed: &ObservedIdentity, wanted: &[IdentityDetail], now: Timestamp) {
        if observed.login.as_ref().map(UniversalAuth::fingerprint) == Some(self.login) {
            self.last_seen_at = Some(now);
        }
        let Some(identity) = &self.identity else { return };
        if observed.in_place && identity.parts().is_in(observed, wanted) {
            let seen_at = self.seen_at.map_or(now, |at| at.min(now));
            self.seen_at = Some(seen_at);
            if Due::after(seen_at, HELD_AFTER_SEEN).is_over(now) {
                self.identity = None;
            }
        } else {
            self.seen_at = None;
        }
    }
}

impl HandedOff {
    /// Whether a client secret was tried before.
    #[must_use]
    pub fn knows(&self, login: Fingerprint) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.login == login) || self.known.contains(&login)
    }

    /// As [`Remembered::stands_in_a_queue`](crate::act::Remembered::stands_in_a_queue).
    #[must_use]
    pub fn stands_in_a_queue(&self) -> bool {
        self.queued && self.held.is_some()
    }

    /// Whether what the XR says may be newer than what this process was told. Of two that
    /// asked in the same second the one that could not tell whose the right is gives way.
    #[must_use]
    pub fn is_older_than(&self, said: &PreviousCondition) -> bool {
        self.asked_at.is_none_or(|asked_at| {
            said.is_newer_than(asked_at) || (self.is_in_doubt() && !said.is_older_than(asked_at))
        })
    }

    /// Whether this process could not tell whose the right is, which another may know.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.problem.cannot_tell_whose_right())
    }

    /// Notes whether the Secret is in observed, all of it.
    pub(in crate::act) fn notice(
        &mut self,
        observed: Option<&ObservedIdentity>,
        wanted: &[IdentityDetail],
        now: Timestamp,
    ) {
        if let (Some(accepted), Some(observed)) = (&mut self.accepted, observed) {
            accepted.notice(observed, wanted, now);
        }
    }

    pub(in crate::act) fn absorb(
        &mut self,
        key: &XrKey,
        work: &HandOff,
        outcome: HandOffOutcome,
        now: Timestamp,
    ) {
        self.revision += 1;
        self.asked_at = Some(now);
        if work.sweep {
            self.sweep_at = if outcome.swept { None } else { Some(Due::after(now, SWEPT_AFTER)) };
        }
        self.of_bootstrap = outcome.of_bootstrap.or_else(|| self.of_bootstrap.take());
        let accepted = outcome.identity.as_ref().map(|identity| identity.login.fingerprint());
        let is_done =
            |login: &UniversalAuth| accepted.is_some() || outcome.refused.contains(&login.fingerprint());
        let untested = self.untested.take().filter(|login| !is_done(login));
        self.untested = outcome.untested.or(untested);
        for refused in outcome.refused {
            remember(&mut self.known, refused);
            remember(&mut self.refused, refused);
            self.accepted.take_if(|accepted| accepted.login == refused);
        }
        if let Some(identity) = outcome.identity {
            self.accept(work, identity, outcome.joined, outcome.made.then_some(now));
        }
        match outcome.problem {
            Some(problem) => self.hold(key, work, problem, now),
            None => self.held = None,
        }
    }

    /// What another XR was told by an instance that does not answer.
    pub(in crate::act) fn hear(&mut self, work: &HandOff, told: Told) {
        self.revision += 1;
        self.asked_at = Some(told.at);
        let problem = Problem::told(work.endpoint.origin(), work.first_request(), told.error);
        self.held = Some(Held::told(self.held.as_ref(), work.attempt(), problem, told.retry_at));
    }

    /// It answers again: there is no reason to wait any more.
    pub(in crate::act) fn answers_again(&mut self, now: Timestamp) {
        if let Some(held) = &mut self.held {
            held.answers_again(now);
        }
    }

    fn accept(&mut self, work: &HandOff, identity: Identity, joined: bool, made_at: Option<Timestamp>) {
        let login = identity.login.fingerprint();
        let before = self.accepted.take();
        if let Some(before) = &before {
            remember(&mut self.known, before.login);
        }
        let same = before.filter(|before| before.login == login);
        if same.is_none() {
            self.sweep_at = Some(Due::after(work.now, SWEEPS_AFTER));
        }
        let known = || same.as_ref().map(|same| same.projects.clone()).unwrap_or_default();
        let projects = if joined { work.projects.clone() } else { known() };
        forget(&mut self.refused, login);
        self.accepted = Some(AcceptedIdentity {
            login,
            identity_id: identity.id.clone(),
            projects,
            origin: identity.origin.clone(),
            token_id: Claims::of(&work.token).token_id,
            verified_at: work.now,
            made_at: made_at.or(same.as_ref().and_then(|same| same.made_at)),
            identity: Some(identity),
            seen_at: same.as_ref().and_then(|same| same.seen_at),
            last_seen_at: same.and_then(|same| same.last_seen_at),
        });
    }

    fn hold(&mut self, key: &XrKey, work: &HandOff, problem: Problem, now: Timestamp) {
        let attempt = work.attempt();
        let retry = problem.retry();
        let attempts = Held::attempts_after(self.held.as_ref(), &attempt, retry);
        let retry_at = Due::after(now, pause::after(retry, attempts, key));
        self.held = Some(HeldHandOff { problem, attempt, attempts, retry_at });
    }
}
