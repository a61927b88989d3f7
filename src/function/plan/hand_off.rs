//! Decides what becomes of handing off, once it is known what becomes of the
//! connection.
//!
//! Pure, as the rest of the plan. Nothing is done while the connection does not
//! stand: what was handed off already is emitted again.

use infisical::{
    endpoint::Endpoint,
    secret::{AccessToken, Fingerprint, UniversalAuth},
};

use self::decide::{Connection, Login, Name, Next, Situation, Work, decide};
use super::{
    Action, HandOffPlan, IdentitySecret,
    facts::{Facts, observed_token},
    timing, work,
};
use crate::{
    agreement::Known,
    model::{
        condition::ConditionType,
        due::{Due, is_recent},
        hand_off::{AcceptedIdentity, HandOff as HandOffWork, HandedOff},
        identity::ObservedIdentity,
        remembered::Accepted,
        replicas::ASKED_AGAIN_AFTER,
    },
    observe::{HandOff, Place},
};

mod decide;

/// Decides what a call does about handing off, if that is asked for.
pub(super) fn plan(facts: &Facts<'_>, connection: &Action) -> Option<HandOffPlan> {
    let Facts { observation, remembered, .. } = *facts;
    let wanted = observation.hand_off.as_deref()?;
    let nothing = HandedOff::default();
    let state = remembered.hand_off.as_deref().unwrap_or(&nothing);
    let at = At { facts, wanted, state };
    let action = decide(at.situation(connection), |endpoint| at.next(endpoint));
    Some(HandOffPlan { secret: at.secret(), action })
}

/// Whether all of an identity is in the Secret.
pub(crate) fn is_persisted(wanted: &HandOff, accepted: &AcceptedIdentity) -> bool {
    wanted.observed.as_ref().is_some_and(|observed| {
        observed.in_place
            && match &accepted.identity {
                Some(identity) => identity.parts().is_in(observed, &wanted.wanted),
                None => login(Some(observed)) == Some(accepted.login) && observed.complete,
            }
    })
}

fn login(observed: Option<&ObservedIdentity>) -> Option<Fingerprint> {
    observed?.login.as_ref().map(UniversalAuth::fingerprint)
}

/// What is known here of what a server said.
pub(crate) fn known(state: &HandedOff) -> Known<'_> {
    Known { told_at: state.asked_at, is_in_doubt: state.is_in_doubt(), ..Known::default() }
}

/// What a decision is made of.
struct At<'a> {
    facts: &'a Facts<'a>,
    wanted: &'a HandOff,
    state: &'a HandedOff,
}

impl At<'_> {
    fn secret(&self) -> IdentitySecret {
        let accepted = self.state.accepted.as_ref();
        let is_in_memory = accepted.is_some_and(|accepted| accepted.identity.is_some());
        if self.wanted.place != Place::Free {
            IdentitySecret::None
        } else if is_in_memory && !self.comes_first() {
            IdentitySecret::Remembered
        } else if self.wanted.observed.is_some() {
            IdentitySecret::Observed
        } else {
            IdentitySecret::None
        }
    }

    /// Whether the observed client secret is one that this process knows nothing
    /// of, or that stands in the place of an older one: it is right until the
    /// server says otherwise, as an observed token is.
    fn comes_first(&self) -> bool {
        let Some(observed) = login(self.wanted.observed.as_ref()) else { return false };
        let other = self.state.accepted.as_ref().filter(|accepted| accepted.login != observed);
        let may_be_replaced = other.is_some_and(|accepted| !accepted.is_safe_from_others(self.facts.now));
        !self.state.knows(observed) || (may_be_replaced && !self.state.refused.contains(&observed))
    }

    /// What the decision is made from.
    fn situation(&self, connection: &Action) -> Situation<'_> {
        let endpoint = self.facts.observation.endpoint.as_ref().ok();
        let is_kept = matches!(connection, Action::Keep { .. }) && self.token().is_some();
        Situation {
            work: if self.state.working { Work::UnderWay } else { Work::None },
            connection: endpoint.filter(|_| is_kept).map_or(Connection::Awaited, Connection::Kept),
            name: match &self.wanted.place {
                Place::Taken(waiting) => Name::Taken(waiting),
                Place::Free | Place::NotAsked => Name::Free,
            },
            login: endpoint.and_then(|endpoint| self.kept(endpoint)).unwrap_or(Login::Due),
        }
    }

    fn next(&self, endpoint: &Endpoint) -> Option<Next> {
        let work = self.work(endpoint, self.token()?.clone());
        let failure = self.state.failure.as_ref();
        let back_off = failure.and_then(|failure| failure.back_off(&work.attempt(), self.facts.now));
        Some(back_off.map_or_else(|| Next::Work(Box::new(work)), Next::TooSoon))
    }

    /// The token of the connection that is kept.
    fn token(&self) -> Option<&AccessToken> {
        let accepted = self.facts.remembered.accepted.as_ref()?;
        let in_memory = accepted.connection.as_ref().map(|connection| &connection.token);
        let is_observed = self.facts.observed == Some(accepted.token);
        in_memory.or_else(|| observed_token(self.facts.observation).filter(|_| is_observed))
    }

    /// What was handed off and needs no work.
    fn kept(&self, endpoint: &Endpoint) -> Option<Login> {
        let accepted = self.state.accepted.as_ref()?;
        let is_seen = is_persisted(self.wanted, accepted);
        let is_due = accepted.projects != self.wanted.projects || (is_seen && self.right_is_due());
        if !self.is_of(accepted, endpoint) || self.comes_first() || is_due {
            return None;
        }
        let retry_at = self.state.failure.as_ref().map(|failure| failure.retry_at);
        let others = [retry_at, self.sweep_at(), self.contradicted_at(accepted)];
        let check_at =
            timing::first_of(self.verification(accepted).at(self.facts.now), others, self.facts.now);
        if check_at <= self.facts.now {
            None
        } else if is_seen {
            Some(Login::Kept { check_at })
        } else if accepted.identity.is_some() {
            let is_fresh = is_recent(accepted.verified_at, ASKED_AGAIN_AFTER, self.facts.now);
            is_fresh.then_some(Login::Unseen)
        } else {
            None
        }
    }

    /// Whether it is of this server. Another token is that of an instance that may
    /// have been set up again.
    fn is_of(&self, accepted: &AcceptedIdentity, endpoint: &Endpoint) -> bool {
        let token = self.facts.remembered.accepted.as_ref();
        accepted.origin == *endpoint.origin()
            && token.is_some_and(|it| it.owner.token_id == accepted.token_id)
    }

    fn verification(&self, accepted: &AcceptedIdentity) -> Due {
        let policy = &self.facts.observation.token_policy;
        timing::verification(accepted.verified_at, policy.verify_interval, &self.facts.observation.xr.key)
    }

    fn is_fresh(&self, endpoint: &Endpoint) -> bool {
        let is_fresh = |accepted: &AcceptedIdentity| {
            self.is_of(accepted, endpoint) && !self.verification(accepted).is_over(self.facts.now)
        };
        !self.comes_first() && self.state.accepted.as_ref().is_some_and(is_fresh)
    }

    /// Whether the instance admin right is to be revoked and, as far as is known,
    /// was not.
    fn right_is_due(&self) -> bool {
        let lacks_it = self.facts.remembered.accepted.as_ref().is_some_and(Accepted::lacks_the_right);
        self.facts.observation.gives_up_the_right() && !lacks_it
    }

    /// When to look for what earlier tries have left: once the present client
    /// secret was seen in observed.
    fn sweep_at(&self) -> Option<Due> {
        let accepted = self.state.accepted.as_ref()?;
        let is_observed = login(self.wanted.observed.as_ref()) == Some(accepted.login);
        if is_observed { self.state.sweep_at } else { None }
    }

    /// When to ask again where the XR says something else: another replica was
    /// told so.
    fn contradicted_at(&self, accepted: &AcceptedIdentity) -> Option<Due> {
        let previous = &self.facts.observation.xr.previous;
        let is_contradicted =
            known(self.state).is_contradicted(ConditionType::HandedOff, self.state.reason(), previous);
        let asked_at = self.state.asked_at.unwrap_or(accepted.verified_at);
        is_contradicted.then(|| Due::after(asked_at, ASKED_AGAIN_AFTER))
    }

    fn work(&self, endpoint: &Endpoint, token: AccessToken) -> HandOffWork {
        let observed = self.wanted.observed.as_ref().filter(|observed| observed.in_place);
        let admin = self.facts.usable_admin();
        HandOffWork {
            endpoint: endpoint.clone(),
            token,
            logins: self.logins_to_try(),
            seen: login(observed),
            name: work::token_name(self.facts.observation),
            role: self.wanted.role.clone(),
            projects: self.wanted.projects.clone(),
            identity_id: self.state.accepted.as_ref().and_then(|accepted| accepted.identity_id.clone()),
            is_fresh: self.is_fresh(endpoint),
            revoke: self.right_is_due(),
            adopts: self.facts.observation.adopted.is_some(),
            of_bootstrap: self.state.of_bootstrap.clone(),
            login: work::login(self.facts.remembered, admin, self.facts.now),
            admin: admin.cloned(),
            sweep: self.sweep_at().is_some_and(|sweep_at| sweep_at.is_over(self.facts.now)),
            now: self.facts.now,
        }
    }

    /// One in the cluster that this process does not know first, then the newest that was
    /// accepted, one that could not be tried yet, and the observed one. Never one that was
    /// refused: after three failures the server locks the identity.
    fn logins_to_try(&self) -> Vec<UniversalAuth> {
        let observed = self.wanted.observed.as_ref().and_then(|observed| observed.login.as_ref());
        let accepted = self.state.accepted.as_ref().and_then(|accepted| accepted.identity.as_ref());
        let first = observed.filter(|_| self.comes_first());
        let in_order = [first, accepted.map(|it| &it.login), self.state.untested.as_ref(), observed];
        let mut logins: Vec<UniversalAuth> = Vec::new();
        for login in in_order.into_iter().flatten() {
            if !logins.contains(login) && !self.state.refused.contains(&login.fingerprint()) {
                logins.push(login.clone());
            }
        }
        logins
    }
}

#[cfg(test)]
pub(crate) mod tests;
