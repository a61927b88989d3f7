//! The two Secrets that this function composes: what they are called, whether
//! their names in the pipeline and in the cluster are free, whose what is observed under
//! them is, and what the connection Secret holds.
//!
//! Rule 5 and Rule 12 are kept here.

use super::{
    ADMIN_RESOURCE, CONNECTION_RESOURCE, IDENTITY_RESOURCE, ObserveError, Required, Waiting, claim,
    names::OUR_RESOURCES, request::observed,
};
use crate::{
    contract::{
        composed_secret::{SecretData, SecretName},
        desired::Desired,
        manifest::{List, Manifest, Value},
        proto::v1::RunFunctionRequest,
    },
    input::{ConnectionDetail, SecretRef},
    model::{
        connection::ObservedConnection,
        xr::{Scope, Xr},
    },
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
    controllers(secret).any(|owner| owner.string("uid") == Some(uid))
}

/// The owners that control a Secret. The API server takes no more than one.
fn controllers(secret: Manifest<'_>) -> impl Iterator<Item = Manifest<'_>> {
    let owners = secret.object("metadata").and_then(|metadata| metadata.list("ownerReferences"));
    let owners = owners.into_iter().flat_map(List::iter).filter_map(Value::as_object);
    owners.filter(|owner| owner.boolean("controller") == Some(true))
}

/// Whether a Secret may be composed where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is there already and the XR's, or nothing is.
    Free,
    /// Nobody has looked, or none is to be composed.
    NotAsked,
    /// Something else is there.
    Taken(Waiting),
}

/// One of the Secrets, and how to make room for it.
#[derive(Clone, Copy)]
pub(super) struct Ours {
    resource: &'static str,
    requirement: &'static str,
    remedy: &'static str,
}

pub(super) const ADMIN: Ours = Ours {
    resource: ADMIN_RESOURCE,
    requirement: "infisical-admin-secret",
    remedy: "Delete it if nobody needs it or, if it has the admin's email and password, name it in \
             input.admin.secretRef",
};

pub(super) const CONNECTION: Ours = Ours {
    resource: CONNECTION_RESOURCE,
    requirement: "infisical-connection-secret",
    remedy: "Delete it if nobody needs it, or write another name into input.writeConnectionSecretToRef or, unless it \
             is a legacy one, into the composite resource's spec.writeConnectionSecretToRef",
};

pub(super) const IDENTITY: Ours = Ours {
    resource: IDENTITY_RESOURCE,
    requirement: "infisical-identity-secret",
    remedy: "Delete it if nobody needs it, or write another name into input.handOff.writeConnectionSecretToRef",
};

/// Whether a requirement only brings what is in the place of one of the Secrets.
pub(super) fn is_of_a_place(requirement: &str) -> bool {
    [ADMIN, CONNECTION, IDENTITY].iter().any(|ours| ours.requirement == requirement)
}

/// Looks whether a Secret that is not observed may be composed. Crossplane applies by
/// server-side apply and forces ownership of the fields: it would take over a Secret
/// that nobody controls, and delete it with the XR.
///
/// It is asked for whatever was brought, so that each call of a reconcile asks for the
/// same. What is brought may be older or newer than what is observed: one that the XR
/// controls is its own, also while it is not observed.
pub(super) fn place(
    request: &RunFunctionRequest,
    (xr, composite): (&Xr, Manifest<'_>),
    required: &mut Required<'_>,
    ours: Ours,
    name: &SecretName,
) -> Place {
    let Ours { resource, requirement, remedy } = ours;
    if observed(request, resource).is_some() {
        return Place::Free;
    }
    let Some(namespace) = name.namespace.as_deref().or(xr.namespace()) else { return Place::NotAsked };
    let Some(secret) = required.secret(requirement, namespace, &name.name) else {
        return if required.was_looked_for(requirement) { Place::Free } else { Place::NotAsked };
    };
    if is_controlled_by(secret, composite) {
        return Place::Free;
    }
    let place = format!("{namespace}/{}", name.name);
    if is_leaving(secret, xr) {
        return Place::Taken(Waiting::SecretLeaving(format!(
            "Secret {place} is being deleted, or is that of an earlier composite resource of this name and goes with \
             it; the one of this composite resource is written when it is gone"
        )));
    }
    Place::Taken(Waiting::SecretTaken(format!(
        "Secret {place} is there already and not this composite resource's, so it is neither read nor changed. {remedy}"
    )))
}

/// Whether a Secret is on its way out: it is being deleted, or an XR of the same name
/// that was there before controls it, with which the garbage collector deletes it.
fn is_leaving(secret: Manifest<'_>, xr: &Xr) -> bool {
    let is_earlier = |owner: Manifest<'_>| {
        owner.string("name") == Some(xr.name.as_str())
            && owner.kind() == Some(xr.kind.as_str())
            && owner.api_version().map(claim::group) == Some(claim::group(&xr.api_version))
    };
    let is_deleted =
        secret.object("metadata").is_some_and(|metadata| metadata.string("deletionTimestamp").is_some());
    is_deleted || controllers(secret).any(is_earlier)
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::contract::{
        manifest::testing::encode,
        proto::v1::{Resource, Resources, State},
    };

    fn xr() -> Json {
        json!({
            "apiVersion": "example.org/v1", "kind": "Vault",
            "metadata": {"name": "vault", "namespace": "team-a", "uid": "own"},
            "spec": {"crossplane": {}},
        })
    }

    fn secret(metadata: &Json) -> Json {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "vault-admin", "namespace": "team-a"},
        });
        let fields = secret["metadata"].as_object_mut().unwrap();
        fields.extend(metadata.as_object().unwrap().clone());
        secret
    }

    fn owned(api_version: &str, name: &str, uid: &str, controller: bool) -> Json {
        let owner = json!({
            "apiVersion": api_version, "kind": "Vault", "name": name, "uid": uid, "controller": controller,
        });
        secret(&json!({"ownerReferences": [owner]}))
    }

    /// What becomes of the place of the admin Secret. `brought` is what Crossplane has
    /// found there, `None` where it has not looked.
    fn place_of(xr: &Json, observed: Option<Json>, brought: Option<Vec<Json>>) -> (&'static str, bool) {
        let resource =
            |manifest: &Json| Resource { resource: Some(encode(manifest).into()), ..Resource::default() };
        let mut request = RunFunctionRequest::default();
        if let Some(observed) = observed {
            let resources = [(ADMIN_RESOURCE.to_owned(), resource(&observed))].into();
            request.observed = Some(State { resources, ..State::default() });
        }
        if let Some(brought) = brought {
            let items = brought.iter().map(resource).collect();
            let requirement = ADMIN.requirement.to_owned();
            request.required_resources.insert(requirement, Resources { items });
        }
        let encoded = encode(xr);
        let composite = Manifest::new(&encoded);
        let xr = super::super::xr::read(composite).unwrap();
        let mut required = Required::new(&request, &xr, None);
        let name = SecretName { name: "vault-admin".to_owned(), namespace: None };
        let place = match place(&request, (&xr, composite), &mut required, ADMIN, &name) {
            Place::Free => "Free",
            Place::NotAsked => "NotAsked",
            Place::Taken(Waiting::SecretTaken(message)) => {
                assert!(message.contains("Secret team-a/vault-admin is there already"), "{message}");
                "Taken"
            }
            Place::Taken(Waiting::SecretLeaving(message)) => {
                assert!(message.contains("Secret team-a/vault-admin is being deleted"), "{message}");
                "Leaving"
            }
            Place::Taken(_) => "Something else",
        };
        (place, required.into_requirements().resources.contains_key(ADMIN.requirement))
    }

    /// Why, what Crossplane brings, and what becomes of the place.
    type Row = (&'static str, fn() -> Option<Vec<Json>>, &'static str);

    const TABLE: &[Row] = &[
        ("nobody has looked", || None, "NotAsked"),
        ("nothing is there", || Some(vec![]), "Free"),
        ("it is nobody's", || Some(vec![secret(&json!({}))]), "Taken"),
        (
            "it is our own, though not observed",
            || Some(vec![owned("example.org/v1", "vault", "own", true)]),
            "Free",
        ),
        (
            "it is our own, and being deleted",
            || {
                let mut own = owned("example.org/v1", "vault", "own", true);
                own["metadata"]["deletionTimestamp"] = json!("2026-11-25T00:00:00Z");
                Some(vec![own])
            },
            "Free",
        ),
        (
            "an owner that does not control it could be written by anybody",
            || Some(vec![owned("example.org/v1", "vault", "own", false)]),
            "Taken",
        ),
        ("another XR has it", || Some(vec![owned("example.org/v1", "other", "another", true)]), "Taken"),
        (
            "an XR of another API has it",
            || Some(vec![owned("example.com/v1", "vault", "another", true)]),
            "Taken",
        ),
        (
            "an XR that had the name before has it",
            || Some(vec![owned("example.org/v1alpha1", "vault", "before", true)]),
            "Leaving",
        ),
        (
            "it is nobody's, and being deleted",
            || Some(vec![secret(&json!({"deletionTimestamp": "2026-11-25T00:00:00Z"}))]),
            "Leaving",
        ),
        (
            "what is brought is of another name, since the selector has changed",
            || Some(vec![secret(&json!({"name": "vault-other"}))]),
            "Free",
        ),
        (
            "what is brought is of another namespace",
            || Some(vec![secret(&json!({"namespace": "team-b"}))]),
            "Free",
        ),
    ];

    #[test]
    fn whose_place_it_is_reads_as_a_table() {
        for (why, brought, expected) in TABLE {
            assert_eq!(place_of(&xr(), None, brought()), (*expected, true), "{why}");
        }
    }

    #[test]
    fn what_is_observed_is_not_looked_up() {
        let own = owned("example.org/v1", "vault", "own", true);
        for (why, brought, _) in TABLE {
            assert_eq!(place_of(&xr(), Some(own.clone()), brought()), ("Free", false), "{why}");
        }
    }

    #[test]
    fn an_xr_without_a_uid_is_rendered_and_takes_nothing() {
        let mut xr = xr();
        xr["metadata"]["uid"] = json!("");
        let taken = || Some(vec![secret(&json!({}))]);
        assert_eq!(place_of(&xr, None, taken()), ("Free", true));
    }
}
