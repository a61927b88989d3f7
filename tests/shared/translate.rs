//! Between the client's requests and responses and those of the fake's core, for
//! tests that put nothing in between or everything.

use infisical::client::{Request, Response};

/// What the client sends, as the fake takes it.
pub(crate) fn to_fake(request: &Request) -> fake_infisical::Request {
    let mut sent = fake_infisical::Request::new(request.method.as_str(), &request.path);
    // A token that a mangled answer gave may be of any characters.
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    sent.authorization = request.authorization.as_ref().map(text);
    if let Some(body) = &request.body {
        sent.content_type = Some("application/json".to_owned());
        sent.body = body.to_vec();
    }
    sent
}

/// What the fake answers, as the client takes it.
pub(crate) fn from_fake(response: fake_infisical::Response) -> Response {
    let header = |name| response.headers.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone());
    Response {
        status: response.status,
        location: header("location"),
        retry_after: header("retry-after"),
        content_type: Some(response.content_type),
        body: response.body.into(),
    }
}
