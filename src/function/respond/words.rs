//! Words that several conditions share.

use super::content::Content;
use crate::{
    model::{condition::Status, problem::Problem, reason::Reason},
    observe::{Observation, Waiting},
    plan::Wait,
};

/// What came of asking a server names it: the XR may be pointed at another since.
pub(super) fn server(observation: &Observation, unknown: &str) -> String {
    match &observation.endpoint {
        Ok(endpoint) => format!("Infisical at {}", endpoint.origin()),
        Err(_) => unknown.to_owned(),
    }
}

/// A problem that is in the way.
pub(super) fn of_problem(problem: &Problem) -> Content {
    Content { status: Status::False, reason: problem.reason(), message: problem.message() }
}

/// Reason and message of what comes first.
pub(super) fn waiting(observation: &Observation, wait: &Wait) -> (Reason, String) {
    match wait {
        Wait::Requirements => (
            Reason::WaitingForRequirements,
            "Crossplane is asked for resources that are not composed here".to_owned(),
        ),
        Wait::For(waiting) => of_waiting(waiting),
        Wait::PersistingAdmin => (
            Reason::PersistingAdmin,
            format!(
                "The admin's email and password are being written to Secret {}",
                observation.admin_secret
            ),
        ),
    }
}

/// Reason and message of what is not there yet, or in the way.
pub(super) fn of_waiting(waiting: &Waiting) -> (Reason, String) {
    match waiting {
        Waiting::Instance(why) => (Reason::WaitingForInstance, why.clone()),
        Waiting::Endpoint(what) => {
            (Reason::WaitingForEndpoint, format!("Where Infisical is, is not known yet: {what}"))
        }
        Waiting::Organization(what) => (
            Reason::WaitingForOrganization,
            format!("What to call the organization is not known yet: {what}"),
        ),
        Waiting::Admin(what) => {
            (Reason::WaitingForAdmin, format!("The admin's email and password are not there yet: {what}"))
        }
        Waiting::AdoptedToken(what) => (
            Reason::WaitingForAdoptedToken,
            format!("The token of the instance to adopt is not there yet: {what}"),
        ),
        Waiting::Claim(what) => {
            (Reason::WaitingForClaim, format!("Where the Secrets belong is not known yet: {what}"))
        }
        Waiting::SecretTaken(what) => (Reason::SecretTaken, what.clone()),
        Waiting::SecretLeaving(what) => (Reason::WaitingForSecret, what.clone()),
    }
}
