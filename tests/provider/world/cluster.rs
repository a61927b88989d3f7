//! The cluster: objects with versions, finalizers and a status of their own.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use provider_infisical::{
    api::resource::Managed,
    managed::{
        claim::Claim,
        cluster::{Cluster, ClusterError, Directory, Entry, Event, ObjectKey},
        merge,
        references::FIELD_MANAGER,
    },
};
use serde_json::{Value, json};

use super::{State, World, thing::Thing};

impl State {
    /// Applies a patch as an API server does.
    pub(crate) fn write(&mut self, at: &ObjectKey, patch: &Value) -> Option<Value> {
        let version = self.version();
        let object = self.objects.get_mut(at)?;
        let spec = object["spec"].clone();
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
        if object["spec"] != spec {
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

    fn write_checked(
        &mut self,
        at: &ObjectKey,
        patch: &Value,
        is_raced: bool,
    ) -> Result<Value, ClusterError> {
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
        self.writes.push(format!("patch {at}"));
        self.write(at, patch).ok_or(ClusterError::Gone)
    }
}

fn no_answer() -> ClusterError {
    ClusterError::Other("no answer".to_owned())
}

fn parse<const MARKED: bool>(object: &Value) -> Managed<Thing<MARKED>> {
    serde_json::from_value(object.clone()).unwrap()
}

#[async_trait]
impl<const MARKED: bool> Cluster<Thing<MARKED>> for World<MARKED> {
    async fn get(&self, at: &ObjectKey) -> Result<Option<Managed<Thing<MARKED>>>, ClusterError> {
        // A cache has no step: nothing can fail.
        let state = self.state();
        let objects = state.cached.as_ref().unwrap_or(&state.objects);
        Ok(objects.get(at).map(parse))
    }

    async fn get_latest(&self, at: &ObjectKey) -> Result<Option<Managed<Thing<MARKED>>>, ClusterError> {
        let read = self.step(|state, _| state.objects.get(at).map(parse)).await;
        read.ok_or_else(no_answer)
    }

    async fn claims(&self, id: &str) -> Result<Vec<Claim>, ClusterError> {
        let state = self.state();
        let objects = state.cached.as_ref().unwrap_or(&state.objects);
        Ok(objects.values().filter_map(|object| Claim::of(&parse::<MARKED>(object), id)).collect())
    }

    async fn patch(&self, at: &ObjectKey, patch: &Value) -> Result<Managed<Thing<MARKED>>, ClusterError> {
        let written = self.step(|state, raced| state.write_checked(at, patch, raced)).await;
        written.unwrap_or_else(|| Err(no_answer())).map(|object| parse(&object))
    }

    async fn patch_references(
        &self,
        at: &ObjectKey,
        patch: &Value,
    ) -> Result<Managed<Thing<MARKED>>, ClusterError> {
        let mut patch = patch.clone();
        // The API server writes down who wrote a field.
        let fields = patch["spec"]["forProvider"].as_object().cloned().unwrap_or_default();
        let fields: serde_json::Map<_, _> =
            fields.keys().map(|name| (format!("f:{name}"), json!({}))).collect();
        patch["metadata"]["managedFields"] = json!([{
            "manager": FIELD_MANAGER,
            "operation": "Update",
            "fieldsType": "FieldsV1",
            "fieldsV1": { "f:spec": { "f:forProvider": fields } },
        }]);
        self.patch(at, &patch).await
    }

    async fn patch_status(
        &self,
        at: &ObjectKey,
        patch: &Value,
    ) -> Result<Managed<Thing<MARKED>>, ClusterError> {
        self.patch(at, patch).await
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
            state.writes.push(format!("create secret {at}"));
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
            state.writes.push(format!("patch secret {at}"));
            Ok(())
        };
        self.step(change).await.unwrap_or_else(|| Err(no_answer()))
    }

    async fn event(&self, of: &Managed<Thing<MARKED>>, event: &Event) {
        let at = ObjectKey::of(&of.metadata);
        self.step(|state, _| state.events.push((at, event.reason.to_owned(), event.message.clone()))).await;
    }
}

impl<const MARKED: bool> Directory for World<MARKED> {
    fn named(&self, _: &str, at: &ObjectKey) -> Option<Entry> {
        self.state().objects.get(at).map(entry::<MARKED>)
    }

    fn all(&self, _: &str, namespace: &str) -> Vec<Entry> {
        let state = self.state();
        let within = state.objects.iter().filter(|(at, _)| at.namespace == namespace);
        within.map(|(_, object)| entry::<MARKED>(object)).collect()
    }

    fn owner(&self, _: &str, id: &str) -> Option<String> {
        let state = self.state();
        let claims = state.objects.values().filter_map(|object| Claim::of(&parse::<MARKED>(object), id));
        Claim::first(&claims.collect::<Vec<_>>()).map(str::to_owned)
    }
}

fn entry<const MARKED: bool>(object: &Value) -> Entry {
    Entry::of(&parse::<MARKED>(object))
}
