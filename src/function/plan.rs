//! Decides what one call does.
//!
//! One function from what was observed and what is remembered to one [`Plan`].
//! No I/O, no clock, no randomness: the time comes in as a value, and what has
//! to be drawn or asked is left to `act`. Rules of the design that are kept
//! here: persist before acting, act only on a call that counts, use whatever is
//! there, and an instance that does not answer changes nothing.

use std::{sync::Arc, time::Duration};

use infisical::{
    claims::Claims,
    endpoint::Endpoint,
    secret::{AccessToken, Credentials, Email, Fingerprint},
};
use jiff::Timestamp;

use self::hand_off::HandOffPlan;
use crate::{
    model::{
        condition::{BOOTSTRAPPED, TOKEN_VALID},
        connection::{Connection, rank},
        due::{Due, is_recent},
        life::Life,
        problem::{ADMIN_LOGIN_REFUSED, PARTIALLY_BOOTSTRAPPED, Problem, ProblemKind},
        remembered::{Accepted, Remembered},
        work::{Before, Establish, Login, MintedFor, OURS},
    },
    observe::{AdminSource, Observation, Place, Waiting},
    readiness::Readiness,
    respond::conditions,
};

pub mod hand_off;
#[cfg(test)]
pub(crate) mod tests;
pub mod timing;

/// How soon the server is asked again about what is handed out and was not seen, or on
/// which replicas disagree.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// So far apart two replicas get a token at the same time.
const AT_ONCE: Duration = Duration::from_mins(2);

/// What one call does.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What becomes of the admin Secret.
    pub admin: AdminSecret,
    /// What becomes of the connection Secret.
    pub connection: ConnectionSecret,
    /// What is done or waited for.
    pub action: Action,
    /// What is done about handing off, if that is asked for.
    pub hand_off: Option<HandOffPlan>,
}

/// What becomes of the Secret with the admin's email and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminSecret {
    /// None is composed: the platform team supplies the password, or it is gone.
    None,
    /// It is emitted as it was observed.
    Observed(Credentials),
    /// It is emitted out of memory: not observed yet, or deleted by hand.
    Remembered(Credentials),
    /// A password has to be drawn first, to be remembered and planned again.
    Generate(Email),
}

/// What becomes of the connection Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionSecret {
    /// There is none yet.
    None,
    /// It is emitted as it was observed.
    Observed,
    /// It is emitted out of memory: its token is newer than what was observed.
    Remembered,
}

/// What is done or waited for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Something in the cluster has to come first.
    Wait(Wait),
    /// Work is under way.
    Await,
    /// Work is started, detached from the call.
    Start(Box<Establish>),
    /// A problem was found, and it is too early to try again.
    Hold {
        /// The problem.
        problem: Problem,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// A token was accepted and is handed out until it is seen in observed.
    HandOut,
    /// The connection stands.
    Keep {
        /// When the token is verified or renewed next.
        check_at: Timestamp,
    },
}

/// What has to come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// What is required was not looked for yet.
    Requirements,
    /// Something is not there yet.
    For(Waiting),
    /// The admin Secret has to be seen in observed before it is used.
    PersistingAdmin,
}

impl Action {
    /// Its name, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Wait(_) => "Wait",
            Self::Await => "Await",
            Self::Start(_) => "Start",
            Self::Hold { .. } => "Hold",
            Self::HandOut => "HandOut",
            Self::Keep { .. } => "Keep",
        }
    }
}

/// Decides what a call does.
#[must_use]
pub fn plan(observation: &Observation, remembered: &Remembered, now: Timestamp) -> Plan {
    let action = action(observation, remembered, now);
    Plan {
        admin: admin_secret(observation, remembered),
        connection: connection_secret(observation, remembered, now),
        hand_off: hand_off::plan(observation, remembered, &action, now),
        action,
    }
}

fn admin_secret(observation: &Observation, remembered: &Remembered) -> AdminSecret {
    if observation.located.is_err() {
        return AdminSecret::None;
    }
    let persisted = observation.persisted_admin.as_ref();
    let email = match &observation.admin {
        // One that was composed before the platform team supplied its own stays:
        // its password may be the only one that works.
        AdminSource::Supplied(_) | AdminSource::None => {
            return persisted.map_or(AdminSecret::None, |admin| AdminSecret::Observed(admin.clone()));
        }
        AdminSource::Generated { email } => email,
    };
    // The way out of an interrupted bootstrap is another email. The Secret is
    // deleted first, since it can be written only once.
    let gives_way = |admin: &Credentials| gives_way(observation, remembered, admin);
    if let Some(admin) = persisted {
        // Every try uses the same email, so the one that is persisted counts.
        return if gives_way(admin) { AdminSecret::None } else { AdminSecret::Observed(admin.clone()) };
    }
    if observation.admin_place != Place::Free {
        return AdminSecret::None;
    }
    match (&remembered.admin, email) {
        (Some(admin), _) if !gives_way(admin) => AdminSecret::Remembered(admin.clone()),
        (_, Ok(email)) if a_new_password_is_of_use(observation, remembered) => {
            AdminSecret::Generate(email.clone())
        }
        _ => AdminSecret::None,
    }
}

/// Whether the admin's credentials may be replaced by others with the email of the
/// input: no server has ever let them in, and this one says that a bootstrap with their
/// email was interrupted. While they are in the cluster it has to say so since the input
/// has the other email, because a bootstrap that was slow may have come to its end.
fn gives_way(observation: &Observation, remembered: &Remembered, admin: &Credentials) -> bool {
    let AdminSource::Generated { email: Ok(email) } = &observation.admin else { return false };
    let Ok(endpoint) = &observation.endpoint else { return false };
    if *email == admin.email || was_in_use(observation, remembered, admin) {
        return false;
    }
    let is_here = remembered.held.as_ref().filter(|held| held.problem.origin == *endpoint.origin());
    let is_used_up = is_here.filter(|held| held.problem.kind.uses_up(&admin.email));
    match &observation.persisted_admin {
        Some(_) => is_used_up.is_some_and(|held| held.attempt.email.as_ref() == Some(email)),
        // Another replica has deleted it, with as good a reason.
        None => is_used_up.is_some() || is_said_to_be_used_up(observation, endpoint, admin),
    }
}

fn is_said_to_be_used_up(observation: &Observation, endpoint: &Endpoint, admin: &Credentials) -> bool {
    let said = observation.xr.previous.of_type(BOOTSTRAPPED);
    said.is_some_and(|said| {
        said.reason == PARTIALLY_BOOTSTRAPPED && said.is_of(endpoint.origin(), Some(&admin.email))
    })
}

/// Whether a server has let the admin's credentials in, or may have: then they may be
/// the only ones that log in, to this database or to a backup of it.
fn was_in_use(observation: &Observation, remembered: &Remembered, admin: &Credentials) -> bool {
    let has_token = observation.connection.as_ref().is_some_and(|connection| connection.token.is_some());
    let has_handed_off = observation.hand_off.as_ref().is_some_and(|hand_off| hand_off.observed.is_some());
    remembered.let_in.as_deref() == Some(&admin.fingerprint())
        || remembered.accepted.is_some()
        || has_token
        || has_handed_off
}

/// A new password is of use to an instance that is not set up. One that has a
/// connection is, unless it has said that it is not.
fn a_new_password_is_of_use(observation: &Observation, remembered: &Remembered) -> bool {
    let is_empty =
        |problem: &Problem| matches!(problem.kind, ProblemKind::AdminSecretMissing { initialized: false });
    let said_so = remembered.held.as_ref().is_some_and(|held| is_empty(&held.problem));
    let connected = observation.connection.is_some() || remembered.accepted.is_some();
    said_so || (!connected && observation.adopted.is_none())
}

fn connection_secret(observation: &Observation, remembered: &Remembered, now: Timestamp) -> ConnectionSecret {
    let held_in_memory = remembered.accepted.as_ref().is_some_and(|accepted| accepted.connection.is_some());
    let observed = observation.connection.as_ref();
    if observation.located.is_err() || observation.connection_place != Place::Free {
        ConnectionSecret::None
    } else if held_in_memory && !has_a_strange_token(observation, remembered, now) {
        ConnectionSecret::Remembered
    } else if observed.is_some() {
        ConnectionSecret::Observed
    } else {
        ConnectionSecret::None
    }
}

/// Whether the observed token is one that this process knows nothing of: put
/// there by hand, by another replica, or before a restart. It is right until
/// the server says otherwise, so it is neither overwritten nor skipped. So is
/// any that is observed in the place of an older one: whoever has put it there
/// revokes the older. And one that whoever has it prefers, or the two would take turns.
fn has_a_strange_token(observation: &Observation, remembered: &Remembered, now: Timestamp) -> bool {
    let Some(observed) = observed_token(observation).map(AccessToken::fingerprint) else { return false };
    let accepted = remembered.accepted.as_ref().filter(|accepted| accepted.token != observed);
    let is_preferred = |accepted: &Accepted| is_preferred(observation, accepted).unwrap_or(false);
    let gives_way =
        accepted.is_some_and(|accepted| !accepted.is_safe_from_others(now) || is_preferred(accepted));
    !remembered.knows(observed) || (gives_way && !remembered.refused.contains(&observed))
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

fn observed_token(observation: &Observation) -> Option<&AccessToken> {
    observation.connection.as_ref().and_then(|connection| connection.token.as_ref())
}

fn action(observation: &Observation, remembered: &Remembered, now: Timestamp) -> Action {
    if !observation.requirements_met {
        return Action::Wait(Wait::Requirements);
    }
    if let Err(waiting) = &observation.located {
        return Action::Wait(Wait::For(waiting.clone()));
    }
    if let Some(waiting) = taken(observation, remembered) {
        return Action::Wait(Wait::For(waiting));
    }
    if let Readiness::NotReady(why) = &observation.instance
        && !something_stands(observation, remembered)
    {
        return Action::Wait(Wait::For(Waiting::Instance(why.clone())));
    }
    let endpoint = match &observation.endpoint {
        Ok(endpoint) => endpoint,
        Err(waiting) => return Action::Wait(Wait::For(waiting.clone())),
    };
    if remembered.working {
        return Action::Await;
    }
    if let Some(standing) = standing(observation, remembered, endpoint, now) {
        return standing;
    }
    match work(observation, remembered, endpoint, now) {
        Ok(work) => match &remembered.held {
            Some(held) if held.attempt == work.attempt() && !held.retry_at.is_over(now) => {
                Action::Hold { problem: held.problem.clone(), retry_at: held.retry_at.at(now) }
            }
            _ => Action::Start(Box::new(work)),
        },
        Err(wait) => Action::Wait(wait),
    }
}

/// What is in the way of a Secret without which nothing can be done: that of the
/// connection always, and that of the admin while there is nothing but its password to
/// connect with.
fn taken(observation: &Observation, remembered: &Remembered) -> Option<Waiting> {
    if let Place::Taken(waiting) = &observation.connection_place {
        return Some(waiting.clone());
    }
    let Place::Taken(waiting) = &observation.admin_place else { return None };
    let is_needed = !something_stands(observation, remembered) && observation.adopted.is_none();
    is_needed.then(|| waiting.clone())
}

/// Whether there is a connection to be looked after also while the instance is not
/// ready: in a rollout that hangs older Pods go on serving. What the server has refused
/// is left until the instance is ready, but for a try that has failed.
fn something_stands(observation: &Observation, remembered: &Remembered) -> bool {
    let is_refused = |token: &AccessToken| remembered.refused.contains(&token.fingerprint());
    let tried = |token: &AccessToken| !is_refused(token) || remembered.held.is_some();
    remembered.accepted.is_some() || observed_token(observation).is_some_and(tried)
}

/// What is done about a connection that was accepted and needs no work.
fn standing(
    observation: &Observation,
    remembered: &Remembered,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Option<Action> {
    let accepted = remembered.accepted.as_ref()?;
    if accepted.origin != *endpoint.origin() || has_a_strange_token(observation, remembered, now) {
        return None;
    }
    let check_at = timing::check_at(accepted, &observation.token_policy, &observation.xr.key, now);
    // A renewal that failed is tried again long before the next verification.
    let others = [
        remembered.held.as_ref().map(|held| held.retry_at),
        sweep_at(observation, remembered),
        contradicted_at(observation, remembered, accepted),
    ];
    let check_at = others.into_iter().flatten().fold(check_at, |check_at, other| check_at.min(other.at(now)));
    if check_at <= now {
        return None;
    }
    let observed = observation.connection.as_ref();
    match &accepted.connection {
        Some(connection) => {
            let seen = observed.is_some_and(|observed| {
                observed.in_place && connection.parts().is_in(observed, &observation.wanted)
            });
            if seen {
                Some(Action::Keep { check_at })
            } else {
                // It may be another replica that puts another in its place, or
                // has revoked it.
                is_recent(accepted.verified_at, ASKED_AGAIN_AFTER, now).then_some(Action::HandOut)
            }
        }
        None => {
            let observed = observed?;
            let is_it = observed.token.as_ref().map(AccessToken::fingerprint) == Some(accepted.token);
            (is_it && observed.complete).then_some(Action::Keep { check_at })
        }
    }
}

/// When to ask again about a token of which the XR says something else: another
/// replica was told so, and the two would go on contradicting each other until
/// the next verification.
fn contradicted_at(observation: &Observation, remembered: &Remembered, accepted: &Accepted) -> Option<Due> {
    let said = observation.xr.previous.of_type(TOKEN_VALID)?;
    let is_contradicted = conditions::is_what_a_server_said(&said.reason)
        && said.reason != conditions::of_accepted(observation, remembered, accepted)
        && remembered.is_older_than(said);
    let asked_at = remembered.asked_at.unwrap_or(accepted.verified_at);
    is_contradicted.then(|| Due::after(asked_at, ASKED_AGAIN_AFTER))
}

/// The work that would lead to an accepted token, or what it lacks.
fn work(
    observation: &Observation,
    remembered: &Remembered,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Establish, Wait> {
    let mut tokens = tokens_to_try(observation, remembered, now).into_iter();
    let (token, others) = (tokens.next(), tokens.collect());
    let admin = usable_admin(observation, remembered);
    if token.is_none() && admin.is_none() {
        awaited(observation, remembered).map_or(Ok(()), Err)?;
    }
    let organization = match (&observation.organization, &token) {
        (Ok(organization), _) => organization.clone(),
        // A token that is there can be verified without it.
        (Err(_), Some(_)) => observation.xr.name.clone(),
        (Err(waiting), None) => return Err(Wait::For(waiting.clone())),
    };
    Ok(Establish {
        endpoint: endpoint.clone(),
        renew: token.as_ref().is_some_and(|token| renewal_is_due(token, observation, remembered, now)),
        measured: measured(remembered, now),
        limited: limited(remembered, endpoint),
        may_bootstrap: observation.instance == Readiness::Ready,
        sweep: sweep_at(observation, remembered).is_some_and(|sweep_at| sweep_at.is_over(now)),
        login: login(remembered, admin.as_ref(), now),
        rival: rival(observation, remembered, now),
        token,
        others,
        adopts: observation.adopted.is_some(),
        admin_is_generated: !matches!(observation.admin, AdminSource::Supplied(_)),
        email: match &observation.admin {
            AdminSource::Generated { email } => email.as_ref().ok().cloned(),
            AdminSource::Supplied(_) | AdminSource::None => None,
        },
        admin_was_in_use: admin.as_ref().is_some_and(|admin| was_in_use(observation, remembered, admin)),
        before: before(observation, remembered, endpoint),
        admin,
        organization,
        token_name: token_name(observation),
        minted_for: minted_for(observation, remembered),
        token_policy: observation.token_policy,
        xr: observation.xr.as_neighbour(),
        now,
    })
}

/// The connection goes on being its identity's, which after handing off may be no
/// instance admin any more. What a token claims counts if the server accepted it.
fn minted_for(observation: &Observation, remembered: &Remembered) -> MintedFor {
    let accepted = remembered.accepted.as_ref();
    let held = accepted.and_then(|accepted| accepted.connection.as_ref());
    let observed = observation.connection.as_ref().and_then(|observed| observed.token.as_ref());
    let of_observed = || {
        let is_accepted = |token: &&AccessToken| accepted.is_some_and(|it| it.token == token.fingerprint());
        Claims::of(observed.filter(is_accepted)?).identity_id
    };
    MintedFor {
        identity_id: held.and_then(|connection| connection.identity_id.clone()).or_else(of_observed),
        may_be_no_admin: observation.hand_off.is_some(),
    }
}

/// What will bring a token or a password. `None` when both are gone: then only
/// the server knows whether a new password is of use.
fn awaited(observation: &Observation, remembered: &Remembered) -> Option<Wait> {
    if let Some(Err(waiting)) = &observation.adopted {
        return Some(Wait::For(waiting.clone()));
    }
    match &observation.admin {
        AdminSource::Supplied(Err(waiting)) | AdminSource::Generated { email: Err(waiting) } => {
            Some(Wait::For(waiting.clone()))
        }
        AdminSource::Supplied(Ok(_)) | AdminSource::Generated { email: Ok(_) } => {
            if let Place::Taken(waiting) = &observation.admin_place {
                return Some(Wait::For(waiting.clone()));
            }
            let is_lost = observation.persisted_admin.is_none()
                && admin_secret(observation, remembered) == AdminSecret::None;
            (!is_lost).then_some(Wait::PersistingAdmin)
        }
        AdminSource::None => None,
    }
}

/// When to look for tokens that earlier tries have left alive: once the present
/// one was seen in observed, and if there is a password to log in with.
fn sweep_at(observation: &Observation, remembered: &Remembered) -> Option<Due> {
    let accepted = remembered.accepted.as_ref()?;
    let is_observed = observed_token(observation).map(AccessToken::fingerprint) == Some(accepted.token);
    // A login that was refused is not repeated for this: a token more that is
    // alive for a while does no harm, a locked user does.
    let can_log_in = usable_admin(observation, remembered).is_some_and(|admin| {
        let refused = remembered.login_refused.as_ref();
        refused.is_none_or(|refused| refused.credentials != admin.fingerprint())
    });
    if is_observed && can_log_in { remembered.sweep_at } else { None }
}

/// Tokens and identities that this function makes are named after the XR, so that
/// they can be told from everybody else's.
fn token_name(observation: &Observation) -> String {
    format!("{OURS}{}", observation.xr.key)
}

/// A strange token in the cluster first, then the newest that was accepted,
/// then one that the server could not be asked about, and last the token of an
/// instance that is adopted: it is of use until there is one of our own.
fn tokens_to_try(observation: &Observation, remembered: &Remembered, now: Timestamp) -> Vec<AccessToken> {
    let observed = observed_token(observation);
    let strange = observed.filter(|_| has_a_strange_token(observation, remembered, now));
    let accepted = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
    let adopted = observation.adopted.as_ref().and_then(|adopted| adopted.as_ref().ok());
    let in_order = [strange, accepted.map(|it| &it.token), remembered.untested.as_deref(), observed, adopted];
    let mut tokens: Vec<AccessToken> = Vec::new();
    for token in in_order.into_iter().flatten() {
        if !tokens.contains(token) {
            tokens.push(token.clone());
        }
    }
    tokens
}

/// The newest token that was accepted, when a strange one is tried. Not when it
/// is so old that whoever has put the other there may be about to revoke it.
fn rival(observation: &Observation, remembered: &Remembered, now: Timestamp) -> Option<Arc<Connection>> {
    if !has_a_strange_token(observation, remembered, now) {
        return None;
    }
    let accepted = remembered.accepted.as_ref().filter(|accepted| accepted.is_young(now))?;
    accepted.connection.clone()
}

/// Credentials that may be used: supplied, or persisted and seen to be.
fn usable_admin(observation: &Observation, remembered: &Remembered) -> Option<Credentials> {
    match &observation.admin {
        AdminSource::Supplied(supplied) => supplied.as_ref().ok().cloned(),
        AdminSource::Generated { .. } | AdminSource::None => match admin_secret(observation, remembered) {
            AdminSecret::Observed(admin) => Some(admin),
            AdminSecret::None | AdminSecret::Remembered(_) | AdminSecret::Generate(_) => None,
        },
    }
}

/// A login that was refused is not tried again with the same credentials until
/// its time has come, whatever else has changed.
fn login(remembered: &Remembered, admin: Option<&Credentials>, now: Timestamp) -> Login {
    let Some(refused) = &remembered.login_refused else { return Login::Allowed };
    let same = admin.is_some_and(|admin| admin.fingerprint() == refused.credentials);
    if same && !refused.retry_at.is_over(now) {
        Login::Refused(refused.problem.clone())
    } else {
        Login::Allowed
    }
}

/// What the Secret and the condition say of a connection is of the server that they
/// name; a Secret need not name one.
fn before(observation: &Observation, remembered: &Remembered, endpoint: &Endpoint) -> Before {
    let origin = endpoint.origin();
    let previous = observation.xr.previous.of_type(BOOTSTRAPPED);
    let is_said = previous.is_some_and(|said| said.status == "True" && said.is_of(origin, None));
    let observed = observation.connection.as_ref().filter(|observed| observed.token.is_some());
    let host = observed.map(|observed| observed.host(&observation.wanted));
    if remembered.accepted.is_some()
        || is_said
        || host == Some(Some(origin.as_str()))
        || password_once_worked(observation, endpoint)
    {
        Before::Connected
    } else if host == Some(None) {
        Before::Perhaps
    } else {
        Before::None
    }
}

/// Whether the XR says of the refused password that it once worked, at this server. It
/// goes on being one that did, also for a process that does not remember it.
pub(crate) fn password_once_worked(observation: &Observation, endpoint: &Endpoint) -> bool {
    let (said, email) = (observation.xr.previous.of_type(BOOTSTRAPPED), password_email(observation));
    said.is_some_and(|said| said.reason == ADMIN_LOGIN_REFUSED && said.is_of(endpoint.origin(), email))
}

/// Whose password is in use.
pub(crate) fn password_email(observation: &Observation) -> Option<&Email> {
    match &observation.admin {
        AdminSource::Supplied(supplied) => supplied.as_ref().ok().map(|admin| &admin.email),
        AdminSource::Generated { .. } | AdminSource::None => {
            observation.persisted_admin.as_ref().map(|admin| &admin.email)
        }
    }
}

/// Whether a token nears its end, as far as that is known here: how much of the life
/// of one that was found has passed only the server can say.
fn renewal_is_due(
    token: &AccessToken,
    observation: &Observation,
    remembered: &Remembered,
    now: Timestamp,
) -> bool {
    let measured = measured(remembered, now).filter(|(measured, _)| *measured == token.fingerprint());
    measured.is_some_and(|(_, life)| life.nears_its_end(observation.token_policy.renew_at).is_over(now))
}

/// What this server has accepted before of a token that may be used so many times only.
fn limited(remembered: &Remembered, endpoint: &Endpoint) -> Option<Arc<Connection>> {
    let connection = remembered.accepted.as_ref()?.connection.as_ref()?;
    let is_limited = Claims::of(&connection.token).is_limited();
    (is_limited && connection.origin == *endpoint.origin()).then(|| Arc::clone(connection))
}

fn measured(remembered: &Remembered, now: Timestamp) -> Option<(Fingerprint, Life)> {
    let accepted = remembered.accepted.as_ref()?;
    Some((accepted.token, accepted.measured(now)?))
}
