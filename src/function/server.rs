//! The gRPC server around the function, from binding to draining.
//!
//! It promises what users of Crossplane expect of every function: both versions
//! of the service, mutual TLS, health, reflection, metrics, a limit on received
//! messages, and an end on SIGTERM that lets work under way finish (Rule 4).
//! Whatever arrives on the port gets an answer or is dropped; the server goes
//! on. What the function does lives behind [`RunFunction`]; how calls and
//! their counters work lives in the modules below this one, and what every daemon
//! needs, such as certificates, in [`daemon`].

mod call;
mod deadline;
mod health;
mod metrics;
mod run_function;
mod services;

pub use run_function::RunFunction;

use std::{
    convert::Infallible,
    fmt,
    future::pending,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use daemon::{
    listen::{self, ListenAddress},
    scrape,
    tls::{self, Certificates, TlsError},
};
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{call::Calls, health::Health, metrics::CallMetrics, services::Services};
use crate::contract::proto::{
    DESCRIPTORS, v1::function_runner_service_server::FunctionRunnerServiceServer as ServiceV1,
    v1beta1::function_runner_service_server::FunctionRunnerServiceServer as ServiceV1Beta1,
};

/// What the names begin with of all that this program counts, but for gRPC's.
pub const PREFIX: &str = "function_infisical";

/// How often the certificates on disk are compared. The kubelet takes about a
/// minute to bring a changed Secret into a volume, so this adds little to it.
pub const CERTIFICATE_RELOAD: Duration = Duration::from_secs(10);

/// Calls at once on one connection. Crossplane reconciles 10 to 100 XRs at
/// once over a single one.
const CONCURRENT_STREAMS: u32 = 256;

/// A peer that vanished without a word is noticed after these two.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers of a call, all together. Crossplane's are a few hundred bytes.
const HEADERS: u32 = 16 << 10;

/// Connections that wait to be served; more wait in their handshake.
const ACCEPTED: usize = 16;

/// For how long connections may close once no call is under way. Crossplane's
/// close within a round trip; one whose peer is gone never does.
const LINGER: Duration = Duration::from_secs(1);

/// How the server is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where to listen for calls.
    pub address: ListenAddress,
    /// Where to listen for Prometheus, if anywhere.
    pub metrics_address: Option<ListenAddress>,
    /// Who may connect.
    pub security: Security,
    /// The largest message that is received.
    pub max_recv_message_bytes: usize,
    /// For how long a drain may take.
    pub shutdown_grace: Duration,
}

/// Who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody, in the clear.
    Insecure,
    /// Whoever has a certificate of the authority in `dir`.
    MutualTls {
        /// Holds `tls.crt`, `tls.key` and `ca.crt`.
        dir: PathBuf,
        /// How often they are compared; [`CERTIFICATE_RELOAD`].
        reload: Duration,
    },
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insecure => "insecure",
            Self::MutualTls { .. } => "mutual TLS",
        })
    }
}

/// Why the server could not start, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificates cannot be used.
    #[error("--tls-certs-dir {}", dir.display())]
    Certificates {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        source: TlsError,
    },
    /// The address cannot be listened on.
    #[error("{flag} {address}: cannot listen: {kind}")]
    Listen {
        /// The flag that the address came from.
        flag: &'static str,
        /// The address.
        address: ListenAddress,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// The descriptors in this binary are broken.
    #[error("cannot set up reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// How a server that was told to stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything under way was finished.
    Drained,
    /// The grace period was over before that.
    GraceExpired,
    /// A second request to stop came before that.
    StoppedTwice,
}

/// A server that listens, and does not answer yet.
pub struct Server {
    config: ServerConfig,
    listener: TcpListener,
    local_addr: SocketAddr,
    scrape_listener: Option<TcpListener>,
    metrics_addr: Option<SocketAddr>,
    certificates: Option<Certificates>,
    call_metrics: CallMetrics,
    registry: Arc<Registry>,
}

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Server {
    /// Reads the certificates and listens on the addresses. The registry has
    /// what other modules count; the server adds its own.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub async fn bind(config: ServerConfig, mut registry: Registry) -> Result<Self, ServeError> {
        let certificates = match &config.security {
            Security::Insecure => None,
            Security::MutualTls { dir, reload } => {
                let registry = registry.sub_registry_with_prefix(PREFIX);
                let opened = Certificates::open(dir.clone(), *reload, registry).await;
                Some(opened.map_err(|source| ServeError::Certificates { dir: dir.clone(), source })?)
            }
        };
        let (listener, local_addr) = bind("--address", config.address)?;
        let scrape = config.metrics_address.map(|address| bind("--metrics-address", address)).transpose()?;
        let (scrape_listener, metrics_addr) = scrape.unzip();
        let call_metrics = CallMetrics::register(&mut registry);
        metrics::register_build_info(&mut registry);
        let registry = Arc::new(registry);
        Ok(Self {
            config,
            listener,
            local_addr,
            scrape_listener,
            metrics_addr,
            certificates,
            call_metrics,
            registry,
        })
    }

    /// Where it listens for calls.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where it listens for Prometheus, if anywhere.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Answers calls until `stop` yields the name of a reason to stop, then
    /// drains. A second reason ends it at once.
    ///
    /// # Errors
    /// When the services cannot be set up.
    pub async fn serve<F: RunFunction>(
        self,
        function: Arc<F>,
        stop: impl Stream<Item = &'static str> + Send,
    ) -> Result<Ending, ServeError> {
        let grace = self.config.shutdown_grace;
        let health = Health::serving().await;
        let services = self.services(&function, &health)?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %self.local_addr,
            metrics_address = self.metrics_addr.map(tracing::field::display),
            security = %self.config.security,
            "serving"
        );
        // Dropped, and with it every task, when this function returns.
        let mut tasks = JoinSet::new();
        let draining = CancellationToken::new();
        let under_way = self.call_metrics.under_way();
        let mut serving = self.start(services, &mut tasks, draining.clone());

        let mut stop = pin!(stop);
        let reason = tokio::select! {
            reason = next(&mut stop) => reason,
            () = &mut serving => return Ok(Ending::Drained),
        };
        tracing::info!(reason, grace_seconds = grace.as_secs(), "draining");
        health.drain().await;
        draining.cancel();
        let ending = tokio::select! {
            drained = timeout(grace, drain(serving, under_way, &*function)) => match drained {
                Ok(()) => Ending::Drained,
                Err(_) => Ending::GraceExpired,
            },
            _reason = next(&mut stop) => Ending::StoppedTwice,
        };
        match ending {
            Ending::Drained => tracing::info!("drained"),
            Ending::GraceExpired => tracing::warn!("the grace period is over with work under way"),
            Ending::StoppedTwice => tracing::warn!("told to stop a second time with work under way"),
        }
        Ok(ending)
    }

    /// All services, counted.
    fn services<F: RunFunction>(&self, function: &Arc<F>, health: &Health) -> Result<Services, ServeError> {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let limit = self.config.max_recv_message_bytes;
        let calls = Arc::new(Calls(Arc::clone(function)));
        let v1 = ServiceV1::from_arc(Arc::clone(&calls)).max_decoding_message_size(limit);
        let v1beta1 = ServiceV1Beta1::from_arc(calls).max_decoding_message_size(limit);
        Ok(Services::new(self.call_metrics.clone())
            .with(v1)
            .with(v1beta1)
            .with(health.service())
            .with(reflection().build_v1().map_err(ServeError::Reflection)?)
            .with(reflection().build_v1alpha().map_err(ServeError::Reflection)?))
    }

    /// Starts what runs beside the calls, and hands out what runs them.
    fn start(self, services: Services, tasks: &mut JoinSet<()>, draining: CancellationToken) -> Serving {
        if let Some(listener) = self.scrape_listener {
            tasks.spawn(scrape::serve(listener, self.registry));
        }
        if let Some(certificates) = self.certificates {
            let (sender, connections) = mpsc::channel(ACCEPTED);
            tasks.spawn(tls::accept(self.listener, certificates.current(), sender));
            tasks.spawn(certificates.keep_current());
            Box::pin(serve(connections, services, draining))
        } else {
            let (sender, connections) = mpsc::channel(ACCEPTED);
            tasks.spawn(accept(self.listener, sender));
            Box::pin(serve(connections, services, draining))
        }
    }
}

/// Serves connections until the server is draining, and then until they have ended.
async fn serve(
    mut accepted: mpsc::Receiver<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
    services: Services,
    draining: CancellationToken,
) {
    let services = Arc::new(services);
    let connections = TaskTracker::new();
    while let Some(Some(stream)) = draining.run_until_cancelled(accepted.recv()).await {
        connections.spawn(connection(stream, Arc::clone(&services), draining.clone()));
    }
    // Whoever accepts connections stops.
    drop(accepted);
    connections.close();
    connections.wait().await;
}

/// Serves one connection until it ends, which a drain asks for.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    services: Arc<Services>,
    draining: CancellationToken,
) {
    let service = service_fn(move |request| {
        let services = Arc::clone(&services);
        async move { Ok::<_, Infallible>(services.answer(request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(CONCURRENT_STREAMS)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_header_list_size(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection failed");
    }
}

fn bind(flag: &'static str, address: ListenAddress) -> Result<(TcpListener, SocketAddr), ServeError> {
    address
        .bind()
        .and_then(|listener| listener.local_addr().map(|local| (listener, local)))
        .map_err(|error| ServeError::Listen { flag, address, kind: error.kind() })
}

/// Accepts connections in the clear, until nobody wants them any more.
async fn accept(listener: TcpListener, connections: mpsc::Sender<TcpStream>) {
    loop {
        let accepted = tokio::select! {
            () = connections.closed() => return,
            stream = listen::accept(&listener) => stream,
        };
        if connections.send(accepted).await.is_err() {
            return;
        }
    }
}

/// Waits for the calls, and then for what they left behind.
async fn drain(serving: Serving, under_way: TaskTracker, function: &impl RunFunction) {
    tokio::select! {
        () = serving => {}
        () = idle(under_way) => {}
    }
    function.drain().await;
}

/// Returns when no call is under way, and none came while connections closed.
async fn idle(under_way: TaskTracker) {
    under_way.close();
    loop {
        under_way.wait().await;
        sleep(LINGER).await;
        if under_way.is_empty() {
            return;
        }
    }
}

/// The next reason to stop; without one, never.
async fn next(stop: &mut (impl Stream<Item = &'static str> + Unpin)) -> &'static str {
    match stop.next().await {
        Some(reason) => reason,
        None => pending().await,
    }
}
