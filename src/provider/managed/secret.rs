//! The connection Secret: what is needed to connect to a resource, for who needs it.
//!
//! As crossplane-runtime's `APILocalSecretPublisher`: keys are added and never taken
//! away, and a Secret that is another's is not touched.

use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use serde_json::{Value, json};

use super::{cluster::ObjectKey, external::ConnectionDetails};

/// The type of all connection Secrets.
pub const TYPE: &str = "connection.crossplane.io/v1alpha1";

/// What has to be done so that a Secret has the details.
#[derive(Clone, Debug, PartialEq)]
pub enum Publish {
    /// Nothing.
    Nothing,
    /// It is made.
    Create(Box<Secret>),
    /// It is changed by this merge patch.
    Patch(Value),
}

/// Why a Secret is not touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotControllable {
    /// It has no controller, and is no connection Secret.
    #[error("refusing to modify uncontrolled secret of type {0:?}")]
    NoConnectionSecret(String),
    /// It is another's.
    #[error("existing secret is not controlled by UID {0:?}")]
    Foreign(String),
}

/// What has to be done so that the Secret at `at` has the details of what `owner` controls.
///
/// # Errors
/// It is another's.
pub fn publish(
    at: &ObjectKey,
    owner: &OwnerReference,
    existing: Option<&Secret>,
    details: &ConnectionDetails,
) -> Result<Publish, NotControllable> {
    let Some(existing) = existing else {
        return Ok(Publish::Create(Box::new(Secret {
            metadata: ObjectMeta {
                namespace: Some(at.namespace.clone()),
                name: Some(at.name.clone()),
                owner_references: Some(vec![owner.clone()]),
                ..ObjectMeta::default()
            },
            type_: Some(TYPE.to_owned()),
            data: Some(bytes(details)),
            ..Secret::default()
        })));
    };
    let owners = existing.metadata.owner_references.as_deref().unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    match controller {
        Some(controller) if controller.uid != owner.uid => {
            return Err(NotControllable::Foreign(owner.uid.clone()));
        }
        None if existing.type_.as_deref() != Some(TYPE) => {
            return Err(NotControllable::NoConnectionSecret(existing.type_.clone().unwrap_or_default()));
        }
        _ => {}
    }
    let has = |key: &String, value: &ByteString| {
        existing.data.as_ref().and_then(|data| data.get(key)).is_some_and(|there| there == value)
    };
    let mut missing = bytes(details);
    missing.retain(|key, value| !has(key, value));
    if missing.is_empty() && controller.is_some() {
        return Ok(Publish::Nothing);
    }
    let mut owners = owners.to_vec();
    if controller.is_none() {
        owners.push(owner.clone());
    }
    Ok(Publish::Patch(json!({
        "metadata": { "resourceVersion": existing.metadata.resource_version, "ownerReferences": owners },
        "data": missing,
    })))
}

/// What a Secret holds of what `owner` controls: nothing, if it is another's.
#[must_use]
pub fn held(existing: Option<&Secret>, owner: &OwnerReference) -> ConnectionDetails {
    let Some(existing) = existing else { return ConnectionDetails::default() };
    let owners = existing.metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    if controllers.any(|controller| controller.uid != owner.uid) {
        return ConnectionDetails::default();
    }
    let data = existing.data.iter().flatten();
    ConnectionDetails(data.map(|(key, value)| (key.clone(), value.0.clone())).collect())
}

fn bytes(details: &ConnectionDetails) -> std::collections::BTreeMap<String, ByteString> {
    details.0.iter().map(|(key, value)| (key.clone(), ByteString(value.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(uid: &str) -> OwnerReference {
        OwnerReference { uid: uid.to_owned(), controller: Some(true), ..OwnerReference::default() }
    }

    fn details(pairs: &[(&str, &str)]) -> ConnectionDetails {
        let pair = |&(key, value): &(&str, &str)| (key.to_owned(), value.as_bytes().to_vec());
        ConnectionDetails(pairs.iter().map(pair).collect())
    }

    fn secret(type_: &str, controller: Option<&str>, pairs: &[(&str, &str)]) -> Secret {
        Secret {
            metadata: ObjectMeta {
                resource_version: Some("3".to_owned()),
                owner_references: controller.map(|uid| vec![owner(uid)]),
                ..ObjectMeta::default()
            },
            type_: Some(type_.to_owned()),
            data: Some(bytes(&details(pairs))),
            ..Secret::default()
        }
    }

    fn published(existing: Option<&Secret>, pairs: &[(&str, &str)]) -> Result<Publish, NotControllable> {
        let at = ObjectKey { namespace: "team".to_owned(), name: "connection".to_owned() };
        publish(&at, &owner("me"), existing, &details(pairs))
    }

    #[test]
    fn a_new_one_is_ours_and_of_the_type() {
        let Ok(Publish::Create(secret)) = published(None, &[("host", "h")]) else { panic!("it is made") };
        assert_eq!(secret.type_.as_deref(), Some(TYPE));
        assert_eq!(secret.metadata.owner_references, Some(vec![owner("me")]));
        assert_eq!(secret.data, Some(bytes(&details(&[("host", "h")]))));
    }

    #[test]
    fn only_what_differs_is_written_and_nothing_is_taken_away() {
        let existing = secret(TYPE, Some("me"), &[("host", "h"), ("old", "o")]);
        assert_eq!(published(Some(&existing), &[("host", "h")]), Ok(Publish::Nothing));
        let Ok(Publish::Patch(patch)) = published(Some(&existing), &[("host", "h"), ("id", "i")]) else {
            panic!("it is changed")
        };
        assert_eq!(patch["data"], json!({ "id": "aQ==" }));
        assert_eq!(patch["metadata"]["resourceVersion"], "3");
    }

    #[test]
    fn only_what_ours_holds_counts() {
        let pairs = &[("host", "h")];
        let table = [
            ("none", None, &[][..]),
            ("ours", Some(secret(TYPE, Some("me"), pairs)), pairs),
            ("nobody's", Some(secret(TYPE, None, pairs)), pairs),
            ("another's", Some(secret(TYPE, Some("you"), pairs)), &[]),
        ];
        for (reason, existing, expected) in table {
            assert_eq!(held(existing.as_ref(), &owner("me")), details(expected), "{reason}");
        }
    }

    #[test]
    fn the_secret_of_another_is_not_touched() {
        let foreign = |message: &str| Err(message.to_owned());
        let table = [
            (
                "another's",
                secret(TYPE, Some("you"), &[]),
                foreign("existing secret is not controlled by UID \"me\""),
            ),
            (
                "nobody's, and no connection Secret",
                secret("Opaque", None, &[]),
                foreign("refusing to modify uncontrolled secret of type \"Opaque\""),
            ),
            ("nobody's", secret(TYPE, None, &[]), Ok(())),
            ("ours, of an older type", secret("Opaque", Some("me"), &[]), Ok(())),
        ];
        for (reason, existing, expected) in table {
            let answer = published(Some(&existing), &[("host", "h")]);
            assert_eq!(answer.map(drop).map_err(|error| error.to_string()), expected, "{reason}");
        }
    }
}
