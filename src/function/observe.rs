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
    composed_secret::SecretName,
    connection::ObservedConnection,
    desired::Desired,
    fieldpath::FieldPath,
    input::{Bootstrap, ConnectionDetail, InputError, InstanceAdmin, TokenPolicy},
    manifest::Manifest,
    nearest::nearest,
    proto::v1::{Requirements, RunFunctionRequest},
    readiness::Readiness,
};

mod admin;
mod claim;
mod endpoint;
mod hand_off;
mod instance;
mod organization;
mod requirements;
mod secrets;
mod status;
mod xr;

pub use admin::AdminSource;
pub use hand_off::HandOff;
pub use requirements::Required;
pub use secrets::Place;
pub use status::{CONNECTION_SECRET, Described, IDENTITY_ID, IDENTITY_SECRET, SchemaKnown};
pub use xr::{Claim, Neighbour, PreviousCondition, PreviousConditions, Scope, Xr, XrKey};

/// The name in the pipeline of the Secret with the admin's email and password.
pub const ADMIN_RESOURCE: &str = "infisical-admin";

/// The name in the pipeline of the connection Secret.
pub const CONNECTION_RESOURCE: &str = "infisical-connection";

/// The name in the pipeline of the Secret with client ID and secret.
pub const IDENTITY_RESOURCE: &str = "infisical-identity";

/// The names in the pipeline of all that this function composes.
const OUR_RESOURCES: [&str; 3] = [ADMIN_RESOURCE, CONNECTION_RESOURCE, IDENTITY_RESOURCE];

/// What a call is about, in values of its own.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The XR.
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
    /// The connection Secret.
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
    /// See `admin_secret`.
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
    /// Whether it is.
    pub requirements_met: bool,
}

impl Observation {
    /// Whether anything is required besides what is in the places of our own Secrets.
    #[must_use]
    pub fn requires_what_may_be_missing(&self) -> bool {
        self.requirements.resources.keys().any(|requirement| !secrets::is_of_a_place(requirement))
    }

    /// Whether the input asks for the instance admin right to be revoked.
    #[must_use]
    pub fn gives_up_the_right(&self) -> bool {
        self.hand_off.as_ref().is_some_and(|hand_off| hand_off.instance_admin == InstanceAdmin::Revoke)
    }
}

/// Something that is not there yet, and a sentence of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The instance is not ready.
    Instance(String),
    /// The endpoint, or the CA bundle to check it by, is not known yet.
    Endpoint(String),
    /// The organization's name is not known yet.
    Organization(String),
    /// The admin's email or password is not there yet.
    Admin(String),
    /// The token of an instance that is adopted is not there yet.
    AdoptedToken(String),
    /// It is not known whether the claim that a legacy XR names is that XR's.
    Claim(String),
    /// Where a Secret is to be composed there is one that is somebody else's.
    SecretTaken(String),
    /// Where a Secret is to be composed there is one that will go away.
    SecretLeaving(String),
}

/// A mistake that only a person can mend: a fatal result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The input is wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// No XR, or one without a name.
    #[error("the request has no observed composite resource with a name; it is not one of Crossplane's")]
    NoXr,
    /// An earlier step composes something under one of our names.
    #[error(
        "composed resource \"{0}\": an earlier step of the pipeline composes one of that name; if that is a step of \
         this function, take one of the two out, because an XR connects to one instance; if it is another, rename \
         the resource there"
    )]
    NameTaken(&'static str),
    /// What is observed under one of our names is no Secret.
    #[error(
        "composed resource \"{name}\" is a {kind}, not a Secret; give it another name in the step that composed it"
    )]
    NotOurs {
        /// The name in the pipeline.
        name: &'static str,
        /// What it is.
        kind: String,
    },
    /// What is observed under one of our names has not the XR as its controller.
    #[error(
        "composed resource \"{name}\": Secret {secret} has no controller, so it may be somebody else's, and it is \
         neither read nor changed; take it out of the composite resource's resourceRefs, or, if this composite resource \
         has composed it, give it an owner reference to it with controller: true"
    )]
    NotControlled {
        /// The name in the pipeline.
        name: &'static str,
        /// Its namespace and name.
        secret: String,
    },
    /// The namespace of the Secrets is not known.
    #[error(
        "input.writeConnectionSecretToRef.namespace: is missing, and composite resource {name:?} is cluster-scoped; write \
         here the namespace of its Secrets, or on the composite resource, in spec.writeConnectionSecretToRef.namespace"
    )]
    NoNamespace {
        /// The XR's name.
        name: String,
    },
    /// The same of a legacy XR, whose own fields do not say.
    #[error(
        "input.writeConnectionSecretToRef.namespace: is missing, and composite resource {name:?} has neither a namespace \
         nor a claim; write here the namespace of its Secrets"
    )]
    NoNamespaceOfLegacy {
        /// The XR's name.
        name: String,
    },
    /// A namespaced XR composes into its own namespace only.
    #[error(
        "{field}: is \"{given}\", but a namespaced composite resource composes into its own namespace only; leave it \
         out or write \"{own}\""
    )]
    OtherNamespace {
        /// The field.
        field: &'static str,
        /// Its value.
        given: String,
        /// The XR's namespace.
        own: String,
    },
    /// A value that was read by a field path cannot be used.
    #[error("{field}: {what}")]
    Value {
        /// The field of the input that led there, or the place itself.
        field: String,
        /// What is wrong and what to write.
        what: String,
    },
}

/// Observes a request by the input that came with it.
///
/// # Errors
/// A mistake that only a person can mend.
pub fn observe(request: &RunFunctionRequest, input: &Bootstrap) -> Result<Observation, ObserveError> {
    let composite = request.observed.as_ref().and_then(|observed| observed.composite.as_ref());
    let manifest = composite.and_then(|composite| composite.resource.as_deref()).map(Manifest::new);
    let manifest = manifest.ok_or(ObserveError::NoXr)?;
    let mut xr = Xr::read(manifest).ok_or(ObserveError::NoXr)?;
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

/// The text in a field of the XR, `None` where there is none yet. `field` of the
/// input has led there.
fn text_of<'a>(
    composite: Manifest<'a>,
    path: &FieldPath,
    field: &str,
) -> Result<Option<&'a str>, ObserveError> {
    match composite.string_at(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(ObserveError::Value { field: field.to_owned(), what: error.to_string() }),
    }
}

fn no_value_yet(path: &FieldPath) -> String {
    format!("{path} of the composite resource has no value yet")
}

/// Says which names there are, since a misspelt one is the likeliest reason.
fn nobody_composes(request: &RunFunctionRequest, name: &str, field: &str) -> String {
    let mut names: Vec<&str> = request.desired.iter().flat_map(Desired::names).collect();
    names.sort_unstable();
    let meant = nearest(name, names.iter().copied()).map(|name| format!("; did you mean \"{name}\"?"));
    let end = if meant.is_some() { " Those" } else { "; those" };
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "no earlier step of the pipeline composes a resource \"{name}\" ({field}){}{end} that are composed: {there}",
        meant.unwrap_or_default()
    )
}

/// The manifest of an observed composed resource.
fn observed<'a>(request: &'a RunFunctionRequest, name: &str) -> Option<Manifest<'a>> {
    let resource = request.observed.as_ref()?.resources.get(name)?;
    resource.resource.as_deref().map(Manifest::new)
}
