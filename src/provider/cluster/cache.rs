//! The objects of one kind, as a watch has them, and which of them claim a resource.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _};
use kube::{
    Api, Client,
    runtime::{
        PredicateConfig, WatchStreamExt as _, predicates, reflector,
        reflector::{ObjectRef, Store},
        utils::Predicate as _,
        watcher,
    },
};

use crate::{
    api::resource::Managed,
    managed::{annotations::Annotations, claim::Claim, cluster::ObjectKey, external::ManagedKind},
};

/// Objects that one answer to a list has at most, so that a start needs no more memory
/// than what it ends with.
const PAGE: u32 = 100;

/// What people's kubectl keeps in an object: the object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The objects of one kind.
#[derive(Clone)]
pub struct Cache<K: ManagedKind> {
    store: Store<Managed<K>>,
    index: Arc<Mutex<Index>>,
}

impl<K: ManagedKind> Cache<K> {
    /// A cache, and the stream that fills it: each object that an author changed, or that
    /// has another finalizer or annotation. It is filled as long as the stream is polled.
    pub fn watch(client: &Client) -> (Self, impl Stream<Item = Result<Managed<K>, watcher::Error>> + use<K>) {
        let (store, writer) = reflector::store();
        let index = Arc::new(Mutex::new(Index::default()));
        let cache = Self { store, index: Arc::clone(&index) };
        let events = watcher(Api::all(client.clone()), watcher::Config::default().page_size(PAGE))
            .default_backoff()
            .modify(trim)
            .map(move |event| {
                if let Ok(event) = &event {
                    lock(&index).learn(event);
                }
                event
            });
        // What we write into a status ourselves is no reason to look again.
        let of_authors = predicates::generation
            .combine(predicates::annotations)
            .combine(predicates::finalizers)
            .combine(deletion);
        let changed = events.reflect(writer).applied_objects();
        (cache, changed.predicate_filter(of_authors, PredicateConfig::default()))
    }

    /// The objects, for a controller.
    #[must_use]
    pub fn store(&self) -> Store<Managed<K>> {
        self.store.clone()
    }

    /// An object.
    #[must_use]
    pub fn get(&self, at: &ObjectKey) -> Option<Arc<Managed<K>>> {
        self.store.get(&ObjectRef::new(&at.name).within(&at.namespace))
    }

    /// Waits until all objects are there.
    pub async fn ready(&self) {
        // It fails only where nobody fills it any more, and then nothing is done.
        let _ = self.store.wait_until_ready().await;
    }

    /// Who claims a resource.
    #[must_use]
    pub fn claims(&self, id: &str) -> Vec<Claim> {
        let keys = lock(&self.index).by_id.get(id).cloned().unwrap_or_default();
        keys.iter().filter_map(|at| Claim::of(&*self.get(at)?, id)).collect()
    }
}

/// Whether it is being deleted.
#[expect(clippy::unnecessary_wraps, reason = "a predicate is of this form")]
fn deletion<K: kube::Resource>(object: &K) -> Option<u64> {
    Some(u64::from(object.meta().deletion_timestamp.is_some()))
}

fn lock(index: &Mutex<Index>) -> std::sync::MutexGuard<'_, Index> {
    // A panic while the lock is held leaves an index that the next list corrects.
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves out what nobody reads.
fn trim<K: ManagedKind>(object: &mut Managed<K>) {
    object.metadata.managed_fields = None;
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// Which objects name a resource, by its id.
#[derive(Debug, Default)]
struct Index {
    by_id: BTreeMap<String, BTreeSet<ObjectKey>>,
    ids: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Those that a list that is under way has shown.
    listed: BTreeSet<ObjectKey>,
}

impl Index {
    fn learn<K: ManagedKind>(&mut self, event: &watcher::Event<Managed<K>>) {
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(object) => {
                self.listed.insert(ObjectKey::of(&object.metadata));
                self.put(object);
            }
            watcher::Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let gone: Vec<_> = self.ids.keys().filter(|at| !listed.contains(*at)).cloned().collect();
                for at in &gone {
                    self.remove(at);
                }
            }
            watcher::Event::Apply(object) => self.put(object),
            watcher::Event::Delete(object) => self.remove(&ObjectKey::of(&object.metadata)),
        }
    }

    fn put<K: ManagedKind>(&mut self, object: &Managed<K>) {
        let at = ObjectKey::of(&object.metadata);
        self.remove(&at);
        let observed = object.status.as_ref().and_then(|status| status.at_provider.as_ref());
        let named = Annotations::of(&object.metadata).external_name();
        let ids: BTreeSet<String> =
            [observed.and_then(K::observed_id), named].into_iter().flatten().map(str::to_owned).collect();
        for id in &ids {
            self.by_id.entry(id.clone()).or_default().insert(at.clone());
        }
        if !ids.is_empty() {
            self.ids.insert(at, ids);
        }
    }

    fn remove(&mut self, at: &ObjectKey) {
        for id in self.ids.remove(at).unwrap_or_default() {
            if let Some(keys) = self.by_id.get_mut(&id) {
                keys.remove(at);
                if keys.is_empty() {
                    self.by_id.remove(&id);
                }
            }
        }
    }
}
