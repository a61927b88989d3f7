//! What becomes of JSON and of a server's answers when nobody can be trusted.
//!
//! Values that proptest draws and shrinks. Every text that is made up here and
//! long enough to be told from a word of ours has [`MARKER`] in it.

use infisical::{ErrorKind, client::Response, error::Transport};
use proptest::{
    prelude::{Just, Strategy, any, prop},
    prop_oneof,
    sample::Index,
    test_runner::Config,
};
use serde_json::{Value, json};

/// What a search for leaks finds.
pub(crate) const MARKER: &str = "marker";

/// So many cases, or in proportion more where `PROPTEST_CASES`, by default 256, says
/// so. A case that fails is printed, to become a test with a name.
pub(crate) fn config(cases: u32) -> Config {
    let default = Config::default();
    Config { cases: cases * default.cases / 256, failure_persistence: None, ..default }
}

/// Any JSON, small, and often what is at an edge.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let edges = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("marker\u{0}\r\n"),
        json!("marker \u{202e}…é"),
        json!("../marker"),
        json!("marker".repeat(400)),
        json!("-009999-01-02T01:59:59Z"),
        json!("9999-12-30T22:00:00.999999999Z"),
        json!("http://marker@example.org/marker"),
        // A JWT of which nothing is as it should be: the largest numbers, a path.
        json!("marker.eyJpYXQiOi05MjIzMzcyMDM2ODU0Nzc1ODA4LCJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9.e30"),
        json!("marker.eyJpYXQiOi0zNzc3MDUwMjM5OTksImV4cCI6MjUzNDAyMjA3MjAwLCJpZGVudGl0eUlkIjoiLi4vYSJ9.e30"),
        json!([]),
        json!({}),
    ];
    let leaf = prop_oneof![
        4 => prop::sample::select(edges),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => "[ -~]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,6}", inner, 0..3)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

/// What becomes of one node of a JSON document.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Another value is in its place.
    Replace(Value),
    /// It is gone.
    Drop,
    /// It has another name.
    Rename(String),
    /// It is there twice: another value comes first.
    Twice(Value),
}

/// A change, and which of the nodes it is of.
#[derive(Clone, Debug)]
pub(crate) struct Edit(Index, Change);

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let change = prop_oneof![
        4 => any_json().prop_map(Change::Replace),
        2 => Just(Change::Drop),
        1 => "[a-zA-Z]{1,6}".prop_map(Change::Rename),
        1 => any_json().prop_map(Change::Twice),
    ];
    (any::<Index>(), change).prop_map(|(at, change)| Edit(at, change))
}

/// What a key is named that is there for a second time, until all is text.
const TWICE: &str = "twice:";

impl Edit {
    /// Changes a document.
    pub(crate) fn apply(&self, document: &mut Value) {
        let mut nth = self.0.index(count(document));
        if nth == 0 {
            // The document itself, which has no name and cannot be gone.
            if let Change::Replace(value) = &self.1 {
                *document = value.clone();
            }
            return;
        }
        nth -= 1;
        change_below(document, &mut nth, &self.1);
    }
}

/// The nodes of a document, itself among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the `nth` node below one. Whether it was there.
fn change_below(parent: &mut Value, nth: &mut usize, change: &Change) -> bool {
    let names: Vec<String> = match parent {
        Value::Array(values) => (0..values.len()).map(|index| format!("/{index}")).collect(),
        Value::Object(fields) => fields.keys().cloned().collect(),
        _ => return false,
    };
    for (index, name) in names.into_iter().enumerate() {
        if *nth == 0 {
            change_child(parent, index, name, change);
            return true;
        }
        *nth -= 1;
        let child = match &mut *parent {
            Value::Array(values) => values.get_mut(index),
            other => other.get_mut(&name),
        };
        if child.is_some_and(|child| change_below(child, nth, change)) {
            return true;
        }
    }
    false
}

fn change_child(parent: &mut Value, index: usize, name: String, change: &Change) {
    match (parent, change) {
        (Value::Array(values), Change::Replace(value)) => values[index] = value.clone(),
        (Value::Array(values), Change::Drop) => drop(values.remove(index)),
        (Value::Array(values), Change::Twice(value)) => values.insert(index, value.clone()),
        (Value::Object(fields), Change::Replace(value)) => drop(fields.insert(name, value.clone())),
        (Value::Object(fields), Change::Drop) => drop(fields.remove(&name)),
        (Value::Object(fields), Change::Twice(value)) => {
            fields.insert(format!("{TWICE}{name}"), value.clone());
        }
        (Value::Object(fields), Change::Rename(other)) => {
            let value = fields.remove(&name).unwrap_or_default();
            fields.insert(other.clone(), value);
        }
        _ => {}
    }
}

/// The text of a document, with the keys in it that are there twice.
fn text_of(document: &Value) -> Vec<u8> {
    document.to_string().replace(&format!("\"{TWICE}"), "\"").into_bytes()
}

/// What becomes of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Twist {
    Edits(Vec<Edit>),
    Truncate(Index),
    Flip(Vec<(Index, u8)>),
    Body(Vec<u8>),
    Status(u16),
    ContentType(Option<String>),
    Redirect(u16, String),
    Limit(String),
    Lost(ErrorKind),
}

pub(crate) fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        8 => prop::collection::vec(edit(), 1..4).prop_map(Twist::Edits),
        1 => any::<Index>().prop_map(Twist::Truncate),
        2 => prop::collection::vec((any::<Index>(), 1_u8..), 1..3).prop_map(Twist::Flip),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Twist::Body),
        3 => status().prop_map(Twist::Status),
        1 => content_type().prop_map(Twist::ContentType),
        1 => (300_u16..400, location()).prop_map(|(status, to)| Twist::Redirect(status, to)),
        1 => retry_after().prop_map(Twist::Limit),
        2 => lost().prop_map(Twist::Lost),
    ]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![
        3 => prop::sample::select(vec![200, 201, 204, 400, 401, 403, 404, 409, 422, 500, 502, 503]),
        1 => any::<u16>(),
    ]
}

fn content_type() -> impl Strategy<Value = Option<String>> {
    let known =
        ["application/json", "text/html", "APPLICATION/JSON ;charset=x", "", ";", "application/json;;"];
    let known = prop::sample::select(known.map(str::to_owned).to_vec());
    prop::option::of(prop_oneof![known, "[ -~]{0,5}"])
}

/// Only scheme, host and port may be told of it.
fn location() -> impl Strategy<Value = String> {
    let known = [
        "https://sso.example.org/marker?marker=marker#marker",
        "https://marker:marker@sso.example.org:8443/",
        "//sso.example.org/marker",
        "/marker",
        "marker",
        "marker://marker/marker",
        "data:marker",
        "http://[::1]:99999/marker",
        "https://\u{e4}.example.org/\u{202e}marker",
        "",
    ];
    prop_oneof![prop::sample::select(known.map(str::to_owned).to_vec()), "[ -~]{0,5}"]
}

fn retry_after() -> impl Strategy<Value = String> {
    let known =
        ["0", "7", "18446744073709551615", "-1", "1e9", "Tue, 24 Nov 2026 08:00:00 GMT", "marker", ""];
    prop_oneof![
        prop::sample::select(known.map(str::to_owned).to_vec()),
        any::<u64>().prop_map(|it| it.to_string())
    ]
}

fn lost() -> impl Strategy<Value = ErrorKind> {
    let transports = [
        Transport::Dns,
        Transport::Refused,
        Transport::Tls("the certificate is expired".to_owned()),
        Transport::TimedOut,
        Transport::Broken,
        Transport::Forbidden,
    ];
    let mut kinds = transports.map(ErrorKind::Unreachable).to_vec();
    kinds.push(ErrorKind::NotInfisical { status: 200, what: "it is too large" });
    prop::sample::select(kinds)
}

impl Twist {
    /// What of an answer arrives.
    pub(crate) fn apply(&self, mut response: Response) -> Result<Response, ErrorKind> {
        let length = response.body.len().max(1);
        match self {
            Self::Edits(edits) => {
                let mut document = serde_json::from_slice(&response.body).unwrap_or_default();
                for edit in edits {
                    edit.apply(&mut document);
                }
                response.body = text_of(&document).into();
            }
            Self::Truncate(at) => response.body.truncate(at.index(length)),
            Self::Flip(flips) => {
                for (at, by) in flips {
                    if let Some(byte) = response.body.get_mut(at.index(length)) {
                        *byte ^= by;
                    }
                }
            }
            Self::Body(body) => response.body = body.clone().into(),
            Self::Status(status) => response.status = *status,
            Self::ContentType(content_type) => response.content_type.clone_from(content_type),
            Self::Redirect(status, to) => {
                (response.status, response.location) = (*status, Some(to.clone()));
            }
            Self::Limit(after) => (response.status, response.retry_after) = (429, Some(after.clone())),
            Self::Lost(kind) => return Err(kind.clone()),
        }
        Ok(response)
    }
}

/// All texts in a body, names left out. None where it is no JSON; what of it nobody
/// reads need be no UTF-8.
pub(crate) fn texts(body: &[u8]) -> Vec<String> {
    fn collect(value: Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text),
            Value::Array(values) => values.into_iter().for_each(|value| collect(value, into)),
            Value::Object(fields) => fields.into_iter().for_each(|(_, value)| collect(value, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(serde_json::from_str(&String::from_utf8_lossy(body)).unwrap_or_default(), &mut found);
    found
}

/// What a text says that stood in an answer, apart from the names of fields of
/// our own requests, which a 422 repeats.
pub(crate) fn repeats<'a>(said: &str, texts: impl IntoIterator<Item = &'a String>) -> Option<&'a String> {
    let is_own = |text: &str| ["organization", "organizationId", "accessToken", "password"].contains(&text);
    let is_told = |text: &&String| text.len() >= 8 && !is_own(text) && said.contains(text.as_str());
    texts.into_iter().find(is_told)
}
