//! The condition `InfisicalBootstrapped`: whether there is a connection to the instance and,
//! if not, what is in the way.

use infisical::endpoint::Endpoint;

use super::{
    content::Content,
    token::Token,
    words::{of_problem, of_waiting, server, waiting},
};
use crate::{
    agreement::{Inference, Known},
    model::{
        condition::{ConditionType, Status},
        problem::{Problem, ProblemKind},
        reason::Reason,
    },
    observe::{AdminSource, Observation, Place},
    plan::{Action, AdminSecret, Plan, password_email},
};

/// What the condition says.
pub(super) fn bootstrapped(
    observation: &Observation,
    plan: &Plan,
    token: &Token,
    problem: Option<&Problem>,
) -> Content {
    match token {
        Token::Works | Token::NotAskedYet | Token::CannotBeAsked | Token::MayHaveEnded
            if password_is_gone(observation, plan) =>
        {
            Content {
                status: Status::True,
                reason: Reason::AdminSecretMissing,
                message: format!(
                    "{}, but {}: when the token ends and cannot be renewed, nobody can get another. Set the admin's \
                 password anew in Infisical, and supply it with input.admin.credentials or input.admin.secretRef",
                    connection_is_there(observation),
                    no_admin_secret(observation)
                ),
            }
        }
        Token::Works | Token::NotAskedYet | Token::CannotBeAsked | Token::MayHaveEnded => Content {
            status: Status::True,
            reason: Reason::Bootstrapped,
            message: connection_is_there(observation),
        },
        Token::None | Token::Refused | Token::Ended => {
            let (reason, message) = match (&plan.action, problem) {
                (Action::Wait(wait), None) => waiting(observation, wait),
                (_, Some(problem)) if knew_the_password(observation, problem) => {
                    return problem_of_before(observation).unwrap_or_else(|| of_problem(problem));
                }
                (_, Some(problem)) => {
                    let says = named_before(observation, problem);
                    let says = says.or_else(|| has_no_place_for_the_admin(observation, problem));
                    return says.unwrap_or_else(|| of_problem(problem));
                }
                (_, None) => match problem_of_before(observation) {
                    Some(says) => return says,
                    None => (Reason::Bootstrapping, bootstrapping(observation)),
                },
            };
            Content { status: Status::False, reason, message }
        }
    }
}

/// Whether nobody has the password of the admin, though the token works.
fn password_is_gone(observation: &Observation, plan: &Plan) -> bool {
    matches!(observation.admin, AdminSource::Generated { .. })
        && plan.admin == AdminSecret::None
        && observation.adopted.is_none()
}

/// What there is in place of an admin Secret of this XR.
fn no_admin_secret(observation: &Observation) -> String {
    let secret = &observation.admin_secret;
    match observation.admin_place {
        Place::Taken(_) => format!("Secret {secret} is not this composite resource's, so it is not read"),
        Place::Free | Place::NotAsked => format!("there is no admin Secret {secret}"),
    }
}

/// Says of an admin Secret that is missing that another is in its place: it is not gone,
/// and none is written there.
fn has_no_place_for_the_admin(observation: &Observation, problem: &Problem) -> Option<Content> {
    let ProblemKind::AdminSecretMissing { initialized } = problem.kind else { return None };
    let Place::Taken(waiting) = &observation.admin_place else { return None };
    let (reason, message) = if initialized {
        let message = format!(
            "The token for Infisical at {} does not work any more, and {}. If it has the admin's email and \
             password, name it in input.admin.secretRef; else supply them with input.admin.credentials or \
             input.admin.secretRef",
            problem.origin,
            no_admin_secret(observation)
        );
        (problem.reason(), message)
    } else {
        of_waiting(waiting)
    };
    Some(Content { status: Status::False, reason, message })
}

fn connection_is_there(observation: &Observation) -> String {
    let (server, secret) = (server(observation, "the server"), &observation.connection_secret);
    format!("The connection to {server} is in Secret {secret}")
}

/// Whether a password is refused of which this replica does not remember, but the
/// XR says, that it once worked.
fn knew_the_password(observation: &Observation, problem: &Problem) -> bool {
    let origin = observation.endpoint.as_ref().ok().map(Endpoint::origin);
    let known = Known { origin, email: password_email(observation), ..Known::default() };
    let is_said = || {
        known.is_inferred(Inference::PasswordWorked, ConditionType::Bootstrapped, &observation.xr.previous)
    };
    matches!(problem.kind, ProblemKind::BootstrappedElsewhere { .. }) && is_said()
}

/// What the XR says of the same problem, where it names another XR. Of several replicas
/// not all know that one, and one that knows another has no better reason: what is said
/// stays, or the XR would change at every reconcile.
fn named_before(observation: &Observation, problem: &Problem) -> Option<Content> {
    let ProblemKind::BootstrappedElsewhere { email, .. } = &problem.kind else { return None };
    let known = Known { origin: Some(&problem.origin), email: Some(email), ..Known::default() };
    let said = known.infers(Inference::OwnerNamed, ConditionType::Bootstrapped, &observation.xr.previous);
    Content::of(said?)
}

/// A restart tells nothing new: a problem that the XR has stands until the server was
/// asked.
fn problem_of_before(observation: &Observation) -> Option<Content> {
    let known = Known { email: password_email(observation), ..Known::default() };
    let said =
        known.infers(Inference::ProblemPersists, ConditionType::Bootstrapped, &observation.xr.previous);
    Content::of(said?)
}

fn bootstrapping(observation: &Observation) -> String {
    let origin = observation.endpoint.as_ref().map(|endpoint| endpoint.origin().to_string());
    format!("Infisical at {} is being bootstrapped or logged in to", origin.unwrap_or_default())
}
