//! The kinds: a file for each, with what differs, what is shown, and which routes.

use infisical::{Error, ErrorKind, api::ResourceRefusal};

use crate::managed::external::ExternalError;

mod additional_privilege;
mod client_secret;
mod environment;
mod folder;
mod identity;
mod kubernetes_auth;
mod outcome;
mod path;
mod project;
mod project_identity;
mod roles;
mod secret;
mod token_terms;
mod universal_auth;

/// What was read; `None` where it is not there.
fn found<T>(answer: Result<T, Error<ResourceRefusal>>) -> Result<Option<T>, ExternalError> {
    match answer {
        Ok(seen) => Ok(Some(seen)),
        Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(None),
        Err(error) => Err(refusal(error)),
    }
}

/// That something is deleted. What is not there is.
fn deleted(answer: Result<(), Error<ResourceRefusal>>) -> Result<(), ExternalError> {
    found(answer).map(|_| ())
}

/// Why a call failed.
fn refusal(error: Error<ResourceRefusal>) -> ExternalError {
    ExternalError::of_resource(error)
}

/// That a parameter is not there.
fn missing(field: &str) -> ExternalError {
    ExternalError::refused(format!("spec.forProvider.{field} is missing"))
}
