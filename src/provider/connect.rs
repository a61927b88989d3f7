//! From a managed resource to the server that its configuration names.
//!
//! A `ProviderConfig` reads Secrets of its own namespace only, a `ClusterProviderConfig`
//! says for which namespaces it is, and where requests go is never up to a managed
//! resource.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::{
    api::{
        config::{ClusterProviderConfig, ProviderConfig, ProviderConfigUsage},
        resource::{ConfigKind, ConfigReference, Managed},
    },
    managed::{
        Connect,
        cluster::{ClusterError, ObjectKey},
        external::{External, ExternalError, ManagedKind},
    },
};

pub mod batch;
pub mod in_use;
pub mod limiter;
pub mod listing;
mod live;
pub mod login;
mod place;
pub mod reads;
pub mod secrets;
pub mod session;
pub mod usage;

use live::Live;
pub use live::Served;
use login::{Access, Data};
use place::Place;
use session::{Session, Shared, Source};

/// What connecting asks of the cluster.
#[async_trait]
pub trait Configs: Send + Sync {
    /// A configuration of a namespace.
    async fn provider_config(&self, at: &ObjectKey) -> Result<Option<ProviderConfig>, ClusterError>;

    /// A configuration of the cluster.
    async fn cluster_provider_config(
        &self,
        name: &str,
    ) -> Result<Option<ClusterProviderConfig>, ClusterError>;

    /// The data of a Secret, as the API server has it now.
    async fn data(&self, at: &ObjectKey) -> Result<Option<Data>, ClusterError>;

    /// That a resource uses a configuration.
    async fn usage(&self, at: &ObjectKey) -> Result<Option<ProviderConfigUsage>, ClusterError>;

    /// Writes that down.
    async fn create_usage(&self, usage: &ProviderConfigUsage) -> Result<(), ClusterError>;

    /// Changes it.
    async fn patch_usage(&self, at: &ObjectKey, patch: &serde_json::Value) -> Result<(), ClusterError>;
}

/// A configuration: its kind, its namespace if it has one, its name.
type ConfigKey = (ConfigKind, Option<String>, String);

/// Connects resources of all kinds. Those of one configuration share a login.
pub struct Connector {
    configs: Arc<dyn Configs>,
    shared: Arc<Shared>,
    sessions: Mutex<BTreeMap<ConfigKey, (Place, Arc<Session>)>>,
}

impl Connector {
    /// One that is not connected to anything yet.
    #[must_use]
    pub fn new(configs: Arc<dyn Configs>, shared: Arc<Shared>) -> Self {
        Self { configs, shared, sessions: Mutex::default() }
    }

    /// The session of a configuration, which is another one when the configuration is.
    ///
    /// # Errors
    /// The configuration is missing, or is not for this namespace.
    async fn session(
        &self,
        namespace: &str,
        config: &ConfigReference,
    ) -> Result<Arc<Session>, ExternalError> {
        let place = self.place(namespace, config).await?;
        let within = (config.kind == ConfigKind::ProviderConfig).then(|| namespace.to_owned());
        let key = (config.kind, within, config.name.clone());
        let mut sessions = self.sessions.lock().await;
        match sessions.get(&key) {
            Some((kept, session)) if *kept == place => Ok(Arc::clone(session)),
            _ => {
                let source = InCluster { configs: Arc::clone(&self.configs), place: place.clone() };
                let session = Arc::new(Session::new(Box::new(source), Arc::clone(&self.shared)));
                sessions.insert(key, (place, Arc::clone(&session)));
                Ok(session)
            }
        }
    }

    async fn place(&self, namespace: &str, config: &ConfigReference) -> Result<Place, ExternalError> {
        let name = &config.name;
        match config.kind {
            ConfigKind::ProviderConfig => {
                let at = ObjectKey { namespace: namespace.to_owned(), name: name.clone() };
                let found = self.configs.provider_config(&at).await.map_err(|error| cannot_get(&error))?;
                let found = found.ok_or_else(|| refused(format!("there is no ProviderConfig {at}")))?;
                Place::of_local(&at, &found.spec)
            }
            ConfigKind::ClusterProviderConfig => {
                let found =
                    self.configs.cluster_provider_config(name).await.map_err(|error| cannot_get(&error))?;
                let found =
                    found.ok_or_else(|| refused(format!("there is no ClusterProviderConfig {name}")))?;
                if !found.spec.allows(namespace) {
                    let why = format!(
                        "the ClusterProviderConfig {name} is not for the namespace {namespace}: it is not \
                         among its spec.allowedNamespaces"
                    );
                    return Err(refused(why));
                }
                Place::of_cluster(name, &found.spec)
            }
        }
    }

    async fn track<K: ManagedKind>(&self, object: &Managed<K>) -> Result<(), ExternalError> {
        let wanted = usage::of(object);
        let at = ObjectKey::of(&wanted.metadata);
        let failed = |error: ClusterError| refused(format!("cannot apply ProviderConfigUsage: {error}"));
        let existing = self.configs.usage(&at).await.map_err(failed)?;
        match existing {
            None => match self.configs.create_usage(&wanted).await {
                // The cache does not know of it yet.
                Err(ClusterError::Conflict) => Ok(()),
                written => written.map_err(failed),
            },
            Some(existing) => match usage::change(&existing, &wanted) {
                Some(patch) => self.configs.patch_usage(&at, &patch).await.map_err(failed),
                None => Ok(()),
            },
        }
    }
}

#[async_trait]
impl<K: Served> Connect<K> for Connector {
    async fn connect(&self, object: &Managed<K>) -> Result<Arc<dyn External<K>>, ExternalError> {
        // Before it is used, so that the configuration cannot go meanwhile.
        self.track(object).await?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let session = self.session(namespace, &object.spec.provider_config_ref).await?;
        Ok(Arc::new(Live::new(session)))
    }
}

/// A Secret in the cluster.
struct InCluster {
    configs: Arc<dyn Configs>,
    place: Place,
}

#[async_trait]
impl Source for InCluster {
    async fn read(&self) -> Result<Access, ExternalError> {
        let at = &self.place.secret;
        let data = self.configs.data(at).await;
        let data = data.map_err(|error| refused(format!("cannot get the Secret {at}: {error}")))?;
        self.place.access(&data.ok_or_else(|| refused(format!("there is no Secret {at}")))?)
    }
}

fn cannot_get(error: &ClusterError) -> ExternalError {
    refused(format!("cannot get ProviderConfig: {error}"))
}

fn refused(message: String) -> ExternalError {
    ExternalError::refused(message)
}
