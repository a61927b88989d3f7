//! The two Secrets that this function composes: what they are called, whether
//! their names in the pipeline are free, and what the connection Secret holds.

use super::{ObserveError, Xr, observed, xr::Scope};
use crate::{
    composed_secret::{SecretData, SecretName},
    connection::ObservedConnection,
    desired::Desired,
    input::{ConnectionDetail, SecretRef},
    manifest::Manifest,
    proto::v1::RunFunctionRequest,
};

/// The name in the pipeline of the Secret with the admin's email and password.
pub const ADMIN_RESOURCE: &str = "infisical-admin";

/// The name in the pipeline of the connection Secret.
pub const CONNECTION_RESOURCE: &str = "infisical-connection";

/// Makes sure that nobody else has our names: a step may not add a composed
/// resource under one that is taken (Crossplane's specification of functions).
pub(super) fn check_names(request: &RunFunctionRequest) -> Result<(), ObserveError> {
    check_name(request, ADMIN_RESOURCE)?;
    check_name(request, CONNECTION_RESOURCE)
}

/// The same for one name.
pub(super) fn check_name(request: &RunFunctionRequest, name: &'static str) -> Result<(), ObserveError> {
    let taken = request.desired.iter().flat_map(Desired::names).any(|other| other == name);
    if taken {
        return Err(ObserveError::NameTaken(name));
    }
    if let Some(manifest) = observed(request, name)
        && (manifest.kind() != Some("Secret") || manifest.api_version() != Some("v1"))
    {
        let kind = manifest.kind().unwrap_or("resource without a kind").to_owned();
        return Err(ObserveError::NotOurs { name, kind });
    }
    Ok(())
}

/// What the connection Secret is called, in the order of precedence of
/// function-patch-and-transform:
///
/// 1. `spec.writeConnectionSecretToRef` of a v2 XR, where its author has put one.
///    On a legacy XR that field is Crossplane's and names the XR's own Secret.
/// 2. `input.writeConnectionSecretToRef`.
/// 3. `{xr-name}-connection`, in the namespace of the XR or claim.
pub(super) fn connection_name(
    xr: &Xr,
    composite: Manifest<'_>,
    given: Option<&SecretRef>,
) -> Result<SecretName, ObserveError> {
    let spec_ref = composite.object("spec").and_then(|spec| spec.object("writeConnectionSecretToRef"));
    let of_spec =
        |field| spec_ref.and_then(|reference| reference.string(field)).filter(|text| !text.is_empty());
    let given_name = given.and_then(|given| given.name.as_deref());
    let given_namespace = given.and_then(|given| given.namespace.as_deref());
    let spec_field = "spec.writeConnectionSecretToRef.namespace of the composite resource";
    let input_field = "input.writeConnectionSecretToRef.namespace";

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
                .ok_or_else(|| no_namespace(xr, "is cluster-scoped"))?;
            (of_spec("name").or(given_name), Some(namespace))
        }
        Scope::Legacy { claim } => {
            let of_claim = claim.as_ref().map(|claim| claim.namespace.as_str());
            let namespace = given_namespace.or(of_claim).or(of_spec("namespace"));
            (
                given_name,
                Some(namespace.ok_or_else(|| no_namespace(xr, "has neither a namespace nor a claim"))?),
            )
        }
    };
    Ok(SecretName {
        name: name.map_or_else(|| format!("{}-connection", xr.name), str::to_owned),
        namespace: namespace.map(str::to_owned),
    })
}

fn no_namespace(xr: &Xr, why: &'static str) -> ObserveError {
    ObserveError::NoNamespace { name: xr.name.clone(), why }
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

/// The observed connection Secret. Where it is gone or has no token, a legacy
/// XR's own connection details are looked at.
pub(super) fn connection(
    request: &RunFunctionRequest,
    details: &SecretData,
    wanted: &[ConnectionDetail],
) -> Option<ObservedConnection> {
    let secret = observed(request, CONNECTION_RESOURCE)
        .map(|manifest| ObservedConnection::read(SecretData::read(manifest), wanted));
    match secret {
        Some(secret) if secret.token.is_some() => Some(secret),
        secret => {
            if details.is_empty() {
                return secret;
            }
            // The Secret has to be written again, out of what the details have.
            let details = ObservedConnection {
                composed: secret.is_some(),
                in_place: false,
                complete: false,
                ..ObservedConnection::read(details.clone(), wanted)
            };
            if details.token.is_some() { Some(details) } else { secret }
        }
    }
}
