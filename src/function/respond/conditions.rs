//! The two conditions of the connection, and whether the XR may be ready.
//!
//! Both go to the XR and its claim. What a problem says is in [`crate::model::problem`], and
//! what is waited for in [`crate::observe`]. The condition of handing off is in
//! [`super::hand_off`], and that of the XR's status in [`super::status`].

use std::time::Duration;

use jiff::Timestamp;

use super::{
    bootstrapped::bootstrapped,
    content::{Content, event},
    token::{Token, is_persisted, token},
    token_valid::token_valid,
    words::waiting,
};
use crate::{
    agreement::{Inference, Known},
    contract::proto::v1::{Condition, Result as Event},
    model::{
        condition::{ConditionType, Status},
        due::is_recent,
        problem::Problem,
        reason::Reason,
        remembered::{Accepted, Failure, Remembered},
    },
    observe::Observation,
    plan::{Action, AdminSecret, Plan, Wait},
};

/// How much later than the interval the server may be asked about a token.
const ASKED_LATE: Duration = Duration::from_mins(1);

/// What a response says of the state of things.
pub(super) struct Verdict {
    pub(super) conditions: Vec<Condition>,
    /// Whether the token that is emitted was seen in observed.
    pub(super) token_is_persisted: bool,
    /// Whether this process knows that the server accepts it.
    pub(super) token_is_accepted: bool,
    /// Whether it works, as far as is known.
    pub(super) token_may_work: bool,
    /// What has happened that no condition tells.
    pub(super) event: Option<Event>,
}

/// Says what a plan means for the two conditions and for readiness.
pub(super) fn judge(
    observation: &Observation,
    remembered: &Remembered,
    plan: &Plan,
    now: Timestamp,
) -> Verdict {
    let token = token(observation, remembered, plan, now);
    let problem = problem(observation, remembered, plan);
    let bootstrapped = bootstrapped(observation, plan, &token, problem);
    let accepted = remembered.accepted.as_ref();
    let lacks_the_right =
        accepted.is_some_and(Accepted::lacks_the_right) && !observation.gives_up_the_right();
    let token_valid = match unasked(observation, remembered, plan, now) {
        Some(wait) if matches!(token, Token::Works) => {
            let (reason, message) = waiting(observation, wait);
            Content { status: Status::Unknown, reason, message }
        }
        _ => token_valid(observation, plan, &token, problem, lacks_the_right),
    };
    let bootstrapped = newest(observation, remembered, ConditionType::Bootstrapped, bootstrapped);
    let token_valid = match token {
        Token::CannotBeAsked | Token::MayHaveEnded => token_valid,
        _ => newest(observation, remembered, ConditionType::TokenValid, token_valid),
    };
    let token_is_persisted = is_persisted(observation, remembered, plan);
    Verdict {
        token_is_persisted,
        token_is_accepted: matches!(token, Token::Works),
        event: bootstrapped_again(remembered).filter(|_| !token_is_persisted),
        // Another replica may have said that it has ended, and this one not asked since.
        token_may_work: matches!(token, Token::Works | Token::NotAskedYet | Token::CannotBeAsked)
            && token_valid.reason != Reason::TokenEnded,
        conditions: vec![
            bootstrapped.condition(ConditionType::Bootstrapped),
            token_valid.condition(ConditionType::TokenValid),
        ],
    }
}

/// What it is waited for, where that has kept the server from being asked about the
/// token for longer than it should: what it said then is no evidence any more.
fn unasked<'a>(
    observation: &Observation,
    remembered: &Remembered,
    plan: &'a Plan,
    now: Timestamp,
) -> Option<&'a Wait> {
    let Action::Wait(wait @ Wait::For(_)) = &plan.action else { return None };
    let allowed = observation.token_policy.verify_interval + ASKED_LATE;
    let verified_at = remembered.accepted.as_ref()?.verified_at;
    // A replica that was never answered has said so.
    let previous = &observation.xr.previous;
    let said = Known::default().infers(Inference::NeverAnswered, ConditionType::TokenValid, previous);
    let is_said = said.is_some_and(|said| said.reason == Some(waiting(observation, wait).0));
    (is_said || !is_recent(verified_at, allowed, now)).then_some(wait)
}

/// What is said, or what the XR says in its place.
fn newest(
    observation: &Observation,
    remembered: &Remembered,
    of: ConditionType,
    content: Content,
) -> Content {
    let known = Known { told_at: remembered.asked_at, ..Known::default() };
    let own = (content.status, content.reason);
    let said = known.superseded_by(of, own, &observation.xr.previous);
    said.and_then(Content::of).unwrap_or(content)
}

/// The problem that stands, also while it is being tried again. One with another
/// place than the present endpoint does not, and of a token that stands only what
/// came of trying that token does.
fn problem<'a>(observation: &Observation, remembered: &'a Remembered, plan: &'a Plan) -> Option<&'a Problem> {
    let is_here = |failure: &&Failure| {
        observation.endpoint.as_ref().is_ok_and(|endpoint| *endpoint.origin() == failure.problem.origin)
    };
    let failure = remembered.failure.as_deref().filter(is_here);
    match &plan.action {
        Action::BackOff(back_off) => Some(&back_off.problem),
        Action::Await | Action::Start(_) => failure.map(|failure| &failure.problem),
        Action::Keep { .. } | Action::HandOut => {
            let accepted = remembered.accepted.as_ref()?;
            failure.filter(|failure| failure.is_about(accepted)).map(|failure| &failure.problem)
        }
        // The credentials are replaced because of it. Another replica that has them in
        // memory reads here that they are used up, and does not write them again.
        Action::Wait(Wait::PersistingAdmin) if is_replaced(observation, plan) => {
            failure.map(|failure| &failure.problem)
        }
        Action::Wait(_) => None,
    }
}

fn is_replaced(observation: &Observation, plan: &Plan) -> bool {
    plan.admin == AdminSecret::None && observation.persisted_admin.is_some()
}

/// An instance whose database was emptied gets a new token without its
/// condition ever being false, so this is told by an event of its own, with the
/// response that hands the token out.
fn bootstrapped_again(remembered: &Remembered) -> Option<Event> {
    let accepted = remembered.accepted.as_ref()?;
    let origin = &accepted.origin;
    (remembered.bootstrapped_again.as_deref() == Some(&accepted.token)).then(|| {
        let what = format!(
            "Infisical at {origin} was empty, as after the loss of its database, and was bootstrapped again"
        );
        event(Reason::BootstrappedAgain, what)
    })?
}

#[cfg(test)]
mod tests;
