//! The fake Infisical answers as the recorded server did.
//!
//! Every recorded exchange is replayed in order, over HTTP, against a fake of
//! its variant. Status, content type and body must be the recorded ones; ids,
//! times, slugs and tokens need to have the same type only. Nothing is
//! skipped: an exchange that is new in the recordings is replayed like the rest.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fake_infisical::{FakeInfisical, Fault, On, Options, Route, Settings, Times, Transaction, Variant};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

const STRICT: &str = include_str!("../fixtures/exchanges/strict.json");
const LENIENT: &str = include_str!("../fixtures/exchanges/lenient.json");

/// Names of placeholders, and the exchange whose token each of them is.
const TOKENS: [(&str, &str); 8] = [
    ("<bootstrap-token>", "bootstrap-ok"),
    ("<user-token>", "login-ok"),
    ("<organization-user-token>", "select-organization"),
    ("<minted-token>", "mint-token"),
    ("<minted-token>", "self-mint"),
    ("<minted-token-2>", "mint-token-2"),
    ("<platform-identity-token>", "universal-auth-login"),
    ("<malformed>", ""),
];

#[tokio::test]
async fn the_strict_fake_answers_as_recorded() {
    replay(STRICT, Settings { variant: Variant::Strict, ..Settings::default() }).await;
}

#[tokio::test]
async fn the_lenient_fake_answers_as_recorded() {
    // Recorded on a server with tokens of four seconds.
    let settings = Settings { variant: Variant::Lenient, max_token_ttl: 4, ..Settings::default() };
    replay(LENIENT, settings).await;
}

async fn replay(recordings: &str, settings: Settings) {
    let exchanges: Vec<Value> = serde_json::from_str(recordings).unwrap();
    let start: Timestamp = "2026-11-23T21:53:48.895Z".parse().unwrap();
    let options = Options { settings, time: std::sync::Arc::new(move || start), ..Options::default() };
    let fake = FakeInfisical::start(options).await.unwrap();
    let mut replayed = Replayed::default();
    for exchange in &exchanges {
        let name = exchange["name"].as_str().unwrap();
        let request = replayed.translate(exchange);
        let answer = if name == "bootstrap-race-same-email" {
            race(&fake, &request).await
        } else {
            prepare(&fake, name, &request).await;
            send(fake.address(), &request).await.expect(name)
        };
        let recorded = &exchange["response"];
        assert_eq!(u64::from(answer.status), recorded["status"].as_u64().unwrap(), "{name}: {}", answer.body);
        assert_eq!(answer.content_type, recorded["contentType"].as_str().unwrap(), "{name}");
        compare(name, "", &recorded["body"], &answer.body);
        replayed.learn(name, &recorded["body"], &answer.body);
    }
}

/// What happened to the recorded server before an exchange.
async fn prepare(fake: &FakeInfisical, name: &str, request: &Raw) {
    match name {
        "verify-expired-token" => fake.advance(Duration::from_secs(5)),
        "bootstrap-partial-user-exists" => {
            fake.reset_database();
            let crash = Fault::CrashAfter(Transaction::User);
            fake.inject(On::Route(Route::Bootstrap), Times::Next(1), crash);
            assert!(send(fake.address(), request).await.is_none(), "the crash has no answer");
        }
        _ => {}
    }
}

/// Six bootstraps at once: one succeeds, and the others lose alike.
async fn race(fake: &FakeInfisical, request: &Raw) -> Answer {
    fake.reset_database();
    fake.meet_bootstraps(6);
    let mut calls = JoinSet::new();
    for _ in 0..6 {
        let (address, request) = (fake.address(), request.clone());
        calls.spawn(async move { send(address, &request).await.expect("an answer") });
    }
    let answers = calls.join_all().await;
    let (won, mut lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 5));
    assert_eq!(fake.super_admins().len(), 1);
    assert!(fake.bootstraps().max_concurrent == 6, "{:?}", fake.bootstraps());
    lost.pop().unwrap()
}

#[tokio::test]
async fn six_bootstraps_with_six_emails_leave_six_super_admins() {
    let fake = FakeInfisical::start(Options::default()).await.unwrap();
    fake.meet_bootstraps(6);
    let mut calls = JoinSet::new();
    for number in 0..6 {
        let email = format!("admin{number}@example.com");
        let body = serde_json::json!({ "email": email, "password": "p", "organization": "Acme" });
        let request = Raw {
            method: "POST".to_owned(),
            path: "/api/v1/admin/bootstrap".to_owned(),
            authorization: None,
            content_type: true,
            body: body.to_string(),
        };
        let address = fake.address();
        calls.spawn(async move { send(address, &request).await.expect("an answer").status });
    }
    assert_eq!(calls.join_all().await, [200; 6]);
    assert_eq!((fake.super_admins().len(), fake.organization_names().len()), (6, 6));
}

/// What the replayed answers had in place of what the recorded ones had.
#[derive(Default)]
struct Replayed {
    /// Recorded ids, tokens and client secrets.
    values: BTreeMap<String, String>,
    /// The token of an exchange, by its name.
    tokens: BTreeMap<String, String>,
}

impl Replayed {
    fn translate(&self, exchange: &Value) -> Raw {
        let name = exchange["name"].as_str().unwrap();
        let request = &exchange["request"];
        let mut path = request["path"].as_str().unwrap().to_owned();
        for (recorded, replayed) in &self.values {
            path = path.replace(recorded, replayed);
        }
        let authorization = request["authorization"].as_str().map(|header| self.placeholder(header));
        let body = match (name, request.get("body")) {
            // The recording cannot hold a body that is no JSON.
            ("bootstrap-malformed-json", _) => "{".to_owned(),
            (_, None) => String::new(),
            (_, Some(body)) => self.translate_value(body).to_string(),
        };
        let content_type = !body.is_empty() || name == "delete-with-json-content-type-and-no-body";
        let method = request["method"].as_str().unwrap().to_owned();
        Raw { method, path, authorization, content_type, body }
    }

    fn placeholder(&self, header: &str) -> String {
        let placeholder = header.strip_prefix("Bearer ").unwrap();
        let names = TOKENS.iter().filter(|(of, _)| *of == placeholder).map(|(_, name)| *name);
        let mut names = names.peekable();
        assert!(names.peek().is_some(), "a placeholder that nobody explains: {placeholder}");
        let token = names.find_map(|name| self.tokens.get(name)).map_or("malformed", String::as_str);
        format!("Bearer {token}")
    }

    fn translate_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.values.get(text).unwrap_or(text).as_str()),
            Value::Array(items) => items.iter().map(|item| self.translate_value(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.translate_value(value))).collect()
            }
            _ => value.clone(),
        }
    }

    fn learn(&mut self, name: &str, recorded: &Value, replayed: &Value) {
        match (recorded, replayed) {
            (Value::Object(recorded), Value::Object(replayed)) => {
                for (key, value) in recorded {
                    if key == "accessToken" || key == "token" {
                        let token = replayed[key].as_str().unwrap().to_owned();
                        self.tokens.insert(name.to_owned(), token);
                    }
                    self.learn(name, value, &replayed[key]);
                }
            }
            (Value::Array(recorded), Value::Array(replayed)) => {
                for (recorded, replayed) in recorded.iter().zip(replayed) {
                    self.learn(name, recorded, replayed);
                }
            }
            (Value::String(recorded), Value::String(replayed)) if is_word_of_its_own(recorded) => {
                self.values.insert(recorded.clone(), replayed.clone());
            }
            _ => {}
        }
    }
}

/// Whether a recorded text stands for one thing, as ids and tokens do.
fn is_word_of_its_own(text: &str) -> bool {
    is_uuid(text) || is_jwt(text) || (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    // The id of the configuration row is all zeros, and means something.
    lengths == [8, 4, 4, 4, 12] && text.contains(|c| c != '0' && c != '-')
}

fn is_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

fn is_time(text: &str) -> bool {
    text.len() == 24 && text.parse::<Timestamp>().is_ok()
}

/// Same keys and types, and the same values where a value means something.
fn compare(name: &str, at: &str, recorded: &Value, replayed: &Value) {
    match (recorded, replayed) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = |fields: &serde_json::Map<String, Value>| {
                fields.keys().cloned().collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(keys(left), keys(right), "{name}: keys of {at:?}");
            for (key, value) in left {
                compare(name, &format!("{at}/{key}"), value, &right[key]);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            assert_eq!(left.len(), right.len(), "{name}: items of {at:?}");
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(name, &format!("{at}/{index}"), left, right);
            }
        }
        (Value::String(left), Value::String(right)) => compare_texts(name, at, left, right),
        (Value::Number(left), Value::Number(right)) if is_epoch(at) => {
            assert_eq!(left.is_i64(), right.is_i64(), "{name}: {at}");
        }
        _ => assert_eq!(recorded, replayed, "{name}: {at}"),
    }
}

fn compare_texts(name: &str, at: &str, recorded: &str, replayed: &str) {
    if is_jwt(recorded) {
        return compare_claims(name, &claims(recorded), &claims(replayed));
    }
    let alike = match at.rsplit('/').next().unwrap() {
        "reqId" => replayed.starts_with("req-") && replayed.len() == recorded.len(),
        "slug" if at != "/project/environments/0/slug" => replayed.contains('-') || replayed == recorded,
        "clientSecret" | "clientSecretPrefix" => replayed.len() == recorded.len(),
        _ if is_uuid(recorded) => is_uuid(replayed),
        _ if is_time(recorded) => is_time(replayed),
        _ => replayed == recorded,
    };
    assert!(alike, "{name}: {at} was {recorded:?} and is {replayed:?}");
}

fn is_epoch(at: &str) -> bool {
    at.ends_with("/iat") || at.ends_with("/exp") || at.ends_with("/creationEpoch")
}

fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn compare_claims(name: &str, recorded: &Value, replayed: &Value) {
    compare(name, "claims", recorded, replayed);
    let life = |claims: &Value| Some(claims["exp"].as_i64()? - claims["iat"].as_i64()?);
    assert_eq!(life(recorded), life(replayed), "{name}: how long the token lives");
    assert_eq!(
        recorded.get("jti") == recorded.get("identityAccessTokenId"),
        replayed.get("jti") == replayed.get("identityAccessTokenId"),
        "{name}: the jti"
    );
}

#[derive(Clone)]
struct Raw {
    method: String,
    path: String,
    authorization: Option<String>,
    content_type: bool,
    body: String,
}

struct Answer {
    status: u16,
    content_type: String,
    body: Value,
}

/// Sends a request that no well-behaved client would. `None`: the connection
/// was closed without an answer.
async fn send(address: SocketAddr, request: &Raw) -> Option<Answer> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: contract\r\nConnection: close\r\nContent-Length: {}\r\n",
        request.method,
        request.path,
        request.body.len()
    );
    if let Some(authorization) = &request.authorization {
        head.extend(["Authorization: ", authorization, "\r\n"]);
    }
    if request.content_type {
        head.push_str("Content-Type: application/json\r\n");
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\n{}", request.body).as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok()?;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().unwrap(),
        content_type: content_type.to_owned(),
        body: serde_json::from_str(body).unwrap(),
    })
}
