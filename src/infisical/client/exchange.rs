//! The one door out: sends a request over HTTP and reads the answer.
//!
//! Connections, time limits and TLS are set up in `connect`; what requests and
//! answers mean is in `request` and `answer`. A failure to get an answer is
//! told apart here, by type and never by text.

use std::{error::Error as StdError, io, time::Duration};

use async_trait::async_trait;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, LOCATION, RETRY_AFTER,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    Exchange, Limits, Operation, Request, Response,
    connect::{ResolveError, Target},
    decoding::{TOO_LARGE, decoded},
    tls,
};
use crate::{ErrorKind, error::Transport, metrics::Requests};

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

    fn limit(&self, operation: Operation) -> Duration {
        match operation {
            Operation::Bootstrap => self.limits.bootstrap,
            Operation::Status
            | Operation::Config
            | Operation::Login
            | Operation::Organizations
            | Operation::SelectOrganization
            | Operation::AdminIdentities
            | Operation::MintToken
            | Operation::ListTokens
            | Operation::RevokeToken
            | Operation::RenewToken
            | Operation::IdentityDetails
            | Operation::InstanceAdmin
            | Operation::Identities
            | Operation::CreateIdentity
            | Operation::DeleteIdentity
            | Operation::UniversalAuth
            | Operation::AttachUniversalAuth
            | Operation::CreateClientSecret
            | Operation::ListClientSecrets
            | Operation::RevokeClientSecret
            | Operation::Project
            | Operation::ProjectMembership
            | Operation::AddToProject
            | Operation::UniversalAuthLogin
            | Operation::EndToken
            | Operation::RevokeInstanceAdmin => self.limits.request,
        }
    }
}

#[async_trait]
impl Exchange for HttpExchange {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        let (operation, started) = (request.operation, Instant::now());
        let answer = self.ask(request).await;
        let status = match &answer {
            Ok(response) => Some(response.status),
            Err(ErrorKind::NotInfisical { status, .. }) => Some(*status),
            Err(_) => None,
        };
        self.counted.observe(operation, status, started.elapsed());
        answer
    }
}

impl HttpExchange {
    async fn ask(&self, request: Request) -> Result<Response, ErrorKind> {
        let url = format!("{}{}", self.target.base, request.path);
        let mut builder =
            self.client.request(request.operation.method(), url).timeout(self.limit(request.operation));
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
        read(answer, request.operation.longest_answer()).await
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
