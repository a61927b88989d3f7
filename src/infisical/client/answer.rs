//! Reads answers: a typed result, or why there is none.
//!
//! [`classify`] says what a failed answer means on every route; what it means on one of
//! them only, that route says.

use std::{fmt, time::Duration};

use url::Url;
use zeroize::Zeroizing;

use crate::{
    error::ErrorKind,
    route::{RefusalBody, Route},
};

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

/// What the answer to a route says.
pub(super) fn decode<R: Route>(route: &R, response: &Response) -> Result<R::Answer, ErrorKind<R::Refusal>> {
    let not_infisical = |what| ErrorKind::NotInfisical { status: response.status, what };
    if !(200..300).contains(&response.status) {
        return Err(match refusal(response) {
            Ok(body) => classify(route, &body),
            Err(kind) => kind.of_route(),
        });
    }
    if !is_json(response) {
        return Err(not_infisical("it is not JSON"));
    }
    R::answer(&response.body).map_err(|_| not_infisical("its JSON is not that of the route"))
}

/// The refusal that an answer other than 2xx is.
///
/// # Errors
/// It is none.
fn refusal(response: &Response) -> Result<RefusalBody, ErrorKind> {
    let status = response.status;
    let what = match status {
        300..400 => return Err(ErrorKind::Redirected { to: origin_of(response.location.as_deref()) }),
        429 => {
            return Err(ErrorKind::RateLimited { retry_after: seconds(response.retry_after.as_deref()) });
        }
        // The loser of a race of bootstraps is a 500 with the error "Create",
        // but so is any insert that the database refuses: it stays open what
        // was done.
        500.. => return Err(ErrorKind::ServerError { status }),
        _ if !is_json(response) => "it is not JSON",
        _ => match serde_json::from_slice::<RefusalBody>(&response.body) {
            Ok(body) if body.status == status => return Ok(body),
            _ => "its JSON is not that of a refusal",
        },
    };
    Err(ErrorKind::NotInfisical { status, what })
}

/// What a refusal means.
pub(super) fn classify<R: Route>(route: &R, body: &RefusalBody) -> ErrorKind<R::Refusal> {
    if let Some(kind) = R::refusal(body) {
        return kind;
    }
    match (body.status, body.error.as_str()) {
        (422, _) => ErrorKind::InvalidRequest { fields: fields(&body.message) },
        (403, "TokenError") => ErrorKind::TokenRefused(body.token_refusal()),
        (401, _) if route.credential().is_some() => ErrorKind::TokenRefused(body.token_refusal()),
        (403, _) => ErrorKind::Forbidden,
        (404, _) => ErrorKind::NotFound,
        (status, _) => ErrorKind::Unexpected { status },
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
    let known = [
        "accessToken",
        "accessTokenTTL",
        "allowedNames",
        "allowedNamespaces",
        "caCert",
        "description",
        "email",
        "environment",
        "kubernetesHost",
        "metadata",
        "name",
        "organization",
        "organizationId",
        "password",
        "path",
        "permissions",
        "position",
        "projectName",
        "role",
        "roles",
        "search",
        "secretMetadata",
        "secretName",
        "secretPath",
        "secretValue",
        "secrets",
        "slug",
        "type",
    ];
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
