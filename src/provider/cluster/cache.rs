//! The objects of one kind, as a watch has them, and which of them claim a resource.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::{
    Api, Client,
    runtime::{
        PredicateConfig, WatchStreamExt as _, predicates, reflector,
        reflector::{ObjectRef, Store},
        utils::Predicate as _,
        watcher,
    },
};

use serde_json::json;

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

/// Who is told of an object when what others refer to it by is another.
pub type Watcher = Box<dyn Fn(&ObjectKey) + Send + Sync>;

impl<K: ManagedKind> Cache<K> {
    /// A cache, and the stream that fills it: each object that an author changed, or that
    /// has another finalizer or annotation. It is filled as long as the stream is polled.
    pub fn watch(
        client: &Client,
        referred: Watcher,
    ) -> (Self, impl Stream<Item = Result<Managed<K>, watcher::Error>> + use<K>) {
        let (store, writer) = reflector::store();
        let index = Arc::new(Mutex::new(Index::default()));
        let cache = Self { store, index: Arc::clone(&index) };
        let changed_references = Arc::clone(&index);
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
        let changed = events.reflect(writer).map(move |event| {
            for at in std::mem::take(&mut lock(&changed_references).changed) {
                referred(&at);
            }
            event
        });
        let changed = changed.applied_objects();
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

    /// The objects of a namespace.
    pub fn within(&self, namespace: &str) -> impl Iterator<Item = Arc<Managed<K>>> {
        self.store
            .state()
            .into_iter()
            .filter(move |object| object.metadata.namespace.as_deref() == Some(namespace))
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
    keep_managers::<K>(&mut object.metadata.managed_fields);
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// Leaves of `managedFields` who wrote a parameter that may be given by reference.
fn keep_managers<K: ManagedKind>(managers: &mut Option<Vec<ManagedFieldsEntry>>) {
    let Some(all) = managers else { return };
    for manager in &mut *all {
        let parameters = manager.fields_v1.take().and_then(|mut fields| {
            let parameters = fields.0.get_mut("f:spec")?.get_mut("f:forProvider")?.as_object_mut()?;
            let is_one = |name: &String| {
                K::REFERENCES.iter().any(|it| name.strip_prefix("f:").is_some_and(|name| name == it.field))
            };
            parameters.retain(|name, _| is_one(name));
            (!parameters.is_empty()).then(|| std::mem::take(parameters))
        });
        manager.fields_v1 = parameters.map(|it| FieldsV1(json!({ "f:spec": { "f:forProvider": it } })));
    }
    all.retain(|manager| manager.fields_v1.is_some());
    if all.is_empty() {
        *managers = None;
    }
}

/// Which objects name a resource, by its id.
#[derive(Debug, Default)]
struct Index {
    by_id: BTreeMap<String, BTreeSet<ObjectKey>>,
    ids: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Those that a list that is under way has shown.
    listed: BTreeSet<ObjectKey>,
    /// What others write down that refer to an object.
    referred: BTreeMap<ObjectKey, Referred>,
    /// The objects of which that is another now.
    changed: BTreeSet<ObjectKey>,
}

/// The id, and the slug or path, of an object.
type Referred = (Option<String>, Option<String>);

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
                    self.forget(at);
                }
            }
            watcher::Event::Apply(object) => self.put(object),
            watcher::Event::Delete(object) => self.forget(&ObjectKey::of(&object.metadata)),
        }
    }

    fn put<K: ManagedKind>(&mut self, object: &Managed<K>) {
        let at = ObjectKey::of(&object.metadata);
        self.remove(&at);
        let observed = object.status.as_ref().and_then(|status| status.at_provider.as_ref());
        let named = Annotations::of(&object.metadata).external_name();
        let text = |text: Option<&str>| text.map(str::to_owned);
        let referred = (text(named), text(observed.and_then(K::key)));
        if K::IS_REFERRED_TO && self.referred.get(&at) != Some(&referred) {
            self.referred.insert(at.clone(), referred);
            self.changed.insert(at.clone());
        }
        let ids: BTreeSet<String> =
            [observed.and_then(K::observed_id), named].into_iter().flatten().map(str::to_owned).collect();
        for id in &ids {
            self.by_id.entry(id.clone()).or_default().insert(at.clone());
        }
        if !ids.is_empty() {
            self.ids.insert(at, ids);
        }
    }

    fn forget(&mut self, at: &ObjectKey) {
        self.referred.remove(at);
        self.remove(at);
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
