//! Plain HTTP for Prometheus and for the kubelet: `/metrics`, `/healthz` and `/readyz`.
//!
//! Bounded in connections and in the time that one may take to ask, because
//! anybody in the cluster can connect to it. It shows numbers only.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{encoding::text, registry::Registry};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::listen;

/// Connections at once: a few Prometheus replicas and probes, with room.
const CONNECTIONS: usize = 64;

/// How long a connection may take to send a request, or wait between two.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The format that the encoder writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the process can do its work.
pub type IsReady = Arc<dyn Fn() -> bool + Send + Sync>;

/// Answers until it is dropped. Whoever answers is ready.
pub async fn serve(listener: TcpListener, registry: Arc<Registry>) {
    serve_with(listener, registry, Arc::new(|| true)).await;
}

/// The same, of a process that may not be ready yet.
pub async fn serve_with(listener: TcpListener, registry: Arc<Registry>, is_ready: IsReady) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = listen::accept(&listener), if connections.len() < CONNECTIONS => {
                connections.spawn(converse(stream, Arc::clone(&registry), Arc::clone(&is_ready)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, registry: Arc<Registry>, is_ready: IsReady) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &registry, &is_ready);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(error = %error, "a connection for metrics ended early");
    }
}

fn answer(method: &Method, path: &str, registry: &Registry, is_ready: &IsReady) -> Response<Full<Bytes>> {
    let (status, kind, body) = match path {
        _ if !matches!(*method, Method::GET | Method::HEAD) => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new())
        }
        "/metrics" => {
            let mut body = String::new();
            match text::encode(&mut body, registry) {
                Ok(()) => (StatusCode::OK, OPEN_METRICS, body),
                Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
            }
        }
        "/readyz" if !is_ready() => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "not ready\n".to_owned()),
        "/healthz" | "/readyz" => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "text/plain", String::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
