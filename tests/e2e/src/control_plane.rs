//! A cluster without nodes: etcd, the API server, the controllers that RBAC and
//! deletion need, and Crossplane as its chart would run it.
//!
//! Crossplane and its RBAC manager are who their service accounts are, with the
//! roles of the chart and nothing else.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

use crate::{
    NAMESPACE,
    certs::{Authority, CrossplaneAuthority, Pair},
    chart,
    cluster::{self, until},
    process::{self, Process, free_port},
    tools::Tools,
};

/// What starts take at most on a busy machine.
const START: Duration = Duration::from_secs(90);

/// Where things are in the folder of a run.
pub(crate) struct Folders {
    pub(crate) run: PathBuf,
    pub(crate) logs: PathBuf,
}

impl Folders {
    pub(crate) fn file(&self, name: &str) -> String {
        self.run.join(name).display().to_string()
    }
}

/// The running control plane.
pub(crate) struct ControlPlane {
    pub(crate) client: Client,
    pub(crate) authority: CrossplaneAuthority,
    /// Crossplane's client certificate, of which it is known by functions.
    pub(crate) crossplane_client: PathBuf,
    core: Option<Process>,
    crossplane: PathBuf,
    metrics_port: u16,
    // Dropped in this order.
    others: Vec<Process>,
}

impl ControlPlane {
    /// Starts everything, with Crossplane as its defaults are.
    pub(crate) async fn start(tools: &Tools, folders: &Folders) -> Self {
        let ca = Authority::new("e2e");
        write(folders, "ca.crt", &ca.certificate());
        let api_server = free_port();
        for (file, user, groups) in [
            ("admin", "e2e-admin", vec!["system:masters"]),
            ("kcm", "system:kube-controller-manager", vec![]),
            (
                "crossplane",
                "system:serviceaccount:crossplane-system:crossplane",
                vec!["system:serviceaccounts"],
            ),
            ("rbac", "system:serviceaccount:crossplane-system:rbac-manager", vec!["system:serviceaccounts"]),
        ] {
            kubeconfig(folders, file, api_server, &ca.user(user, &groups));
        }
        let mut others = start_api_server(tools, folders, &ca, api_server);
        let client = admin_client(folders).await;
        until("the API server answers", START, async || client.apiserver_version().await.ok()).await;
        others.push(start_controllers(tools, folders));
        prepare(&client, tools).await;
        initialize(tools, folders).await;
        others.push(start_rbac_manager(tools, folders));

        let authority = crossplane_authority(&client).await;
        let crossplane_client = crossplane_client(&client, folders).await;
        let crossplane = tools.path("crossplane");
        let mut this =
            Self { client, authority, crossplane_client, core: None, crossplane, metrics_port: 0, others };
        this.start_crossplane(folders, &[]);
        this
    }

    /// Starts Crossplane, with flags after those that it always has.
    pub(crate) fn start_crossplane(&mut self, folders: &Folders, flags: &[&str]) {
        for cache in ["xpkg-cache", "xfn-cache"] {
            // Packages fail to unpack where the folder is not there.
            fs::create_dir_all(folders.run.join(cache)).expect("cannot make a folder");
        }
        self.metrics_port = free_port();
        let mut command = Command::new(&self.crossplane);
        command.args(["core", "start", "--debug", "--package-runtime=External"]).args(flags);
        command
            .env("KUBECONFIG", folders.file("crossplane.kubeconfig"))
            .env("POD_NAMESPACE", NAMESPACE)
            .env("ENABLE_WEBHOOKS", "false")
            .env("XPKG_CACHE_DIR", folders.file("xpkg-cache"))
            .env("XFN_CACHE_DIR", folders.file("xfn-cache"))
            .env("TLS_CLIENT_SECRET_NAME", "crossplane-tls-client")
            .env("TLS_CLIENT_CERTS_DIR", &self.crossplane_client)
            .env("METRICS_PORT", self.metrics_port.to_string())
            .env("HEALTH_PROBE_PORT", free_port().to_string());
        self.core = Some(Process::start("crossplane", &mut command, &folders.logs));
    }

    /// How many requests Crossplane has sent to each of these functions since it was
    /// started, as its own metrics say.
    pub(crate) async fn sent(&self, functions: &[&str]) -> Vec<u64> {
        let metrics = self.metrics().await.expect("Crossplane serves metrics");
        let of = |function: &&str| {
            let label = format!("function_name=\"{function}\"");
            let is_its = |line: &&str| {
                line.starts_with("function_run_function_request_total{") && line.contains(&label)
            };
            let counts = metrics
                .lines()
                .filter(is_its)
                .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
            counts.sum::<u64>()
        };
        functions.iter().map(of).collect()
    }

    async fn metrics(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics_port)).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// What has ended by itself.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        self.core.iter_mut().chain(&mut self.others).filter_map(Process::ended).collect()
    }

    /// SIGKILL.
    pub(crate) async fn kill_crossplane(&mut self) {
        if let Some(core) = self.core.take() {
            core.kill().await;
        }
    }
}

fn start_api_server(tools: &Tools, folders: &Folders, ca: &Authority, port: u16) -> Vec<Process> {
    let (etcd_port, peer_port) = (free_port(), free_port());
    let (etcd_url, peer_url) =
        (format!("http://127.0.0.1:{etcd_port}"), format!("http://127.0.0.1:{peer_port}"));
    let mut etcd = Command::new(tools.path("etcd"));
    etcd.arg(format!("--data-dir={}", folders.file("etcd")))
        .arg(format!("--listen-client-urls={etcd_url}"))
        .arg(format!("--advertise-client-urls={etcd_url}"))
        .arg(format!("--listen-peer-urls={peer_url}"))
        .arg(format!("--initial-advertise-peer-urls={peer_url}"))
        .arg(format!("--initial-cluster=default={peer_url}"));
    let etcd = Process::start("etcd", &mut etcd, &folders.logs);

    let server = ca.server();
    write(folders, "apiserver.crt", &server.certificate);
    write(folders, "apiserver.key", &server.key);
    write(folders, "apiserver.pub", &server.public_key);
    let mut api_server = Command::new(tools.path("kube-apiserver"));
    api_server
        .arg(format!("--etcd-servers={etcd_url}"))
        .arg(format!("--secure-port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
        ])
        .arg(format!("--tls-cert-file={}", folders.file("apiserver.crt")))
        .arg(format!("--tls-private-key-file={}", folders.file("apiserver.key")))
        .arg(format!("--client-ca-file={}", folders.file("ca.crt")))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!("--service-account-key-file={}", folders.file("apiserver.pub")))
        .arg(format!("--service-account-signing-key-file={}", folders.file("apiserver.key")))
        .args(["--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC"])
        .args(["--disable-admission-plugins=ServiceAccount", "--allow-privileged=true"]);
    vec![Process::start("kube-apiserver", &mut api_server, &folders.logs), etcd]
}

/// Aggregates `ClusterRoles`, and deletes what belongs to something deleted.
fn start_controllers(tools: &Tools, folders: &Folders) -> Process {
    let mut controllers = Command::new(tools.path("kube-controller-manager"));
    controllers
        .arg(format!("--kubeconfig={}", folders.file("kcm.kubeconfig")))
        .arg("--controllers=clusterrole-aggregation-controller,garbage-collector-controller,namespace-controller")
        .args(["--leader-elect=false", "--use-service-account-credentials", "--bind-address=127.0.0.1"])
        .arg(format!("--secure-port={}", free_port()))
        .arg(format!("--cert-dir={}", folders.file("kcm-certs")));
    Process::start("kube-controller-manager", &mut controllers, &folders.logs)
}

/// Namespace, roles, and the Secrets that the chart creates empty.
async fn prepare(client: &Client, tools: &Tools) {
    cluster::namespace(client, NAMESPACE).await;
    // Crossplane looks up its own for the functions' Deployments.
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "crossplane", "namespace": NAMESPACE },
    });
    cluster::apply(client, &account).await;
    for role in chart::rbac(&tools.manifests_of("crossplane")) {
        cluster::apply(client, &role).await;
    }
    // What a user adds for a kind that Crossplane may not compose by itself.
    cluster::apply(
        client,
        &json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {
                "name": "compose-statefulsets",
                "labels": { "rbac.crossplane.io/aggregate-to-crossplane": "true" },
            },
            "rules": [{ "apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["*"] }],
        }),
    )
    .await;
    for name in ["crossplane-root-ca", "crossplane-tls-client"] {
        let secret = Secret { metadata: cluster::named(name), ..Secret::default() };
        Api::namespaced(client.clone(), NAMESPACE)
            .create(&PostParams::default(), &secret)
            .await
            .expect("an empty Secret");
    }
    let roles = cluster::api(client, "rbac.authorization.k8s.io/v1", "ClusterRole", None);
    until("Crossplane's role is aggregated", START, async || {
        let role = roles.get("crossplane").await.ok()?;
        role.data["rules"].as_array().is_some_and(|rules| rules.len() > 1).then_some(())
    })
    .await;
}

async fn initialize(tools: &Tools, folders: &Folders) {
    let mut result = Ok(());
    // The first try fails where the CRDs are not served yet.
    for _ in 0..5 {
        let mut init = Command::new(tools.path("crossplane"));
        init.args(["core", "init"])
            .env("KUBECONFIG", folders.file("crossplane.kubeconfig"))
            .env("POD_NAMESPACE", NAMESPACE)
            .env("ENABLE_WEBHOOKS", "false")
            .env("CRDS_PATH", tools.manifests_of("crossplane").join("cluster/crds"))
            .env("TLS_CA_SECRET_NAME", "crossplane-root-ca")
            .env("TLS_CLIENT_SECRET_NAME", "crossplane-tls-client");
        result = process::run("crossplane-init", &mut init, &folders.logs).await;
        if result.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    result.expect("Crossplane can be initialized");
}

fn start_rbac_manager(tools: &Tools, folders: &Folders) -> Process {
    let mut manager = Command::new(tools.path("crossplane"));
    manager
        .args(["rbac", "start", "--provider-clusterrole=crossplane:allowed-provider-permissions"])
        .env("KUBECONFIG", folders.file("rbac.kubeconfig"));
    Process::start("rbac-manager", &mut manager, &folders.logs)
}

async fn crossplane_authority(client: &Client) -> CrossplaneAuthority {
    let data = secret_data(client, "crossplane-root-ca").await;
    CrossplaneAuthority::new(&data["tls.crt"], &data["tls.key"])
}

/// Crossplane's client certificate, in files as the chart mounts it.
async fn crossplane_client(client: &Client, folders: &Folders) -> PathBuf {
    let dir = folders.run.join("tls-client");
    fs::create_dir_all(&dir).expect("cannot make a folder");
    for (name, content) in secret_data(client, "crossplane-tls-client").await {
        fs::write(dir.join(name), content).expect("cannot write a certificate");
    }
    dir
}

async fn secret_data(client: &Client, name: &str) -> BTreeMap<String, String> {
    let secret = Api::<Secret>::namespaced(client.clone(), NAMESPACE).get(name).await.expect("init wrote it");
    let data = secret.data.unwrap_or_default().into_iter();
    data.map(|(key, value)| (key, String::from_utf8(value.0).expect("PEM"))).collect()
}

fn kubeconfig(folders: &Folders, name: &str, port: u16, user: &Pair) {
    write(folders, &format!("{name}.crt"), &user.certificate);
    write(folders, &format!("{name}.key"), &user.key);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "e2e",
        "clusters": [{ "name": "e2e", "cluster": {
            "server": format!("https://127.0.0.1:{port}"), "certificate-authority": folders.file("ca.crt"),
        } }],
        "users": [{ "name": "e2e", "user": {
            "client-certificate": folders.file(&format!("{name}.crt")),
            "client-key": folders.file(&format!("{name}.key")),
        } }],
        "contexts": [{ "name": "e2e", "context": { "cluster": "e2e", "user": "e2e" } }],
    });
    write(folders, &format!("{name}.kubeconfig"), &config.to_string());
}

async fn admin_client(folders: &Folders) -> Client {
    let file = folders.file("admin.kubeconfig");
    let kubeconfig = Kubeconfig::read_from(Path::new(&file)).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a kubeconfig that fits")).expect("a client")
}

fn write(folders: &Folders, name: &str, content: &str) {
    fs::write(folders.run.join(name), content).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
}
