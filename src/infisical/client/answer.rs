//! Reads answers: a typed result, or why there is none.
//!
//! [`classify`] is the one place that says what a failed answer means. It goes
//! by operation, status and `error`; it reads a `message` only where nothing
//! else tells two cases apart, and the recordings pin those wordings.

use std::{fmt, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use url::Url;
use zeroize::Zeroizing;

use super::request::Operation;
use crate::{ErrorKind, error::TokenRefusal};

/// An answer, as far as it was read.
#[derive(Default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// The body. It may hold a token, so its memory is zeroed.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The body of a refusal. All that were recorded have these fields, by which they
/// are told from the JSON of a gateway that stands in between: that is no word of
/// Infisical's about a token. `message` is a string or, for 422, a list of issues.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    status_code: u16,
    error: String,
    message: serde_json::Value,
}

impl Refusal {
    fn says(&self, words: &str) -> bool {
        self.message.as_str().is_some_and(|message| message.contains(words))
    }
}

/// What the answer to an operation says.
pub(super) fn decode<T: DeserializeOwned>(operation: Operation, response: &Response) -> Result<T, ErrorKind> {
    let not_infisical = |what| ErrorKind::NotInfisical { status: response.status, what };
    if !(200..300).contains(&response.status) {
        return Err(classify(operation, response));
    }
    if !is_json(response) {
        return Err(not_infisical("it is not JSON"));
    }
    serde_json::from_slice(&response.body).map_err(|_| not_infisical("its JSON is not that of the route"))
}

/// What an answer other than 2xx means.
fn classify(operation: Operation, response: &Response) -> ErrorKind {
    let status = response.status;
    match status {
        300..400 => return ErrorKind::Redirected { to: origin_of(response.location.as_deref()) },
        429 => return ErrorKind::RateLimited { retry_after: seconds(response.retry_after.as_deref()) },
        // The loser of a race of bootstraps is a 500 with the error "Create",
        // but so is any insert that the database refuses: it stays open what
        // was done.
        500.. => return ErrorKind::ServerError { status },
        _ => {}
    }
    if !is_json(response) {
        return ErrorKind::NotInfisical { status, what: "it is not JSON" };
    }
    let refusal = serde_json::from_slice::<Refusal>(&response.body).ok();
    let Some(refusal) = refusal.filter(|refusal| refusal.status_code == status) else {
        return ErrorKind::NotInfisical { status, what: "its JSON is not that of a refusal" };
    };
    match (operation, status, refusal.error.as_str()) {
        (_, 422, _) => ErrorKind::InvalidRequest { fields: fields(&refusal.message) },
        (Operation::Bootstrap, 400, "Instance initialization") => ErrorKind::UserAlreadyExists,
        // A recorded "BadRequest"; bootstrap has no other.
        (Operation::Bootstrap, 400, "BadRequest") => ErrorKind::AlreadySetUp,
        (Operation::Login, 400, "Captcha Required" | "Invalid Captcha") => ErrorKind::CaptchaRequired,
        // 403 in the source of 2026, 401 "User Locked" in that of 2024.
        (Operation::Login | Operation::SelectOrganization, 401 | 403, "UserLocked" | "User Locked") => {
            ErrorKind::UserLocked
        }
        (Operation::Login, 400, _) => refused_login(&refusal),
        // Read in the source: an organization that enforces single sign-on.
        (Operation::SelectOrganization, 400, _) if refusal.says("auth method required") => {
            ErrorKind::PasswordLoginDisabled
        }
        (Operation::UniversalAuthLogin, 401, _) if refusal.says("locked") => ErrorKind::IdentityLocked,
        (Operation::UniversalAuthLogin, 401, _) => ErrorKind::ClientSecretRefused,
        (Operation::RevokeInstanceAdmin, 400, "Identity") => ErrorKind::NotInstanceAdmin,
        (Operation::RenewToken | Operation::IdentityDetails, 401 | 403, _) => {
            ErrorKind::TokenRefused(refused_token(&refusal))
        }
        (_, 403, "TokenError") => ErrorKind::TokenRefused(refused_token(&refusal)),
        (_, 401, _) if sends_a_session(operation) => ErrorKind::TokenRefused(refused_token(&refusal)),
        (_, 403, _) => ErrorKind::Forbidden,
        (_, 404, _) => ErrorKind::NotFound,
        _ => ErrorKind::Unexpected { status },
    }
}

/// The refusals of login all are 400 `BadRequest`. Recorded is only
/// `Invalid credentials`; the others were read in the server's source.
fn refused_login(refusal: &Refusal) -> ErrorKind {
    if refusal.says("disabled by administrator") {
        ErrorKind::PasswordLoginDisabled
    } else if refusal.says("locked") {
        ErrorKind::UserLocked
    } else if refusal.says("captcha") {
        ErrorKind::CaptchaRequired
    } else if refusal.says("Invalid credentials") {
        ErrorKind::InvalidCredentials
    } else {
        ErrorKind::Unexpected { status: 400 }
    }
}

/// Two kinds of 401 and two of 403 differ in their message only.
fn refused_token(refusal: &Refusal) -> TokenRefusal {
    match refusal.error.as_str() {
        "TokenError" if refusal.says("expired") => TokenRefusal::Expired,
        "TokenError" => TokenRefusal::Malformed,
        _ if refusal.says("exceeded max age") => TokenRefusal::ExceededMaxAge,
        _ if refusal.says("revoked") => TokenRefusal::Revoked,
        _ => TokenRefusal::Other,
    }
}

fn sends_a_session(operation: Operation) -> bool {
    match operation {
        Operation::Organizations
        | Operation::SelectOrganization
        | Operation::AdminIdentities
        | Operation::InstanceAdmin
        | Operation::MintToken
        | Operation::ListTokens
        | Operation::RevokeToken
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
        | Operation::RevokeInstanceAdmin => true,
        Operation::Status
        | Operation::Config
        | Operation::Bootstrap
        | Operation::Login
        | Operation::RenewToken
        | Operation::IdentityDetails
        | Operation::UniversalAuthLogin
        | Operation::EndToken => false,
    }
}

fn is_json(response: &Response) -> bool {
    let media_type =
        response.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// The fields that a 422 names. They are names of our own request; anything
/// else that stands there is left out, because it ends up in a condition.
fn fields(message: &serde_json::Value) -> Vec<String> {
    let known = ["email", "password", "organization", "organizationId", "name", "role", "accessToken"];
    let issues = message.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut named: Vec<String> = issues
        .iter()
        .filter_map(|issue| issue.get("path")?.get(0)?.as_str())
        .filter(|field| known.contains(field))
        .map(str::to_owned)
        .collect();
    named.sort();
    named.dedup();
    if named.is_empty() { vec!["the request".to_owned()] } else { named }
}

/// Scheme, host and port of a `Location`; the rest may hold a token. That of an
/// app's own scheme has no such thing.
fn origin_of(location: Option<&str>) -> Option<String> {
    let origin = Url::parse(location?).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// A `Retry-After` in seconds. Its other form, a date, is not used by
/// Infisical and would need a clock.
fn seconds(retry_after: Option<&str>) -> Option<Duration> {
    retry_after?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
