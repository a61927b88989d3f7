//! An API server in memory, as far as the provider needs one: objects, merge patches,
//! watches, finalizers, and RBAC.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use provider_infisical::managed::merge;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    SOON,
    rules::{Asked, Rights},
};

/// The collection, with its namespace if it has one, and the name.
type Key = (String, String);

#[derive(Default)]
pub(super) struct Objects {
    all: BTreeMap<Key, Value>,
    version: u64,
    /// Version, collection, type and object of all changes.
    changes: Vec<(u64, String, &'static str, Value)>,
    asked: BTreeSet<Asked>,
    refused: BTreeSet<Asked>,
    /// So many requests are refused before the rights are there.
    early: usize,
}

impl Objects {
    pub(super) fn get(&self, collection: &str, name: &str) -> Option<&Value> {
        self.all.get(&(collection.to_owned(), name.to_owned()))
    }

    /// Whether this was asked for, such as `watch secrets`.
    pub(super) fn was_asked(&self, what: &str) -> bool {
        self.asked.iter().any(|asked| asked.to_string() == what)
    }

    /// How many there are in a collection.
    pub(super) fn count(&self, collection: &str) -> usize {
        self.all.keys().filter(|(of, _)| of == collection).count()
    }

    fn change(&mut self, key: &Key, kind: &'static str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let metadata = &object["metadata"];
        let goes = kind == "DELETED"
            || !metadata["deletionTimestamp"].is_null()
                && metadata["finalizers"].as_array().is_none_or(Vec::is_empty);
        if goes {
            self.all.remove(key);
        } else {
            self.all.insert(key.clone(), object.clone());
        }
        let kind = if goes { "DELETED" } else { kind };
        self.changes.push((self.version, key.0.clone(), kind, object.clone()));
        object
    }

    fn add(&mut self, collection: &str, mut object: Value) -> Value {
        let next = self.version + 1;
        let metadata = &mut object["metadata"];
        if metadata["name"].is_null() {
            metadata["name"] =
                json!(format!("{}{next}", metadata["generateName"].as_str().unwrap_or_default()));
        }
        metadata["uid"] = json!(format!("uid-{next}"));
        metadata["generation"] = json!(1);
        metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        let key = (collection.to_owned(), metadata["name"].as_str().unwrap().to_owned());
        self.change(&key, "ADDED", object)
    }

    fn patch(&mut self, key: &Key, patch: &Value) -> (StatusCode, Value) {
        let Some(before) = self.all.get(key) else { return failure(StatusCode::NOT_FOUND) };
        let based_on = &patch["metadata"]["resourceVersion"];
        if !based_on.is_null() && *based_on != before["metadata"]["resourceVersion"] {
            return failure(StatusCode::CONFLICT);
        }
        let mut object = before.clone();
        merge::apply(&mut object, patch);
        if object == *before {
            return (StatusCode::OK, object);
        }
        if object["spec"] != before["spec"] {
            object["metadata"]["generation"] =
                json!(before["metadata"]["generation"].as_i64().unwrap_or(1) + 1);
        }
        (StatusCode::OK, self.change(key, "MODIFIED", object))
    }
}

fn failure(status: StatusCode) -> (StatusCode, Value) {
    // "NotFound": clients go by it.
    let reason = status.canonical_reason().unwrap_or_default().replace(' ', "");
    (
        status,
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": status.as_u16() }),
    )
}

/// The server.
#[derive(Clone)]
pub(super) struct ApiServer {
    objects: Arc<Mutex<Objects>>,
    rights: Arc<Rights>,
    changed: watch::Sender<u64>,
}

impl ApiServer {
    pub(super) fn new(rights: Rights) -> Self {
        Self { objects: Arc::default(), rights: Arc::new(rights), changed: watch::Sender::new(0) }
    }

    /// A client whose rights those are.
    pub(super) fn client(&self) -> kube::Client {
        let this = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let this = this.clone();
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        kube::Client::new(service, "default")
    }

    /// Its next requests come before its rights.
    pub(super) fn refuse_next(&self, requests: usize) {
        self.objects().early = requests;
    }

    /// Makes an object, past RBAC.
    pub(super) fn put(&self, collection: &str, object: &Value) {
        self.objects().add(collection, object.clone());
        self.tell();
    }

    /// Deletes one as its author does.
    pub(super) fn delete(&self, collection: &str, name: &str) {
        let patch = json!({ "metadata": { "deletionTimestamp": "2026-01-02T00:00:00Z" } });
        self.objects().patch(&(collection.to_owned(), name.to_owned()), &patch);
        self.tell();
    }

    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Objects) -> bool) {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !is_so(&self.objects()) {
                changes.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(SOON, wait).await;
        assert!(
            waited.is_ok(),
            "waited for nothing: {what}; asked: {:#?}; refused: {:?}",
            self.asked(),
            self.refused()
        );
    }

    pub(super) fn asked(&self) -> BTreeSet<Asked> {
        self.objects().asked.clone()
    }

    pub(super) fn refused(&self) -> BTreeSet<Asked> {
        self.objects().refused.clone()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap()
    }

    fn tell(&self) {
        let version = self.objects().version;
        self.changed.send_replace(version);
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let target = Target::of(head.uri.path(), head.uri.query().unwrap_or_default());
        let asked = target.asked(&head.method);
        let is_early = {
            let mut objects = self.objects();
            let early = objects.early;
            objects.early = early.saturating_sub(1);
            early > 0
        };
        if is_early || !self.rights.allow(&asked) {
            self.objects().refused.insert(asked);
            return respond(failure(StatusCode::FORBIDDEN));
        }
        self.objects().asked.insert(asked.clone());
        self.tell();
        if asked.verb == "watch" {
            return self.watch(&target).await;
        }
        let answer = self.serve(asked.verb, &target, &body);
        self.tell();
        respond(answer)
    }

    fn serve(&self, verb: &str, target: &Target, body: &Value) -> (StatusCode, Value) {
        let mut objects = self.objects();
        let key = (target.collection.clone(), target.name.clone().unwrap_or_default());
        match verb {
            "get" => objects
                .all
                .get(&key)
                .map_or(failure(StatusCode::NOT_FOUND), |it| (StatusCode::OK, it.clone())),
            "list" => {
                let items: Vec<_> = objects
                    .all
                    .iter()
                    .filter(|(key, _)| target.covers(key))
                    .map(|(_, it)| it.clone())
                    .collect();
                let metadata = json!({ "resourceVersion": objects.version.to_string() });
                (
                    StatusCode::OK,
                    json!({ "apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items }),
                )
            }
            "create" => (StatusCode::CREATED, objects.add(&target.collection, body.clone())),
            "patch" => objects.patch(&key, body),
            _ => failure(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    /// Answers once there is something newer, and ends.
    async fn watch(&self, target: &Target) -> Response<Body> {
        let mut changes = self.changed.subscribe();
        loop {
            let lines: Vec<String> = self
                .objects()
                .changes
                .iter()
                .filter(|(version, collection, _, object)| {
                    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                    *version > target.since && target.covers(&(collection.clone(), name))
                })
                .map(|(.., kind, object)| format!("{}\n", json!({ "type": kind, "object": object })))
                .collect();
            if !lines.is_empty() {
                return Response::new(Body::from(lines.concat().into_bytes()));
            }
            changes.changed().await.unwrap();
        }
    }
}

fn respond((status, body): (StatusCode, Value)) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_string().into_bytes())).unwrap()
}

/// What a path and a query name.
struct Target {
    /// `/api/v1/namespaces/team/secrets`.
    collection: String,
    group: String,
    resource: String,
    subresource: Option<String>,
    name: Option<String>,
    is_watch: bool,
    since: u64,
    /// Of a field selector.
    only: Option<String>,
}

impl Target {
    fn of(path: &str, query: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (base, group) = if parts[0] == "api" { (2, "") } else { (3, parts[1]) };
        let resource = if parts[base] == "namespaces" && parts.len() > base + 2 { base + 2 } else { base };
        let text = |index: usize| parts.get(index).map(|it| (*it).to_owned());
        let parameter = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .map(|it| it.replace("%3D", "="))
        };
        Self {
            collection: format!("/{}", parts[..=resource].join("/")),
            group: group.to_owned(),
            resource: parts[resource].to_owned(),
            name: text(resource + 1),
            subresource: text(resource + 2),
            is_watch: parameter("watch").is_some_and(|it| it == "true" || it == "1"),
            since: parameter("resourceVersion").and_then(|it| it.parse().ok()).unwrap_or_default(),
            only: parameter("fieldSelector")
                .and_then(|it| it.strip_prefix("metadata.name=").map(str::to_owned)),
        }
    }

    fn asked(&self, method: &Method) -> Asked {
        let verb = match (method.as_str(), &self.name) {
            ("GET", None) if self.is_watch => "watch",
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", Some(_)) => "delete",
            _ => "deletecollection",
        };
        let resource = match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.clone(),
        };
        Asked { verb, group: self.group.clone(), resource }
    }

    /// Whether an object is in this collection, or in that of a namespace of it.
    fn covers(&self, (collection, name): &Key) -> bool {
        let (base, resource) = self.collection.rsplit_once('/').unwrap();
        let within = collection.strip_prefix(base).and_then(|rest| rest.strip_suffix(resource));
        let is_within = within.is_some_and(|it| it == "/" || it.starts_with("/namespaces/"));
        is_within && self.only.as_ref().is_none_or(|only| only == name)
    }
}
