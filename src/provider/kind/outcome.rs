//! Refusals that the ways to log in have in common.

use infisical::{Error, ErrorKind, api::ResourceRefusal, claims::Claims};

use super::refusal;
use crate::{connect::session::Open, managed::external::ExternalError};

/// Why something that only a licence allows was not done.
pub(super) fn unlicensed(error: Error<ResourceRefusal>, fields: &str) -> ExternalError {
    match error.kind {
        ErrorKind::Refused(ResourceRefusal::Licence) => {
            ExternalError::refused(format!("leave out {fields}, or give the server a licence: {error}"))
        }
        _ => refusal(error),
    }
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
