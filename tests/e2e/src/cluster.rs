//! Objects of the cluster, as a user with kubectl sees them.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    core::{GroupVersion, GroupVersionKind},
    runtime::wait::await_condition,
};
use serde_json::Value;

/// Who the harness is to server-side apply.
const MANAGER: &str = "e2e";

/// An API of a kind whose plural is regular.
pub(crate) fn api(
    client: &Client,
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    let GroupVersion { group, version } = api_version.parse().expect("an apiVersion");
    let resource = ApiResource::from_gvk(&GroupVersionKind { group, version, kind: kind.to_owned() });
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// The API that an object belongs to.
pub(crate) fn api_of(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |value: &Value| value.as_str().map(str::to_owned).expect("an object says what it is");
    let namespace = object["metadata"]["namespace"].as_str();
    api(client, &text(&object["apiVersion"]), &text(&object["kind"]), namespace)
}

/// Server-side apply.
pub(crate) async fn apply(client: &Client, object: &Value) {
    let name = object["metadata"]["name"].as_str().expect("an object has a name");
    let params = PatchParams::apply(MANAGER).force();
    let applied = api_of(client, object).patch(name, &params, &Patch::Apply(object)).await;
    applied.unwrap_or_else(|error| panic!("cannot apply {} {name}: {error}", object["kind"]));
}

/// The same, of a file that a user has: a field that there is not is an error.
pub(crate) async fn apply_strictly(client: &Client, object: &Value) {
    let name = object["metadata"]["name"].as_str().expect("an object has a name");
    let params = PatchParams::apply(MANAGER).force().validation_strict();
    let applied = api_of(client, object).patch(name, &params, &Patch::Apply(object)).await;
    applied.unwrap_or_else(|error| panic!("cannot apply {} {name}: {error}", object["kind"]));
}

/// Server-side apply to the status of an object.
pub(crate) async fn apply_status(api: &Api<DynamicObject>, name: &str, object: &Value) {
    let applied = api.patch_status(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object)).await;
    applied.unwrap_or_else(|error| panic!("cannot apply the status of {name}: {error}"));
}

/// Merges into the status of an object.
pub(crate) async fn patch_status(api: &Api<DynamicObject>, name: &str, status: &Value) {
    let patch = serde_json::json!({ "status": status });
    let patched = api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    patched.unwrap_or_else(|error| panic!("cannot set the status of {name}: {error}"));
}

/// Changes an object in a way that means nothing, so that whoever watches it looks.
pub(crate) async fn annotate(api: &Api<DynamicObject>, name: &str, value: &str) {
    let patch = serde_json::json!({ "metadata": { "annotations": { "e2e.example.org/is": value } } });
    let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    patched.unwrap_or_else(|error| panic!("cannot annotate {name}: {error}"));
}

/// A namespace that may be there already.
pub(crate) async fn namespace(client: &Client, name: &str) {
    let namespace = Namespace { metadata: named(name), ..Namespace::default() };
    let created = Api::all(client.clone()).create(&PostParams::default(), &namespace).await;
    match created {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("cannot create namespace {name}: {error}"),
    }
}

pub(crate) fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(now() < end, "waited {limit:?} for nothing: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Watches an object until it is as it should be.
pub(crate) async fn watch(
    what: &str,
    limit: Duration,
    api: &Api<DynamicObject>,
    name: &str,
    is_so: impl Fn(&DynamicObject) -> bool + Clone,
) -> DynamicObject {
    let condition = |object: Option<&DynamicObject>| object.is_some_and(&is_so);
    match tokio::time::timeout(limit, await_condition(api.clone(), name, condition)).await {
        Ok(Ok(Some(object))) => object,
        Ok(other) => panic!("cannot watch {name} ({what}): {other:?}"),
        Err(_) => {
            let last = api.get_opt(name).await;
            let last = last.map(|object| object.map(|object| redacted(&object))).unwrap_or_default();
            panic!("waited {limit:?} for nothing: {what}; {name} is {}", last.unwrap_or_default())
        }
    }
}

/// Severity, reason and message of the events of objects of a name.
pub(crate) async fn events(client: &Client, name: &str) -> Vec<[String; 3]> {
    let of_object = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let events = api(client, "v1", "Event", None).list(&of_object).await;
    let text = |event: &DynamicObject, name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
    let columns = |event| ["type", "reason", "message"].map(|name| text(event, name));
    events.iter().flatten().map(columns).collect()
}

/// The status of a condition.
pub(crate) fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<&'a Value> {
    object.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

pub(crate) fn is_true(object: &DynamicObject, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

fn redacted(object: &DynamicObject) -> String {
    let mut data = object.data.clone();
    if let Some(secret) = data.get_mut("data").and_then(Value::as_object_mut) {
        secret.values_mut().for_each(|value| *value = "…".into());
    }
    data.to_string()
}

#[expect(clippy::disallowed_methods, reason = "the harness waits for real processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
