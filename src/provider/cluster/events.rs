//! Events about objects, as `kubectl describe` shows them: of core/v1, since the RBAC
//! manager grants no other.

use k8s_openapi::{
    api::core::v1::{Event as CoreEvent, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Api, Client, api::PostParams};
use tokio::sync::mpsc;

use crate::{
    api::{object::API_VERSION, resource::Managed},
    managed::{annotations::Annotations, cluster::Event, external::ManagedKind},
};

/// Events that wait to be written. What comes beyond is dropped: nothing waits for them.
const QUEUE: usize = 256;

/// Who the events are from.
const COMPONENT: &str = "provider-infisical";

/// Takes events, and never waits.
#[derive(Clone, Debug)]
pub struct Recorder(mpsc::Sender<Box<CoreEvent>>);

impl Recorder {
    /// A recorder, and what [`write()`] writes.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Box<CoreEvent>>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Tells of something that happened to an object at a time.
    pub fn tell<K: ManagedKind>(&self, of: &Managed<K>, event: &Event, now: jiff::Timestamp) {
        if self.0.try_send(Box::new(manifest(of, event, now))).is_err() {
            tracing::debug!(reason = event.reason, "an event was dropped");
        }
    }
}

/// Writes events until there can be none any more.
pub async fn write(client: Client, mut events: mpsc::Receiver<Box<CoreEvent>>) {
    while let Some(event) = events.recv().await {
        let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
        let api: Api<CoreEvent> = Api::namespaced(client.clone(), namespace);
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            tracing::debug!(error = %super::error::of(&error), "an event could not be written");
        }
    }
}

fn manifest<K: ManagedKind>(of: &Managed<K>, event: &Event, now: jiff::Timestamp) -> CoreEvent {
    let metadata = &of.metadata;
    let time = k8s_openapi::jiff::Timestamp::from_second(now.as_second()).ok().map(Time);
    let name = metadata.name.as_deref().unwrap_or_default();
    let external = Annotations::of(metadata).external_name().unwrap_or_default();
    CoreEvent {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}.")),
            namespace: metadata.namespace.clone(),
            annotations: Some([("external-name".to_owned(), external.to_owned())].into()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(K::KIND.to_owned()),
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            ..ObjectReference::default()
        },
        type_: Some(if event.is_warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(event.reason.to_owned()),
        message: Some(event.message.clone()),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), ..EventSource::default() }),
        reporting_component: Some(COMPONENT.to_owned()),
        first_timestamp: time.clone(),
        last_timestamp: time,
        count: Some(1),
        ..CoreEvent::default()
    }
}
