//! A kind of managed resource that only tests know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use provider_infisical::{
    api::{
        object::Named,
        reference::{Reference, Selector},
        resource::{self, Kind, Managed, Referenced, Required},
    },
    managed::external::{ConnectionDetails, Difference, FoundBy, ManagedKind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ObjectKey, Resource, World};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Thing<const MARKED: bool> {}

impl<const MARKED: bool> Named for Thing<MARKED> {
    const KIND: &'static str = "Thing";
    const PLURAL: &'static str = "things";
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<i64>,
    /// It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) colour: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "parentId")]
    pub(crate) parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "parentIdRef")]
    pub(crate) parent_id_ref: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "parentIdSelector")]
    pub(crate) parent_id_selector: Option<Selector>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Observation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) size: i64,
}

impl<const MARKED: bool> Kind for Thing<MARKED> {
    const DESCRIPTION: &'static str = "A thing.";
    const REQUIRED: &'static [Required] = &[Required::Field("name")];
    const REFERENCES: &'static [Referenced] =
        &[Referenced { field: "parentId", kind: "Thing", value: resource::Value::Id }];
    type Parameters = Parameters;
    type Observation = Observation;
}

impl<const MARKED: bool> ManagedKind for Thing<MARKED> {
    type Seen = Resource;
    type Change = i64;
    const FOUND_BY: FoundBy = if MARKED { FoundBy::Mark } else { FoundBy::Key };

    fn id(seen: &Resource) -> &str {
        &seen.id
    }

    fn observation(seen: &Resource) -> Observation {
        Observation { id: Some(seen.id.clone()), size: seen.size }
    }

    fn observed_id(observation: &Observation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &Parameters, seen: &Resource) -> Difference<i64> {
        if wanted.colour.as_ref().is_some_and(|colour| *colour != seen.colour) {
            return Difference::Fixed("spec.forProvider.colour cannot be changed".to_owned());
        }
        match wanted.size {
            Some(size) if size != seen.size => Difference::Change(size),
            _ => Difference::None,
        }
    }

    fn complete(wanted: &Parameters) -> Result<(), &'static str> {
        wanted.name.as_ref().map(|_| ()).ok_or("name")
    }

    fn with_key(wanted: &Parameters, key: &str) -> Option<Parameters> {
        (!MARKED).then(|| Parameters { name: Some(key.to_owned()), ..wanted.clone() })
    }

    fn unavailable(seen: &Resource) -> Option<String> {
        (seen.size < 0).then(|| "it is too small".to_owned())
    }

    fn late_initialize(wanted: &Parameters, seen: &Resource) -> Option<Parameters> {
        let late = Parameters { colour: Some(seen.colour.clone()), ..wanted.clone() };
        wanted.colour.is_none().then_some(late)
    }

    fn connection_details(seen: &Resource) -> ConnectionDetails {
        ConnectionDetails([("id".to_owned(), seen.id.clone().into_bytes())].into())
    }
}

/// What an author writes.
pub(crate) struct Author<'a, const MARKED: bool>(pub(crate) &'a World<MARKED>, pub(crate) ObjectKey);

pub(crate) fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { namespace: namespace.to_owned(), name: name.to_owned() }
}

impl<const MARKED: bool> World<MARKED> {
    pub(crate) fn author(&self, namespace: &str, name: &str) -> Author<'_, MARKED> {
        Author(self, key(namespace, name))
    }

    /// Somebody makes a resource by hand.
    pub(crate) fn by_hand(&self, name: &str) -> String {
        let mut state = self.state();
        let id = state.id();
        state.resources.push(Resource {
            id: id.clone(),
            name: name.to_owned(),
            size: 7,
            colour: "blue".to_owned(),
            mark: String::new(),
        });
        id
    }
}

impl<const MARKED: bool> Author<'_, MARKED> {
    /// Applies an object.
    pub(crate) fn apply(&self, spec: &Value) -> &Self {
        self.apply_with(spec, &json!({}))
    }

    pub(crate) fn apply_with(&self, spec: &Value, annotations: &Value) -> &Self {
        let seconds = self.0.state().seconds;
        let mut state = self.0.state();
        let version = state.version();
        let created = jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let object = json!({
            "apiVersion": "infisical.m.crossplane.io/v1beta1",
            "kind": "Thing",
            "metadata": {
                "namespace": self.1.namespace,
                "name": self.1.name,
                "uid": format!("uid-{version}"),
                "resourceVersion": version,
                "generation": 1,
                "creationTimestamp": created.to_string(),
                "annotations": annotations,
            },
            "spec": spec,
        });
        state.objects.insert(self.1.clone(), object);
        self
    }

    pub(crate) fn edit(&self, patch: &Value) -> &Self {
        self.0.state().write(&self.1, patch);
        self
    }

    pub(crate) fn annotate(&self, name: &str, value: &str) -> &Self {
        self.edit(&json!({ "metadata": { "annotations": { name: value } } }))
    }

    /// Asks for the object to be deleted.
    pub(crate) fn delete(&self) -> &Self {
        let now = jiff::Timestamp::from_second(1_800_000_000 + self.0.state().seconds).unwrap();
        self.edit(&json!({ "metadata": { "deletionTimestamp": now.to_string() } }))
    }

    pub(crate) fn settle(&self) -> usize {
        self.0.settle(&self.1)
    }

    pub(crate) fn object(&self) -> Option<Managed<Thing<MARKED>>> {
        let object = self.0.state().objects.get(&self.1).cloned();
        object.map(|object| serde_json::from_value(object).unwrap())
    }

    pub(crate) fn metadata(&self) -> ObjectMeta {
        self.object().unwrap().metadata
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<String> {
        self.metadata().annotations.unwrap_or_default().get(name).cloned()
    }

    /// `Type=Reason: message` of both conditions.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let conditions = self.object().unwrap().status.unwrap_or_default().conditions;
        let say = |it: &provider_infisical::api::resource::Condition| {
            let colon = if it.message.is_empty() { "" } else { ": " };
            format!("{}={}{colon}{}", it.type_, it.reason, it.message)
        };
        let mut said: Vec<_> = conditions.iter().map(say).collect();
        said.sort();
        said
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.conditions() == ["Ready=Available", "Synced=ReconcileSuccess"]
    }

    pub(crate) fn events(&self) -> Vec<String> {
        let state = self.0.state();
        state.events.iter().filter(|(at, ..)| *at == self.1).map(|(_, reason, _)| reason.clone()).collect()
    }

    pub(crate) fn resource(&self) -> Option<Resource> {
        let name = self.annotation("crossplane.io/external-name")?;
        self.0.state().resources.iter().find(|resource| resource.id == name).cloned()
    }
}
