//! Whatever a server answers: the client makes a result of it, and of an error
//! nothing that was in the answer.
//!
//! The first byte chooses the operation, the next two are the status, the fourth
//! chooses the content type; the rest is the body. Every request of the operation
//! gets this answer.

#![no_main]

use std::{
    str::from_utf8,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use operations::{carry_out, operations};
use infisical::{client::{Client, Exchange, Request, Response}, ErrorKind};

#[expect(dead_code, reason = "method and path tell the seeds apart")]
#[path = "../../tests/shared/operations.rs"]
mod operations;

/// Requests for the pages of one list.
const MOST_REQUESTS: usize = 100;

/// Texts of an answer that are shorter are in any error by chance.
const TELLING: usize = 16;

struct Answer {
    status: u16,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Exchange for Answer {
    async fn send(&self, _: Request) -> Result<Response, ErrorKind> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // A header is text without line ends; here it is whatever the body is.
        let header = from_utf8(&self.body).ok().map(|text| text.replace(char::is_control, ""));
        Ok(Response {
            status: self.status,
            content_type: self.content_type.map(str::to_owned),
            location: header.clone(),
            retry_after: header,
            body: self.body.clone().into(),
        })
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [operation, high, low, content_type, body @ ..] = bytes else { return };
    let content_types =
        [Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("text/html"), None];
    let operations = operations();
    let operation = operations[usize::from(*operation) % operations.len()];
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = Answer {
        status: u16::from_be_bytes([*high, *low]),
        content_type: content_types[usize::from(*content_type) % content_types.len()],
        body: body.to_vec(),
        asked: Arc::clone(&asked),
    };
    let client = Client::new(answer);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match runtime.block_on(carry_out(operation, &client)) {
        Ok(tokens) => {
            // What of a body nobody reads need be no JSON.
            let read = serde_json::from_slice::<serde_json::Value>(body).ok();
            let is_there = |token: &String| read.as_ref().is_none_or(|body| holds(body, token));
            assert!(tokens.iter().all(is_there), "a token that nobody gave");
        }
        Err(error) => {
            let said = format!("{error} {error:?}");
            let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            assert!(!says(&said, &body), "{said}");
            assert!(!said.contains(char::is_control), "{said:?}");
        }
    }
    assert!(asked.load(Ordering::Relaxed) <= MOST_REQUESTS);
});

fn holds(value: &serde_json::Value, text: &str) -> bool {
    match value {
        serde_json::Value::String(found) => found == text,
        serde_json::Value::Array(values) => values.iter().any(|value| holds(value, text)),
        serde_json::Value::Object(fields) => fields.values().any(|value| holds(value, text)),
        _ => false,
    }
}

fn says(said: &str, value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.len() >= TELLING && said.contains(text.as_str()),
        serde_json::Value::Array(values) => values.iter().any(|value| says(said, value)),
        serde_json::Value::Object(fields) => fields.values().any(|value| says(said, value)),
        _ => false,
    }
}
