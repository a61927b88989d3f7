//! Functions as Crossplane calls them: the one under test out of its package,
//! one that composes an instance, and a relay that holds an answer back.

mod templates;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fake_crossplane::structs::{decode, encode};
use function_infisical::{
    contract::proto::v1::{
        Ready, Resource, ResponseMeta, RunFunctionRequest, RunFunctionResponse,
        function_runner_service_client::FunctionRunnerServiceClient,
    },
    server::{CERTIFICATE_RELOAD, RunFunction, Security, Server, ServerConfig},
};
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, process::Command, sync::Notify, task::JoinSet};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

pub(crate) use self::templates::Templates;
use crate::process::{Process, free_port};

/// A function in a process of its own.
pub(crate) struct FunctionProcess {
    binary: PathBuf,
    name: &'static str,
    host: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) certificates: PathBuf,
    logs: PathBuf,
    running: Option<Process>,
}

impl FunctionProcess {
    /// Starts a binary on a free port with mutual TLS.
    pub(crate) fn start(name: &'static str, binary: &Path, certificates: &Path, logs: &Path) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, free_port()), name, binary, certificates, logs)
    }

    fn start_at(
        (host, port): (Ipv4Addr, u16),
        name: &'static str,
        binary: &Path,
        certificates: &Path,
        logs: &Path,
    ) -> Self {
        let (binary, certificates, logs) = (binary.to_owned(), certificates.to_owned(), logs.to_owned());
        let mut this = Self { binary, name, host, port, certificates, logs, running: None };
        this.start_again();
        this
    }

    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(&self.binary);
        command.arg("--debug").arg(format!("--address={}:{}", self.host, self.port));
        command.arg(format!("--tls-certs-dir={}", self.certificates.display()));
        if self.name.starts_with("function-infisical") {
            command.arg("--metrics-address=");
        }
        self.running = Some(Process::start(self.name, &mut command, &self.logs));
    }

    /// Another process of the same, at an address and with certificates of its own.
    pub(crate) fn replica(&self, name: &'static str, at: (Ipv4Addr, u16), certificates: &Path) -> Self {
        Self::start_at(at, name, &self.binary, certificates, &self.logs)
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }

    /// How it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.running.as_mut()?.ended()
    }
}

/// A function in the harness. It ends when this is dropped.
pub(crate) struct Served {
    pub(crate) port: u16,
    _serving: JoinSet<()>,
}

/// Serves a function of the harness with mutual TLS.
pub(crate) async fn serve<F: RunFunction>(function: Arc<F>, certificates: &Path) -> Served {
    serve_with(function, Security::MutualTls { dir: certificates.to_owned(), reload: CERTIFICATE_RELOAD })
        .await
}

/// Serves a function of the harness in the clear.
pub(crate) async fn serve_insecure<F: RunFunction>(function: Arc<F>) -> Served {
    serve_with(function, Security::Insecure).await
}

async fn serve_with<F: RunFunction>(function: Arc<F>, security: Security) -> Served {
    let config = ServerConfig {
        address: "127.0.0.1:0".parse().expect("an address"),
        metrics_address: None,
        security,
        max_recv_message_bytes: 4 << 20,
        shutdown_grace: Duration::ZERO,
    };
    let server =
        Server::bind(config, Registry::default()).await.expect("a function of the harness can be served");
    let port = server.local_addr().port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let forever = futures::stream::pending();
        server.serve(function, forever).await.expect("a function of the harness goes on");
    });
    Served { port, _serving: serving }
}

/// Composes a Deployment, a Service and a `StatefulSet`, as a platform team's
/// step does. With `readiness: Checked` in its input it says what is ready.
pub(crate) struct Compose;

impl RunFunction for Compose {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        _: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        let input = decode(request.input.as_deref().unwrap_or_default());
        let xr = composite(&request);
        let observed = request.observed.as_ref();
        let resources = instance(&xr).map(|(name, manifest)| {
            let there = observed.and_then(|observed| observed.resources.get(name)?.resource.as_deref());
            let ready = match (input["readiness"].as_str(), there.map(decode)) {
                (Some("Checked"), Some(there)) if is_ready(&there) => Ready::True,
                (Some("Checked"), _) => Ready::False,
                _ => Ready::Unspecified,
            };
            (name.to_owned(), manifest, ready)
        });
        Ok(answer(request, resources))
    }

    async fn drain(&self) {}
}

/// The XR of a request.
fn composite(request: &RunFunctionRequest) -> Value {
    let xr = request.observed.as_ref().and_then(|observed| observed.composite.as_ref()?.resource.as_deref());
    decode(xr.unwrap_or_default())
}

/// What came in, and some resources more.
fn answer(
    request: RunFunctionRequest,
    resources: impl IntoIterator<Item = (String, Value, Ready)>,
) -> RunFunctionResponse {
    let mut desired = request.desired.unwrap_or_default();
    for (name, manifest, ready) in resources {
        let resource = Some(encode(&manifest));
        desired.insert(&name, &Resource { resource, ready: ready.into(), ..Resource::default() });
    }
    let tag = request.meta.unwrap_or_default().tag;
    RunFunctionResponse {
        meta: Some(ResponseMeta { tag, ttl: None }),
        desired: Some(desired),
        context: request.context,
        ..RunFunctionResponse::default()
    }
}

fn is_ready(object: &Value) -> bool {
    if object["kind"] != "Deployment" {
        return true;
    }
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Available" && condition["status"] == "True")
}

/// What the instance of an XR consists of, by name in the pipeline.
fn instance(xr: &Value) -> [(&'static str, Value); 3] {
    let name = xr["metadata"]["name"].as_str().unwrap_or_default();
    let labels = json!({ "app": name });
    let pods = json!({
        "metadata": { "labels": labels },
        "spec": { "containers": [{ "name": "main", "image": "example.org/none" }] },
    });
    let spec = json!({ "selector": { "matchLabels": labels }, "template": pods });
    let mut stateful = spec.clone();
    stateful["serviceName"] = name.into();
    let metadata = |suffix: &str| {
        let mut metadata = json!({ "name": format!("{name}{suffix}") });
        // A namespaced XR's is filled in by Crossplane.
        let elsewhere = [&xr["spec"]["namespace"], &xr["spec"]["claimRef"]["namespace"]];
        if let Some(namespace) = elsewhere.into_iter().find(|namespace| namespace.is_string()) {
            metadata["namespace"] = namespace.clone();
        }
        metadata
    };
    let ports = json!([{ "port": 8080 }]);
    let service = json!({ "selector": labels, "ports": ports });
    [
        (
            "infisical",
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("-infisical"), "spec": spec }),
        ),
        (
            "service",
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata("-infisical"), "spec": service }),
        ),
        (
            "database",
            json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata("-database"), "spec": stateful }),
        ),
    ]
}

/// Passes calls on to a function, and holds one answer back.
pub(crate) struct Relay {
    to: Channel,
    hold: Hold,
}

/// Which answer is held back, and by whom it is noticed.
pub(crate) struct Hold {
    /// Says that an answer is to be held.
    pub(crate) which: fn(&RunFunctionResponse) -> bool,
    /// Told when one is.
    pub(crate) held: Arc<Notify>,
    answers: AtomicUsize,
}

impl Hold {
    pub(crate) fn first(which: fn(&RunFunctionResponse) -> bool) -> Self {
        Self { which, held: Arc::default(), answers: AtomicUsize::new(0) }
    }
}

impl Relay {
    pub(crate) fn new(port: u16, client: &Arc<ClientConfig>, hold: Hold) -> Self {
        Self { to: channel(port, Arc::clone(client)), hold }
    }
}

impl RunFunction for Relay {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        _: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        let mut client = FunctionRunnerServiceClient::new(self.to.clone());
        let response = client.run_function(request).await?.into_inner();
        let Hold { which, held, answers } = &self.hold;
        if which(&response) && answers.fetch_add(1, Ordering::SeqCst) == 0 {
            held.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(response)
    }

    async fn drain(&self) {}
}

/// A channel that connects when it is used.
fn channel(port: u16, client: Arc<ClientConfig>) -> Channel {
    let connector = tower::service_fn(move |_| {
        let client = Arc::clone(&client);
        async move { handshake(port, client).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
}

async fn handshake(port: u16, client: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(client).connect(name, stream).await
}

/// The certificate that a function serves now.
pub(crate) async fn served_certificate(
    port: u16,
    client: &Arc<ClientConfig>,
) -> Option<CertificateDer<'static>> {
    let stream = handshake(port, Arc::clone(client)).await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?.first()?.clone().into_owned())
}

/// TLS as Crossplane's own client has it.
pub(crate) fn client_config(dir: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(dir.join("ca.crt")).expect("Crossplane's CA");
    roots.add(ca).expect("Crossplane's CA is one");
    let chain = CertificateDer::from_pem_file(dir.join("tls.crt")).expect("Crossplane's client certificate");
    let key = PrivateKeyDer::from_pem_file(dir.join("tls.key")).expect("the key of it");
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![chain], key)
        .expect("a client certificate with its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}
