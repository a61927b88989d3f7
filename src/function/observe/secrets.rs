//! The two Secrets that this function composes: what they are called, whether
//! their names in the pipeline are free, whose what is observed under them is, and what
//! the connection Secret holds.

use super::{
    ADMIN_RESOURCE, CONNECTION_RESOURCE, OUR_RESOURCES, ObserveError, Required, Waiting, Xr, observed,
    xr::Scope,
};
use crate::{
    composed_secret::{SecretData, SecretName},
    connection::ObservedConnection,
    desired::Desired,
    input::{ConnectionDetail, SecretRef},
    manifest::{List, Manifest, Value},
    proto::v1::RunFunctionRequest,
};

/// Makes sure that nobody else has our names: a step may not add a composed
/// resource under one that is taken (Crossplane's specification of functions).
pub(super) fn check_names(request: &RunFunctionRequest, composite: Manifest<'_>) -> Result<(), ObserveError> {
    check_name(request, composite, ADMIN_RESOURCE)?;
    check_name(request, composite, CONNECTION_RESOURCE)
}

/// The same for one name, and that what is observed under it is the XR's.
pub(super) fn check_name(
    request: &RunFunctionRequest,
    composite: Manifest<'_>,
    name: &'static str,
) -> Result<(), ObserveError> {
    let taken = request.desired.iter().flat_map(Desired::names).any(|other| other == name);
    if taken {
        return Err(ObserveError::NameTaken(name));
    }
    let Some(manifest) = observed(request, name) else { return Ok(()) };
    if manifest.kind() != Some("Secret") || manifest.api_version() != Some("v1") {
        let kind = manifest.kind().unwrap_or("resource without a kind").to_owned();
        return Err(ObserveError::NotOurs { name, kind });
    }
    if is_controlled_by(manifest, composite) {
        return Ok(());
    }
    let (namespace, object) = (manifest.namespace().unwrap_or_default(), manifest.name().unwrap_or_default());
    Err(ObserveError::NotControlled { name, secret: format!("{namespace}/{object}") })
}

/// Whether an observed Secret has the XR as its controller. Crossplane observes what
/// the XR's `resourceRefs` name, which its author can write, unless another controls it
/// (v2.3.4, `ObserveComposedResources`): one that nobody controls may be anybody's. An
/// XR without a UID is one that `crossplane render` was given.
fn is_controlled_by(secret: Manifest<'_>, composite: Manifest<'_>) -> bool {
    let Some(uid) = composite.uid().filter(|uid| !uid.is_empty()) else { return true };
    let owners = secret.object("metadata").and_then(|metadata| metadata.list("ownerReferences"));
    owners
        .into_iter()
        .flat_map(List::iter)
        .filter_map(Value::as_object)
        .any(|owner| owner.boolean("controller") == Some(true) && owner.string("uid") == Some(uid))
}

/// What the connection Secret is called, in the order of precedence of
/// function-patch-and-transform:
///
/// 1. `spec.writeConnectionSecretToRef` of a v2 XR, where its author has put one.
///    On a legacy XR that field names the XR's own Secret, and its author can write
///    it: it decides nothing here.
/// 2. `input.writeConnectionSecretToRef`.
/// 3. `{xr-name}-connection`, in the namespace of the XR, or of its claim if that is
///    known to be the XR's.
///
/// The namespace is a [`Waiting`] until it is known.
pub(super) fn connection_name(
    request: &RunFunctionRequest,
    xr: &Xr,
    composite: Manifest<'_>,
    given: Option<&SecretRef>,
    required: &mut Required<'_>,
) -> Result<(SecretName, Result<(), Waiting>), ObserveError> {
    let spec_ref = composite.object("spec").and_then(|spec| spec.object("writeConnectionSecretToRef"));
    let of_spec =
        |field| spec_ref.and_then(|reference| reference.string(field)).filter(|text| !text.is_empty());
    let given_name = given.and_then(|given| given.name.as_deref());
    let given_namespace = given.and_then(|given| given.namespace.as_deref());
    let spec_field = "spec.writeConnectionSecretToRef.namespace of the composite resource";
    let input_field = "input.writeConnectionSecretToRef.namespace";

    let mut located = Ok(());
    let (name, namespace) = match &xr.scope {
        Scope::Namespaced(own) => {
            let (field, namespace) = match of_spec("namespace") {
                Some(namespace) => (spec_field, Some(namespace)),
                None => (input_field, given_namespace),
            };
            if let Some(other) = namespace.filter(|namespace| namespace != own) {
                let (given, own) = (other.to_owned(), own.clone());
                return Err(ObserveError::OtherNamespace { field, given, own });
            }
            (of_spec("name").or(given_name), None)
        }
        Scope::Cluster => {
            let namespace = of_spec("namespace")
                .or(given_namespace)
                .ok_or_else(|| ObserveError::NoNamespace { name: xr.name.clone() })?;
            (of_spec("name").or(given_name), Some(namespace))
        }
        Scope::Legacy { .. } => match given_namespace.or_else(|| namespace_of_ours(request)) {
            Some(namespace) => (given_name, Some(namespace)),
            None => match required.claim_namespace() {
                Some(Ok(namespace)) => (given_name, Some(namespace)),
                Some(Err(waiting)) => {
                    located = Err(waiting);
                    (given_name, None)
                }
                None => return Err(ObserveError::NoNamespaceOfLegacy { name: xr.name.clone() }),
            },
        },
    };
    let name = SecretName {
        name: name.map_or_else(|| format!("{}-connection", xr.name), str::to_owned),
        namespace: namespace.map(str::to_owned),
    };
    Ok((name, located))
}

/// The namespace of what is composed already.
fn namespace_of_ours(request: &RunFunctionRequest) -> Option<&str> {
    OUR_RESOURCES.iter().find_map(|name| observed(request, name)?.namespace())
}

/// What the admin Secret is called: named after the XR, beside the connection.
pub(super) fn admin_name(xr: &Xr, connection: &SecretName) -> Result<SecretName, ObserveError> {
    let name = format!("{}-admin", xr.name);
    if name == connection.name {
        return Err(ObserveError::Value {
            field: "input.writeConnectionSecretToRef.name".to_owned(),
            what: format!(
                "is \"{name}\", here or in spec.writeConnectionSecretToRef of the composite resource, which is what the \
                 Secret of the admin is called; write another name"
            ),
        });
    }
    Ok(SecretName { name, namespace: connection.namespace.clone() })
}

/// What a Secret is called that is to be called `wanted`: one that is there keeps its
/// name and namespace, whatever is desired of it later (Crossplane v2.3.4 takes them
/// from the observed composed resource).
pub(super) fn kept(request: &RunFunctionRequest, resource: &str, wanted: SecretName) -> SecretName {
    let Some(manifest) = observed(request, resource) else { return wanted };
    let SecretName { name, namespace } = wanted;
    SecretName {
        name: manifest.name().map_or(name, str::to_owned),
        namespace: namespace.map(|namespace| manifest.namespace().map_or(namespace, str::to_owned)),
    }
}

/// The observed connection Secret. What a legacy XR has as connection details is not
/// looked at: Crossplane reads them from whatever Secret `spec.writeConnectionSecretToRef`
/// names, without asking whose it is (v2.3.4, `composite/connection.go`).
pub(super) fn connection(
    request: &RunFunctionRequest,
    wanted: &[ConnectionDetail],
) -> Option<ObservedConnection> {
    let secret = observed(request, CONNECTION_RESOURCE)?;
    Some(ObservedConnection::read(SecretData::read(secret), wanted))
}
