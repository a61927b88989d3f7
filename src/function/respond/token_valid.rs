//! The condition `InfisicalTokenValid`: whether the token works, `Unknown` when the server
//! could not be asked.

use super::{
    content::Content,
    token::Token,
    words::{server, waiting},
};
use crate::{
    agreement::{Inference, Known},
    model::{
        condition::{ConditionType, Status},
        problem::Problem,
        reason::Reason,
    },
    observe::Observation,
    plan::{Action, Plan},
};

/// What the condition says.
pub(super) fn token_valid(
    observation: &Observation,
    plan: &Plan,
    token: &Token,
    problem: Option<&Problem>,
    lacks_the_right: bool,
) -> Content {
    let secret = &observation.connection_secret;
    // What is asked again may be long past: another replica has said better since.
    let asks = matches!(plan.action, Action::Start(_) | Action::Await);
    let said_before = if asks { token_worked_before(observation) } else { None };
    let problem = problem.filter(|_| said_before.is_none());
    match (token, problem) {
        (Token::None, _) => Content {
            status: Status::False,
            reason: Reason::NoToken,
            message: format!("There is no token in Secret {secret} yet"),
        },
        (Token::Refused, _) => Content {
            status: Status::False,
            reason: Reason::TokenRefused,
            message: format!("{} refuses the token in Secret {secret}", server(observation, "The server")),
        },
        (Token::Ended, _) => Content {
            status: Status::False,
            reason: Reason::TokenEnded,
            message: format!(
                "The life of the token in Secret {secret} is over, and there is no other yet. The condition \
                 InfisicalBootstrapped says what is in the way"
            ),
        },
        (Token::Works | Token::NotAskedYet | Token::CannotBeAsked, Some(problem))
            if problem.is_unreachable() =>
        {
            Content { status: Status::Unknown, reason: problem.reason(), message: problem.message() }
        }
        (Token::Works, Some(problem)) => Content {
            status: Status::True,
            reason: Reason::NotRenewed,
            message: format!("The server accepts the token, but it was not renewed. {}", problem.message()),
        },
        (Token::Works, None) => match said_before {
            Some(says) => says,
            None if lacks_the_right => not_instance_admin(observation),
            None => accepted(observation),
        },
        (Token::NotAskedYet, _) => {
            token_worked_before(observation).unwrap_or_else(|| not_asked(observation, plan))
        }
        (Token::CannotBeAsked, _) => not_asked(observation, plan),
        (Token::MayHaveEnded, _) => Content {
            status: Status::Unknown,
            reason: Reason::TokenEnded,
            message: format!(
                "By the clock here the life of the token in Secret {secret} is over, and {} was not reached yet to \
                 ask",
                server(observation, "the server")
            ),
        },
    }
}

fn accepts(observation: &Observation) -> String {
    let (server, secret) = (server(observation, "The server"), &observation.connection_secret);
    format!("{server} accepts the token in Secret {secret}")
}

fn accepted(observation: &Observation) -> Content {
    Content { status: Status::True, reason: Reason::Accepted, message: accepts(observation) }
}

fn not_instance_admin(observation: &Observation) -> Content {
    Content {
        status: Status::True,
        reason: Reason::NotInstanceAdmin,
        message: format!(
            "{}, but its identity is not an instance admin (any more). Give it the right in the server admin's \
             settings, or put a token of an instance admin into that Secret",
            accepts(observation)
        ),
    }
}

fn not_asked(observation: &Observation, plan: &Plan) -> Content {
    let secret = &observation.connection_secret;
    let (reason, message) = match &plan.action {
        Action::Wait(wait) => waiting(observation, wait),
        _ => (Reason::Verifying, format!("The server is being asked about the token in Secret {secret}")),
    };
    Content { status: Status::Unknown, reason, message }
}

/// What the XR says of a token that worked: a restart tells nothing new, so it stands until
/// the server was asked.
fn token_worked_before(observation: &Observation) -> Option<Content> {
    let is_said =
        |what| Known::default().is_inferred(what, ConditionType::TokenValid, &observation.xr.previous);
    let lacks_the_right = is_said(Inference::TokenLackedTheRight);
    if lacks_the_right && !observation.gives_up_the_right() {
        Some(not_instance_admin(observation))
    } else {
        (lacks_the_right || is_said(Inference::TokenWorked)).then(|| accepted(observation))
    }
}
