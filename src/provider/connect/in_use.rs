//! What becomes of a configuration: it is kept while it is used, and says by how many.
//!
//! As crossplane-runtime's `providerconfig` reconciler, with one difference: a usage that
//! nothing controls is not counted, and not deleted either. The RBAC manager lets no
//! provider delete what is of its own kinds, and Kubernetes collects a usage with its
//! managed resource. No I/O.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::usage::FINALIZER;
use crate::api::config::{ConfigStatus, ProviderConfigUsage};

/// What is to be done about a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// The patch of its metadata.
    pub metadata: Option<Value>,
    /// The patch of its status.
    pub status: Option<Value>,
}

/// What is to be done about a configuration that is used so.
#[must_use]
pub fn account(
    metadata: &ObjectMeta,
    status: Option<&ConfigStatus>,
    usages: &[&ProviderConfigUsage],
) -> Account {
    let is_controlled = |usage: &&&ProviderConfigUsage| {
        let owners = usage.metadata.owner_references.as_deref().unwrap_or_default();
        owners.iter().any(|owner| owner.controller == Some(true))
    };
    let users = i64::try_from(usages.iter().filter(is_controlled).count()).unwrap_or(i64::MAX);
    let finalizers = metadata.finalizers.as_deref().unwrap_or_default();
    let is_kept = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    let is_deleted = metadata.deletion_timestamp.is_some();
    let mut wanted = finalizers.to_vec();
    if is_deleted && users == 0 {
        wanted.retain(|finalizer| finalizer != FINALIZER);
    } else if !is_deleted && !is_kept {
        wanted.push(FINALIZER.to_owned());
    }
    let patch = json!({ "metadata": {
        "resourceVersion": metadata.resource_version,
        "uid": metadata.uid,
        "finalizers": wanted,
    } });
    let goes = is_deleted && users == 0;
    Account {
        metadata: (wanted != finalizers).then_some(patch),
        status: (!goes && status.and_then(|status| status.users) != Some(users))
            .then(|| json!({ "status": { "users": users } })),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn usage(is_controlled: bool) -> ProviderConfigUsage {
        serde_json::from_value(json!({
            "metadata": { "namespace": "team", "name": "u", "ownerReferences": is_controlled.then(|| json!([{
                "apiVersion": "v1", "kind": "Thing", "name": "one", "uid": "uid-1", "controller": true,
            }])) },
            "providerConfigRef": { "kind": "ProviderConfig", "name": "default" },
            "resourceRef": { "apiVersion": "v1", "kind": "Thing", "name": "one" },
        }))
        .unwrap()
    }

    fn config(is_kept: bool, is_deleted: bool) -> ObjectMeta {
        ObjectMeta {
            finalizers: Some(if is_kept { vec![FINALIZER.to_owned()] } else { Vec::new() }),
            deletion_timestamp: is_deleted.then_some(Time(Timestamp::UNIX_EPOCH)),
            ..ObjectMeta::default()
        }
    }

    fn finalizers(account: &Account) -> Option<Value> {
        account.metadata.as_ref().map(|patch| patch["metadata"]["finalizers"].clone())
    }

    #[test]
    fn a_configuration_is_kept_while_it_is_used() {
        let (used, stale) = (usage(true), usage(false));
        let none: &[&ProviderConfigUsage] = &[];
        // Whether it is kept, deleted and used; its finalizers, and its users.
        let table = [
            ("new", config(false, false), none, Some(json!([FINALIZER])), Some(0)),
            ("used", config(true, false), &[&used], None, Some(1)),
            ("used by what is gone", config(true, false), &[&stale], None, Some(0)),
            ("deleted and used", config(true, true), &[&used, &stale], None, Some(1)),
            ("deleted and not used", config(true, true), none, Some(json!([])), None),
        ];
        for (reason, metadata, usages, kept, users) in table {
            let account = account(&metadata, None, usages);
            assert_eq!(finalizers(&account), kept, "{reason}");
            let said = account.status.map(|patch| patch["status"]["users"].clone());
            assert_eq!(said, users.map(|users| json!(users)), "{reason}");
        }
    }

    #[test]
    fn what_is_said_already_is_not_written() {
        let status = ConfigStatus { users: Some(1), ..ConfigStatus::default() };
        let account = account(&config(true, false), Some(&status), &[&usage(true)]);
        assert_eq!(account, Account::default());
    }
}
