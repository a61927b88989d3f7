//! Handing off: the work, what came of it, and what is known of it between two calls.

use std::sync::Arc;

use infisical::{
    AnyError, ErrorKind,
    api::{ClientLogin, FindProject, VerifyToken},
    endpoint::{Endpoint, Origin},
    route::Route as _,
    secret::{AccessToken, Credentials, Fingerprint, UniversalAuth},
};
use jiff::Timestamp;

use super::{
    due::{Due, is_recent},
    failure::Failure,
    identity::Identity,
    problem::Problem,
    reason::Reason,
    replicas::SAFE,
    work::Login,
};
use crate::input::{Project, ProjectSlug};

/// What there is to hand off with.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read in one place")]
pub(crate) struct HandOff {
    pub endpoint: Endpoint,
    /// The token of the connection, which stands.
    pub token: AccessToken,
    /// Client secrets that are tried in turn.
    pub logins: Vec<UniversalAuth>,
    /// The one that was seen in observed, where the input wants it.
    pub seen: Option<Fingerprint>,
    /// What the identity is called, and its client secrets are described as.
    pub name: String,
    /// The slug of its role in the organization.
    pub role: String,
    /// The projects that it becomes a member of.
    pub projects: Arc<[Project]>,
    /// The identity's id, if the server has said it. What the Secret says is no
    /// reason to make a client secret of that identity.
    pub identity_id: Option<String>,
    /// Whether the client secret was let in so short a time ago that it need not be
    /// tried to no other end.
    pub is_fresh: bool,
    /// Whether the instance admin right is revoked when the client secret that was
    /// seen works.
    pub revoke: bool,
    /// Whether the input names the token of an instance that somebody else set up.
    pub adopts: bool,
    /// The identity that bootstrap has made, where that was seen.
    pub of_bootstrap: Option<Box<str>>,
    /// The admin's email and password, which tell it where it was not.
    pub admin: Option<Credentials>,
    /// Whether to log in with them.
    pub login: Login,
    /// Whether what earlier tries have left is ended when it works.
    pub sweep: bool,
    pub now: Timestamp,
}

/// What an attempt is made with. A change of it is worth a try at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandOffAttempt {
    pub origin: Origin,
    /// The token of the connection.
    pub token: Fingerprint,
    pub logins: Vec<Fingerprint>,
    pub role: String,
    pub projects: Arc<[Project]>,
    /// Whether the right is to be revoked.
    pub revoke: bool,
    /// Whether the instance is one that somebody else set up.
    pub adopts: bool,
    pub credentials: Option<Fingerprint>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read in one place")]
pub(crate) struct HandOffOutcome {
    /// An identity whose client secret the server accepted just now.
    pub identity: Option<Identity>,
    /// Whether that client secret was made just now.
    pub made: bool,
    /// Whether the identity is a member of the projects.
    pub joined: bool,
    /// Why there is none, or why the right was not revoked.
    pub problem: Option<Problem>,
    /// The client secrets that were tried and refused.
    pub refused: Vec<Fingerprint>,
    /// One that was made and could not be tried.
    pub untested: Option<UniversalAuth>,
    /// Whether the connection's token was refused.
    pub token_refused: bool,
    /// Whether the connection's identity has no instance admin right any more.
    pub right_is_gone: bool,
    /// The identity that bootstrap has made, where this was seen.
    pub of_bootstrap: Option<Box<str>>,
    /// What came of logging in as the admin, if that was tried.
    pub login: Option<Result<(), Problem>>,
    /// Whether what earlier tries have left is gone.
    pub swept: bool,
}

impl HandOff {
    /// What identifies the attempt.
    #[must_use]
    pub(crate) fn attempt(&self) -> HandOffAttempt {
        HandOffAttempt {
            origin: self.endpoint.origin().clone(),
            token: self.token.fingerprint(),
            logins: self.logins.iter().map(UniversalAuth::fingerprint).collect(),
            role: self.role.clone(),
            projects: self.projects.clone(),
            revoke: self.revoke,
            adopts: self.adopts,
            credentials: self.admin.as_ref().map(Credentials::fingerprint),
        }
    }
}

impl HandOff {
    /// What is said to have failed where the server does not answer at all.
    pub(crate) fn first_request(&self) -> &'static str {
        let asks_for_projects = self.projects.iter().any(|it| matches!(it.slug, ProjectSlug::Literal(_)));
        if self.is_fresh && asks_for_projects {
            FindProject::WHAT
        } else if self.logins.is_empty() {
            VerifyToken::WHAT
        } else {
            ClientLogin::WHAT
        }
    }
}

impl HandOffOutcome {
    /// Why the server has not answered anything, if that is so.
    pub(crate) fn silence(&self, work: &HandOff) -> Option<&ErrorKind<String>> {
        let is_first = |error: &&AnyError| error.operation == work.first_request();
        let error = self.problem.as_ref()?.silence().filter(is_first)?;
        let nothing_came_of_it =
            self.identity.is_none() && self.untested.is_none() && self.refused.is_empty();
        nothing_came_of_it.then_some(&error.kind)
    }
}

/// What is remembered of handing off.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandedOff {
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
    pub failure: Option<HandOffFailure>,
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
pub(crate) struct AcceptedIdentity {
    /// Which, with its client ID.
    pub login: Fingerprint,
    pub identity_id: Option<String>,
    /// The projects that it was found or made a member of.
    pub projects: Arc<[Project]>,
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
pub(crate) type HandOffFailure = Failure<HandOffAttempt>;

impl AcceptedIdentity {
    /// Whether no other replica revokes it, since it is young or was in the cluster
    /// a short time ago.
    pub(crate) fn is_safe_from_others(&self, now: Timestamp) -> bool {
        let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| is_recent(at, SAFE, now));
        is_recent(self.made_at) || is_recent(self.last_seen_at)
    }
}

impl HandedOff {
    /// Whether a client secret was tried before.
    #[must_use]
    pub(crate) fn knows(&self, login: Fingerprint) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.login == login) || self.known.contains(&login)
    }

    /// As [`Remembered::waits_for_its_turn`](crate::model::remembered::Remembered::waits_for_its_turn).
    #[must_use]
    pub(crate) fn waits_for_its_turn(&self) -> bool {
        self.queued && self.failure.is_some()
    }

    /// The reason of a client secret that the server accepted.
    #[must_use]
    pub(crate) fn reason(&self) -> Reason {
        self.failure.as_ref().map_or(Reason::HandedOff, |failure| failure.problem.reason())
    }

    /// Whether this process could not tell whose the right is, which another may know.
    #[must_use]
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.problem.cannot_tell_whose_right())
    }
}
