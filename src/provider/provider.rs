//! The provider as a whole: waits until it leads, starts a controller for each kind whose
//! CRD is there, and ends when it is told to.

use std::{future::Future, sync::Arc, time::Duration};

use daemon::clock::Clock;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Shared},
};
use infisical::client::{Connector as HttpConnector, Limits};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    runtime::{conditions, wait::await_condition},
};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;

use crate::{
    api::{
        additional_privilege::AdditionalPrivilege, client_secret::ClientSecret,
        environment::ProjectEnvironment, folder::SecretFolder, identity::Identity,
        kubernetes_auth::KubernetesAuth, object::GROUP, project::Project, project_identity::ProjectIdentity,
        secret::Secret, universal_auth::UniversalAuth,
    },
    cluster::{cache::Cache, configs::Watched, directory::Kinds, events, events::Recorder, objects::Objects},
    configs,
    connect::{Connector, Served, session},
    controller,
    managed::{
        Means,
        reconcile::{Poll, Reconciler},
    },
    metrics::{self, Count, Gauges},
};

/// How long a request to Infisical may take: a server gives up after a minute.
const REQUEST: Duration = Duration::from_secs(65);

/// How long after a failure a CRD is looked for again. A package's rights come a moment
/// after its Pod.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What requests to Infisical say that they come from.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// What is to be reconciled how.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often.
    pub poll: Poll,
    /// How many of a kind at a time.
    pub concurrency: u16,
}

/// What all controllers share.
struct Common {
    client: Client,
    clock: Arc<dyn Clock>,
    connector: Arc<Connector>,
    kinds: Kinds,
    recorder: Recorder,
    settings: Settings,
}

/// A provider whose controllers can be started.
pub struct Provider {
    /// What runs later: before, another replica may lead.
    tasks: Vec<BoxFuture<'static, ()>>,
    common: Common,
    counts: Vec<Box<dyn Count>>,
    stop: Stop,
}

/// When all has to end.
pub type Stop = Shared<BoxFuture<'static, ()>>;

impl Provider {
    /// All of it; nothing runs before [`Self::run`]. What it counts is added to the registry.
    pub fn new(
        client: Client,
        clock: Arc<dyn Clock>,
        settings: Settings,
        registry: &mut Registry,
        stop: Stop,
    ) -> Self {
        let limits = Limits { request: REQUEST, ..Limits::default() };
        let http = HttpConnector::new(limits).with_user_agent(USER_AGENT);
        http.register_metrics(registry.sub_registry_with_prefix("provider_infisical"));
        let mut tasks: Vec<BoxFuture<'static, ()>> = Vec::new();
        let (recorder, written) = Recorder::new();
        tasks.push(until(stop.clone(), events::write(client.clone(), written)).map(drop).boxed());
        let (watched, changes) = Watched::watch(&client);
        let accounts = configs::account(client.clone(), watched.clone(), changes.boxed());
        tasks.push(until(stop.clone(), accounts).map(drop).boxed());
        let shared = session::Shared::new(Arc::new(http), Arc::clone(&clock)).polled(settings.poll.usual);
        let connector = Arc::new(Connector::new(Arc::new(watched), Arc::new(shared)));
        let common = Common { client, clock, connector, kinds: Kinds::default(), recorder, settings };
        let mut provider = Self { tasks, common, counts: Vec::new(), stop };
        provider.start::<Project>();
        provider.start::<ProjectEnvironment>();
        provider.start::<SecretFolder>();
        provider.start::<Secret>();
        provider.start::<Identity>();
        provider.start::<UniversalAuth>();
        provider.start::<ClientSecret>();
        provider.start::<KubernetesAuth>();
        provider.start::<ProjectIdentity>();
        provider.start::<AdditionalPrivilege>();
        registry.register_collector(Box::new(Gauges(std::mem::take(&mut provider.counts))));
        provider
    }

    /// Runs until it is told to stop, and what is under way is done.
    pub async fn run(self) {
        let mut tasks: JoinSet<()> = self.tasks.into_iter().collect();
        while tasks.join_next().await.is_some() {}
    }

    fn start<K: Served>(&mut self) {
        let Common { client, clock, connector, kinds, recorder, settings } = &self.common;
        let told = kinds.clone();
        let (cache, changed) = Cache::<K>::watch(client, Box::new(move |at| told.tell(K::KIND, at)));
        kinds.add(cache.clone());
        let referred = kinds.changes::<K>();
        self.counts.push(Box::new(metrics::Objects(cache.store())));
        let store = cache.store();
        let objects =
            Objects { client: client.clone(), cache, recorder: recorder.clone(), clock: Arc::clone(clock) };
        let connect: Arc<Connector> = Arc::clone(connector);
        let means = Means {
            cluster: Arc::new(objects),
            connect,
            directory: Arc::new(kinds.clone()),
            clock: Arc::clone(clock),
        };
        let reconciler = Arc::new(Reconciler::new(means, settings.poll));
        let concurrency = settings.concurrency.max(K::AT_ONCE);
        let (stop, client) = (self.stop.clone(), client.clone());
        let task = async move {
            // Kinds that are not activated have no CRD, and cost nothing.
            if until(stop.clone(), established::<K>(client)).await.is_some() {
                tracing::info!(kind = K::KIND, "a controller begins");
                controller::run(reconciler, store, changed, referred, concurrency, stop).await;
            }
        };
        self.tasks.push(task.boxed());
    }
}

/// Does it, unless all has to end before.
async fn until<T>(stop: Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = stop => None,
        done = work => Some(done),
    }
}

/// Waits until a kind's CRD is there.
async fn established<K: Served>(client: Client) {
    let crds: Api<CustomResourceDefinition> = Api::all(client);
    let name = format!("{}.{GROUP}", K::PLURAL);
    while let Err(error) = await_condition(crds.clone(), &name, conditions::is_crd_established()).await {
        tracing::warn!(kind = K::KIND, %error, "cannot look for the CRD");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
