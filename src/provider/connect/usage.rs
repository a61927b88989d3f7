//! That a managed resource uses a configuration, which is not deleted meanwhile.
//!
//! As crossplane-runtime's `ProviderConfigUsageTracker`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use crate::{
    api::{
        config::{ProviderConfigUsage, TypedReference},
        object::API_VERSION,
        resource::{ConfigReference, Managed},
    },
    managed::external::ManagedKind,
};

/// The label with the name of the configuration.
pub const NAME: &str = "crossplane.io/provider-config";

/// The label with its kind.
pub const KIND: &str = "crossplane.io/provider-config-kind";

/// What keeps a configuration while it is used.
pub const FINALIZER: &str = "in-use.crossplane.io";

/// That an object uses the configuration that it names.
#[must_use]
pub fn of<K: ManagedKind>(object: &Managed<K>) -> ProviderConfigUsage {
    let config = &object.spec.provider_config_ref;
    let metadata = &object.metadata;
    let (uid, name) = (metadata.uid.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default());
    let resource = TypedReference {
        api_version: API_VERSION.to_owned(),
        kind: K::KIND.to_owned(),
        name: name.clone(),
        uid: None,
    };
    let owner = OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: K::KIND.to_owned(),
        name,
        uid: uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let usage = ObjectMeta {
        name: Some(uid),
        namespace: metadata.namespace.clone(),
        labels: Some(labels(config)),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    ProviderConfigUsage::new(usage, config.clone(), resource)
}

/// The patch of a usage that names another configuration by now.
#[must_use]
pub fn change(existing: &ProviderConfigUsage, wanted: &ProviderConfigUsage) -> Option<Value> {
    (existing.provider_config_ref != wanted.provider_config_ref).then(|| {
        json!({
            "metadata": { "labels": wanted.metadata.labels, "ownerReferences": wanted.metadata.owner_references },
            "providerConfigRef": wanted.provider_config_ref,
        })
    })
}

/// The labels of all usages of a configuration.
#[must_use]
pub fn labels(config: &ConfigReference) -> BTreeMap<String, String> {
    let kind = config.kind.as_str().to_owned();
    [(NAME.to_owned(), config.name.clone()), (KIND.to_owned(), kind)].into()
}
