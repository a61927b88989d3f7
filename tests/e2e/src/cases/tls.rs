//! TLS in front of a fake, as an ingress would have it.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::certs::Authority;

/// It ends when this is dropped.
pub(crate) struct Front {
    port: u16,
    _serving: JoinSet<()>,
}

impl Front {
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

/// Ends TLS with a certificate of the authority, and passes everything on.
pub(crate) async fn front(authority: &Authority, to: SocketAddr) -> Front {
    let pair = authority.server();
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a certificate with its key")));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = listener.local_addr().expect("a listener has an address").port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let Ok(mut server) = TcpStream::connect(to).await else { return };
                // Whichever side goes away ends it.
                drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
            });
        }
    });
    Front { port, _serving: serving }
}
