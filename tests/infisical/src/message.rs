//! Requests and answers as the fake sees them, whoever carries them.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A request.
#[derive(Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `User-Agent`, without which nobody logs in.
    pub user_agent: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            user_agent: Some("fake-infisical".to_owned()),
            ..Self::default()
        }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.content_type = Some("application/json".to_owned());
        self.body = body.to_string().into_bytes();
        self
    }

    /// The same with a token.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    pub(crate) fn declares_json(&self) -> bool {
        self.content_type.as_deref().is_some_and(|value| value.starts_with("application/json"))
    }

    /// The body, or the recorded 500 for one that is no JSON.
    pub(crate) fn value(&self) -> Result<Value, Response> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|_| Response::server_error())
    }

    /// A number of the query.
    pub(crate) fn query(&self, name: &str) -> Option<usize> {
        self.text_query(name)?.parse().ok()
    }

    /// A text of the query.
    pub(crate) fn text_query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// An answer.
#[derive(Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Response {
    fn new(status: u16, content_type: &str, body: String) -> Self {
        let content_type = content_type.to_owned();
        Self { status, content_type, headers: Vec::new(), body: body.into_bytes() }
    }

    fn of_json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// 200 with a body.
    #[must_use]
    pub fn ok(body: &Value) -> Self {
        Self::of_json(200, body)
    }

    /// A refusal in the shape that all of them have.
    #[must_use]
    pub fn refusal(status: u16, error: &str, message: &str) -> Self {
        Self::of_json(status, &refusal_body(status, error, &Value::from(message)))
    }

    /// A 404 with a message.
    pub(crate) fn missing(message: &str) -> Self {
        Self::refusal(404, "NotFound", message)
    }

    /// A 500 whose error says what the database did (recorded).
    pub(crate) fn failed(error: &str) -> Self {
        Self::refusal(500, error, "Something went wrong")
    }

    /// Somebody asks about a project that is not theirs (recorded).
    pub(crate) fn not_a_member(project_id: &str) -> Self {
        let message = format!(
            "You are not a member of this project with ID {project_id}. Please assign this identity to the project with the appropriate permissions, then try again."
        );
        Self::refusal(403, "ProjectMembershipNotFound", &message)
    }

    /// A role does not permit something (recorded).
    pub(crate) fn not_allowed((action, subject): (&str, &str)) -> Self {
        let message = format!("You are not allowed to {action} on {subject}");
        let mut body = refusal_body(403, "PermissionDenied", &Value::from(message));
        if let Some(fields) = body.as_object_mut() {
            fields.insert("details".to_owned(), Value::Array(Vec::new()));
        }
        Self::of_json(403, &body)
    }

    /// A route that identities may not use (recorded).
    pub(crate) fn for_users_only(path: &str) -> Self {
        let error = format!("Forbidden access to {path}");
        Self::refusal(403, &error, "You are not allowed to access this resource")
    }

    /// The router's answer to a path that it does not have (recorded).
    pub(crate) fn no_route(message: &str) -> Self {
        Self::of_json(404, &json!({ "message": message, "error": "Not Found", "statusCode": 404 }))
    }

    /// The router's refusal of an id that is too long; of another shape (recorded).
    pub(crate) fn too_long_parameter(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        Self::of_json(
            414,
            &json!({
                "error": "Bad Request",
                "code": "FST_ERR_MAX_PARAM_LENGTH",
                "message": format!("'{path}' is exceeding the max param length"),
                "statusCode": 414,
            }),
        )
    }

    /// The same with its `ETag`; a 304 for whoever has it already.
    pub(crate) fn with_etag(mut self, known: Option<&str>) -> Self {
        let hash: Vec<u8> = Sha256::digest(&self.body).iter().copied().take(20).collect();
        let etag = format!("\"{}\"", STANDARD.encode(hash));
        if known == Some(etag.as_str()) {
            (self.status, self.body) = (304, Vec::new());
        }
        self.headers.push(("etag", etag));
        self
    }

    pub(crate) fn unprocessable(issues: Vec<Value>) -> Self {
        Self::of_json(422, &refusal_body(422, "ValidationFailure", &Value::from(issues)))
    }

    /// 500, in the words for everything that nobody expected.
    #[must_use]
    pub fn server_error() -> Self {
        Self::refusal(500, "InternalServerError", "Something went wrong")
    }

    /// 429 (read in the server's source, not recorded).
    #[must_use]
    pub fn rate_limited(retry_after: Option<u64>) -> Self {
        let message = "Rate limit exceeded. Please try again later";
        let mut response = Self::refusal(429, "RateLimitExceeded", message);
        response.headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        response
    }

    /// The page of a proxy in front.
    #[must_use]
    pub fn page(status: u16) -> Self {
        Self::new(status, "text/html", "<html><body>A proxy's page</body></html>".to_owned())
    }

    /// The JSON of a gateway in front, which has no route to the server.
    #[must_use]
    pub fn gateway(status: u16) -> Self {
        Self::new(
            status,
            "application/json",
            r#"{"message":"no Route matched with those values"}"#.to_owned(),
        )
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        let mut response = Self::new(302, "text/plain", String::new());
        response.headers.push(("location", location.to_owned()));
        response
    }

    /// JSON that is longer than any answer.
    #[must_use]
    pub fn oversized(bytes: usize) -> Self {
        Self::ok(&json!({ "padding": "x".repeat(bytes) }))
    }
}

fn refusal_body(status: u16, error: &str, message: &Value) -> Value {
    json!({ "reqId": "req-00000000000000", "statusCode": status, "message": message, "error": error })
}
