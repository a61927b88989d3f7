//! The admin Secret: whether it is composed, and with what.
//!
//! The password is seen in the cluster before it is used, and one that a server may know is
//! never given up.
//!
//! Rule 1 and Rule 3 are kept here.

use infisical::{
    endpoint::Endpoint,
    secret::{Credentials, Email},
};

use super::AdminSecret;
use crate::{
    agreement::{Inference, Known},
    model::{
        condition::ConditionType,
        problem::{Problem, ProblemKind},
        remembered::Remembered,
    },
    observe::{AdminSource, Observation, Place},
};

/// Decides what becomes of it.
pub(super) fn secret(observation: &Observation, remembered: &Remembered) -> AdminSecret {
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
    let may_be_replaced = |admin: &Credentials| may_be_replaced(observation, remembered, admin);
    if let Some(admin) = persisted {
        // Every try uses the same email, so the one that is persisted counts.
        return if may_be_replaced(admin) { AdminSecret::None } else { AdminSecret::Observed(admin.clone()) };
    }
    if observation.admin_place != Place::Free {
        return AdminSecret::None;
    }
    match (&remembered.admin, email) {
        (Some(admin), _) if !may_be_replaced(admin) => AdminSecret::Remembered(admin.clone()),
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
fn may_be_replaced(observation: &Observation, remembered: &Remembered, admin: &Credentials) -> bool {
    let AdminSource::Generated { email: Ok(email) } = &observation.admin else { return false };
    let Ok(endpoint) = &observation.endpoint else { return false };
    if *email == admin.email || was_in_use(observation, remembered, admin) {
        return false;
    }
    let is_here = remembered.failure.as_ref().filter(|failure| failure.problem.origin == *endpoint.origin());
    let is_used_up = is_here.filter(|failure| failure.problem.kind.uses_up(&admin.email));
    match &observation.persisted_admin {
        Some(_) => is_used_up.is_some_and(|failure| failure.attempt.email.as_ref() == Some(email)),
        // Another replica has deleted it, with as good a reason.
        None => is_used_up.is_some() || is_said_to_be_used_up(observation, endpoint, admin),
    }
}

fn is_said_to_be_used_up(observation: &Observation, endpoint: &Endpoint, admin: &Credentials) -> bool {
    let known = Known { origin: Some(endpoint.origin()), email: Some(&admin.email), ..Known::default() };
    known.is_inferred(Inference::EmailUsedUp, ConditionType::Bootstrapped, &observation.xr.previous)
}

/// Whether a server has let the admin's credentials in, or may have: then they may be
/// the only ones that log in, to this database or to a backup of it.
pub(super) fn was_in_use(observation: &Observation, remembered: &Remembered, admin: &Credentials) -> bool {
    let has_token = observation.connection.as_ref().is_some_and(|connection| connection.token.is_some());
    let has_handed_off = observation.hand_off.as_ref().is_some_and(|hand_off| hand_off.observed.is_some());
    remembered.logged_in.as_deref() == Some(&admin.fingerprint())
        || remembered.accepted.is_some()
        || has_token
        || has_handed_off
}

/// A new password is of use to an instance that is not set up. One that has a
/// connection is, unless it has said that it is not.
fn a_new_password_is_of_use(observation: &Observation, remembered: &Remembered) -> bool {
    let is_empty =
        |problem: &Problem| matches!(problem.kind, ProblemKind::AdminSecretMissing { initialized: false });
    let said_so = remembered.failure.as_ref().is_some_and(|failure| is_empty(&failure.problem));
    let connected = observation.connection.is_some() || remembered.accepted.is_some();
    said_so || (!connected && observation.adopted.is_none())
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
