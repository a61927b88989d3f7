//! Keeps configurations while they are used.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;

use crate::{
    api::{
        config::{ConfigStatus, ProviderConfigUsage},
        resource::ConfigKind,
    },
    cluster::{configs::Watched, error},
    connect::in_use,
};

/// Changes that come one after the other are accounted for together.
const GATHER: Duration = Duration::from_millis(200);

/// A configuration: its kind, its namespace if it has one, its name.
type Key = (ConfigKind, Option<String>, String);

/// Accounts for the users of all configurations whenever something has changed.
pub(crate) async fn account(client: Client, watched: Watched, mut changes: BoxStream<'static, ()>) {
    while changes.next().await.is_some() {
        let gathered = async { while changes.next().await.is_some() {} };
        // It goes on to fill the caches meanwhile.
        let _ = tokio::time::timeout(GATHER, gathered).await;
        let is_there = futures::FutureExt::now_or_never(watched.ready()).is_some();
        if is_there {
            account_for_all(&client, &watched).await;
        }
    }
}

async fn account_for_all(client: &Client, watched: &Watched) {
    let usages = watched.usages.state();
    let mut by_config: BTreeMap<Key, Vec<&ProviderConfigUsage>> = BTreeMap::new();
    for usage in &usages {
        let config = &usage.provider_config_ref;
        let within = usage.metadata.namespace.clone().filter(|_| config.kind == ConfigKind::ProviderConfig);
        by_config.entry((config.kind, within, config.name.clone())).or_default().push(usage);
    }
    let of = |kind, metadata: &ObjectMeta| {
        let key = (kind, metadata.namespace.clone(), metadata.name.clone().unwrap_or_default());
        by_config.get(&key).map(Vec::as_slice).unwrap_or_default()
    };
    for config in watched.local.state() {
        let namespace = config.metadata.namespace.clone().unwrap_or_default();
        let users = of(ConfigKind::ProviderConfig, &config.metadata);
        let api = Api::namespaced(client.clone(), &namespace);
        write(&api, &*config, config.status.as_ref(), users).await;
    }
    for config in watched.of_cluster.state() {
        let users = of(ConfigKind::ClusterProviderConfig, &config.metadata);
        write(&Api::all(client.clone()), &*config, config.status.as_ref(), users).await;
    }
}

/// Writes what there is to write. What fails is done at the next change.
async fn write<T>(api: &Api<T>, config: &T, status: Option<&ConfigStatus>, users: &[&ProviderConfigUsage])
where
    T: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let metadata = config.meta();
    let name = metadata.name.as_deref().unwrap_or_default();
    let account = in_use::account(metadata, status, users);
    let params = PatchParams::default();
    // It names the version that was seen, so it comes first.
    if let Some(patch) = &account.metadata {
        note(name, api.patch(name, &params, &Patch::Merge(patch)).await.map(drop));
    }
    if let Some(patch) = &account.status {
        note(name, api.patch_status(name, &params, &Patch::Merge(patch)).await.map(drop));
    }
}

fn note(config: &str, outcome: Result<(), kube::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(config, error = %error::of(&error), "cannot account for the users of a configuration");
    }
}
