//! The references of one object: what they lead to, written into its spec, and whose it is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use super::{
    cluster::{Directory, Entry, ObjectKey},
    external::{ManagedKind, is_uuid},
    references::{Candidate, FIELD_MANAGER, LookUp, Request, Resolved, Unresolved},
};
use crate::api::{
    reference::{Reference, Selector},
    resource::{self, Managed, Referenced},
};

/// The parameters of an object that name others.
pub(super) struct References<'a, K: ManagedKind> {
    object: &'a Managed<K>,
    directory: &'a dyn Directory,
    /// Those of a kind that names no others are not read.
    parameters: Value,
}

impl<'a, K: ManagedKind> References<'a, K> {
    /// Those of an object.
    pub(super) fn of(object: &'a Managed<K>, directory: &'a dyn Directory) -> Self {
        let parameters = if K::REFERENCES.is_empty() {
            Value::Null
        } else {
            serde_json::to_value(&object.spec.for_provider).unwrap_or_default()
        };
        Self { object, directory, parameters }
    }

    /// The patch that writes down what they lead to; `None` where it is there.
    ///
    /// # Errors
    /// A reference that must lead somewhere does not yet.
    pub(super) fn patch(&self) -> Result<Option<Value>, Unresolved> {
        let metadata = &self.object.metadata;
        let mut patch = Map::new();
        for referenced in K::REFERENCES {
            let field = Field::read(referenced, metadata, &self.parameters);
            let resolved = field.resolve(self.object, self.directory)?;
            field.write(&resolved, &mut patch);
        }
        Ok((!patch.is_empty()).then(|| {
            json!({
                "metadata": { "resourceVersion": metadata.resource_version, "uid": metadata.uid },
                "spec": { "forProvider": patch },
            })
        }))
    }

    /// Why what a parameter names is not for this object; `None` where all is.
    ///
    /// An id that an author wrote himself must not lead to what another namespace has.
    pub(super) fn not_for(&self) -> Option<String> {
        let namespace = self.object.metadata.namespace.as_deref().unwrap_or_default();
        let mut ids = K::REFERENCES.iter().filter(|referenced| referenced.value == resource::Value::Id);
        ids.find_map(|&Referenced { field, kind, .. }| {
            let id = self.parameters.get(field)?.as_str()?;
            if !is_uuid(id) {
                return Some(format!(
                    "spec.forProvider.{field} is {id:?}, which is no id of a {kind}: write the UUID that \
                     Infisical shows, or name the {kind} in spec.forProvider.{field}Ref"
                ));
            }
            // The server does not mind the case of an id.
            let owner = self.directory.owner(kind, &id.to_ascii_lowercase())?;
            let is_ours = owner.split_once('/').is_some_and(|(within, _)| within == namespace);
            (!is_ours)
                .then(|| format!("spec.forProvider.{field} is {id}, and that {kind} is another namespace's"))
        })
    }
}

/// One parameter with its reference and its selector.
struct Field {
    referenced: Referenced,
    value: Option<String>,
    reference: Option<Reference>,
    selector: Option<Selector>,
    is_ours: bool,
}

impl Field {
    fn read(&referenced: &Referenced, metadata: &ObjectMeta, parameters: &Value) -> Self {
        let field = referenced.field;
        let beside = |suffix: &str| parameters.get(format!("{field}{suffix}")).cloned();
        Self {
            referenced,
            value: parameters.get(field).and_then(Value::as_str).map(str::to_owned),
            // What is read from a spec that was checked can be read.
            reference: beside("Ref").and_then(|value| serde_json::from_value(value).ok()),
            selector: beside("Selector").and_then(|value| serde_json::from_value(value).ok()),
            is_ours: is_ours(metadata, field),
        }
    }

    fn resolve<K: ManagedKind>(
        &self,
        object: &Managed<K>,
        directory: &dyn Directory,
    ) -> Result<Resolved, Unresolved> {
        let owners = object.metadata.owner_references.iter().flatten();
        let controller = owners.clone().find(|owner| owner.controller == Some(true));
        let request = Request {
            current: self.value.as_deref(),
            is_ours: self.is_ours,
            reference: self.reference.as_ref(),
            selector: self.selector.as_ref(),
            controller: controller.map(|owner| &*owner.uid),
        };
        let Referenced { kind, value, .. } = self.referenced;
        match request.look_up(object.metadata.deletion_timestamp.is_some()) {
            LookUp::Nothing => Ok(Resolved { value: self.value.clone(), chosen: None }),
            LookUp::Named(_) => {
                // It is the reference that is looked up by its name.
                let Some(reference) = &self.reference else { return Ok(Resolved::default()) };
                let found = directory.named(kind, &ObjectKey::of(&object.metadata).beside(&reference.name));
                request.named(reference, found.as_ref().map(|entry| candidate(entry, value)).as_ref())
            }
            LookUp::Selected(selector) => {
                let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
                let all = directory.all(kind, namespace);
                let all: Vec<_> = all.iter().map(|entry| candidate(entry, value)).collect();
                request.selected(selector, &all)
            }
        }
    }

    /// Adds to a patch what is not there yet.
    fn write(&self, resolved: &Resolved, patch: &mut Map<String, Value>) {
        let field = self.referenced.field;
        if let Some(value) = resolved.value.as_ref().filter(|value| self.value.as_ref() != Some(value)) {
            patch.insert(field.to_owned(), json!(value));
        }
        let named = self.reference.as_ref().map(|reference| &reference.name);
        if let Some(chosen) = resolved.chosen.as_ref().filter(|chosen| named != Some(chosen)) {
            patch.insert(format!("{field}Ref"), json!({ "name": chosen }));
        }
    }
}

fn candidate(entry: &Entry, value: resource::Value) -> Candidate<'_> {
    Candidate {
        name: &entry.name,
        labels: Some(&entry.labels),
        controller: entry.controller.as_deref(),
        value: match value {
            resource::Value::Id => entry.id.as_deref(),
            resource::Value::Key => entry.key.as_deref(),
        },
    }
}

/// Whether we wrote a parameter, and nobody else.
fn is_ours(metadata: &ObjectMeta, field: &str) -> bool {
    let field = format!("f:{field}");
    let writes = |manager: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        let fields = manager.fields_v1.as_ref()?;
        fields.0.get("f:spec")?.get("f:forProvider")?.get(&field)?;
        Some(manager.manager.as_deref() == Some(FIELD_MANAGER))
    };
    let mut managers = metadata.managed_fields.iter().flatten().filter_map(writes).peekable();
    managers.peek().is_some() && managers.all(|is_ours| is_ours)
}
