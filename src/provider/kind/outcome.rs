//! What the answers to routes mean to the loop, where that is the same for several kinds.

use infisical::{Error, ErrorKind, api::ResourceRefusal, claims::Claims};

use crate::{connect::session::Open, managed::external::ExternalError};

/// What was found; nothing, where it or what is above it is not there.
pub(super) fn found<T>(answer: Result<T, Error<ResourceRefusal>>) -> Result<Option<T>, ExternalError> {
    match answer {
        Ok(seen) => Ok(Some(seen)),
        Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(None),
        Err(error) => Err(refusal(error)),
    }
}

/// That it is gone.
pub(super) fn gone(answer: Result<(), Error<ResourceRefusal>>) -> Result<(), ExternalError> {
    found(answer).map(drop)
}

/// Why it was not done.
pub(super) fn refusal(error: Error<ResourceRefusal>) -> ExternalError {
    match error.kind {
        ErrorKind::Refused(ResourceRefusal::AlreadyExists) => ExternalError::exists(error.to_string()),
        _ => error.into(),
    }
}

/// Why something that only a licence allows was not done.
pub(super) fn unlicensed(error: Error<ResourceRefusal>, fields: &str) -> ExternalError {
    match error.kind {
        ErrorKind::Refused(ResourceRefusal::Licence) => {
            ExternalError::refused(format!("leave out {fields}, or give the server a licence: {error}"))
        }
        _ => refusal(error),
    }
}

/// That a parameter is missing without which nothing can be made.
pub(super) fn missing(field: &str) -> ExternalError {
    ExternalError::refused(format!("spec.forProvider.{field} is missing"))
}

/// Refuses a change of the identity that the provider itself logs in with: who could add a
/// login to it would have all that the provider may do.
pub(super) fn refuse_own(open: &Open, identity_id: &str) -> Result<(), ExternalError> {
    let own = Claims::of(&open.token).identity_id;
    // The server does not mind the case of an id.
    if own.is_some_and(|own| own.eq_ignore_ascii_case(identity_id)) {
        return Err(ExternalError::refused(format!(
            "{identity_id} is the identity that the provider itself logs in with, and no managed resource may \
             change it: name another, or write only Observe into spec.managementPolicies"
        )));
    }
    Ok(())
}
