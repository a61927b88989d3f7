//! Configurations, their usages and their Secrets, over the API server.

use async_trait::async_trait;
use futures::{Stream, StreamExt as _, future::BoxFuture, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
    runtime::{
        WatchStreamExt as _, reflector,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{of, of_secret};
use crate::{
    api::config::{ClusterProviderConfig, ProviderConfig, ProviderConfigUsage},
    connect::{Configs, login::Data},
    managed::cluster::{ClusterError, ObjectKey},
};

/// Configurations and their usages, as a watch has them.
#[derive(Clone)]
pub struct Watched {
    client: Client,
    /// Those of namespaces.
    pub local: Store<ProviderConfig>,
    /// Those of the cluster.
    pub of_cluster: Store<ClusterProviderConfig>,
    /// Who uses which.
    pub usages: Store<ProviderConfigUsage>,
}

impl Watched {
    /// All of them, and what fills them as long as it is polled: it yields whenever
    /// something of them has changed.
    pub fn watch(client: &Client) -> (Self, impl Stream<Item = ()> + Send + use<>) {
        let (local, locals) = fill(client);
        let (of_cluster, of_clusters) = fill(client);
        let (usages, uses) = fill(client);
        let changes = stream::select_all([locals.boxed(), of_clusters.boxed(), uses.boxed()]);
        (Self { client: client.clone(), local, of_cluster, usages }, changes)
    }

    /// Waits until all of them are there.
    pub async fn ready(&self) {
        // Each fails only where nobody fills it any more.
        let waits: [BoxFuture<'_, bool>; 3] = [
            Box::pin(async { self.local.wait_until_ready().await.is_ok() }),
            Box::pin(async { self.of_cluster.wait_until_ready().await.is_ok() }),
            Box::pin(async { self.usages.wait_until_ready().await.is_ok() }),
        ];
        futures::future::join_all(waits).await;
    }
}

fn fill<T>(client: &Client) -> (Store<T>, impl Stream<Item = ()> + Send + use<T>)
where
    T: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .modify(|object: &mut T| object.meta_mut().managed_fields = None)
        .reflect(writer)
        .map(|event| {
            if let Err(error) = event {
                tracing::warn!(%error, kind = %T::kind(&()), "a watch was interrupted");
            }
        });
    (store, events)
}

#[async_trait]
impl Configs for Watched {
    async fn provider_config(&self, at: &ObjectKey) -> Result<Option<ProviderConfig>, ClusterError> {
        self.ready().await;
        let found = self.local.get(&ObjectRef::new(&at.name).within(&at.namespace));
        Ok(found.map(|config| (*config).clone()))
    }

    async fn cluster_provider_config(
        &self,
        name: &str,
    ) -> Result<Option<ClusterProviderConfig>, ClusterError> {
        self.ready().await;
        Ok(self.of_cluster.get(&ObjectRef::new(name)).map(|config| (*config).clone()))
    }

    async fn data(&self, at: &ObjectKey) -> Result<Option<Data>, ClusterError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &at.namespace);
        let secret = secrets.get_opt(&at.name).await.map_err(|error| of_secret(&error))?;
        Ok(secret.map(|secret| secret.data.unwrap_or_default()))
    }

    async fn usage(&self, at: &ObjectKey) -> Result<Option<ProviderConfigUsage>, ClusterError> {
        self.ready().await;
        let found = self.usages.get(&ObjectRef::new(&at.name).within(&at.namespace));
        Ok(found.map(|usage| (*usage).clone()))
    }

    async fn create_usage(&self, usage: &ProviderConfigUsage) -> Result<(), ClusterError> {
        let namespace = usage.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<ProviderConfigUsage> = Api::namespaced(self.client.clone(), namespace);
        api.create(&PostParams::default(), usage).await.map(drop).map_err(|error| of(&error))
    }

    async fn patch_usage(&self, at: &ObjectKey, patch: &Value) -> Result<(), ClusterError> {
        let api: Api<ProviderConfigUsage> = Api::namespaced(self.client.clone(), &at.namespace);
        let patched = api.patch(&at.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| of(&error))
    }
}
