//! When Crossplane calls again: each response says so (Rule 9).

use std::time::Duration;

use daemon::clock::later;
use jiff::Timestamp;

use super::status;
use crate::{
    contract::proto::v1::RunFunctionResponse,
    model::remembered::Remembered,
    observe::{Observation, Waiting},
    plan::{Action, HandOffAction, HandOffPlan, Plan, Wait, timing},
};

/// Seconds after which one is called again while only the cluster is awaited: a
/// change there brings the call. Crossplane's SDKs answer with the same.
pub(super) const TTL_CLUSTER: i64 = 60;

/// Seconds until the next call while something that is required may be what is
/// missing: Crossplane watches what is composed, not what a step requires
/// (measured: a Secret that came later was noticed when the `ttl` was over).
const TTL_REQUIRED: i64 = 10;

/// Seconds until the next call while work is under way.
const TTL_WORK: i64 = 1;

/// The same where it waits for its turn after an attempt that failed: that of other XRs
/// comes first, at an instance that may hang.
const TTL_QUEUED: i64 = 10;

/// Seconds until the next call while something that was handed out has not been
/// observed. Its change brings the call; this is for when it was lost.
const TTL_PERSISTING: i64 = 5;

/// The longest `ttl` while there is a problem, so that a remedy is noticed
/// where no change in the cluster brings a call.
const TTL_PROBLEM_LONGEST: i64 = 60;

/// The longest `ttl` of all: the longest `verifyInterval` that the input may name.
const TTL_LONGEST: i64 = 24 * 60 * 60;

/// Seconds until the next call.
pub(super) fn ttl(observation: &Observation, remembered: &Remembered, plan: &Plan, now: Timestamp) -> i64 {
    let ttl = of_action(observation, remembered, &plan.action, now);
    let of_hand_off = |plan: &HandOffPlan| ttl.min(hand_off_ttl(&plan.action, remembered, now));
    let ttl = plan.hand_off.as_ref().map_or(ttl, of_hand_off).min(before_the_end(remembered, now));
    // A change of the XRD brings no call.
    if status::is_undeclared(observation) { ttl.min(TTL_PROBLEM_LONGEST) } else { ttl }
}

/// For how long the answer stands.
#[must_use]
pub(crate) fn ttl_of(response: &RunFunctionResponse) -> Duration {
    let ttl = response.meta.as_ref().and_then(|meta| meta.ttl.as_ref()).map_or(0, |ttl| ttl.seconds);
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

/// Seconds until a moment, from 1: zero would mean never. Rounded up: a call that comes
/// too early finds that nothing is due.
fn until(at: Timestamp, now: Timestamp) -> i64 {
    at.duration_since(now).as_secs().saturating_add(1).clamp(1, TTL_LONGEST)
}

fn of_action(observation: &Observation, remembered: &Remembered, action: &Action, now: Timestamp) -> i64 {
    match action {
        Action::Wait(Wait::For(
            Waiting::Admin(_) | Waiting::AdoptedToken(_) | Waiting::Endpoint(_) | Waiting::Claim(_),
        )) if observation.requires_what_may_be_missing() => TTL_REQUIRED,
        Action::Wait(Wait::For(Waiting::SecretTaken(_) | Waiting::SecretLeaving(_))) => TTL_REQUIRED,
        Action::Wait(Wait::Requirements | Wait::For(_)) => TTL_CLUSTER,
        Action::Wait(Wait::PersistingAdmin) | Action::HandOut => TTL_PERSISTING,
        Action::Await if remembered.waits_for_its_turn() => TTL_QUEUED,
        Action::Await | Action::Start(_) => TTL_WORK,
        Action::BackOff(back_off) => until(back_off.retry_at, now).min(TTL_PROBLEM_LONGEST),
        Action::Keep { check_at } => until(*check_at, now),
    }
}

/// Seconds after which a call is in time for a token that ends.
fn before_the_end(remembered: &Remembered, now: Timestamp) -> i64 {
    let accepted = remembered.accepted.as_ref().filter(|accepted| accepted.expires_at.is_some());
    let life = accepted.and_then(|accepted| accepted.life).filter(|life| !life.is_over(now));
    life.map_or(TTL_LONGEST, |life| until(later(now, timing::latest_call(life.left(now))), now))
}

/// The same for handing off.
fn hand_off_ttl(action: &HandOffAction, remembered: &Remembered, now: Timestamp) -> i64 {
    let state = remembered.hand_off.as_ref();
    match action {
        HandOffAction::Wait => TTL_LONGEST,
        HandOffAction::MakeRoom(_) => TTL_REQUIRED,
        HandOffAction::Await if state.is_some_and(|state| state.waits_for_its_turn()) => TTL_QUEUED,
        HandOffAction::Await | HandOffAction::Start(_) => TTL_WORK,
        HandOffAction::BackOff(back_off) => until(back_off.retry_at, now).min(TTL_PROBLEM_LONGEST),
        HandOffAction::HandOut => TTL_PERSISTING,
        HandOffAction::Keep { check_at } => until(*check_at, now),
    }
}
