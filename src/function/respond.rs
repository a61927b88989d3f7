//! Lays what was decided over the desired state that came in.
//!
//! Pure, and the same arguments give the same bytes: no time, no counter and no
//! map order gets into desired state, conditions or messages. What this function
//! does not own passes through untouched.

use std::borrow::Cow;

use daemon::clock::later;
use infisical::secret::Credentials;
use jiff::Timestamp;
use prost_types::Duration;

use crate::{
    contract::{
        composed_secret::{self, SecretData, SecretKind},
        proto::v1::{
            Ready, RequestMeta, Requirements, Resource, ResponseMeta, Result as Event, RunFunctionRequest,
            RunFunctionResponse, Severity, Target,
        },
    },
    model::{reason::Reason, remembered::Remembered},
    observe::{ADMIN_RESOURCE, CONNECTION_RESOURCE, IDENTITY_RESOURCE, Observation, Waiting},
    plan::{
        Action, AdminSecret, ConnectionSecret, Plan, Wait,
        hand_off::{HandOffAction, HandOffPlan},
        timing,
    },
};

mod bootstrapped;
mod conditions;
mod content;
mod hand_off;
mod status;
mod token;
mod token_valid;
mod words;

pub use content::{bounded, said};

/// The admin Secret is written once. Two replicas that both find none may each
/// draw a password; the API server keeps the first, whatever they apply later,
/// so that the password which was used cannot be overwritten.
const ADMIN: SecretKind = SecretKind { secret_type: "Opaque", immutable: true };

/// The type of a connection Secret is a convention of function-patch-and-transform.
const CONNECTION: SecretKind =
    SecretKind { secret_type: "connection.crossplane.io/v1alpha1", immutable: false };

/// Seconds after which one is called again while only the cluster is awaited: a
/// change there brings the call. Crossplane's SDKs answer with the same.
const TTL_CLUSTER: i64 = 60;

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

/// Answers a call.
#[must_use]
pub fn respond(
    request: RunFunctionRequest,
    observation: &Observation,
    remembered: &Remembered,
    plan: &Plan,
    now: Timestamp,
) -> RunFunctionResponse {
    let ttl = ttl(observation, remembered, &plan.action, now);
    let of_hand_off = |plan: &HandOffPlan| ttl.min(hand_off_ttl(&plan.action, remembered, now));
    let ttl = plan.hand_off.as_ref().map_or(ttl, of_hand_off).min(before_the_end(remembered, now));
    // A change of the XRD brings no call.
    let ttl = if status::is_undeclared(observation) { ttl.min(TTL_PROBLEM_LONGEST) } else { ttl };
    let mut response = pass_through(request, ttl);
    let mut verdict = conditions::judge(observation, remembered, plan, now);
    let handed_off = hand_off::judge(observation, remembered, plan);
    let is_handed_off = handed_off.as_ref().is_none_or(|handed_off| handed_off.is_ready);
    let is_ready = verdict.token_is_persisted && verdict.token_may_work && is_handed_off;

    let desired = response.desired.get_or_insert_default();
    if let Some(admin) = admin_to_emit(&plan.admin) {
        let manifest = composed_secret::manifest(&observation.admin_secret, ADMIN, &admin_data(admin));
        desired.insert(ADMIN_RESOURCE, &composed(manifest, is_ready));
    }
    if let Some(data) =
        connection_to_emit(observation, remembered, plan.connection, verdict.token_is_persisted)
    {
        let manifest = composed_secret::manifest(&observation.connection_secret, CONNECTION, &data);
        desired.insert(CONNECTION_RESOURCE, &composed(manifest, is_ready));
        // What is left out stays as it is there.
        if observation.xr.is_legacy() && verdict.token_is_accepted {
            // Exposed here: the XR's own connection Secret is where these belong.
            for (name, value) in data.iter() {
                desired.set_composite_connection_detail(name, value);
            }
        }
    }
    let identity = hand_off::data(observation, remembered, plan);
    if let Some((wanted, data)) = observation.hand_off.as_ref().zip(identity.as_ref()) {
        let manifest = composed_secret::manifest(&wanted.secret, CONNECTION, data);
        desired.insert(IDENTITY_RESOURCE, &composed(manifest, is_ready));
    }
    verdict.conditions.extend(handed_off.map(|handed_off| handed_off.condition));
    verdict.conditions.extend(status::judge(observation));
    if !is_ready {
        desired.set_composite_ready(Ready::False);
    }
    status::write(desired, observation, remembered, identity.as_ref());

    response.requirements = requirements(observation);
    response.results =
        content::events(&verdict.conditions, &observation.xr.previous).chain(verdict.event).collect();
    response.conditions = verdict.conditions;
    response
}

/// What Crossplane is asked for, and no message at all where that is nothing: one that
/// is there and empty has it call twice, and throw the first response away.
fn requirements(observation: &Observation) -> Option<Requirements> {
    let Requirements { resources, schemas, .. } = &observation.requirements;
    (!resources.is_empty() || !schemas.is_empty()).then(|| observation.requirements.clone())
}

/// Answers a call that only a person can mend.
#[must_use]
pub fn fatal(request: RunFunctionRequest, message: String) -> RunFunctionResponse {
    let mut response = pass_through(request, TTL_CLUSTER);
    response.results = vec![Event {
        severity: Severity::Fatal.into(),
        message,
        reason: Some(Reason::InvalidInput.as_str().to_owned()),
        target: Some(Target::CompositeAndClaim.into()),
    }];
    response
}

/// A response that changes nothing.
fn pass_through(request: RunFunctionRequest, ttl: i64) -> RunFunctionResponse {
    let RequestMeta { tag, .. } = request.meta.unwrap_or_default();
    RunFunctionResponse {
        meta: Some(ResponseMeta { tag, ttl: Some(Duration { seconds: ttl, nanos: 0 }) }),
        desired: request.desired,
        context: request.context,
        ..RunFunctionResponse::default()
    }
}

/// For how long the answer stands.
#[must_use]
pub fn ttl_of(response: &RunFunctionResponse) -> std::time::Duration {
    let ttl = response.meta.as_ref().and_then(|meta| meta.ttl.as_ref()).map_or(0, |ttl| ttl.seconds);
    std::time::Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

/// Seconds until a moment, from 1: zero would mean never. Rounded up: a call that comes
/// too early finds that nothing is due.
fn until(at: Timestamp, now: Timestamp) -> i64 {
    at.duration_since(now).as_secs().saturating_add(1).clamp(1, TTL_LONGEST)
}

/// Seconds until the next call.
fn ttl(observation: &Observation, remembered: &Remembered, action: &Action, now: Timestamp) -> i64 {
    match action {
        Action::Wait(Wait::For(
            Waiting::Admin(_) | Waiting::AdoptedToken(_) | Waiting::Endpoint(_) | Waiting::Claim(_),
        )) if observation.requires_what_may_be_missing() => TTL_REQUIRED,
        Action::Wait(Wait::For(Waiting::SecretTaken(_) | Waiting::SecretLeaving(_))) => TTL_REQUIRED,
        Action::Wait(Wait::Requirements | Wait::For(_)) => TTL_CLUSTER,
        Action::Wait(Wait::PersistingAdmin) | Action::HandOut => TTL_PERSISTING,
        Action::Await if remembered.stands_in_a_queue() => TTL_QUEUED,
        Action::Await | Action::Start(_) => TTL_WORK,
        Action::BackOff { retry_at, .. } => until(*retry_at, now).min(TTL_PROBLEM_LONGEST),
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
        HandOffAction::Await if state.is_some_and(|state| state.stands_in_a_queue()) => TTL_QUEUED,
        HandOffAction::Await | HandOffAction::Start(_) => TTL_WORK,
        HandOffAction::BackOff { retry_at, .. } => until(*retry_at, now).min(TTL_PROBLEM_LONGEST),
        HandOffAction::HandOut => TTL_PERSISTING,
        HandOffAction::Keep { check_at } => until(*check_at, now),
    }
}

fn admin_to_emit(admin: &AdminSecret) -> Option<&Credentials> {
    match admin {
        AdminSecret::Observed(admin) | AdminSecret::Remembered(admin) => Some(admin),
        AdminSecret::None | AdminSecret::Generate(_) => None,
    }
}

fn admin_data(admin: &Credentials) -> SecretData {
    let mut data = SecretData::default();
    data.insert("email", admin.email.as_str());
    // Exposed here: the admin Secret is where it belongs.
    data.insert("password", admin.password.expose());
    data
}

fn connection_to_emit<'a>(
    observation: &'a Observation,
    remembered: &Remembered,
    connection: ConnectionSecret,
    is_persisted: bool,
) -> Option<Cow<'a, SecretData>> {
    let observed = observation.connection.as_ref().map(|observed| Cow::Borrowed(&observed.data));
    match connection {
        ConnectionSecret::None => None,
        // It is the same, and made already.
        ConnectionSecret::Observed | ConnectionSecret::Remembered if is_persisted => observed,
        ConnectionSecret::Observed => match token::edited(observation, remembered) {
            Some(accepted) => {
                Some(Cow::Owned(accepted.data_over(observation.connection.as_ref(), &observation.wanted)))
            }
            None => observed,
        },
        ConnectionSecret::Remembered => {
            let connection = remembered.accepted.as_ref()?.connection.as_ref()?;
            Some(Cow::Owned(
                connection.parts().data_over(observation.connection.as_ref(), &observation.wanted),
            ))
        }
    }
}

/// No Secret is ready before the token is, and what is handed off if that is asked
/// for, since a later step can lose what was said of the composite.
fn composed(manifest: bytes::Bytes, is_ready: bool) -> Resource {
    let ready = if is_ready { Ready::True } else { Ready::False };
    Resource { resource: Some(manifest), ready: ready.into(), ..Resource::default() }
}
