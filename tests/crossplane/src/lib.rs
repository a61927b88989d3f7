//! The part that Crossplane plays around one step of a pipeline.
//!
//! A [`Crossplane`] is a control plane with one XR in it: it makes the requests
//! that the step is called with out of what is in the cluster, and applies the
//! responses as Crossplane does. It knows what was measured of the real one:
//! a response to open requirements is thrown away, a composed resource that is
//! not in the response is deleted, `desired.composite.ready` decides over the
//! composed resources, a namespaced XR fills in its namespace, a legacy XR's
//! connection details come back with the next request. How often it calls in one
//! reconcile is in [`calls`].
//!
//! It has no I/O and no clock. Who calls the function, when, and what is lost on
//! the way is up to the caller, so that a test can play every order of events.

#![expect(clippy::indexing_slicing, reason = "what is missing in a JSON value is null")]

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use function_infisical::contract::proto::v1::{
    Capability, CredentialData, Credentials, Ready, RequestMeta, Resource, RunFunctionRequest,
    RunFunctionResponse, Severity, State, Status, credentials::Source,
};
use prost::Message as _;
use serde_json::{Value, json};

pub mod calls;
mod schema;
pub mod structs;
pub mod templates;

use calls::{Calls, Next};
use structs::{decode, encode};

/// A control plane with one XR.
#[derive(Clone)]
pub struct Crossplane {
    /// The XR as the API server has it.
    pub xr: Value,
    /// The input of the step.
    pub input: Value,
    /// What earlier steps of the pipeline want, by name in the pipeline.
    pub earlier: BTreeMap<String, Earlier>,
    /// The composed resources as the API server has them.
    pub composed: BTreeMap<String, Value>,
    /// What the XRD declares of the XR, as OpenAPI. Without it nothing is published, and
    /// every field is taken.
    pub schema: Option<Value>,
    /// Objects that are there for other reasons, and can be required.
    pub others: Vec<Value>,
    /// The claim that a legacy XR names. Crossplane has written the XR into its
    /// `spec.resourceRef` before it made the XR (v2.3.4, `claim/syncer_ssa.go`).
    pub claim: Option<Value>,
    /// The step's credentials: Secret data by name.
    pub credentials: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// A legacy XR's own connection details.
    pub connection_details: BTreeMap<String, Vec<u8>>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// Seconds after which the step wants to be called again.
    pub ttl: Option<i64>,
    /// What time it is, as a condition's `lastTransitionTime` says it.
    pub now: Option<String>,
    /// How often the step was called in the last reconcile.
    pub called: usize,
    /// What was applied last: of the XR's status, and of composed resources by name.
    applied: (Value, BTreeMap<String, Value>),
    uids: u32,
}

/// What an earlier step wants of one composed resource.
#[derive(Clone)]
pub struct Earlier {
    /// Its manifest.
    pub manifest: Value,
    /// What the step said of its readiness.
    pub ready: Ready,
}

/// An event of the XR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `Warning` or `Normal`.
    pub severity: &'static str,
    /// The reason, where it has one.
    pub reason: String,
    /// The text.
    pub message: String,
}

/// What came of a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The response was applied; whether anything in the cluster changed, which
    /// makes Crossplane reconcile again at once.
    Applied {
        /// Whether anything changed.
        changed: bool,
    },
    /// The step returned a fatal result: nothing was applied.
    Fatal(String),
    /// The XR's status was refused: of it nothing was applied, no condition either.
    Refused(String),
    /// The step's requirements did not come to rest.
    Unstable,
}

impl Crossplane {
    /// A control plane with an XR in it, to which the API server gives a UID.
    #[must_use]
    pub fn new(mut xr: Value, input: Value) -> Self {
        if xr["metadata"]["uid"].is_null() {
            xr["metadata"]["uid"] = json!("6d2f6c5e-0000-4000-8000-000000000001");
        }
        Self {
            claim: claim(&xr),
            xr,
            input,
            earlier: BTreeMap::new(),
            composed: BTreeMap::new(),
            schema: None,
            others: Vec::new(),
            credentials: BTreeMap::new(),
            connection_details: BTreeMap::new(),
            events: Vec::new(),
            ttl: None,
            now: None,
            called: 0,
            applied: (Value::Null, BTreeMap::new()),
            uids: 0,
        }
    }

    /// Adds what an earlier step of the pipeline composes.
    #[must_use]
    pub fn composing(mut self, name: &str, manifest: Value) -> Self {
        self.earlier.insert(name.to_owned(), Earlier { manifest, ready: Ready::Unspecified });
        self
    }

    /// The request of the first call of a reconcile, out of what is in the
    /// cluster now.
    #[must_use]
    pub fn request(&self) -> RunFunctionRequest {
        let composite = Resource {
            resource: Some(encode(&self.xr)),
            connection_details: bytes_of(&self.connection_details),
            ready: Ready::Unspecified.into(),
        };
        let observed = |(name, manifest): (&String, &Value)| {
            (name.clone(), Resource { resource: Some(encode(manifest)), ..Resource::default() })
        };
        let desired = |(name, earlier): (&String, &Earlier)| {
            let (resource, ready) = (Some(encode(&earlier.manifest)), earlier.ready.into());
            (name.clone(), Resource { resource, ready, ..Resource::default() })
        };
        let desired = State { composite: None, resources: self.earlier.iter().map(desired).collect() };
        let credentials = self.credentials.iter().map(|(name, data)| {
            let data = CredentialData { data: bytes_of(data) };
            (name.clone(), Credentials { source: Some(Source::CredentialData(data)) })
        });
        let request = RunFunctionRequest {
            observed: Some(State {
                composite: Some(composite),
                resources: self.composed.iter().filter(|it| self.may_observe(it.1)).map(observed).collect(),
            }),
            // What is on the wire is the same for both types.
            desired: RunFunctionRequest::decode(
                RunFunctionRequestOfState { desired: Some(desired) }.encode_to_vec().as_slice(),
            )
            .ok()
            .and_then(|request| request.desired),
            input: Some(encode(&self.input)),
            credentials: credentials.collect(),
            ..RunFunctionRequest::default()
        };
        RunFunctionRequest { meta: Some(meta(&request)), ..request }
    }

    /// One reconcile: calls the step until its requirements are stable, and
    /// applies its last response.
    ///
    /// # Errors
    /// What the call failed with.
    pub async fn reconcile<E>(
        &mut self,
        mut call: impl AsyncFnMut(RunFunctionRequest) -> Result<RunFunctionResponse, E>,
    ) -> Result<Reconciled, E> {
        let mut calls = Calls::new(self.request());
        loop {
            let response = call(calls.request.clone()).await?;
            let next = calls.take(&response, self);
            self.called = calls.made;
            match next {
                Next::Used => return Ok(self.apply(&response)),
                Next::Again => {}
                Next::Unstable => return Ok(Reconciled::Unstable),
            }
        }
    }

    /// Applies a response as Crossplane does.
    pub fn apply(&mut self, response: &RunFunctionResponse) -> Reconciled {
        self.ttl = response.meta.as_ref().and_then(|meta| meta.ttl).map(|ttl| ttl.seconds);
        let fatal = response.results.iter().find(|result| result.severity() == Severity::Fatal);
        if let Some(fatal) = fatal {
            self.record(response);
            return Reconciled::Fatal(fatal.message.clone());
        }
        let before = (self.xr.clone(), self.composed.clone(), self.connection_details.clone());
        let encoded = response.desired.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
        let desired = State::decode(encoded.as_slice()).unwrap_or_default();

        self.composed.retain(|name, _| desired.resources.contains_key(name));
        for (name, resource) in &desired.resources {
            let manifest = resource.resource.as_deref().map(decode).unwrap_or_default();
            self.apply_composed(name, manifest);
        }
        if let Some(why) = self.refusal(&desired) {
            let (severity, reason) = ("Warning", "ComposeResources".to_owned());
            self.events.push(Event { severity, reason, message: why.clone() });
            return Reconciled::Refused(why);
        }
        self.record(response);
        self.set_conditions(response);
        self.set_ready(&desired);
        if let Some(composite) = &desired.composite {
            for (key, value) in &composite.connection_details {
                self.connection_details.insert(key.clone(), value.to_vec());
            }
            let status = composite.resource.as_deref().map(decode).unwrap_or_default();
            apply(&mut self.xr["status"], &self.applied.0, &status["status"]);
            self.applied.0 = status["status"].clone();
        }
        self.prune();
        let after = (&self.xr, &self.composed, &self.connection_details);
        Reconciled::Applied { changed: after != (&before.0, &before.1, &before.2) }
    }

    /// Sets fields of a composed resource, as its controller would.
    pub fn update(&mut self, name: &str, fields: &Value) {
        if let Some(object) = self.composed.get_mut(name) {
            merge(object, fields);
        }
    }

    /// Marks a composed Deployment as available.
    pub fn make_available(&mut self, name: &str) {
        self.update(
            name,
            &json!({"status": {
                "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
                "readyReplicas": 1, "availableReplicas": 1,
                "conditions": [
                    {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
                ],
            }}),
        );
    }

    /// The decoded data of a composed Secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let data = self.composed.get(name)?["data"].as_object()?;
        let text = |value: &Value| {
            let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Some(data.iter().map(|(key, value)| (key.clone(), text(value))).collect())
    }

    /// Status, reason and message of a condition of the XR.
    #[must_use]
    pub fn condition(&self, condition_type: &str) -> Option<(&str, &str, &str)> {
        let conditions = self.xr["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == condition_type)?;
        let text = |name: &str| condition[name].as_str().unwrap_or_default();
        Some((text("status"), text("reason"), text("message")))
    }

    /// Whether the XR is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|(status, ..)| status == "True")
    }

    fn apply_composed(&mut self, name: &str, mut manifest: Value) {
        if manifest["metadata"]["namespace"].is_null() {
            manifest["metadata"]["namespace"] = self.xr["metadata"]["namespace"].clone();
        }
        self.set_metadata(name, &mut manifest);
        let applied = self.applied.1.get(name).unwrap_or(&Value::Null);
        match self.composed.get_mut(name) {
            // The API server refuses to change the data of an immutable Secret.
            Some(object) if object["immutable"] == true && object["data"] != manifest["data"] => {
                self.events.push(Event {
                    severity: "Warning",
                    reason: "ComposeResources".to_owned(),
                    message: format!("cannot apply composed resource \"{name}\": data is immutable"),
                });
            }
            Some(object) => {
                apply(object, applied, &manifest);
                self.applied.1.insert(name.to_owned(), manifest);
            }
            None => {
                let there = self.others.iter().position(|other| is_same_object(other, &manifest));
                if let Some(why) = there.and_then(|index| self.keeps_from(&self.others[index], &manifest)) {
                    self.events.push(Event {
                        severity: "Warning",
                        reason: "ComposeResources".to_owned(),
                        message: format!("cannot apply composed resource \"{name}\": {why}"),
                    });
                    return;
                }
                let there = there.map(|index| self.others.remove(index));
                self.applied.1.insert(name.to_owned(), manifest.clone());
                // Server-side apply takes over what nobody controls.
                if let Some(mut taken) = there {
                    merge(&mut taken, &manifest);
                    self.composed.insert(name.to_owned(), taken);
                    return;
                }
                self.uids += 1;
                manifest["metadata"]["uid"] = json!(format!("composed-{}", self.uids));
                manifest["metadata"]["generation"] = json!(1);
                self.composed.insert(name.to_owned(), manifest);
            }
        }
    }

    /// Why the API server does not apply the XR's status.
    fn refusal(&self, desired: &State) -> Option<String> {
        let schema = self.schema.as_ref()?;
        let composite = desired.composite.as_ref()?.resource.as_deref().map(decode)?;
        let why = schema::refusal(&schema["properties"]["status"], &composite["status"], ".status")?;
        Some(format!(
            "cannot compose resources: cannot apply composite resource status: failed to create typed patch object: \
             {why}"
        ))
    }

    /// Removes from the XR's status what is not declared, but for what Crossplane adds
    /// to what the XRD declares.
    fn prune(&mut self) {
        let Some(schema) = &self.schema else { return };
        let conditions = self.xr["status"]["conditions"].take();
        schema::prune(&schema["properties"]["status"], &mut self.xr["status"]);
        self.xr["status"]["conditions"] = conditions;
    }

    /// Whether nobody else controls it: what another does is observed as if it were not
    /// there (`ObserveComposedResources`, v2.3.4).
    fn may_observe(&self, manifest: &Value) -> bool {
        let owners = manifest["metadata"]["ownerReferences"].as_array();
        let mut controllers = owners.into_iter().flatten().filter(|owner| owner["controller"] == true);
        controllers.all(|owner| owner["uid"] == self.xr["metadata"]["uid"])
    }

    /// Why an object that is there is not taken over: another controls it, or it is of
    /// another type, which the API server does not let anybody change.
    fn keeps_from(&self, there: &Value, manifest: &Value) -> Option<&'static str> {
        let of_type = |object: &Value| object["type"].as_str().unwrap_or("Opaque").to_owned();
        if !self.may_observe(there) {
            Some("only one reference can have controller set to true")
        } else if there["kind"] == "Secret" && of_type(there) != of_type(manifest) {
            Some("type: field is immutable")
        } else {
            None
        }
    }

    /// Makes the XR the controller, as `RenderComposedResourceMetadata` does (v2.3.4).
    fn set_metadata(&self, name: &str, manifest: &mut Value) {
        manifest["metadata"]["annotations"]["crossplane.io/composition-resource-name"] = json!(name);
        manifest["metadata"]["ownerReferences"] = json!([{
            "apiVersion": self.xr["apiVersion"], "kind": self.xr["kind"],
            "name": self.xr["metadata"]["name"], "uid": self.xr["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }]);
    }

    fn record(&mut self, response: &RunFunctionResponse) {
        for result in &response.results {
            self.events.push(Event {
                severity: if result.severity() == Severity::Normal { "Normal" } else { "Warning" },
                reason: result.reason.clone().unwrap_or_default(),
                message: result.message.clone(),
            });
        }
    }

    fn set_conditions(&mut self, response: &RunFunctionResponse) {
        for condition in &response.conditions {
            let status = match condition.status() {
                Status::ConditionTrue => "True",
                Status::ConditionFalse => "False",
                Status::ConditionUnknown | Status::ConditionUnspecified => "Unknown",
            };
            let message = condition.message.as_deref().unwrap_or_default();
            self.set_condition(&condition.r#type, status, &condition.reason, message);
        }
    }

    fn set_ready(&mut self, desired: &State) {
        let said = desired.composite.as_ref().map_or(Ready::Unspecified, Resource::ready);
        let is_ready = match said {
            Ready::True => true,
            Ready::False => false,
            // What function-auto-ready would say of the rest is left out here.
            Ready::Unspecified => desired.resources.values().all(|resource| resource.ready() != Ready::False),
        };
        let (status, reason) = if is_ready { ("True", "Available") } else { ("False", "Creating") };
        self.set_condition("Ready", status, reason, "");
    }

    fn set_condition(&mut self, condition_type: &str, status: &str, reason: &str, message: &str) {
        let mut fresh =
            json!({"type": condition_type, "status": status, "reason": reason, "message": message});
        if let Some(now) = &self.now {
            fresh["lastTransitionTime"] = json!(now);
        }
        let conditions = &mut self.xr["status"]["conditions"];
        if let Value::Array(conditions) = conditions {
            // Where nothing else has changed, neither does the time.
            let is_the_same = |before: &Value| {
                ["type", "status", "reason", "message"].iter().all(|field| before[field] == fresh[field])
            };
            if conditions.iter().any(is_the_same) {
                return;
            }
            conditions.retain(|condition| condition["type"] != condition_type);
            conditions.push(fresh);
            conditions.sort_by_key(|condition| condition["type"].to_string());
        } else {
            *conditions = json!([fresh]);
        }
    }
}

fn is_same_object(one: &Value, other: &Value) -> bool {
    let metadata = |field: &str| one["metadata"][field] == other["metadata"][field];
    one["apiVersion"] == other["apiVersion"]
        && one["kind"] == other["kind"]
        && metadata("name")
        && metadata("namespace")
}

/// Made once for all calls of a reconcile, of what the first is called with.
/// Crossplane's tag is a SHA-256 of the same, and no step reads it.
fn meta(request: &RunFunctionRequest) -> RequestMeta {
    let mut hasher = DefaultHasher::new();
    request.encode_to_vec().hash(&mut hasher);
    RequestMeta {
        tag: format!("{:016x}", hasher.finish()),
        capabilities: vec![
            Capability::Capabilities.into(),
            Capability::RequiredResources.into(),
            Capability::Credentials.into(),
            Capability::Conditions.into(),
            Capability::RequiredSchemas.into(),
        ],
    }
}

/// The claim that an XR names, bound to it.
fn claim(xr: &Value) -> Option<Value> {
    let claim = xr["spec"]["claimRef"].as_object()?;
    Some(json!({
        "apiVersion": claim.get("apiVersion"), "kind": claim.get("kind"),
        "metadata": {"name": claim.get("name"), "namespace": claim.get("namespace")},
        "spec": {"resourceRef": {
            "apiVersion": xr["apiVersion"], "kind": xr["kind"], "name": xr["metadata"]["name"],
        }},
    }))
}

/// The part of a request that is desired state, with all of it decoded.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct RunFunctionRequestOfState {
    #[prost(message, optional, tag = "3")]
    desired: Option<State>,
}

fn bytes_of<V: AsRef<[u8]>>(
    data: &BTreeMap<String, V>,
) -> BTreeMap<String, function_infisical::contract::proto::Bytes> {
    let copied = |value: &V| function_infisical::contract::proto::Bytes::copy_from_slice(value.as_ref());
    data.iter().map(|(key, value)| (key.clone(), copied(value))).collect()
}

/// Server-side apply, as far as it matters here: what is given is set, what was given
/// the last time and is not any more is removed, and all else stays.
fn apply(object: &mut Value, last: &Value, fields: &Value) {
    remove(object, last, fields);
    merge(object, fields);
}

fn remove(object: &mut Value, last: &Value, fields: &Value) {
    let (Value::Object(object), Value::Object(last)) = (object, last) else { return };
    for (name, last) in last {
        match (fields.get(name).unwrap_or(&Value::Null), object.get_mut(name)) {
            (Value::Null, _) => drop(object.remove(name)),
            (field, Some(value)) => remove(value, last, field),
            (_, None) => {}
        }
    }
}

/// Sets what is given, and leaves the rest.
fn merge(object: &mut Value, fields: &Value) {
    match (object, fields) {
        (_, Value::Null) => {}
        (Value::Object(object), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(object.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (object, fields) => *object = fields.clone(),
    }
}
