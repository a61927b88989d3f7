//! The cluster: objects of all kinds, Secrets and configurations.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use provider_infisical::{
    api::{
        config::{ClusterProviderConfig, ProviderConfig, ProviderConfigUsage},
        resource::Managed,
    },
    connect::{Configs, Served, login::Data},
    managed::{
        claim::Claim,
        cluster::{Cluster, ClusterError, Directory, Entry, Event, ObjectKey},
        merge,
        references::FIELD_MANAGER,
    },
};
use serde_json::{Value, json};

use super::{Live, State};
use crate::world::thing::key;

type Key = (&'static str, ObjectKey);

impl State {
    pub(super) fn version(&mut self) -> String {
        self.last_version += 1;
        self.last_version.to_string()
    }

    /// Applies a patch as an API server does.
    pub(crate) fn write(&mut self, at: &Key, patch: &Value) -> Option<Value> {
        let version = self.version();
        let object = self.objects.get_mut(at)?;
        let mut patch = patch.clone();
        if let Some(Value::Object(metadata)) = patch.get_mut("metadata") {
            metadata.remove("resourceVersion");
        }
        let before = object.clone();
        merge::apply(object, &patch);
        if *object == before {
            return Some(before);
        }
        object["metadata"]["resourceVersion"] = json!(version);
        if object["spec"] != before["spec"] {
            let generation = object["metadata"]["generation"].as_i64().unwrap();
            object["metadata"]["generation"] = json!(generation + 1);
        }
        let written = object.clone();
        let is_deleted = written["metadata"]["deletionTimestamp"].is_string();
        let is_free = written["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if is_deleted && is_free {
            self.objects.remove(at);
        }
        Some(written)
    }

    fn write_checked(&mut self, at: &Key, patch: &Value, is_raced: bool) -> Result<Value, ClusterError> {
        if is_raced {
            // An author puts a label on it.
            let label = format!("v{}", self.version());
            self.write(at, &json!({ "metadata": { "labels": { "edited": label } } }));
        }
        let Some(object) = self.objects.get(at) else { return Err(ClusterError::Gone) };
        for field in ["resourceVersion", "uid"] {
            let wanted = &patch["metadata"][field];
            if !wanted.is_null() && *wanted != object["metadata"][field] {
                return Err(ClusterError::Conflict);
            }
        }
        self.writes.push(format!("patch {} {}", at.0, at.1));
        self.write(at, patch).ok_or(ClusterError::Gone)
    }
}

fn no_answer() -> ClusterError {
    ClusterError::Other("no answer".to_owned())
}

fn parse<K: Served>(object: &Value) -> Managed<K> {
    serde_json::from_value(object.clone()).unwrap()
}

#[async_trait]
impl<K: Served> Cluster<K> for Live {
    async fn get(&self, at: &ObjectKey) -> Result<Option<Managed<K>>, ClusterError> {
        // A cache has no step: nothing can fail.
        Ok(self.state().objects.get(&(K::KIND, at.clone())).map(parse))
    }

    async fn get_latest(&self, at: &ObjectKey) -> Result<Option<Managed<K>>, ClusterError> {
        let read = self.step(|state, _| state.objects.get(&(K::KIND, at.clone())).map(parse)).await;
        read.ok_or_else(no_answer)
    }

    async fn claims(&self, id: &str) -> Result<Vec<Claim>, ClusterError> {
        let state = self.state();
        let of_kind =
            state.objects.iter().filter(|((kind, _), object)| *kind == K::KIND && names(object, id));
        Ok(of_kind.filter_map(|(_, object)| Claim::of(&parse::<K>(object), id)).collect())
    }

    async fn patch(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError> {
        let write = |state: &mut State, raced| state.write_checked(&(K::KIND, at.clone()), patch, raced);
        self.step(write).await.unwrap_or_else(|| Err(no_answer())).map(|object| parse(&object))
    }

    async fn patch_references(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError> {
        let mut patch = patch.clone();
        // The API server writes down who wrote a field.
        let fields = patch["spec"]["forProvider"].as_object().cloned().unwrap_or_default();
        let fields: serde_json::Map<_, _> =
            fields.keys().map(|name| (format!("f:{name}"), json!({}))).collect();
        let before = <Self as Cluster<K>>::get(self, at).await?.map(|object| object.metadata);
        let before = before.and_then(|metadata| metadata.managed_fields).unwrap_or_default();
        let entry = json!({
            "manager": FIELD_MANAGER,
            "operation": "Update",
            "fieldsType": "FieldsV1",
            "fieldsV1": { "f:spec": { "f:forProvider": fields } },
        });
        let mut entries = serde_json::to_value(before).unwrap();
        entries.as_array_mut().unwrap().push(entry);
        patch["metadata"]["managedFields"] = entries;
        <Self as Cluster<K>>::patch(self, at, &patch).await
    }

    async fn patch_status(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<K>, ClusterError> {
        <Self as Cluster<K>>::patch(self, at, patch).await
    }

    async fn secret(&self, at: &ObjectKey) -> Result<Option<Secret>, ClusterError> {
        let read = |state: &mut State, _| {
            state.secrets.get(at).map(|secret| serde_json::from_value(secret.clone()).unwrap())
        };
        self.step(read).await.ok_or_else(no_answer)
    }

    async fn create_secret(&self, secret: &Secret) -> Result<(), ClusterError> {
        let at = ObjectKey::of(&secret.metadata);
        let create = |state: &mut State, raced: bool| {
            if raced || state.secrets.contains_key(&at) {
                return Err(ClusterError::Conflict);
            }
            state.writes.push(format!("create Secret {at}"));
            let mut secret = serde_json::to_value(secret).unwrap();
            secret["metadata"]["resourceVersion"] = json!(state.version());
            state.secrets.insert(at.clone(), secret);
            Ok(())
        };
        self.step(create).await.unwrap_or_else(|| Err(no_answer()))
    }

    async fn patch_secret(&self, at: &ObjectKey, patch: &Value) -> Result<(), ClusterError> {
        let change = |state: &mut State, raced: bool| {
            let version = state.version();
            let Some(secret) = state.secrets.get_mut(at) else { return Err(ClusterError::Gone) };
            if raced || secret["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"] {
                return Err(ClusterError::Conflict);
            }
            merge::apply(secret, patch);
            secret["metadata"]["resourceVersion"] = json!(version);
            state.writes.push(format!("patch Secret {at}"));
            Ok(())
        };
        self.step(change).await.unwrap_or_else(|| Err(no_answer()))
    }

    async fn event(&self, of: &Managed<K>, event: &Event) {
        let at = ObjectKey::of(&of.metadata);
        let line = format!("{} {at} {}: {}", K::KIND, event.reason, event.message);
        self.state().events.push(line);
    }
}

impl Directory for Live {
    fn named(&self, kind: &str, at: &ObjectKey) -> Option<Entry> {
        self.all(kind, &at.namespace).into_iter().find(|entry| entry.name == at.name)
    }

    fn all(&self, kind: &str, namespace: &str) -> Vec<Entry> {
        let state = self.state();
        let Some(of) = state.kinds.get(kind) else { return Vec::new() };
        let is_it = |(it, at): &Key| *it == kind && at.namespace == namespace;
        state.objects.iter().filter(|(at, _)| is_it(at)).map(|(_, object)| (of.entry)(object)).collect()
    }

    fn owner(&self, kind: &str, id: &str) -> Option<String> {
        let state = self.state();
        let claim = state.kinds.get(kind)?.claim;
        let of_kind = state.objects.iter().filter(|((it, _), object)| *it == kind && names(object, id));
        let claims: Vec<_> = of_kind.filter_map(|(_, object)| claim(object, id)).collect();
        Claim::first(&claims).map(str::to_owned)
    }
}

/// Whether an object names a resource, as an index by id would say.
fn names(object: &Value, id: &str) -> bool {
    let named = &object["metadata"]["annotations"]["crossplane.io/external-name"];
    *named == id || object["status"]["atProvider"]["id"] == id
}

pub(super) fn claim<K: Served>(object: &Value, id: &str) -> Option<Claim> {
    Claim::of(&parse::<K>(object), id)
}

pub(super) fn entry<K: Served>(object: &Value) -> Entry {
    Entry::of(&parse::<K>(object))
}

#[async_trait]
impl Configs for Live {
    async fn provider_config(&self, at: &ObjectKey) -> Result<Option<ProviderConfig>, ClusterError> {
        Ok(self.state().configs.get(at).map(|it| serde_json::from_value(it.clone()).unwrap()))
    }

    async fn cluster_provider_config(
        &self,
        name: &str,
    ) -> Result<Option<ClusterProviderConfig>, ClusterError> {
        Ok(self.state().configs.get(&key("", name)).map(|it| serde_json::from_value(it.clone()).unwrap()))
    }

    async fn data(&self, at: &ObjectKey) -> Result<Option<Data>, ClusterError> {
        let secret = self.state().secrets.get(at).cloned();
        Ok(secret.and_then(|secret| serde_json::from_value::<Secret>(secret).unwrap().data))
    }

    async fn usage(&self, at: &ObjectKey) -> Result<Option<ProviderConfigUsage>, ClusterError> {
        Ok(self.state().usages.get(at).map(|it| serde_json::from_value(it.clone()).unwrap()))
    }

    async fn create_usage(&self, usage: &ProviderConfigUsage) -> Result<(), ClusterError> {
        let at = ObjectKey::of(&usage.metadata);
        self.state().usages.insert(at, serde_json::to_value(usage).unwrap());
        Ok(())
    }

    async fn patch_usage(&self, at: &ObjectKey, patch: &Value) -> Result<(), ClusterError> {
        let mut state = self.state();
        merge::apply(state.usages.get_mut(at).unwrap(), patch);
        Ok(())
    }
}
