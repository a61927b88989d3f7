//! The managed resources of all kinds, for those that refer to them: what a reference
//! leads to, and who waits for what it leads to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::cache::Cache;
use crate::{
    api::resource::{Managed, Referenced},
    managed::{
        claim::Claim,
        cluster::{Directory, Entry, ObjectKey},
        external::ManagedKind,
    },
};

/// The caches of all kinds, and which kinds refer to which.
#[derive(Clone, Default)]
pub struct Kinds(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    caches: BTreeMap<&'static str, Arc<dyn Objects>>,
    referring: Vec<(&'static [Referenced], UnboundedSender<Changed>)>,
}

/// An object that others refer to, which they know by another id or key now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its kind.
    pub kind: &'static str,
    /// Which one.
    pub at: ObjectKey,
}

impl Kinds {
    /// Adds the objects of a kind.
    pub fn add<K: ManagedKind>(&self, cache: Cache<K>) {
        self.known().caches.insert(K::KIND, Arc::new(cache));
    }

    /// What changes that objects of kind `K` may refer to.
    #[must_use]
    pub fn changes<K: ManagedKind>(&self) -> UnboundedReceiver<Changed> {
        let (sender, receiver) = unbounded();
        self.known().referring.push((K::REFERENCES, sender));
        receiver
    }

    /// Tells those who refer to objects of a kind that one of them is known by another id
    /// or key.
    pub fn tell(&self, kind: &'static str, at: &ObjectKey) {
        for (references, sender) in &self.known().referring {
            if references.iter().any(|referenced| referenced.kind == kind) {
                // A controller that ended needs not be told.
                let _ = sender.unbounded_send(Changed { kind, at: at.clone() });
            }
        }
    }

    fn cache(&self, kind: &str) -> Option<Arc<dyn Objects>> {
        self.known().caches.get(kind).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic while the lock is held leaves valid maps behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for Kinds {
    fn named(&self, kind: &str, at: &ObjectKey) -> Option<Entry> {
        self.cache(kind)?.named(at)
    }

    fn all(&self, kind: &str, namespace: &str) -> Vec<Entry> {
        self.cache(kind).map(|cache| cache.all(namespace)).unwrap_or_default()
    }

    fn owner(&self, kind: &str, id: &str) -> Option<String> {
        self.cache(kind)?.owner(id)
    }
}

/// The objects of a kind, whichever it is.
trait Objects: Send + Sync {
    fn named(&self, at: &ObjectKey) -> Option<Entry>;
    fn all(&self, namespace: &str) -> Vec<Entry>;
    fn owner(&self, id: &str) -> Option<String>;
}

impl<K: ManagedKind> Objects for Cache<K> {
    fn named(&self, at: &ObjectKey) -> Option<Entry> {
        self.get(at).map(|object| Entry::of(&*object))
    }

    fn all(&self, namespace: &str) -> Vec<Entry> {
        self.within(namespace).map(|object| Entry::of(&*object)).collect()
    }

    fn owner(&self, id: &str) -> Option<String> {
        Claim::first(&self.claims(id)).map(str::to_owned)
    }
}

/// Whether an object refers to another, or may choose it.
#[must_use]
pub fn refers_to<K: ManagedKind>(object: &Managed<K>, changed: &Changed) -> bool {
    let parameters = serde_json::to_value(&object.spec.for_provider).unwrap_or_default();
    object.metadata.namespace.as_deref() == Some(&*changed.at.namespace)
        && K::REFERENCES.iter().filter(|referenced| referenced.kind == changed.kind).any(|referenced| {
            let beside = |suffix: &str| parameters.get(format!("{}{suffix}", referenced.field));
            let named = beside("Ref").and_then(|reference| reference.get("name")?.as_str());
            beside("Selector").is_some() || named == Some(&*changed.at.name)
        })
}
