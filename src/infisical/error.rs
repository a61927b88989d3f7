//! Why a request to Infisical did not do what it should, in the caller's terms.
//!
//! An answer is classified by route, status and `error`; only where these do
//! not tell two cases apart is its `message` read. A body never gets in here:
//! it may hold a token.

use std::time::Duration;

/// A failed request to Infisical.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {operation}: {kind}")]
pub struct Error {
    /// What was being done: `bootstrap the instance`, `log in`, …
    pub operation: &'static str,
    /// Why it failed.
    pub kind: ErrorKind,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
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
    /// 400 `Instance has already been set up` of bootstrap.
    #[error("the instance has already been set up")]
    AlreadySetUp,
    /// 400 `User already exists` of bootstrap, on an instance that says it is
    /// not set up: another bootstrap is under way, or one was interrupted.
    #[error("the user already exists")]
    UserAlreadyExists,
    /// 422.
    #[error("the server refuses {}", .fields.join(", "))]
    InvalidRequest {
        /// The paths that it names.
        fields: Vec<String>,
    },
    /// 400 `Invalid credentials` of login: wrong password or unknown user.
    #[error("the email or password is wrong")]
    InvalidCredentials,
    /// Login asks for a captcha after repeated failures.
    #[error("the server asks for a captcha")]
    CaptchaRequired,
    /// Login by email and password is switched off.
    #[error("login with email and password is switched off")]
    PasswordLoginDisabled,
    /// The account is locked after repeated failures.
    #[error("the user is locked")]
    UserLocked,
    /// 401 `Invalid credentials` of a login with Universal Auth: the client ID or
    /// secret is wrong or was revoked (read in the source; the message is that of
    /// the fake and of the recorded login of a user).
    #[error("the client ID or secret is wrong")]
    ClientSecretRefused,
    /// 401 of the same login after failed ones (read in the source: three within
    /// thirty seconds, and then for five minutes).
    #[error("the identity is locked")]
    IdentityLocked,
    /// 400 `Identity` of taking the instance admin right from an identity that does
    /// not have it.
    #[error("the identity is not an instance admin")]
    NotInstanceAdmin,
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

impl Error {
    /// An error of `operation`.
    #[must_use]
    pub fn new(operation: &'static str, kind: ErrorKind) -> Self {
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
