//! What a process knows of one XR between two calls.
//!
//! Nouns, and what follows from them. How it comes to be known, and when it is forgotten, is in
//! `act::memory`.

use std::sync::Arc;

use infisical::{
    claims::Claims,
    endpoint::Origin,
    secret::{AccessToken, Credentials, Fingerprint},
};
use jiff::Timestamp;

use super::{
    connection::{Connection, ObservedConnection, Parts},
    due::{Due, is_recent},
    failure,
    hand_off::HandedOff,
    life::Life,
    problem::Problem,
    reason::Reason,
    replicas::SAFE,
    work::Attempt,
};

/// What is remembered of one XR, at the server that it is pointed at. What few XRs have,
/// or have for a short time, is boxed: there may be thousands of XRs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    /// The generated email and password. The same at every server.
    pub admin: Option<Credentials>,
    /// The email and password that a server has let in last, this one or another.
    pub logged_in: Option<Box<Fingerprint>>,
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
    pub failure: Option<Box<Failure>>,
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
pub(crate) struct Accepted {
    pub token: Fingerprint,
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
pub(crate) struct Owner {
    pub organization_id: Box<str>,
    pub organization_slug: Box<str>,
    /// The identity's ID, as far as the token says.
    pub identity_id: Option<Box<str>>,
    /// The id that the token has on the server; renewing keeps it.
    pub token_id: Option<Box<str>>,
}

impl Owner {
    /// That of a connection.
    #[must_use]
    pub(crate) fn of(connection: &Connection) -> Self {
        Self {
            organization_id: connection.organization_id.as_str().into(),
            organization_slug: connection.organization_slug.as_str().into(),
            identity_id: connection.identity_id.as_deref().map(Into::into),
            token_id: Claims::of(&connection.token).token_id,
        }
    }
}

/// A problem of the connection.
pub(crate) type Failure = failure::Failure<Attempt>;

/// A login that was refused.
#[derive(Clone, Debug)]
pub(crate) struct LoginRefused {
    pub credentials: Fingerprint,
    pub problem: Problem,
    /// How often in a row.
    pub attempts: u32,
    /// When these credentials are tried again.
    pub retry_at: Due,
}

impl Failure {
    /// Whether it came of asking about this token.
    #[must_use]
    pub(crate) fn is_about(&self, accepted: &Accepted) -> bool {
        self.attempt.tokens.contains(&accepted.token)
    }
}

impl Remembered {
    /// Whether a token was tried before: it is the accepted one, one of its
    /// predecessors, or one that was refused.
    #[must_use]
    pub(crate) fn knows(&self, token: Fingerprint) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.token == token) || self.known.contains(&token)
    }

    /// The reason of a token that the server accepted. That its identity is no instance admin
    /// is nothing to tell where that `is_wanted`.
    #[must_use]
    pub(crate) fn token_reason(&self, accepted: &Accepted, is_wanted: bool) -> Reason {
        match &self.failure {
            Some(failure) if failure.is_about(accepted) && failure.problem.is_unreachable() => {
                failure.problem.reason()
            }
            Some(failure) if failure.is_about(accepted) => Reason::NotRenewed,
            _ if accepted.lacks_the_right() && !is_wanted => Reason::NotInstanceAdmin,
            _ => Reason::Accepted,
        }
    }

    /// Whether work that follows a failed attempt waits for its turn: at an instance that
    /// hangs others come first, and no call is to wait with them.
    #[must_use]
    pub(crate) fn waits_for_its_turn(&self) -> bool {
        self.queued && self.failure.is_some()
    }
}

impl Accepted {
    /// The connection that was accepted, with the observed token in it, if that is the
    /// accepted one. What else is observed may have been edited since.
    #[must_use]
    pub(crate) fn with<'a>(&'a self, observed: &'a ObservedConnection) -> Option<Parts<'a>> {
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
    pub(crate) fn lacks_the_right(&self) -> bool {
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
}
