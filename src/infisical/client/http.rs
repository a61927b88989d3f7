//! The one door out: sends a request over HTTP and reads the answer.
//!
//! Connections and TLS are set up in `connect`; what requests and answers mean is in
//! `request` and `answer`. A failure to get an answer is
//! told apart here, by type and never by text.

use std::{error::Error as StdError, io, time::Duration};

use async_trait::async_trait;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, LOCATION, RETRY_AFTER,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    answer::Response,
    decoding::{TOO_LARGE, decoded},
    exchange::Exchange,
    request::Request,
    resolve::ResolveError,
    tls,
};
use crate::{
    error::{ErrorKind, Transport},
    metrics::Requests,
    route::Method,
};

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a connection, name resolution and TLS included.
    pub connect: Duration,
    /// From the start of a request to the last byte of its answer.
    pub request: Duration,
    /// The same for bootstrap.
    pub bootstrap: Duration,
}

impl Limits {
    /// Within a cluster a connection takes milliseconds; one lost packet is
    /// sent again after one second, two after three.
    pub const CONNECT: Duration = Duration::from_secs(5);
    /// Recorded requests take well under a second; login hashes a password.
    pub const REQUEST: Duration = Duration::from_secs(10);
    /// Bootstrap makes keys and writes in several transactions, on a database
    /// that has just started; giving up early is what loses its only answer.
    pub const BOOTSTRAP: Duration = Duration::from_mins(1);
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Self::CONNECT, request: Self::REQUEST, bootstrap: Self::BOOTSTRAP }
    }
}

/// What requests are sent to.
#[derive(Clone)]
pub(super) struct Target {
    /// What comes before the path.
    pub(super) base: String,
    /// The `Host`, where it is not that of the URL.
    pub(super) host: Option<String>,
}

/// Sends requests to one server.
#[derive(Clone)]
pub struct HttpExchange {
    client: reqwest::Client,
    target: Target,
    limits: Limits,
    counted: Requests,
}

impl HttpExchange {
    pub(super) fn new(client: reqwest::Client, target: Target, limits: Limits, counted: Requests) -> Self {
        Self { client, target, limits, counted }
    }
}

#[async_trait]
impl Exchange for HttpExchange {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        let (method, route, started) = (request.method, request.route, Instant::now());
        let answer = self.ask(request).await;
        let status = match &answer {
            Ok(response) => Some(response.status),
            Err(ErrorKind::NotInfisical { status, .. }) => Some(*status),
            Err(_) => None,
        };
        self.counted.observe(method, route, status, started.elapsed());
        answer
    }
}

impl HttpExchange {
    async fn ask(&self, request: Request) -> Result<Response, ErrorKind> {
        let url = format!("{}{}", self.target.base, request.path);
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Patch => http::Method::PATCH,
            Method::Delete => http::Method::DELETE,
        };
        let limit = if request.takes_long { self.limits.bootstrap } else { self.limits.request };
        let mut builder = self.client.request(method, url).timeout(limit);
        if let Some(host) = &self.target.host {
            builder = builder.header(HOST, host);
        }
        if let Some(authorization) = request.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        // A JSON content type without a body is answered 500 (recorded).
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body);
        }
        #[expect(clippy::disallowed_methods, reason = "the one door")]
        let answer = builder.send().await.map_err(|error| no_answer(&error))?;
        read(answer, request.longest_answer).await
    }
}

/// Reads an answer, and stops where it is longer than any of Infisical's.
async fn read(mut answer: reqwest::Response, longest: usize) -> Result<Response, ErrorKind> {
    let encoding = text(answer.headers(), &CONTENT_ENCODING);
    let mut response = Response {
        status: answer.status().as_u16(),
        content_type: text(answer.headers(), &CONTENT_TYPE),
        location: text(answer.headers(), &LOCATION),
        retry_after: text(answer.headers(), &RETRY_AFTER),
        body: Zeroizing::default(),
    };
    while let Some(chunk) = answer.chunk().await.map_err(|error| no_answer(&error))? {
        if response.body.len() + chunk.len() > longest {
            return Err(ErrorKind::NotInfisical { status: response.status, what: TOO_LARGE });
        }
        response.body.extend_from_slice(&chunk);
    }
    // Of a redirect and of a failure the status is enough.
    if matches!(response.status, 200..300 | 400..500) {
        let body = std::mem::take(&mut response.body);
        let not_infisical = |what| ErrorKind::NotInfisical { status: response.status, what };
        response.body = decoded(encoding.as_deref(), body, longest).map_err(not_infisical)?;
    }
    Ok(response)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Why there is no answer, from the causes of reqwest's error.
fn no_answer(error: &reqwest::Error) -> ErrorKind {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = known(inner) {
            return ErrorKind::Unreachable(found);
        }
        cause = inner.source();
    }
    ErrorKind::Unreachable(match error {
        error if error.is_timeout() => Transport::TimedOut,
        // What is left of connecting is the network that says no: no route,
        // network unreachable, permission denied.
        error if error.is_connect() => Transport::Refused,
        _ => Transport::Broken,
    })
}

fn known(cause: &(dyn StdError + 'static)) -> Option<Transport> {
    if let Some(error) = cause.downcast_ref::<ResolveError>() {
        return Some(match error {
            ResolveError::NotFound => Transport::Dns,
            ResolveError::Forbidden => Transport::Forbidden,
        });
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(Transport::Tls(tls::describe(error)));
    }
    let error = cause.downcast_ref::<io::Error>()?;
    // An `io::Error` does not name what it wraps as its source.
    if let Some(found) = error.get_ref().and_then(|inner| known(inner)) {
        return Some(found);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Transport::Refused),
        io::ErrorKind::TimedOut => Some(Transport::TimedOut),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            Some(Transport::Broken)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_inside_of_an_io_error() {
        let wrap = |inner: Box<dyn StdError + Send + Sync>| io::Error::other(inner);
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let table = [
            ("forbidden", wrap(ResolveError::Forbidden.into()), Some(Transport::Forbidden)),
            ("no address", wrap(Box::new(wrap(ResolveError::NotFound.into()))), Some(Transport::Dns)),
            ("TLS", wrap(tls.into()), Some(Transport::Tls("the certificate is expired".to_owned()))),
            ("refused", io::ErrorKind::ConnectionRefused.into(), Some(Transport::Refused)),
            ("reset", io::ErrorKind::ConnectionReset.into(), Some(Transport::Broken)),
            ("anything else", io::ErrorKind::Other.into(), None),
        ];
        for (name, error, expected) in table {
            assert_eq!(known(&error), expected, "{name}");
        }
    }
}
