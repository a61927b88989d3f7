//! The rights that the provider has: those that Crossplane's RBAC manager grants, and no
//! more. The whole program runs in front of an API server that refuses everything else.

mod api_server;
mod rules;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fake_infisical::{FakeInfisical, Options, Request, Settings, Variant};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, api::PostParams};
use prometheus_client::registry::Registry;
use provider_infisical::{
    api::crd,
    leader::Leadership,
    managed::reconcile::Poll,
    provider::{Provider, Settings as ProviderSettings},
};
use serde_json::{Value, json};

use self::{
    api_server::ApiServer,
    rules::{Asked, Rights},
};

const GROUP: &str = "/apis/infisical.m.crossplane.io/v1beta1";

/// What a step of this takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn infisical() -> (FakeInfisical, String) {
    let settings = Settings { variant: Variant::Lenient, ..Settings::default() };
    let fake = FakeInfisical::start(Options { settings, ..Options::default() }).await.unwrap();
    let admin = json!({ "email": "a@example.org", "password": "marker-password", "organization": "Acme" });
    let answer = fake.ask(&Request::new("POST", "/api/v1/admin/bootstrap").json(&admin));
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let token = answer["identity"]["credentials"]["token"].as_str().unwrap().to_owned();
    (fake, token)
}

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A CRD of the package, which the API server has taken.
fn established(file: &str) -> Value {
    let mut crd = crd::all().into_iter().find(|crd| crd.file.ends_with(file)).unwrap().manifest;
    crd["status"] = json!({ "conditions": [{ "type": "Established", "status": "True" }] });
    crd
}

/// A configuration with its Secret, and a project that an author applied.
fn fill(server: &ApiServer, url: &str, token: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "platform", "name": "infisical" },
        "data": { "host": base64(url), "token": base64(token) },
    });
    server.put("/api/v1/namespaces/platform/secrets", &secret);
    let spec = json!({ "connectionSecretRef": { "namespace": "platform", "name": "infisical" } });
    for (collection, kind, namespace, spec) in [
        ("clusterproviderconfigs", "ClusterProviderConfig", None, &spec),
        (
            "namespaces/team/providerconfigs",
            "ProviderConfig",
            Some("team"),
            &json!({ "connectionSecretRef": { "name": "infisical" } }),
        ),
    ] {
        let config = json!({
            "apiVersion": "infisical.m.crossplane.io/v1beta1", "kind": kind,
            "metadata": { "namespace": namespace, "name": "default" }, "spec": spec,
        });
        server.put(&format!("{GROUP}/{collection}"), &config);
    }
    // Nothing controls it: its managed resource is of an earlier life of the cluster.
    let stale = json!({
        "apiVersion": "infisical.m.crossplane.io/v1beta1", "kind": "ProviderConfigUsage",
        "metadata": { "namespace": "team", "name": "stale" },
        "providerConfigRef": { "kind": "ClusterProviderConfig", "name": "default" },
        "resourceRef": { "apiVersion": "infisical.m.crossplane.io/v1beta1", "kind": "Project", "name": "old" },
    });
    server.put(&format!("{GROUP}/namespaces/team/providerconfigusages"), &stale);
    let project = json!({
        "apiVersion": "infisical.m.crossplane.io/v1beta1", "kind": "Project",
        "metadata": { "namespace": "team", "name": "payments" },
        "spec": {
            "forProvider": { "name": "Payments", "slug": "payments" },
            "writeConnectionSecretToRef": { "name": "payments-connection" },
            // As the CRD's defaults have it.
            "managementPolicies": ["*"],
            "providerConfigRef": { "kind": "ClusterProviderConfig", "name": "default" },
        },
    });
    server.put(&format!("{GROUP}/namespaces/team/projects"), &project);
}

fn base64(text: &str) -> String {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec()))
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

fn is_ready(project: &Value) -> bool {
    let conditions = project["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// From an empty cluster to a project that is ready, and until it is gone again.
async fn live(server: &ApiServer) {
    let (fake, token) = infisical().await;
    fill(server, &fake.url(), &token);
    let client = server.client();
    let (told, stop) = tokio::sync::oneshot::channel::<()>();
    let poll = Poll { usual: Duration::from_mins(1), shortest: Duration::from_secs(10) };
    let provider = Provider::new(
        client.clone(),
        Arc::new(daemon::clock::SystemClock),
        ProviderSettings { poll, concurrency: 10 },
        &mut Registry::default(),
        stop.map(drop).boxed().shared(),
    );
    let leadership = Leadership::wait(client.clone(), "crossplane-system").await;
    let running = leadership.keep(provider.run());
    let projects = format!("{GROUP}/namespaces/team/projects");
    let author = async {
        let what = "watch customresourcedefinitions.apiextensions.k8s.io";
        server.until("it waits until the kind is activated", |all| all.was_asked(what)).await;
        server.put(CRDS, &established("_projects.yaml"));
        server
            .until("the project is ready", |all| all.get(&projects, "payments").is_some_and(is_ready))
            .await;
        server
            .until("the configuration knows its user", |all| {
                let config = all.get(&format!("{GROUP}/clusterproviderconfigs"), "default");
                config.is_some_and(|config| config["status"]["users"] == 1)
            })
            .await;
        server.until("an event is there", |all| all.count("/api/v1/namespaces/team/events") > 0).await;
        server.delete(&projects, "payments");
        server.until("the project is gone", |all| all.get(&projects, "payments").is_none()).await;
        told.send(()).unwrap();
    };
    let ended = tokio::time::timeout(4 * SOON, futures::future::join(running, author)).await;
    assert!(ended.is_ok_and(|(kept, ())| kept), "it does not end by itself: {:?}", server.refused());
}

#[tokio::test]
async fn what_the_provider_asks_for_is_what_the_rbac_manager_grants() {
    let server = ApiServer::new(Rights::of_package());
    live(&server).await;
    assert_eq!(server.refused(), BTreeSet::new(), "the RBAC manager grants none of these");
    let asked: BTreeSet<String> = server.asked().iter().map(Asked::to_string).collect();
    let ours = |resource: &str, verbs: &[&str]| -> Vec<String> {
        verbs.iter().map(|verb| format!("{verb} {resource}.infisical.m.crossplane.io")).collect()
    };
    let expected: BTreeSet<String> = [
        ours("projects", &["list", "patch", "watch"]),
        ours("projects/status", &["patch"]),
        ours("clusterproviderconfigs", &["list", "patch", "watch"]),
        ours("clusterproviderconfigs/status", &["patch"]),
        ours("providerconfigs", &["list", "patch", "watch"]),
        ours("providerconfigs/status", &["patch"]),
        ours("providerconfigusages", &["create", "list", "watch"]),
    ]
    .concat()
    .into_iter()
    .chain(
        [
            "list customresourcedefinitions.apiextensions.k8s.io",
            "watch customresourcedefinitions.apiextensions.k8s.io",
            "get leases.coordination.k8s.io",
            "create leases.coordination.k8s.io",
            "patch leases.coordination.k8s.io",
            "get secrets",
            "create secrets",
            "create events",
        ]
        .map(str::to_owned),
    )
    .collect();
    let may_be: BTreeSet<String> =
        ["watch leases.coordination.k8s.io", "get projects.infisical.m.crossplane.io"]
            .map(str::to_owned)
            .into();
    let missing: Vec<_> = expected.difference(&asked).collect();
    assert!(missing.is_empty(), "this shows nothing of {missing:?}; it asked for {asked:#?}");
    let more: Vec<_> = asked.difference(&expected).filter(|it| !may_be.contains(*it)).collect();
    assert!(more.is_empty(), "not in the table: {more:?}");
}

#[tokio::test]
async fn a_right_that_is_missing_is_noticed() {
    let server = ApiServer::new(Rights::of_package().without("events"));
    let (fake, token) = infisical().await;
    fill(&server, &fake.url(), &token);
    let events: Api<Event> = Api::namespaced(server.client(), "team");
    let (params, event) = (PostParams::default(), Event::default());
    let refused = events.create(&params, &event);
    let Err(kube::Error::Api(status)) = refused.await else { panic!("it is refused") };
    assert_eq!(status.code, 403);
    assert_eq!(server.refused().iter().map(Asked::to_string).collect::<Vec<_>>(), ["create events"]);
}

#[tokio::test(start_paused = true)]
async fn rights_that_come_after_the_start_are_waited_for() {
    let server = ApiServer::new(Rights::of_package());
    server.refuse_next(3);
    let waiting = Leadership::wait(server.client(), "crossplane-system");
    assert!(tokio::time::timeout(SOON, waiting).await.is_ok(), "it leads once it may");
    assert!(!server.refused().is_empty(), "it was refused before");
}
