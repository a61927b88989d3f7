//! What a process remembers of handing off, beside what it remembers of the
//! connection. The same holds here: whatever is lost with the process is found
//! again in the cluster and on the server.

use infisical::{claims::Claims, secret::UniversalAuth};
use jiff::Timestamp;

use super::super::{
    memory::{forget, remember},
    reachability::Told,
};
use crate::{
    input::IdentityDetail,
    model::{
        due::Due,
        failure::Failure,
        hand_off::{AcceptedIdentity, HandOff, HandOffFailure, HandOffOutcome, HandedOff},
        identity::{Identity, ObservedIdentity},
        pause,
        problem::Problem,
        replicas::{HELD_AFTER_SEEN, SWEEPS_AFTER, SWEPT_AFTER},
        xr::XrKey,
    },
};

impl AcceptedIdentity {
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
            None => self.failure = None,
        }
    }

    /// What another XR was told by an instance that does not answer.
    pub(in crate::act) fn hear(&mut self, work: &HandOff, told: Told) {
        self.revision += 1;
        self.asked_at = Some(told.at);
        let problem = Problem::told(work.endpoint.origin(), work.first_request(), told.error);
        self.failure = Some(Failure::told(self.failure.as_ref(), work.attempt(), problem, told.retry_at));
    }

    /// It answers again: there is no reason to wait any more.
    pub(in crate::act) fn answers_again(&mut self, now: Timestamp) {
        if let Some(failure) = &mut self.failure {
            failure.answers_again(now);
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
        let attempts = Failure::attempts_after(self.failure.as_ref(), &attempt, retry);
        let retry_at = Due::after(now, pause::after(retry, attempts, key));
        self.failure = Some(HandOffFailure { problem, attempt, attempts, retry_at });
    }
}
