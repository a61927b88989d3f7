//! Why a request to Infisical did not do what it should, in the caller's terms.
//!
//! An answer is classified by route, status and `error`; only where these do
//! not tell two cases apart is its `message` read. A body never gets in here:
//! it may hold a token.
//!
//! What can happen on every route is a kind of its own. A refusal that one route has and
//! others do not is a type of that route, `R`: a caller sees which there are, and those
//! of no other route. Where it is only handed on it is kept [in words](Error::in_words).

use std::{convert::Infallible, fmt, time::Duration};

/// A failed request to Infisical.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {operation}: {kind}")]
pub struct Error<R = Infallible> {
    /// What was being done: `bootstrap the instance`, `log in`, …
    pub operation: &'static str,
    /// Why it failed.
    pub kind: ErrorKind<R>,
}

/// An error of whichever route, with what it was refused for in words.
pub type AnyError = Error<String>;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind<R = Infallible> {
    /// A refusal that the route has and others do not.
    #[error("{0}")]
    Refused(R),
    /// No answer: nothing is known of whether the request had an effect.
    #[error("{0}")]
    Unreachable(Transport),
    /// 429.
    #[error("the server asks for fewer requests (429)")]
    RateLimited {
        /// What its `Retry-After` says.
        retry_after: Option<Duration>,
    },
    /// 5xx. Nothing is known of whether the request had an effect.
    #[error("the server failed ({status})")]
    ServerError {
        /// The HTTP status.
        status: u16,
    },
    /// 3xx, not followed: credentials go to the given host only.
    #[error("the server redirects to {}", .to.as_deref().unwrap_or("another place"))]
    Redirected {
        /// Scheme, host and port of `Location`.
        to: Option<String>,
    },
    /// An answer that no Infisical gives: a proxy's HTML page, a body that is
    /// too large or not the JSON that the route has.
    #[error("the answer ({status}) is not Infisical's: {what}")]
    NotInfisical {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it, without any of its content.
        what: &'static str,
    },
    /// 422.
    #[error("the server refuses {}", .fields.join(", "))]
    InvalidRequest {
        /// The paths that it names.
        fields: Vec<String>,
    },
    /// The token of the request does not work (any more).
    #[error("the token is {0}")]
    TokenRefused(TokenRefusal),
    /// 403 for another reason than the token: not allowed.
    #[error("permission denied")]
    Forbidden,
    /// 404: what the request names is not there.
    #[error("not found")]
    NotFound,
    /// Any other status.
    #[error("the server answered {status}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
    /// The endpoint's TLS settings cannot be used; no request was made.
    #[error("the TLS settings cannot be used: {0}")]
    InvalidTls(&'static str),
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Transport {
    /// The name does not resolve.
    #[error("the host name does not resolve")]
    Dns,
    /// Nothing listens, or the network says no.
    #[error("the connection is refused")]
    Refused,
    /// The certificate was not accepted, or there is no TLS.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// No answer in time.
    #[error("no answer within the time limit")]
    TimedOut,
    /// The connection broke.
    #[error("the connection broke")]
    Broken,
    /// The name resolves to an address to which no credentials are sent.
    #[error("the host resolves to a link-local or metadata address, to which no credentials are sent")]
    Forbidden,
}

/// Why a token does not work (recorded for `GET /api/v1/identities/details`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// 403 `TokenError`, past its `exp`.
    #[error("expired")]
    Expired,
    /// 401: older than the server allows, or without `exp` on a strict server.
    #[error("older than the server accepts")]
    ExceededMaxAge,
    /// 401: revoked.
    #[error("revoked")]
    Revoked,
    /// 403 `TokenError`: not one of this server's.
    #[error("malformed or another server's")]
    Malformed,
    /// 401 or 403 in other words.
    #[error("refused")]
    Other,
}

impl<R> Error<R> {
    /// An error of `operation`.
    #[must_use]
    pub fn new(operation: &'static str, kind: ErrorKind<R>) -> Self {
        Self { operation, kind }
    }

    /// Whether the server may have done what was asked although it did not say
    /// so: the caller looks before it tries again.
    #[must_use]
    pub fn effect_is_unknown(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable(_) | ErrorKind::ServerError { .. } | ErrorKind::NotInfisical { .. }
        )
    }
}

impl<R: fmt::Display> Error<R> {
    /// The same, whichever route it is of.
    #[must_use]
    pub fn in_words(self) -> AnyError {
        Error { operation: self.operation, kind: self.kind.map(|refusal| refusal.to_string()) }
    }
}

impl Error {
    /// The same of a step of which another route has refusals of its own.
    #[must_use]
    pub fn of_route<R>(self) -> Error<R> {
        Error { operation: self.operation, kind: self.kind.of_route() }
    }
}

impl ErrorKind {
    /// The same on a route that has refusals of its own.
    pub(crate) fn of_route<R>(self) -> ErrorKind<R> {
        self.map(|never| match never {})
    }
}

impl<R> ErrorKind<R> {
    fn map<S>(self, refused: impl FnOnce(R) -> S) -> ErrorKind<S> {
        match self {
            Self::Refused(refusal) => ErrorKind::Refused(refused(refusal)),
            Self::Unreachable(transport) => ErrorKind::Unreachable(transport),
            Self::RateLimited { retry_after } => ErrorKind::RateLimited { retry_after },
            Self::ServerError { status } => ErrorKind::ServerError { status },
            Self::Redirected { to } => ErrorKind::Redirected { to },
            Self::NotInfisical { status, what } => ErrorKind::NotInfisical { status, what },
            Self::InvalidRequest { fields } => ErrorKind::InvalidRequest { fields },
            Self::TokenRefused(refusal) => ErrorKind::TokenRefused(refusal),
            Self::Forbidden => ErrorKind::Forbidden,
            Self::NotFound => ErrorKind::NotFound,
            Self::Unexpected { status } => ErrorKind::Unexpected { status },
            Self::InvalidTls(what) => ErrorKind::InvalidTls(what),
        }
    }
}
