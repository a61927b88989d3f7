//! The objects of one kind, over the API server.

use std::sync::Arc;

use async_trait::async_trait;
use daemon::clock::Clock;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::Value;

use super::{
    cache::Cache,
    error::{of, of_secret},
    events::Recorder,
};
use crate::{
    api::resource::Managed,
    managed::{
        claim::Claim,
        cluster::{Cluster, ClusterError, Event, ObjectKey},
        external::ManagedKind,
        references,
    },
};

/// Who writes, as managedFields show it.
const FIELD_MANAGER: &str = "provider-infisical";

/// The objects of one kind.
pub struct Objects<K: ManagedKind> {
    /// The way to the API server.
    pub client: Client,
    /// The objects, a little out of date.
    pub cache: Cache<K>,
    /// Where events go.
    pub recorder: Recorder,
    /// The time of events.
    pub clock: Arc<dyn Clock>,
}

impl<K: ManagedKind> Objects<K> {
    fn api(&self, at: &ObjectKey) -> Api<Managed<K>> {
        Api::namespaced(self.client.clone(), &at.namespace)
    }

    fn secrets(&self, at: &ObjectKey) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &at.namespace)
    }
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

#[async_trait]
impl<K: ManagedKind> Cluster<K> for Objects<K> {
    async fn get(&self, at: &ObjectKey) -> Result<Option<Managed<K>>, ClusterError> {
        self.cache.ready().await;
        Ok(self.cache.get(at).map(|object| (*object).clone()))
    }

    async fn get_latest(&self, at: &ObjectKey) -> Result<Option<Managed<K>>, ClusterError> {
        self.api(at).get_opt(&at.name).await.map_err(|error| of(&error))
    }

    async fn claims(&self, id: &str) -> Result<Vec<Claim>, ClusterError> {
        Ok(self.cache.claims(id))
    }

    async fn patch(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError> {
        self.api(at).patch(&at.name, &params(), &Patch::Merge(patch)).await.map_err(|error| of(&error))
    }

    async fn patch_references(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError> {
        let params = PatchParams {
            field_manager: Some(references::FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.api(at).patch(&at.name, &params, &Patch::Merge(patch)).await.map_err(|error| of(&error))
    }

    async fn patch_status(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError> {
        self.api(at).patch_status(&at.name, &params(), &Patch::Merge(patch)).await.map_err(|error| of(&error))
    }

    async fn secret(&self, at: &ObjectKey) -> Result<Option<Secret>, ClusterError> {
        self.secrets(at).get_opt(&at.name).await.map_err(|error| of_secret(&error))
    }

    async fn create_secret(&self, secret: &Secret) -> Result<(), ClusterError> {
        let at = ObjectKey::of(&secret.metadata);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let created = self.secrets(&at).create(&params, secret).await;
        created.map(drop).map_err(|error| of_secret(&error))
    }

    async fn patch_secret(&self, at: &ObjectKey, patch: &Value) -> Result<(), ClusterError> {
        let patched = self.secrets(at).patch(&at.name, &params(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| of_secret(&error))
    }

    async fn event(&self, of: &Managed<K>, event: &Event) {
        self.recorder.tell(of, event, self.clock.now());
    }
}
