//! What the loop asks of the cluster, so that a test can stand in for one.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde_json::Value;

use super::{annotations::Annotations, claim::Claim, external::ManagedKind};
use crate::api::resource::{Kind, Managed};

/// Which object of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// That of an object.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self { namespace: text(&metadata.namespace), name: text(&metadata.name) }
    }

    /// Another object of the same namespace.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { namespace: self.namespace.clone(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The objects of one kind, and what the loop writes beside them.
///
/// A patch is a JSON merge patch. One that names a `resourceVersion` has no effect on an
/// object that has another by now.
#[async_trait]
pub trait Cluster<K: Kind>: Send + Sync {
    /// An object; it may be a little out of date. `None` where there is none.
    async fn get(&self, at: &ObjectKey) -> Result<Option<Managed<K>>, ClusterError>;

    /// The same, as the API server has it now.
    async fn get_latest(&self, at: &ObjectKey) -> Result<Option<Managed<K>>, ClusterError>;

    /// All objects of the kind, in all namespaces, that claim the resource of an id.
    async fn claims(&self, id: &str) -> Result<Vec<Claim>, ClusterError>;

    /// Changes metadata or spec of an object.
    async fn patch(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError>;

    /// Writes into a spec what references lead to, as [`FIELD_MANAGER`].
    ///
    /// [`FIELD_MANAGER`]: super::references::FIELD_MANAGER
    async fn patch_references(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError>;

    /// Changes the status of an object.
    async fn patch_status(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError>;

    /// A Secret as the API server has it now; `None` where there is none.
    async fn secret(&self, at: &ObjectKey) -> Result<Option<Secret>, ClusterError>;

    /// Makes a Secret.
    async fn create_secret(&self, secret: &Secret) -> Result<(), ClusterError>;

    /// Changes a Secret.
    async fn patch_secret(&self, at: &ObjectKey, patch: &Value) -> Result<(), ClusterError>;

    /// Tells of something that happened to an object. That it cannot is no error.
    async fn event(&self, of: &Managed<K>, event: &Event);
}

/// The managed resources of all kinds, for those that refer to them.
///
/// It is read from caches, and may be a little out of date.
pub trait Directory: Send + Sync {
    /// An object of a kind, by its name.
    fn named(&self, kind: &str, at: &ObjectKey) -> Option<Entry>;

    /// All objects of a kind in a namespace.
    fn all(&self, kind: &str, namespace: &str) -> Vec<Entry>;

    /// The object of a kind that has the resource of an id, in whichever namespace:
    /// `namespace/name`. Others may name it too; it is not theirs.
    fn owner(&self, kind: &str, id: &str) -> Option<String>;
}

/// An object as others see it that refer to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The uid of its controller.
    pub controller: Option<String>,
    /// Its id on the server, once it has one.
    pub id: Option<String>,
    /// Its slug or path, once it is there.
    pub key: Option<String>,
}

impl Entry {
    /// That of an object.
    #[must_use]
    pub fn of<K: ManagedKind>(object: &Managed<K>) -> Self {
        let metadata = &object.metadata;
        let mut owners = metadata.owner_references.iter().flatten();
        let observed = object.status.as_ref().and_then(|status| status.at_provider.as_ref());
        let id = Annotations::of(metadata).external_name().filter(|name| K::is_id(name));
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            controller: owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone()),
            id: id.map(str::to_owned),
            key: observed.and_then(K::key).map(str::to_owned),
        }
    }
}

/// Why the cluster did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// 409: somebody else has changed it.
    #[error("the object has been modified")]
    Conflict,
    /// 404: it is not there any more.
    #[error("the object is not there any more")]
    Gone,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it is a warning.
    pub is_warning: bool,
    /// Why, in one word: those of crossplane-runtime.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
}

impl Event {
    /// Something that is as it should be.
    #[must_use]
    pub fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { is_warning: false, reason, message: message.into() }
    }

    /// Something that is not.
    #[must_use]
    pub fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { is_warning: true, reason, message: message.into() }
    }
}
