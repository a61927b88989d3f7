//! Lays what was decided over the desired state that came in.
//!
//! Pure, and the same arguments give the same bytes: no time, no counter and no
//! map order gets into desired state, conditions or messages. What this function
//! does not own passes through untouched.
//!
//! Rule 2, Rule 10 and Rule 13 are kept here.

use std::borrow::Cow;

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
    observe::{ADMIN_RESOURCE, CONNECTION_RESOURCE, IDENTITY_RESOURCE, Observation},
    plan::{AdminSecret, ConnectionSecret, Plan},
};

mod bootstrapped;
mod conditions;
mod content;
mod hand_off;
mod status;
mod token;
mod token_valid;
mod ttl;
mod words;

pub(crate) use content::{bounded, said};
pub(crate) use ttl::ttl_of;

use self::ttl::{TTL_CLUSTER, ttl};

/// The admin Secret is written once. Two replicas that both find none may each
/// draw a password; the API server keeps the first, whatever they apply later,
/// so that the password which was used cannot be overwritten.
const ADMIN: SecretKind = SecretKind { secret_type: "Opaque", immutable: true };

/// The type of a connection Secret is a convention of function-patch-and-transform.
const CONNECTION: SecretKind =
    SecretKind { secret_type: "connection.crossplane.io/v1alpha1", immutable: false };

/// Answers a call.
#[must_use]
pub(crate) fn respond(
    request: RunFunctionRequest,
    observation: &Observation,
    remembered: &Remembered,
    plan: &Plan,
    now: Timestamp,
) -> RunFunctionResponse {
    let mut response = pass_through(request, ttl(observation, remembered, plan, now));
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
pub(crate) fn fatal(request: RunFunctionRequest, message: String) -> RunFunctionResponse {
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
