//! Turns a request into what the plan needs to know.
//!
//! Pure: nothing is asked of anybody, and no clock is read. A mistake of the
//! Composition's author is an [`ObserveError`]; what is simply not there yet is
//! a [`Waiting`], which the plan weighs against what is persisted already.

use std::sync::Arc;

use infisical::{
    endpoint::Endpoint,
    secret::{AccessToken, Credentials},
};

use crate::{
    contract::{
        composed_secret::SecretName,
        manifest::Manifest,
        proto::v1::{Requirements, RunFunctionRequest},
    },
    input::{Bootstrap, ConnectionDetail, InstanceAdmin, TokenPolicy},
    model::{connection::ObservedConnection, xr::Xr},
    readiness::Readiness,
};

mod admin;
mod claim;
mod endpoint;
mod error;
mod hand_off;
mod instance;
mod names;
mod organization;
mod request;
mod requirements;
mod secrets;
mod status;
mod waiting;
mod xr;

pub(crate) use admin::AdminSource;
pub(crate) use error::ObserveError;
pub(crate) use hand_off::HandOff;
pub(crate) use names::{ADMIN_RESOURCE, CONNECTION_RESOURCE, IDENTITY_RESOURCE};
pub(crate) use requirements::Required;
pub(crate) use secrets::Place;
pub(crate) use status::{CONNECTION_SECRET, Described, IDENTITY_ID, IDENTITY_SECRET, SchemaKnown};
pub(crate) use waiting::Waiting;

/// What a call is about, in values of its own.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub xr: Xr,
    /// Whether the composed instance is ready to be asked.
    pub instance: Readiness,
    /// Where the instance is.
    pub endpoint: Result<Endpoint, Waiting>,
    /// What the organization is called.
    pub organization: Result<String, Waiting>,
    /// Where the admin's email and password come from.
    pub admin: AdminSource,
    /// The token of an instance that somebody else bootstrapped, if the input
    /// names one.
    pub adopted: Option<Result<AccessToken, Waiting>>,
    /// The email and password in the admin Secret that this function composed.
    pub persisted_admin: Option<Credentials>,
    pub connection: Option<ObservedConnection>,
    /// Whether it is known in which namespace the Secrets are. Until then none of them
    /// is observed, and none is composed.
    pub located: Result<(), Waiting>,
    /// Whether the admin Secret may be composed.
    pub admin_place: Place,
    /// Whether the connection Secret may be.
    pub connection_place: Place,
    /// What the two Secrets are called.
    pub admin_secret: SecretName,
    pub connection_secret: SecretName,
    /// The keys of the connection Secret.
    pub wanted: Arc<[ConnectionDetail]>,
    /// When tokens are verified and renewed.
    pub token_policy: TokenPolicy,
    /// Where on the XR to write what is not secret.
    pub status: Option<Described>,
    /// What is known of what the XRD declares of that.
    pub schema: SchemaKnown,
    /// What is asked for after bootstrap, if anything.
    pub hand_off: Option<Box<HandOff>>,
    /// What must be in the request before the answer counts.
    pub requirements: Requirements,
    pub requirements_met: bool,
}

impl Observation {
    /// Whether anything is required besides what is in the places of our own Secrets.
    #[must_use]
    pub(crate) fn requires_what_may_be_missing(&self) -> bool {
        self.requirements.resources.keys().any(|requirement| !secrets::is_of_a_place(requirement))
    }

    /// Whether the input asks for the instance admin right to be revoked.
    #[must_use]
    pub(crate) fn gives_up_the_right(&self) -> bool {
        self.hand_off.as_ref().is_some_and(|hand_off| hand_off.instance_admin == InstanceAdmin::Revoke)
    }
}

/// Observes a request by the input that came with it.
///
/// # Errors
/// A mistake that only a person can mend.
pub(crate) fn observe(request: &RunFunctionRequest, input: &Bootstrap) -> Result<Observation, ObserveError> {
    let composite = request.observed.as_ref().and_then(|observed| observed.composite.as_ref());
    let manifest = composite.and_then(|composite| composite.resource.as_deref()).map(Manifest::new);
    let manifest = manifest.ok_or(ObserveError::NoXr)?;
    let mut xr = xr::read(manifest).ok_or(ObserveError::NoXr)?;
    let Bootstrap {
        instance,
        organization,
        admin,
        adopt,
        connection_secret,
        connection_details,
        token,
        status,
        hand_off,
    } = input;

    secrets::check_names(request, manifest)?;
    let mut required = Required::new(request, &xr, connection_secret.as_ref());
    let (connection_name, located) =
        secrets::connection_name(request, &xr, manifest, connection_secret.as_ref(), &mut required)?;
    let admin_name = secrets::admin_name(&xr, &connection_name)?;
    let connection_name = secrets::kept(request, CONNECTION_RESOURCE, connection_name);
    let admin_name = secrets::kept(request, ADMIN_RESOURCE, admin_name);
    let mut hand_off = hand_off
        .as_ref()
        .map(|hand_off| {
            hand_off::observe(request, (&xr, manifest), (&connection_name, &admin_name), hand_off)
        })
        .transpose()?;
    let endpoint = endpoint::observe(request, manifest, instance, &mut required)?;
    let source = admin::observe(request, manifest, admin.as_ref(), &mut required)?;
    let adopted = adopt.as_ref().map(|adopt| admin::adopted(manifest, adopt, &mut required)).transpose()?;
    let places = |ours, name: &SecretName, required: &mut Required<'_>| match located {
        Ok(()) => secrets::place(request, (&xr, manifest), required, ours, name),
        Err(_) => Place::NotAsked,
    };
    let connection_place = places(secrets::CONNECTION, &connection_name, &mut required);
    let admin_place = match &source {
        AdminSource::Generated { .. } => places(secrets::ADMIN, &admin_name, &mut required),
        AdminSource::Supplied(_) | AdminSource::None => Place::NotAsked,
    };
    if let Some(hand_off) = &mut hand_off {
        hand_off.place = places(secrets::IDENTITY, &hand_off.secret, &mut required);
    }
    let connection = secrets::connection(request, connection_details);
    let mut status = status
        .as_ref()
        .map(|path| Described::of_connection(manifest, path, connection.as_ref(), connection_details));
    let described = status.iter_mut().chain(hand_off.iter_mut().filter_map(|it| it.status.as_mut()));
    let schema = status::look_up(request, (&xr, manifest), &mut required, described);
    let (requirements_met, requirements) = (required.met(), required.into_requirements());
    if let Ok(endpoint) = &endpoint {
        xr.previous.at(endpoint.origin());
    }

    Ok(Observation {
        instance: instance::observe(request, instance),
        endpoint,
        organization: organization::observe(&xr, manifest, organization.as_ref())?,
        admin: source,
        adopted,
        persisted_admin: admin::persisted(request),
        connection,
        located,
        admin_place,
        connection_place,
        admin_secret: admin_name,
        connection_secret: connection_name,
        wanted: Arc::clone(connection_details),
        token_policy: *token,
        status,
        schema,
        hand_off,
        requirements_met,
        requirements,
        xr,
    })
}
