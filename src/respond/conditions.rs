//! The two conditions: their types, reasons and messages, all of them here.
//!
//! `InfisicalBootstrapped` says whether there is a connection to the instance
//! and, if not, what is in the way. `InfisicalTokenValid` says whether its token
//! works, `Unknown` when the server could not be asked. Both go to the XR and
//! its claim. Events are made of the transitions between them.

use crate::{
    act::Remembered,
    observe::{AdminSource, Observation, PreviousConditions, Waiting},
    plan::{Action, AdminSecret, ConnectionSecret, Plan, Wait},
    problem::Problem,
    proto::v1::{Condition, Result as Event, Severity, Status, Target},
    secret::AccessToken,
};

/// Whether there is a connection to the instance.
pub const BOOTSTRAPPED: &str = "InfisicalBootstrapped";
/// Whether its token works.
pub const TOKEN_VALID: &str = "InfisicalTokenValid";

/// The reasons that are no problem's, which are in [`crate::problem::REASONS`].
/// `docs/conditions.md` has an entry for each.
pub const REASONS: &[&str] = &[
    "Bootstrapped",
    "Bootstrapping",
    "PersistingAdmin",
    "WaitingForRequirements",
    "WaitingForInstance",
    "WaitingForEndpoint",
    "WaitingForOrganization",
    "WaitingForAdmin",
    "Accepted",
    "NotRenewed",
    "Verifying",
    "TokenRefused",
    "NoToken",
    "AdminSecretMissing",
    "BootstrappedAgain",
];

/// What a response says of the state of things.
pub(super) struct Verdict {
    /// Both conditions.
    pub(super) conditions: Vec<Condition>,
    /// Whether the token that is emitted was seen in observed.
    pub(super) token_is_persisted: bool,
    /// Whether it works, as far as is known.
    pub(super) token_may_work: bool,
    /// What has happened that no condition tells.
    news: Option<Event>,
}

/// What is known of the token that is emitted.
enum Token {
    /// There is none.
    None,
    /// The server accepted it.
    Works,
    /// The server could not be asked yet.
    NotAsked,
    /// The server refused it.
    Refused,
}

/// One condition's content.
struct Says {
    status: Status,
    reason: &'static str,
    message: String,
}

/// Says what a plan means for the two conditions and for readiness.
pub(super) fn judge(observation: &Observation, remembered: &Remembered, plan: &Plan) -> Verdict {
    let token = token(observation, remembered, plan);
    let problem = problem(remembered, plan);
    let bootstrapped = bootstrapped(observation, plan, &token, problem);
    let token_valid = token_valid(observation, plan, &token, problem);
    let token_is_persisted = is_persisted(observation, remembered, plan);
    Verdict {
        token_is_persisted,
        news: bootstrapped_again(remembered).filter(|_| !token_is_persisted),
        token_may_work: !matches!(token, Token::Refused | Token::None),
        conditions: vec![condition(BOOTSTRAPPED, bootstrapped), condition(TOKEN_VALID, token_valid)],
    }
}

fn token(observation: &Observation, remembered: &Remembered, plan: &Plan) -> Token {
    let observed = || {
        let connection = observation.connection.as_ref()?;
        connection.token.as_ref().map(AccessToken::fingerprint)
    };
    match plan.connection {
        ConnectionSecret::None => Token::None,
        ConnectionSecret::Remembered => Token::Works,
        ConnectionSecret::Observed => match observed() {
            None => Token::None,
            Some(token) if remembered.refused.contains(&token) => Token::Refused,
            Some(token) if is_accepted(observation, remembered, token) => Token::Works,
            Some(_) => Token::NotAsked,
        },
    }
}

fn is_accepted(
    observation: &Observation,
    remembered: &Remembered,
    token: crate::secret::Fingerprint,
) -> bool {
    let origin = observation.endpoint.as_ref().ok().map(crate::endpoint::Endpoint::origin);
    remembered.accepted.as_ref().is_some_and(|accepted| {
        accepted.token == token && origin.is_none_or(|origin| *origin == accepted.origin)
    })
}

/// Whether observed has what is emitted.
fn is_persisted(observation: &Observation, remembered: &Remembered, plan: &Plan) -> bool {
    let observed = observation.connection.as_ref();
    match plan.connection {
        ConnectionSecret::None => false,
        ConnectionSecret::Observed => observed.is_some_and(|connection| connection.in_place),
        ConnectionSecret::Remembered => {
            let connection = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
            let both = observed.filter(|observed| observed.in_place).zip(connection);
            both.is_some_and(|(observed, connection)| connection.is_in(observed, &observation.wanted))
        }
    }
}

/// The problem that stands, also while it is being tried again.
fn problem<'a>(remembered: &'a Remembered, plan: &'a Plan) -> Option<&'a Problem> {
    match &plan.action {
        Action::Hold { problem, .. } => Some(problem),
        Action::Await | Action::Start(_) | Action::Keep { .. } | Action::HandOut => {
            remembered.held.as_ref().map(|held| &held.problem)
        }
        Action::Wait(_) => None,
    }
}

/// An instance whose database was emptied gets a new token without its
/// condition ever being false, so this is told by an event of its own, with the
/// response that hands the token out.
fn bootstrapped_again(remembered: &Remembered) -> Option<Event> {
    let accepted = remembered.accepted.as_ref()?;
    let origin = &accepted.origin;
    (remembered.bootstrapped_again == Some(accepted.token)).then(|| {
        let what = format!(
            "Infisical at {origin} was empty, as after the loss of its database, and was bootstrapped again"
        );
        warning("BootstrappedAgain", what)
    })
}

/// Whether nobody has the password of the admin, though the token works.
fn password_is_gone(observation: &Observation, plan: &Plan) -> bool {
    matches!(observation.admin, AdminSource::Generated { .. })
        && plan.admin == AdminSecret::None
        && observation.adopted.is_none()
}

fn bootstrapped(observation: &Observation, plan: &Plan, token: &Token, problem: Option<&Problem>) -> Says {
    match token {
        Token::Works | Token::NotAsked if password_is_gone(observation, plan) => Says {
            status: Status::ConditionTrue,
            reason: "AdminSecretMissing",
            message: format!(
                "The connection is in Secret {}, but there is no admin Secret {}: when the token ends and cannot be \
                 renewed, nobody can get another. Set the admin's password anew in Infisical, and supply it with \
                 input.admin.credentials or input.admin.secretRef",
                observation.connection_secret, observation.admin_secret
            ),
        },
        Token::Works | Token::NotAsked => Says {
            status: Status::ConditionTrue,
            reason: "Bootstrapped",
            message: format!("The connection is in Secret {}", observation.connection_secret),
        },
        Token::None | Token::Refused => {
            let (reason, message) = match (&plan.action, problem) {
                (Action::Wait(wait), _) => waiting(observation, wait),
                (_, Some(problem)) => (problem.reason(), problem.message()),
                (_, None) => ("Bootstrapping", bootstrapping(observation)),
            };
            Says { status: Status::ConditionFalse, reason, message }
        }
    }
}

fn bootstrapping(observation: &Observation) -> String {
    let origin = observation.endpoint.as_ref().map(|endpoint| endpoint.origin().to_string());
    format!("Infisical at {} is being bootstrapped or logged in to", origin.unwrap_or_default())
}

fn waiting(observation: &Observation, wait: &Wait) -> (&'static str, String) {
    match wait {
        Wait::Requirements => (
            "WaitingForRequirements",
            "Crossplane is asked for resources that are not composed here".to_owned(),
        ),
        Wait::For(Waiting::Instance(why)) => ("WaitingForInstance", why.clone()),
        Wait::For(Waiting::Endpoint(what)) => {
            ("WaitingForEndpoint", format!("Where Infisical is, is not known yet: {what}"))
        }
        Wait::For(Waiting::Organization(what)) => {
            ("WaitingForOrganization", format!("What to call the organization is not known yet: {what}"))
        }
        Wait::For(Waiting::Admin(what)) => {
            ("WaitingForAdmin", format!("The admin's email and password are not there yet: {what}"))
        }
        Wait::PersistingAdmin => (
            "PersistingAdmin",
            format!(
                "The admin's email and password are being written to Secret {}",
                observation.admin_secret
            ),
        ),
    }
}

fn token_valid(observation: &Observation, plan: &Plan, token: &Token, problem: Option<&Problem>) -> Says {
    let secret = &observation.connection_secret;
    match (token, problem) {
        (Token::None, _) => Says {
            status: Status::ConditionFalse,
            reason: "NoToken",
            message: format!("There is no token in Secret {secret} yet"),
        },
        (Token::Refused, _) => Says {
            status: Status::ConditionFalse,
            reason: "TokenRefused",
            message: format!("The server refuses the token in Secret {secret}"),
        },
        (Token::Works | Token::NotAsked, Some(problem)) if problem.is_unreachable() => {
            Says { status: Status::ConditionUnknown, reason: problem.reason(), message: problem.message() }
        }
        (Token::Works, Some(problem)) => Says {
            status: Status::ConditionTrue,
            reason: "NotRenewed",
            message: format!("The server accepts the token, but it was not renewed. {}", problem.message()),
        },
        (Token::Works, None) => Says {
            status: Status::ConditionTrue,
            reason: "Accepted",
            message: format!("The server accepts the token in Secret {secret}"),
        },
        (Token::NotAsked, _) => not_asked(observation, plan),
    }
}

/// A restart is no news: what was said of the token before stands until the
/// server was asked.
fn not_asked(observation: &Observation, plan: &Plan) -> Says {
    let secret = &observation.connection_secret;
    let previous = observation.xr.previous.of_type(TOKEN_VALID);
    if previous.is_some_and(|previous| previous.status == "True" && previous.reason == "Accepted") {
        return Says {
            status: Status::ConditionTrue,
            reason: "Accepted",
            message: format!("The server accepts the token in Secret {secret}"),
        };
    }
    let (reason, message) = match &plan.action {
        Action::Wait(wait) => waiting(observation, wait),
        _ => ("Verifying", format!("The server is being asked about the token in Secret {secret}")),
    };
    Says { status: Status::ConditionUnknown, reason, message }
}

fn condition(condition_type: &str, says: Says) -> Condition {
    let Says { status, reason, message } = says;
    Condition {
        r#type: condition_type.to_owned(),
        status: status.into(),
        reason: reason.to_owned(),
        message: Some(message),
        target: Some(Target::CompositeAndClaim.into()),
    }
}

/// Events at transitions only: when the instance becomes bootstrapped, and when
/// a problem appears that the XR did not have.
pub(super) fn events(verdict: &Verdict, previous: &PreviousConditions) -> Vec<Event> {
    let changed = |condition: &&Condition| {
        let before = previous.of_type(&condition.r#type);
        before.is_none_or(|before| before.reason != condition.reason)
    };
    verdict.conditions.iter().filter(changed).filter_map(event).chain(verdict.news.clone()).collect()
}

fn warning(reason: &str, message: String) -> Event {
    Event {
        severity: Severity::Warning.into(),
        message,
        reason: Some(reason.to_owned()),
        target: Some(Target::CompositeAndClaim.into()),
    }
}

fn event(condition: &Condition) -> Option<Event> {
    let severity = match condition.reason.as_str() {
        "Bootstrapped" => Severity::Normal,
        // Neither news nor anything to mend.
        "Accepted" | "Verifying" | "NoToken" | "Bootstrapping" | "PersistingAdmin" => return None,
        reason if reason.starts_with("WaitingFor") => return None,
        _ => Severity::Warning,
    };
    Some(Event {
        severity: severity.into(),
        message: condition.message.clone().unwrap_or_default(),
        reason: Some(condition.reason.clone()),
        target: Some(Target::CompositeAndClaim.into()),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A reason is a word in capitals between quotes, and so are the types and
    /// the status of a condition.
    #[test]
    fn every_reason_that_is_given_is_listed() {
        let source = include_str!("conditions.rs");
        let (_, source) = source.split_once("pub(super) struct Verdict").unwrap();
        let (source, _) = source.split_once("#[cfg(test)]").unwrap();
        let is_reason = |text: &&str| {
            text.len() > 2
                && text.starts_with(|c: char| c.is_ascii_uppercase())
                && text.chars().all(|c| c.is_ascii_alphanumeric())
                && !["True", "WaitingFor"].contains(text)
        };
        let given: BTreeSet<&str> = source.split('"').filter(is_reason).collect();
        assert_eq!(given, REASONS.iter().copied().collect());
    }
}
