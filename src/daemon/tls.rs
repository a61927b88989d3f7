//! Mutual TLS, with certificates that are exchanged while the server runs.
//!
//! Every client shows a certificate of `ca.crt`. The three files are compared
//! by content on a timer: a Secret volume is updated by swapping a symlink,
//! which a watch of the files does not see. A new triple replaces the old one
//! only after it was found to be usable as a whole, so a bad one leaves the old
//! one serving. Connections keep what they were made with.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};
use rustls::{
    RootCertStore, ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{self, MissedTickBehavior, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use zeroize::Zeroizing;

use crate::listen;

/// The file of the server's certificate and its chain.
const CERTIFICATE: &str = "tls.crt";
/// The file of the server's private key.
const KEY: &str = "tls.key";
/// The file of the clients' authorities.
const AUTHORITY: &str = "ca.crt";

/// How long a client may take to shake hands: a slow network needs one or two
/// seconds, and whoever holds a place for nothing gives it back soon.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes under way at once. Crossplane has one connection per function;
/// beyond this, connections wait in the kernel's queue.
const HANDSHAKES: usize = 128;

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// There is nothing to read.
    #[error("there is no such directory")]
    NoDirectory,
    /// One of the three files is not there.
    #[error("{file} is missing")]
    Missing {
        /// The file's name.
        file: &'static str,
    },
    /// It is there, but cannot be read.
    #[error("cannot read {file}: {kind}")]
    Read {
        /// The file's name.
        file: &'static str,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// It has the marks of PEM, but not its form.
    #[error("{file} is not valid PEM")]
    BadPem {
        /// The file's name.
        file: &'static str,
    },
    /// It has no certificate.
    #[error("{file} holds no PEM certificate")]
    NoCertificate {
        /// The file's name.
        file: &'static str,
    },
    /// It has a certificate that is none.
    #[error("{file} holds a certificate that cannot be parsed")]
    BadCertificate {
        /// The file's name.
        file: &'static str,
    },
    /// It has no private key.
    #[error("tls.key holds no PEM private key")]
    NoKey,
    /// It has a key that cannot sign.
    #[error("tls.key holds a key that cannot be parsed or is of a kind that is not supported")]
    BadKey,
    /// Two halves of different pairs.
    #[error("tls.key does not belong to tls.crt")]
    Mismatch,
}

/// The three files as they were read.
struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    authority: Vec<u8>,
}

impl Files {
    async fn read(dir: &Path) -> Result<Self, TlsError> {
        if !tokio::fs::metadata(dir).await.is_ok_and(|found| found.is_dir()) {
            return Err(TlsError::NoDirectory);
        }
        Ok(Self {
            certificate: read(dir, CERTIFICATE).await?,
            key: Zeroizing::new(read(dir, KEY).await?),
            authority: read(dir, AUTHORITY).await?,
        })
    }

    /// What recognises the contents without holding them.
    fn digest(&self) -> [u8; SHA256_OUTPUT_LEN] {
        let mut hash = Context::new(&SHA256);
        for file in [&self.certificate, &*self.key, &self.authority] {
            // Digests of a fixed length cannot run into each other.
            hash.update(digest(&SHA256, file).as_ref());
        }
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(hash.finish().as_ref());
        bytes
    }

    /// The configuration that the files describe, if they fit together.
    fn config(&self) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.certificate, CERTIFICATE)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey,
            _ => TlsError::BadPem { file: KEY },
        })?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.authority, AUTHORITY)? {
            roots.add(root).map_err(|_| TlsError::BadCertificate { file: AUTHORITY })?;
        }

        let provider = Arc::new(crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
            .build()
            .map_err(|_| TlsError::NoCertificate { file: AUTHORITY })?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| TlsError::BadKey)?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => TlsError::Mismatch,
                rustls::Error::InvalidCertificate(_) => TlsError::BadCertificate { file: CERTIFICATE },
                _ => TlsError::BadKey,
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

async fn read(dir: &Path, file: &'static str) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(dir.join(file)).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TlsError::Missing { file },
        kind => TlsError::Read { file, kind },
    })
}

fn certificates(bytes: &[u8], file: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::BadPem { file })?;
    if found.is_empty() { Err(TlsError::NoCertificate { file }) } else { Ok(found) }
}

/// The certificates of a directory, kept current.
pub struct Certificates {
    dir: PathBuf,
    reload: Duration,
    /// What the last look at the directory found.
    seen: Result<[u8; SHA256_OUTPUT_LEN], TlsError>,
    current: watch::Sender<Arc<ServerConfig>>,
    reloads: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Certificates {
    /// Reads the directory for the first time, to compare it every `reload`. The
    /// registry puts the program's name before what is counted.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub async fn open(dir: PathBuf, reload: Duration, registry: &mut Registry) -> Result<Self, TlsError> {
        let files = Files::read(&dir).await?;
        let current = watch::Sender::new(Arc::new(files.config()?));
        let reloads = Family::default();
        for outcome in ["accepted", "refused"] {
            // There from the start, so that the first increase is seen.
            drop(reloads.get_or_create(&[("outcome", outcome)]));
        }
        registry.register(
            "certificate_reloads",
            "Certificates that changed on disk, by what became of them",
            reloads.clone(),
        );
        Ok(Self { dir, reload, seen: Ok(files.digest()), current, reloads })
    }

    /// What new connections are made with.
    #[must_use]
    pub fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Looks at the directory again and again, until it is dropped.
    pub async fn keep_current(mut self) {
        let mut ticks = time::interval(self.reload);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let files = Files::read(&self.dir).await;
        let seen = files.as_ref().map(Files::digest).map_err(Clone::clone);
        if seen == self.seen {
            return;
        }
        // A swap in between the reads makes a triple of two generations; the
        // next look sees one of them.
        let again = Files::read(&self.dir).await.as_ref().map(Files::digest).map_err(Clone::clone);
        if again != seen {
            return;
        }
        self.seen = seen;
        match files.and_then(|files| files.config()) {
            Ok(config) => {
                self.current.send_replace(Arc::new(config));
                self.reloads.get_or_create(&[("outcome", "accepted")]).inc();
                tracing::info!(dir = %self.dir.display(), "certificates were replaced");
            }
            Err(error) => {
                self.reloads.get_or_create(&[("outcome", "refused")]).inc();
                tracing::warn!(
                    dir = %self.dir.display(),
                    error = %error,
                    "certificates changed but cannot be used; the old ones stay"
                );
            }
        }
    }
}

/// Accepts connections and shakes hands, until nobody wants them any more.
pub async fn accept(
    listener: TcpListener,
    config: watch::Receiver<Arc<ServerConfig>>,
    connections: mpsc::Sender<TlsStream<TcpStream>>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = connections.closed() => return,
            stream = listen::accept(&listener), if handshakes.len() < HANDSHAKES => {
                let acceptor = TlsAcceptor::from(Arc::clone(&config.borrow()));
                let connections = connections.clone();
                handshakes.spawn(async move {
                    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                        // Nobody wants it: the server is draining.
                        Ok(Ok(stream)) => drop(connections.send(stream).await),
                        Ok(Err(error)) => tracing::debug!(error = %error, "a TLS handshake failed"),
                        Err(_) => tracing::debug!("a TLS handshake took too long"),
                    }
                });
            }
            Some(_) = handshakes.join_next() => {}
        }
    }
}
