//! The floor under a call: what its bytes cost, and nothing else.
//!
//! A server that takes the frame of a gRPC call whole, finds the request's
//! desired state in it and gives it back as the response's. One copy puts the
//! frame together, and what leaves is a slice of it. It reads nothing, counts
//! nothing, logs nothing and checks nothing, so no function can be as cheap.

use std::{
    convert::Infallible,
    error::Error,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use clap::Parser;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mimalloc::MiMalloc;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// The function's own as well, less its zeroing.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The windows are the function's own, so that both take a message in alike.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// One byte that says "not compressed", and the length in four.
const PREFIX: usize = 5;

/// `RunFunctionRequest.desired` and `RunFunctionResponse.desired`, both of the
/// wire type of messages.
const DESIRED_IN: u64 = 3 << 3 | 2;
const DESIRED_OUT: u8 = 2 << 3 | 2;

#[derive(Parser)]
struct Args {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    insecure: bool,
    #[arg(long)]
    tls_certs_dir: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = match args.tls_certs_dir.filter(|_| !args.insecure) {
        Some(dir) => Some(acceptor(&dir)?),
        None => None,
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(listen(args.address, tls))
}

async fn listen(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => serve(stream).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream).await;
                    }
                }
            }
        });
    }
}

/// Serves a connection until it ends, however that is.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let _ended = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(256)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Frames>, hyper::Error> {
    let desired = desired(take(request.into_body()).await?).unwrap_or_default();
    let mut head = BytesMut::with_capacity(16);
    let mut key = BytesMut::with_capacity(11);
    key.put_u8(DESIRED_OUT);
    put_varint(&mut key, desired.len());
    head.put_u8(0);
    head.put_u32(u32::try_from(key.len() + desired.len()).unwrap_or(u32::MAX));
    head.extend_from_slice(&key);

    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(head.freeze()), Frame::data(desired), Frame::trailers(trailers)];
    let mut response = Response::new(Frames(frames.into_iter()));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// The frame of a call in one piece.
async fn take(mut body: Incoming) -> Result<Bytes, hyper::Error> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if whole.is_empty() && data.len() >= PREFIX {
            let mut prefix = data.slice(1..);
            whole.reserve(PREFIX + prefix.get_u32() as usize);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The request's desired state, encoded.
fn desired(frame: Bytes) -> Option<Bytes> {
    let mut message = frame;
    skip(&mut message, PREFIX)?;
    while message.has_remaining() {
        let key = take_varint(&mut message)?;
        match key & 7 {
            0 => drop(take_varint(&mut message)?),
            2 => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                if key == DESIRED_IN {
                    return (length <= message.len()).then(|| message.split_to(length));
                }
                skip(&mut message, length)?;
            }
            _ => return None,
        }
    }
    None
}

fn skip(bytes: &mut Bytes, length: usize) -> Option<()> {
    (length <= bytes.len()).then(|| bytes.advance(length))
}

fn take_varint(bytes: &mut Bytes) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_varint(bytes: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        bytes.put_u8(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    bytes.put_u8(u8::try_from(value).unwrap_or_default());
}

/// Frames that are all there.
struct Frames(std::array::IntoIter<Frame<Bytes>, 3>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// Mutual TLS by the three files that every function reads.
fn acceptor(dir: &Path) -> Result<TlsAcceptor, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&fs::read(dir.join("ca.crt"))?) {
        roots.add(root?)?;
    }
    let chain = CertificateDer::pem_slice_iter(&fs::read(dir.join("tls.crt"))?).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(dir.join("tls.key"))?)?;
    let clients = WebPkiClientVerifier::builder(roots.into()).build()?;
    let mut config =
        ServerConfig::builder().with_client_cert_verifier(clients).with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
