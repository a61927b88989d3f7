//! What is asked for after bootstrap, and the Secret with client ID and secret.

use std::sync::Arc;

use super::{
    ADMIN_RESOURCE, Described, IDENTITY_RESOURCE, ObserveError, Place,
    request::{observed, text_of},
    secrets,
};
use crate::{
    contract::{
        composed_secret::{SecretData, SecretName},
        manifest::Manifest,
        proto::v1::RunFunctionRequest,
    },
    input::{self, IdentityDetail, InstanceAdmin, Project, ProjectSlug, is_slug},
    model::{
        identity::ObservedIdentity,
        xr::{Scope, Xr},
    },
};

/// What the input asks for after bootstrap, with what of it is there.
#[derive(Clone, Debug)]
pub(crate) struct HandOff {
    /// The slug of the identity's role in the organization.
    pub role: String,
    /// The projects that the identity becomes a member of, with their slugs as far
    /// as the XR has them.
    pub projects: Arc<[Project]>,
    /// What becomes of the bootstrap identity's right.
    pub instance_admin: InstanceAdmin,
    /// Where in the XR's status the identity is described.
    pub status: Option<Described>,
    /// What the Secret is called.
    pub secret: SecretName,
    /// Whether it may be composed.
    pub place: Place,
    pub wanted: Vec<IdentityDetail>,
    pub observed: Option<ObservedIdentity>,
}

pub(super) fn observe(
    request: &RunFunctionRequest,
    (xr, composite): (&Xr, Manifest<'_>),
    (connection, admin): (&SecretName, &SecretName),
    hand_off: &input::HandOff,
) -> Result<Box<HandOff>, ObserveError> {
    secrets::check_name(request, composite, IDENTITY_RESOURCE)?;
    let input::HandOff { role, projects, secret, details, instance_admin, status } = hand_off;
    let secret = secret_name(xr, connection, secret.as_ref())?;
    for (taken, by) in [(connection, "connection"), (admin, ADMIN_RESOURCE)] {
        if *taken == secret {
            return Err(ObserveError::Value {
                field: "input.handOff.writeConnectionSecretToRef.name".to_owned(),
                what: format!("Secret {secret} is that of {by} already; write another name"),
            });
        }
    }
    let secret = secrets::kept(request, IDENTITY_RESOURCE, secret);
    let manifest = observed(request, IDENTITY_RESOURCE);
    let observed = manifest.map(|manifest| ObservedIdentity::read(&SecretData::read(manifest), details));
    let status =
        status.as_ref().map(|path| Described::of_identity(composite, path, observed.as_ref(), details));
    Ok(Box::new(HandOff {
        role: role.clone(),
        projects: with_slugs(composite, projects)?,
        instance_admin: *instance_admin,
        status,
        secret,
        place: Place::NotAsked,
        wanted: details.clone(),
        observed,
    }))
}

/// Reads the slugs that the XR has. One without a value yet stays as it is.
fn with_slugs(composite: Manifest<'_>, projects: &Arc<[Project]>) -> Result<Arc<[Project]>, ObserveError> {
    let is_literal = |project: &Project| matches!(project.slug, ProjectSlug::Literal(_));
    if projects.iter().all(is_literal) {
        return Ok(projects.clone());
    }
    let with_slug = |(index, project): (usize, &Project)| {
        let ProjectSlug::FromCompositeFieldPath(path) = &project.slug else { return Ok(project.clone()) };
        let field = format!("input.handOff.projects[{index}].slugFromCompositeFieldPath");
        match text_of(composite, path, &field)?.filter(|slug| !slug.is_empty()) {
            None => Ok(project.clone()),
            Some(slug) if is_slug(slug) => {
                Ok(Project { slug: ProjectSlug::Literal(slug.to_owned()), role: project.role.clone() })
            }
            Some(slug) => {
                let what = format!(
                    "{path} of the composite resource is {slug:?}, which is no slug of a project; write one such as \
                     \"payments\""
                );
                Err(ObserveError::Value { field, what })
            }
        }
    };
    projects.iter().enumerate().map(with_slug).collect()
}

/// What the Secret is called: as the input says, else `{xr-name}-identity` beside
/// the connection. The XR's `spec.writeConnectionSecretToRef` names the connection
/// only, so its namespace counts, and its name does not.
fn secret_name(
    xr: &Xr,
    connection: &SecretName,
    given: Option<&input::SecretRef>,
) -> Result<SecretName, ObserveError> {
    let given_namespace = given.and_then(|given| given.namespace.clone());
    if let (Scope::Namespaced(own), Some(given)) = (&xr.scope, &given_namespace)
        && given != own
    {
        let (given, own) = (given.clone(), own.clone());
        let field = "input.handOff.writeConnectionSecretToRef.namespace";
        return Err(ObserveError::OtherNamespace { field, given, own });
    }
    let namespace = match &xr.scope {
        Scope::Namespaced(_) => None,
        Scope::Cluster | Scope::Legacy { .. } => given_namespace.or_else(|| connection.namespace.clone()),
    };
    let name = given.and_then(|given| given.name.clone());
    Ok(SecretName { name: name.unwrap_or_else(|| format!("{}-identity", xr.name)), namespace })
}
