//! The running world of the cases: the control plane, the functions installed
//! as packages, and XRs with an Infisical behind each.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_infisical::{FakeInfisical, Options, Request, Settings, Variant};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::DynamicObject};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    cluster::{self, annotate, api, condition, is_true, named, now, until, watch},
    control_plane::{ControlPlane, Folders},
    figure::Figures,
    functions::{Compose, FunctionProcess, Served, Templates, serve},
    package::{self, Registry},
    process::Process,
    tools::Tools,
    xrs::{self, Xr},
};

/// For things that take milliseconds, on a machine that does other things too.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// The package under test.
pub(crate) const FUNCTION: &str = "function-infisical";
/// All packages.
const FUNCTIONS: [&str; 4] = [FUNCTION, "function-compose", "function-go-templating", "function-auto-ready"];

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) plane: ControlPlane,
    pub(crate) function: FunctionProcess,
    pub(crate) figures: Figures,
    secrets: Mutex<Vec<String>>,
    pub(crate) folders: Folders,
    /// Of this repository.
    pub(crate) root: PathBuf,
    /// What there is of Crossplane's sources.
    pub(crate) crossplane_source: PathBuf,
    /// External Secrets Operator.
    external_secrets: PathBuf,
    /// Where the functions are, in the order of their names.
    ports: [u16; 4],
    _harness: [Served; 2],
    _auto_ready: FunctionProcess,
    registry: Registry,
}

impl World {
    /// Starts everything and installs the functions.
    pub(crate) async fn start(tools: &Tools, folders: Folders, root: &Path, binary: &Path) -> Self {
        let registry = Registry::start(tools, &folders);
        let plane = ControlPlane::start(tools, &folders).await;
        let client = plane.client.clone();

        let published = package::publish_function(tools, &folders, &registry, root, binary).await;
        let binary = folders.run.join(FUNCTION);
        package::extract_binary(&published.expect("a package"), &binary).expect("the package has the binary");
        for name in FUNCTIONS.iter().skip(1) {
            package::publish_metadata(tools, &folders, &registry, name).await.expect("a package");
        }

        let mut certificates = std::collections::BTreeMap::new();
        for name in FUNCTIONS {
            let dir = folders.run.join(format!("{name}-certs"));
            plane.authority.write(&dir, &plane.authority.server());
            certificates.insert(name, dir);
        }
        let function = FunctionProcess::start(FUNCTION, &binary, &certificates[FUNCTION], &folders.logs);
        let compose = serve(Arc::new(Compose), &certificates["function-compose"]).await;
        let templates = serve(Arc::new(Templates), &certificates["function-go-templating"]).await;
        let auto_ready = tools.path("function-auto-ready");
        let auto_ready = FunctionProcess::start(
            "function-auto-ready",
            &auto_ready,
            &certificates["function-auto-ready"],
            &folders.logs,
        );
        let ports = [function.port, compose.port, templates.port, auto_ready.port];
        for (name, port) in FUNCTIONS.into_iter().zip(ports) {
            install(&client, &registry, name, port, &certificates[name]).await;
        }
        xrs::define(&client).await;
        let figures = Figures::default();
        Self {
            client,
            plane,
            function,
            figures,
            secrets: Mutex::default(),
            folders,
            root: root.to_owned(),
            crossplane_source: tools.manifests_of("crossplane"),
            external_secrets: tools.path("external-secrets"),
            ports,
            _harness: [compose, templates],
            _auto_ready: auto_ready,
            registry,
        }
    }

    /// The kinds of External Secrets Operator, as it has them itself.
    pub(crate) fn kinds_of_external_secrets(&self) -> PathBuf {
        self.external_secrets.with_file_name("config").join("crds/bases")
    }

    /// Starts External Secrets Operator, which ends when what is returned is dropped.
    /// Its kinds have to be there.
    pub(crate) fn start_external_secrets(&self) -> Process {
        let mut operator = Command::new(&self.external_secrets);
        operator.env("KUBECONFIG", self.folders.file("admin.kubeconfig")).args([
            "--metrics-addr=127.0.0.1:0",
            "--enable-cluster-store-reconciler=false",
            "--enable-cluster-external-secret-reconciler=false",
            "--enable-cluster-push-secret-reconciler=false",
            "--enable-push-secret-reconciler=false",
        ]);
        Process::start("external-secrets", &mut operator, &self.folders.logs)
    }

    /// Where Crossplane finds the function from now on.
    pub(crate) async fn point_to(&self, port: u16) {
        point(&self.client, FUNCTION, &at(port)).await;
    }

    /// The same with what Crossplane's client dials.
    pub(crate) async fn point_to_endpoint(&self, endpoint: &str) {
        point(&self.client, FUNCTION, endpoint).await;
    }

    /// The package under test, as a Function names it.
    pub(crate) fn package(&self) -> String {
        self.registry.reference(FUNCTION)
    }

    /// Again without a runtime for packages, for which the harness stands in from now on.
    pub(crate) async fn play_runtime(&mut self) {
        self.restart_crossplane(&[]).await;
        for (name, port) in FUNCTIONS.into_iter().zip(self.ports) {
            point(&self.client, name, &at(port)).await;
        }
    }

    /// SIGKILLs Crossplane and starts it with these flags.
    pub(crate) async fn restart_crossplane(&mut self, flags: &[&str]) {
        self.plane.kill_crossplane().await;
        self.plane.start_crossplane(&self.folders, flags);
    }

    /// SIGKILLs the function and starts it.
    pub(crate) async fn restart_function(&mut self) {
        self.function.kill().await;
        self.function.start_again();
    }

    /// After a case that failed halfway: everything as it was at the start.
    pub(crate) async fn recover(&mut self) {
        for ended in self.plane.ended().into_iter().chain(self.function.ended()) {
            println!("{ended}");
        }
        self.restart_function().await;
        self.play_runtime().await;
    }

    /// Searches the logs of all processes for the secrets of all cases.
    pub(crate) fn print_leaks(&self) -> bool {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let logs = std::fs::read_dir(&self.folders.logs).into_iter().flatten().flatten();
        let mut is_tight = true;
        for log in logs.map(|entry| entry.path()) {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if secrets.iter().any(|secret| text.contains(secret.as_str())) || text.contains("marker-password")
            {
                println!("a secret is in {}", log.display());
                is_tight = false;
            }
        }
        println!("{} secrets searched for in the logs", secrets.len());
        is_tight
    }

    /// The instance that the harness composes is ready from the moment on that
    /// this returns.
    pub(crate) async fn make_available(&self, xr: &Xr) -> Instant {
        let name = format!("{}-infisical", self.composite_name(xr).await);
        self.make_deployment_available(&xr.namespace, &name).await
    }

    /// The deployment controller and the kubelet, in one.
    pub(crate) async fn make_deployment_available(&self, namespace: &str, name: &str) -> Instant {
        let deployments = api(&self.client, "apps/v1", "Deployment", Some(namespace));
        let deployment =
            until("the Deployment is composed", SOON, async || deployments.get(name).await.ok()).await;
        let generation = deployment.metadata.generation;
        let condition = json!({
            "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({
            "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "conditions": [condition],
        });
        let begin = now();
        cluster::patch_status(&deployments, name, &status).await;
        begin
    }

    /// The same for a `StatefulSet`.
    pub(crate) async fn make_stateful_set_ready(&self, namespace: &str, name: &str) {
        let sets = api(&self.client, "apps/v1", "StatefulSet", Some(namespace));
        let set = until("the StatefulSet is composed", SOON, async || sets.get(name).await.ok()).await;
        let status = json!({
            "observedGeneration": set.metadata.generation, "replicas": 1, "readyReplicas": 1,
            "currentReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "currentRevision": "a",
            "updateRevision": "a",
        });
        cluster::patch_status(&sets, name, &status).await;
    }

    /// The name of the XR: its own, or what Crossplane made of the claim's.
    pub(crate) async fn composite_name(&self, xr: &Xr) -> String {
        if !xr.is_claim() {
            return xr.name.clone();
        }
        let claims = self.xrs(xr);
        let of_claim =
            |claim: DynamicObject| claim.data["spec"]["resourceRef"]["name"].as_str().map(str::to_owned);
        until("the claim has an XR", SOON, async || of_claim(claims.get(&xr.name).await.ok()?)).await
    }

    /// The API that an XR or claim belongs to.
    pub(crate) fn xrs(&self, xr: &Xr) -> Api<DynamicObject> {
        api(&self.client, xr.api_version, xr.kind, xr.is_namespaced.then_some(xr.namespace.as_str()))
    }

    pub(crate) fn secrets_of(&self, xr: &Xr) -> Api<DynamicObject> {
        api(&self.client, "v1", "Secret", Some(&xr.namespace))
    }

    /// Waits until a condition of the XR says so.
    pub(crate) async fn until_condition(&self, xr: &Xr, kind: &'static str, reason: &'static str) -> Value {
        let is_so =
            move |object: &DynamicObject| condition(object, kind).is_some_and(|it| it["reason"] == reason);
        let object = watch(&format!("{kind} is {reason}"), SOON, &self.xrs(xr), &xr.name, is_so).await;
        condition(&object, kind).cloned().unwrap_or_default()
    }

    /// Has the XR reconciled some times more, each with at least so many calls.
    pub(crate) async fn reconcile_again(&self, xr: &Xr, calls: u64) {
        let called = async || self.plane.sent(&[FUNCTION]).await[0];
        for nth in 0..3 {
            let before = called().await;
            annotate(&self.xrs(xr), &xr.name, &nth.to_string()).await;
            let is_reconciled = async || (called().await >= before + calls).then_some(());
            until("the XR is reconciled", SOON, is_reconciled).await;
        }
    }

    /// Waits until the XR is ready, and checks what every case ends with: the
    /// token works, and there was one bootstrap.
    pub(crate) async fn ends_well(&self, xr: &Xr, fake: &FakeInfisical) {
        self.ends_well_within(xr, fake, SOON).await;
    }

    pub(crate) async fn ends_well_within(&self, xr: &Xr, fake: &FakeInfisical, limit: Duration) {
        self.is_connected(xr, fake, limit).await;
        let bootstraps = fake.bootstraps();
        assert_eq!(bootstraps.successful, 1, "one bootstrap, not {bootstraps:?}");
        assert_eq!(fake.super_admins().len(), 1, "one super admin");
    }

    /// Waits until the XR is ready, with a token that works.
    pub(crate) async fn is_connected(&self, xr: &Xr, fake: &FakeInfisical, limit: Duration) {
        let is_ready =
            |object: &DynamicObject| is_true(object, "Ready") && is_true(object, "InfisicalTokenValid");
        watch("the XR is ready", limit, &self.xrs(xr), &xr.name, is_ready).await;
        let token = self.token(xr).await.expect("a ready XR has a token");
        assert!(fake.token_works(&token), "the server refuses the token in the connection Secret");
        self.remember(xr, token).await;
    }

    /// So that they are searched for at the end.
    async fn remember(&self, xr: &Xr, token: String) {
        let admin = format!("{}-admin", self.composite_name(xr).await);
        let password = self.key_of(xr, &admin, "password").await;
        let client_secret = self.identity(xr).await.map(|(_, client_secret)| client_secret);
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in [Some(token), password, client_secret].into_iter().flatten() {
            // As a manifest has it.
            secrets.push(STANDARD.encode(&secret));
            secrets.push(secret);
        }
    }

    /// Client ID and secret of what was handed off.
    pub(crate) async fn identity(&self, xr: &Xr) -> Option<(String, String)> {
        let name = format!("{}-identity", self.composite_name(xr).await);
        Some((self.key_of(xr, &name, "clientId").await?, self.key_of(xr, &name, "clientSecret").await?))
    }

    /// The token in the connection Secret.
    pub(crate) async fn token(&self, xr: &Xr) -> Option<String> {
        self.key(xr, xr.token_key).await
    }

    /// What a key of the connection Secret holds.
    pub(crate) async fn key(&self, xr: &Xr, key: &str) -> Option<String> {
        let name = match &xr.connection_secret {
            Some(name) => name.clone(),
            None => format!("{}-connection", self.composite_name(xr).await),
        };
        self.key_of(xr, &name, key).await
    }

    pub(crate) async fn key_of(&self, xr: &Xr, name: &str, key: &str) -> Option<String> {
        let secrets = Api::<Secret>::namespaced(self.client.clone(), &xr.namespace);
        let value = secrets.get_opt(name).await.expect("Secrets can be read")?.data?.remove(key)?;
        Some(String::from_utf8(value.0).expect("text"))
    }

    /// Deletes the XRs of a case, so that nobody works on them during the next.
    pub(crate) async fn clear(&self) {
        for kind in xrs::KINDS {
            let all = api(&self.client, xrs::API_VERSION, kind, None);
            for object in all.list(&kube::api::ListParams::default()).await.into_iter().flatten() {
                let namespace = object.metadata.namespace.as_deref();
                let name = object.metadata.name.unwrap_or_default();
                let one = api(&self.client, xrs::API_VERSION, kind, namespace);
                drop(one.delete(&name, &kube::api::DeleteParams::default()).await);
            }
        }
        let all: Vec<_> =
            xrs::KINDS.iter().map(|kind| api(&self.client, xrs::API_VERSION, kind, None)).collect();
        let end = now() + SOON;
        for kind in &all {
            while now() < end {
                let left = kind.list(&kube::api::ListParams::default().limit(1)).await;
                if left.is_ok_and(|left| left.items.is_empty()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Starts an Infisical, whose tokens work nowhere else.
pub(crate) async fn infisical(variant: Variant) -> FakeInfisical {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let (settings, seed) =
        (Settings { variant, ..Settings::default() }, SEED.fetch_add(1, Ordering::Relaxed));
    FakeInfisical::start(Options { settings, seed, ..Options::default() }).await.expect("a fake can listen")
}

/// Somebody else sets an instance up, past the function, as the Infisical CLI or
/// the Helm chart's Job does. Gives the token that they have then.
pub(crate) fn bootstrap_elsewhere(fake: &FakeInfisical, password: &str) -> String {
    let body = json!({ "email": "platform@example.org", "password": password, "organization": "Acme" });
    let answer = fake.ask(&Request::new("POST", "/api/v1/admin/bootstrap").json(&body));
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    answer["identity"]["credentials"]["token"].as_str().expect("a token").to_owned()
}

/// Makes a Secret of a user.
pub(crate) async fn secret(client: &Client, namespace: &str, name: &str, data: &[(&str, &str)]) {
    let data: serde_json::Map<_, _> =
        data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": namespace }, "stringData": data,
    });
    cluster::apply(client, &secret).await;
}

async fn install(client: &Client, registry: &Registry, name: &str, port: u16, certificates: &Path) {
    let function = json!({
        "apiVersion": "pkg.crossplane.io/v1", "kind": "Function", "metadata": named(name),
        "spec": { "package": registry.reference(name) },
    });
    cluster::apply(client, &function).await;
    // What a package runtime does: the Secret with the certificate, and where
    // the function is.
    let file = |name: &str| std::fs::read_to_string(certificates.join(name)).expect("it was written");
    let files = ["tls.crt", "tls.key", "ca.crt"].map(|name| (name, file(name)));
    let data: Vec<_> = files.iter().map(|(name, content)| (*name, content.as_str())).collect();
    let tls = format!("{name}-tls-server");
    secret(client, crate::NAMESPACE, &tls, &data).await;
    point(client, name, &at(port)).await;
    let functions = api(client, "pkg.crossplane.io/v1", "Function", None);
    watch("the package is installed", SOON, &functions, name, |function| {
        is_true(function, "Installed") && is_true(function, "Healthy")
    })
    .await;
}

fn at(port: u16) -> String {
    format!("dns:///localhost:{port}")
}

async fn point(client: &Client, name: &str, endpoint: &str) {
    let revisions = api(client, "pkg.crossplane.io/v1", "FunctionRevision", None);
    let of_function = kube::api::ListParams::default().labels(&format!("pkg.crossplane.io/package={name}"));
    let revision = until("the package has a revision", SOON, async || {
        revisions.list(&of_function).await.ok()?.items.into_iter().next()?.metadata.name
    })
    .await;
    let status = json!({
        "apiVersion": "pkg.crossplane.io/v1", "kind": "FunctionRevision",
        "status": {
            "endpoint": endpoint,
            "tlsServerSecretName": format!("{name}-tls-server"),
            "conditions": [{
                "type": "RuntimeHealthy", "status": "True", "reason": "HealthyPackageRuntime",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    });
    cluster::apply_status(&revisions, &revision, &status).await;
}
