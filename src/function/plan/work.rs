//! The work that would lead to an accepted token.

use std::sync::Arc;

use infisical::{
    claims::Claims,
    endpoint::Endpoint,
    secret::{AccessToken, Credentials, Fingerprint},
};
use jiff::Timestamp;

use super::{
    AdminSecret, Wait, admin,
    facts::{Facts, observed_token},
    situation::Next,
};
use crate::{
    agreement::{Inference, Known},
    model::{
        condition::ConditionType,
        connection::Connection,
        life::Life,
        remembered::Remembered,
        work::{Before, Establish, Login, MintedFor, OURS},
    },
    observe::{AdminSource, Observation, Place},
    readiness::Readiness,
};

/// What can be done at the server.
pub(super) fn next(facts: &Facts<'_>) -> Next {
    let endpoint = match &facts.observation.endpoint {
        Ok(endpoint) => endpoint,
        Err(waiting) => return Next::Lacking(Wait::For(waiting.clone())),
    };
    match work(facts, endpoint) {
        Err(wait) => Next::Lacking(wait),
        Ok(work) => {
            let failure = facts.remembered.failure.as_ref();
            let back_off = failure.and_then(|failure| failure.back_off(&work.attempt(), facts.now));
            back_off.map_or_else(|| Next::Work(Box::new(work)), Next::TooSoon)
        }
    }
}

/// The work, or what it lacks.
pub(super) fn work(facts: &Facts<'_>, endpoint: &Endpoint) -> Result<Establish, Wait> {
    let Facts { observation, remembered, now, .. } = *facts;
    let mut tokens = tokens_to_try(facts).into_iter();
    let (token, others) = (tokens.next(), tokens.collect());
    let admin = facts.usable_admin();
    if token.is_none() && admin.is_none() {
        awaited(facts).map_or(Ok(()), Err)?;
    }
    let organization = match (&observation.organization, &token) {
        (Ok(organization), _) => organization.clone(),
        // A token that is there can be verified without it.
        (Err(_), Some(_)) => observation.xr.name.clone(),
        (Err(waiting), None) => return Err(Wait::For(waiting.clone())),
    };
    Ok(Establish {
        endpoint: endpoint.clone(),
        renew: token.as_ref().is_some_and(|token| renewal_is_due(token, facts)),
        measured: measured(remembered, now),
        limited: limited(remembered, endpoint),
        may_bootstrap: observation.instance == Readiness::Ready,
        sweep: facts.sweep_at().is_some_and(|sweep_at| sweep_at.is_over(now)),
        login: login(remembered, admin, now),
        own: own(facts),
        token,
        others,
        adopts: observation.adopted.is_some(),
        admin_is_generated: !matches!(observation.admin, AdminSource::Supplied(_)),
        email: match &observation.admin {
            AdminSource::Generated { email } => email.as_ref().ok().cloned(),
            AdminSource::Supplied(_) | AdminSource::None => None,
        },
        admin_was_in_use: admin.is_some_and(|admin| admin::was_in_use(observation, remembered, admin)),
        before: before(observation, remembered, endpoint),
        admin: admin.cloned(),
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
    let in_memory = accepted.and_then(|accepted| accepted.connection.as_ref());
    let observed = observation.connection.as_ref().and_then(|observed| observed.token.as_ref());
    let of_observed = || {
        let is_accepted = |token: &&AccessToken| accepted.is_some_and(|it| it.token == token.fingerprint());
        Claims::of(observed.filter(is_accepted)?).identity_id
    };
    MintedFor {
        identity_id: in_memory.and_then(|connection| connection.identity_id.clone()).or_else(of_observed),
        may_be_no_admin: observation.hand_off.is_some(),
    }
}

/// What will bring a token or a password. `None` when both are gone: then only
/// the server knows whether a new password is of use.
fn awaited(facts: &Facts<'_>) -> Option<Wait> {
    let observation = facts.observation;
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
            let is_lost = observation.persisted_admin.is_none() && facts.admin == AdminSecret::None;
            (!is_lost).then_some(Wait::PersistingAdmin)
        }
        AdminSource::None => None,
    }
}

/// Tokens and identities that this function makes are named after the XR, so that
/// they can be told from everybody else's.
pub(super) fn token_name(observation: &Observation) -> String {
    format!("{OURS}{}", observation.xr.key)
}

/// A token in the cluster that this process does not know first, then the newest that was accepted,
/// then one that the server could not be asked about, and last the token of an
/// instance that is adopted: it is of use until there is one of our own.
fn tokens_to_try(facts: &Facts<'_>) -> Vec<AccessToken> {
    let Facts { observation, remembered, .. } = *facts;
    let observed = observed_token(observation);
    let first = observed.filter(|_| facts.observed_comes_first);
    let accepted = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
    let adopted = observation.adopted.as_ref().and_then(|adopted| adopted.as_ref().ok());
    let in_order = [first, accepted.map(|it| &it.token), remembered.untested.as_deref(), observed, adopted];
    let mut tokens: Vec<AccessToken> = Vec::new();
    for token in in_order.into_iter().flatten() {
        if !tokens.contains(token) {
            tokens.push(token.clone());
        }
    }
    tokens
}

/// The newest token that was accepted, when another is tried first. Not when it
/// is so old that whoever has put the other there may be about to revoke it.
fn own(facts: &Facts<'_>) -> Option<Arc<Connection>> {
    if !facts.observed_comes_first {
        return None;
    }
    let accepted = facts.remembered.accepted.as_ref().filter(|accepted| accepted.is_young(facts.now))?;
    accepted.connection.clone()
}

/// A login that was refused is not tried again with the same credentials until
/// its time has come, whatever else has changed.
pub(super) fn login(remembered: &Remembered, admin: Option<&Credentials>, now: Timestamp) -> Login {
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
    let known = Known { origin: Some(origin), email: admin::password_email(observation), ..Known::default() };
    let is_said = |what| known.is_inferred(what, ConditionType::Bootstrapped, &observation.xr.previous);
    let observed = observation.connection.as_ref().filter(|observed| observed.token.is_some());
    let host = observed.map(|observed| observed.host(&observation.wanted));
    if remembered.accepted.is_some()
        || is_said(Inference::WasConnected)
        || host == Some(Some(origin.as_str()))
        || is_said(Inference::PasswordWorked)
    {
        Before::Connected
    } else if host == Some(None) {
        Before::Perhaps
    } else {
        Before::None
    }
}

/// Whether a token nears its end, as far as that is known here: how much of the life
/// of one that was found has passed only the server can say.
fn renewal_is_due(token: &AccessToken, facts: &Facts<'_>) -> bool {
    let Facts { observation, remembered, now, .. } = *facts;
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
