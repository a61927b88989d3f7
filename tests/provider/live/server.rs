//! The server: the fake Infisical, asked by the provider's own client.

use async_trait::async_trait;
use fake_infisical::Instance;
use infisical::{
    Client, Connect, Error, ErrorKind,
    client::{Exchange, Request, Response},
    endpoint::Endpoint,
    error::Transport,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Live, State};
use crate::translate::{from_fake, to_fake};

/// Sets the server up, and answers with the token of its admin and the organization's id.
pub(super) fn bootstrap(server: &mut Instance, now: Timestamp) -> (String, String) {
    let admin = json!({
        "email": "admin@example.com",
        "password": "marker-password",
        "organization": "Acme",
    });
    let request = fake_infisical::Request::new("POST", "/api/v1/admin/bootstrap").json(&admin);
    let answer: Value = serde_json::from_slice(&server.handle(now, &request).body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer["identity"]["credentials"]["token"]), text(&answer["organization"]["id"]))
}

impl Connect for Live {
    fn connect(&self, _: &Endpoint) -> Result<Client, Error> {
        Ok(Client::new(Line(self.clone())))
    }
}

struct Line(Live);

#[async_trait]
impl Exchange for Line {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        let now = self.0.clock.now();
        let answer = |state: &mut State, _| {
            let line = format!("{} {}", request.method.as_str(), request.path);
            if request.method.as_str() != "GET" {
                state.writes.push(line.clone());
            }
            state.requests.push(line);
            state.server.handle(now, &to_fake(&request))
        };
        let answered = self.0.step(answer).await;
        answered.map(from_fake).ok_or(ErrorKind::Unreachable(Transport::TimedOut))
    }
}

impl Live {
    /// Somebody asks the server by hand, as its admin.
    pub(crate) fn by_hand(&self, method: &str, path: &str, body: &Value) -> Value {
        let token =
            self.state().secrets[&crate::world::thing::key("platform", "connection")]["data"]["token"]
                .clone();
        let token: k8s_openapi::ByteString = serde_json::from_value(token).unwrap();
        let request =
            fake_infisical::Request::new(method, path).bearer(std::str::from_utf8(&token.0).unwrap());
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = self.state().server.handle(self.clock.now(), &request);
        assert_eq!(answer.status, 200, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }
}
