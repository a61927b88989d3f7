//! A function to serve, a server around it, certificates, and clients.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Buf as _, BufMut as _, Bytes};
use function_infisical::{
    contract::proto::v1::{RequestMeta, ResponseMeta, RunFunctionRequest, RunFunctionResponse},
    server::{Ending, RunFunction, Security, ServeError, Server, ServerConfig},
};
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

/// More than enough for anything on loopback, and short enough to find a hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// How often the servers of these tests compare their certificates.
pub(crate) const RELOAD: Duration = Duration::from_millis(20);

pub(crate) const V1: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";
pub(crate) const V1BETA1: &str = "/apiextensions.fn.proto.v1beta1.FunctionRunnerService/RunFunction";

/// Waits until a state is reached, with a limit.
pub(crate) async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let waited = timeout(LIMIT, async {
        while !reached().await {
            sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited too long: {what}");
}

/// Awaits something that must happen soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it takes too long")
}

/// A function that does what the request's tag says, and otherwise echoes.
pub(crate) struct Fake {
    pub(crate) entered: AtomicUsize,
    pub(crate) gate: Semaphore,
    pub(crate) deadline: Mutex<Option<Duration>>,
    pub(crate) drained: AtomicBool,
}

/// The tag of a call that waits for the gate.
pub(crate) const WAIT: &str = "wait";
/// The tag of a call that panics.
pub(crate) const PANIC: &str = "panic";
/// What such a panic says.
pub(crate) const PANIC_TEXT: &str = "marker-of-a-secret";

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            entered: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            deadline: Mutex::new(None),
            drained: AtomicBool::new(false),
        })
    }

    pub(crate) async fn until_entered(&self, calls: usize) {
        until("a call entered the function", async || self.entered.load(Ordering::SeqCst) >= calls).await;
    }
}

impl RunFunction for Fake {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        deadline: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        *self.deadline.lock().unwrap() = deadline;
        self.entered.fetch_add(1, Ordering::SeqCst);
        let tag = request.meta.unwrap_or_default().tag;
        match tag.as_str() {
            WAIT => self.gate.acquire().await.unwrap().forget(),
            PANIC => panic!("{PANIC_TEXT}"),
            _ => {}
        }
        Ok(RunFunctionResponse {
            meta: Some(ResponseMeta { tag, ttl: None }),
            desired: request.desired,
            ..Default::default()
        })
    }

    async fn drain(&self) {
        self.drained.store(true, Ordering::SeqCst);
    }
}

/// A request with a tag.
pub(crate) fn mk_request(tag: &str) -> RunFunctionRequest {
    RunFunctionRequest {
        meta: Some(RequestMeta { tag: tag.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

/// A configuration for loopback.
pub(crate) fn mk_config(security: Security) -> ServerConfig {
    ServerConfig {
        address: "127.0.0.1:0".parse().unwrap(),
        metrics_address: Some("127.0.0.1:0".parse().unwrap()),
        security,
        max_recv_message_bytes: 1 << 20,
        shutdown_grace: LIMIT,
    }
}

/// A server that is running; dropping it ends it.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) metrics_addr: SocketAddr,
    pub(crate) function: Arc<Fake>,
    stop: mpsc::Sender<&'static str>,
    task: JoinSet<Result<Ending, ServeError>>,
}

impl Running {
    pub(crate) async fn start(config: ServerConfig) -> Self {
        let server = Server::bind(config, Registry::default()).await.unwrap();
        let (stop, stops) = mpsc::channel(2);
        let function = Fake::new();
        let (addr, metrics_addr) = (server.local_addr(), server.metrics_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(server.serve(Arc::clone(&function), ReceiverStream::new(stops)));
        Self { addr, metrics_addr, function, stop, task }
    }

    pub(crate) async fn insecure() -> Self {
        Self::start(mk_config(Security::Insecure)).await
    }

    pub(crate) async fn stop(&self) {
        self.stop.send("the test").await.unwrap();
    }

    pub(crate) async fn ending(mut self) -> Ending {
        soon(self.task.join_next()).await.unwrap().unwrap().unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        channel(self.addr).await
    }

    /// The text that Prometheus reads.
    pub(crate) async fn metrics(&self) -> String {
        let (head, body) = get(self.metrics_addr, "/metrics").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        body
    }

    /// The value of one series, zero when it is not there.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

/// A channel in the clear.
pub(crate) async fn channel(addr: SocketAddr) -> Channel {
    soon(Endpoint::from_shared(format!("http://{addr}")).unwrap().connect()).await.unwrap()
}

/// Head and body of an answer over HTTP/1.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Messages as bytes, whatever they are.
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// An authority, as Crossplane has one.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client that trusts this authority and shows a certificate, or none.
    pub(crate) fn client(&self, shown: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(pair) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

/// A directory that is updated as the kubelet updates a Secret volume: the
/// files are links through `..data`, which is swapped.
pub(crate) struct Volume {
    dir: TempDir,
    generation: usize,
}

impl Volume {
    pub(crate) fn new(pair: &Pair, authority: &str) -> Self {
        let dir = TempDir::new().unwrap();
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(file), dir.path().join(file)).unwrap();
        }
        let mut volume = Self { dir, generation: 0 };
        volume.swap(pair, authority);
        volume
    }

    pub(crate) fn swap(&mut self, pair: &Pair, authority: &str) {
        self.generation += 1;
        let name = format!("..{}", self.generation);
        let generation = self.dir.path().join(&name);
        fs::create_dir(&generation).unwrap();
        fs::write(generation.join("tls.crt"), &pair.certificate).unwrap();
        fs::write(generation.join("tls.key"), &pair.key).unwrap();
        fs::write(generation.join("ca.crt"), authority).unwrap();
        let link = self.dir.path().join("..data_tmp");
        symlink(name, &link).unwrap();
        fs::rename(link, self.dir.path().join("..data")).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn security(&self) -> Security {
        Security::MutualTls { dir: self.path().to_owned(), reload: RELOAD }
    }
}

/// A connection with TLS, after the client's half of the handshake.
pub(crate) async fn handshake(
    addr: SocketAddr,
    client: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(client).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// The certificate that new connections are served.
pub(crate) async fn served(addr: SocketAddr, client: &Arc<ClientConfig>) -> CertificateDer<'static> {
    let stream = soon(handshake(addr, Arc::clone(client))).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A channel with TLS, and the number of connections that it made.
pub(crate) async fn tls_channel(
    addr: SocketAddr,
    client: Arc<ClientConfig>,
) -> Result<(Channel, Arc<AtomicUsize>), tonic::transport::Error> {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let connector = tower::service_fn(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        let client = Arc::clone(&client);
        async move { handshake(addr, client).await.map(TokioIo::new) }
    });
    let channel = soon(Endpoint::from_static("http://localhost").connect_with_connector(connector)).await?;
    Ok((channel, connections))
}
