//! What the decisions of one call are made from, computed once.
//!
//! Rule 5 is kept here.

use infisical::{
    claims::Claims,
    endpoint::Endpoint,
    secret::{AccessToken, Credentials, Fingerprint},
};
use jiff::Timestamp;

use super::{
    AdminSecret, ConnectionSecret, admin,
    situation::{Address, Connection, Instance, Requirements, Secrets, Situation, Work},
    timing,
};
use crate::{
    agreement::Known,
    model::{
        condition::ConditionType,
        connection::rank,
        due::{Due, is_recent},
        remembered::{Accepted, Remembered},
        replicas::{ASKED_AGAIN_AFTER, AT_ONCE},
    },
    observe::{AdminSource, Observation, Place},
    readiness::Readiness,
};

/// What is known in a call.
pub(super) struct Facts<'a> {
    pub(super) observation: &'a Observation,
    pub(super) remembered: &'a Remembered,
    pub(super) now: Timestamp,
    /// What becomes of the admin Secret.
    pub(super) admin: AdminSecret,
    /// The token in the observed connection Secret.
    pub(super) observed: Option<Fingerprint>,
    /// Whether that comes before the one that this process was given last.
    pub(super) observed_comes_first: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn new(observation: &'a Observation, remembered: &'a Remembered, now: Timestamp) -> Self {
        let admin = admin::secret(observation, remembered);
        let observed = observed_token(observation).map(AccessToken::fingerprint);
        let observed_comes_first =
            observed.is_some_and(|observed| comes_first(observed, observation, remembered, now));
        Self { observation, remembered, now, admin, observed, observed_comes_first }
    }

    /// What the decision is made from.
    pub(super) fn situation(&self) -> Situation<'a> {
        let Observation { instance, endpoint, .. } = self.observation;
        let met = self.observation.requirements_met;
        Situation {
            requirements: if met { Requirements::Met } else { Requirements::Missing },
            secrets: self.secrets(),
            instance: match instance {
                Readiness::NotReady(why) => Instance::NotReady(why),
                Readiness::Ready => Instance::Ready,
            },
            endpoint: endpoint.as_ref().err().map_or(Address::Known, Address::Unknown),
            work: if self.remembered.working { Work::UnderWay } else { Work::None },
            connection: self.connection(),
        }
    }

    fn secrets(&self) -> Secrets<'a> {
        let Observation { located, connection_place, admin_place, adopted, .. } = self.observation;
        let needs_admin = || !self.has_connection() && adopted.is_none();
        match (located, connection_place, admin_place) {
            (Err(waiting), ..) => Secrets::NotLocated(waiting),
            (Ok(()), Place::Taken(waiting), _) => Secrets::Taken(waiting),
            (Ok(()), _, Place::Taken(waiting)) if needs_admin() => Secrets::Taken(waiting),
            _ => Secrets::Free,
        }
    }

    fn connection(&self) -> Connection {
        let kept = self.observation.endpoint.as_ref().ok().and_then(|endpoint| self.kept(endpoint));
        kept.unwrap_or(if self.has_connection() { Connection::Due } else { Connection::None })
    }

    /// Whether there is a connection to be looked after also while the instance is not
    /// ready: in a rollout that hangs older Pods go on serving. What the server has refused
    /// is left until the instance is ready, but for a try that has failed.
    fn has_connection(&self) -> bool {
        let remembered = self.remembered;
        let tried = |token: Fingerprint| !remembered.refused.contains(&token) || remembered.failure.is_some();
        remembered.accepted.is_some() || self.observed.is_some_and(tried)
    }

    /// A connection that was accepted and needs no work.
    fn kept(&self, endpoint: &Endpoint) -> Option<Connection> {
        let accepted = self.remembered.accepted.as_ref()?;
        if accepted.origin != *endpoint.origin() || self.observed_comes_first {
            return None;
        }
        let check_at = self.check_at(accepted);
        if check_at <= self.now {
            None
        } else if self.is_seen(accepted) {
            Some(Connection::Kept { check_at })
        } else {
            // It may be another replica that puts another in its place, or has revoked it.
            let is_fresh = is_recent(accepted.verified_at, ASKED_AGAIN_AFTER, self.now);
            (accepted.connection.is_some() && is_fresh).then_some(Connection::Unseen)
        }
    }

    /// When the server is asked next about a token that was accepted.
    fn check_at(&self, accepted: &Accepted) -> Timestamp {
        let Observation { token_policy, xr, .. } = self.observation;
        let check_at = timing::check_at(accepted, token_policy, &xr.key, self.now);
        let others = [
            // A renewal that failed is tried again long before the next verification.
            self.remembered.failure.as_ref().map(|failure| failure.retry_at),
            self.sweep_at(),
            self.contradicted_at(accepted),
        ];
        timing::first_of(check_at, others, self.now)
    }

    /// Whether all of what was accepted is in the cluster.
    fn is_seen(&self, accepted: &Accepted) -> bool {
        let Some(observed) = &self.observation.connection else { return false };
        match &accepted.connection {
            Some(connection) => {
                observed.in_place && connection.parts().is_in(observed, &self.observation.wanted)
            }
            None => self.observed == Some(accepted.token) && observed.complete,
        }
    }

    /// When to ask again about a token of which the XR says something else: another
    /// replica was told so, and the two would go on contradicting each other until
    /// the next verification.
    fn contradicted_at(&self, accepted: &Accepted) -> Option<Due> {
        let told_at = self.remembered.asked_at;
        let own = self.remembered.token_reason(accepted, self.observation.gives_up_the_right());
        let known = Known { told_at, ..Known::default() };
        let is_contradicted =
            known.is_contradicted(ConditionType::TokenValid, own, &self.observation.xr.previous);
        is_contradicted.then(|| Due::after(told_at.unwrap_or(accepted.verified_at), ASKED_AGAIN_AFTER))
    }

    /// When to look for tokens that earlier tries have left alive: once the present
    /// one was seen in observed, and if there is a password to log in with.
    pub(super) fn sweep_at(&self) -> Option<Due> {
        let accepted = self.remembered.accepted.as_ref()?;
        // A login that was refused is not repeated for this: a token more that is
        // alive for a while does no harm, a locked user does.
        let can_log_in = || {
            self.usable_admin().is_some_and(|admin| {
                let refused = self.remembered.login_refused.as_ref();
                refused.is_none_or(|refused| refused.credentials != admin.fingerprint())
            })
        };
        let sweep_at = self.remembered.sweep_at.filter(|_| self.observed == Some(accepted.token))?;
        can_log_in().then_some(sweep_at)
    }

    /// Credentials that may be used: supplied, or persisted and seen to be.
    pub(super) fn usable_admin(&self) -> Option<&Credentials> {
        match (&self.observation.admin, &self.admin) {
            (AdminSource::Supplied(supplied), _) => supplied.as_ref().ok(),
            (AdminSource::Generated { .. } | AdminSource::None, AdminSecret::Observed(admin)) => Some(admin),
            (AdminSource::Generated { .. } | AdminSource::None, _) => None,
        }
    }

    /// What becomes of the connection Secret.
    pub(super) fn connection_secret(&self) -> ConnectionSecret {
        let Observation { located, connection_place, connection, .. } = self.observation;
        let accepted = self.remembered.accepted.as_ref();
        let is_in_memory = accepted.is_some_and(|accepted| accepted.connection.is_some());
        if located.is_err() || *connection_place != Place::Free {
            ConnectionSecret::None
        } else if is_in_memory && !self.observed_comes_first {
            ConnectionSecret::Remembered
        } else if connection.is_some() {
            ConnectionSecret::Observed
        } else {
            ConnectionSecret::None
        }
    }
}

pub(super) fn observed_token(observation: &Observation) -> Option<&AccessToken> {
    observation.connection.as_ref().and_then(|connection| connection.token.as_ref())
}

/// Whether the observed token is one that this process knows nothing of: put
/// there by hand, by another replica, or before a restart. It is right until
/// the server says otherwise, so it is neither overwritten nor skipped. So is
/// any that is observed in the place of an older one: whoever has put it there
/// revokes the older. And one that whoever has it prefers, or the two would take turns.
fn comes_first(
    observed: Fingerprint,
    observation: &Observation,
    remembered: &Remembered,
    now: Timestamp,
) -> bool {
    let accepted = remembered.accepted.as_ref().filter(|accepted| accepted.token != observed);
    let is_preferred = |accepted: &Accepted| is_preferred(observation, accepted).unwrap_or(false);
    let may_be_replaced =
        accepted.is_some_and(|accepted| !accepted.is_safe_from_others(now) || is_preferred(accepted));
    !remembered.knows(observed) || (may_be_replaced && !remembered.refused.contains(&observed))
}

/// Whether the observed token is the one that all replicas prefer, of two that were issued
/// at about the same time: by two of them at once.
fn is_preferred(observation: &Observation, accepted: &Accepted) -> Option<bool> {
    let (observed, own) = (observed_token(observation)?, &accepted.connection.as_ref()?.token);
    let (theirs, ours) = (Claims::of(observed), Claims::of(own));
    let between = theirs.issued_at?.duration_since(ours.issued_at?).unsigned_abs();
    let both_end = theirs.expires_at.is_some() && ours.expires_at.is_some();
    let is_higher = rank(theirs.expires_at, observed) > rank(ours.expires_at, own);
    Some(between < AT_ONCE && both_end && is_higher)
}
