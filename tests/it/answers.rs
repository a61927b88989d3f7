//! Whatever a server answers, the client makes something of it: no answer makes it
//! panic, ask without end, or repeat in an error what stood in the answer.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use infisical::{
    ErrorKind,
    client::{Client, Exchange, Request, Response},
};
use proptest::{
    prelude::{Just, Strategy, any, prop},
    prop_assert, prop_oneof,
    test_runner::{TestCaseError, TestRunner},
};
use serde_json::Value;

use crate::{
    mangle::{MARKER, Twist, config, repeats, texts, twist},
    operations::{Operation, carry_out, operations},
};

/// The most requests for one list.
const MOST_REQUESTS: usize = 100;

/// An answer as it was recorded.
#[derive(Clone, Debug)]
struct Recorded {
    /// Of which operations, as far as the route tells.
    operations: Vec<Operation>,
    status: u16,
    body: Value,
}

fn recorded() -> Vec<Recorded> {
    let files = [
        include_str!("../fixtures/exchanges/strict.json"),
        include_str!("../fixtures/exchanges/lenient.json"),
    ];
    let exchanges = files.into_iter().flat_map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap());
    exchanges
        .map(|exchange| Recorded {
            operations: operations().into_iter().filter(|it| is_of(*it, &exchange["request"])).collect(),
            status: u16::try_from(exchange["response"]["status"].as_u64().unwrap()).unwrap(),
            body: exchange["response"]["body"].clone(),
        })
        .collect()
}

#[test]
fn no_two_routes_have_the_same_words_for_what_they_do() {
    let words: BTreeSet<_> = operations().iter().map(|operation| operation.what).collect();
    assert_eq!(words.len(), operations().len());
}

#[test]
fn every_route_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../infisical/api");
    let texts = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let routes: usize = texts.map(|text| text.matches("\nimpl Route for ").count()).sum();
    assert_eq!(operations().len(), routes);
}

fn is_of(operation: Operation, request: &Value) -> bool {
    let path = request["path"].as_str().unwrap().split('?').next().unwrap();
    let (before, after) = operation.path.split_once("{id}").unwrap_or((operation.path, ""));
    request["method"] == operation.method && path.starts_with(before) && path.ends_with(after)
}

/// What a request is answered with.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    content_type: Option<String>,
    body: Value,
    twist: Option<Twist>,
}

impl Answer {
    fn arrives(&self) -> Result<Response, ErrorKind> {
        let response = Response {
            status: self.status,
            content_type: self.content_type.clone(),
            body: serde_json::to_vec(&self.body).unwrap().into(),
            ..Response::default()
        };
        match &self.twist {
            Some(twist) => twist.apply(response),
            None => Ok(response),
        }
    }
}

/// Gives the same answers in turn.
struct Answers {
    answers: Vec<Answer>,
    asked: AtomicUsize,
}

#[async_trait]
impl Exchange for Answers {
    async fn send(&self, _: Request) -> Result<Response, ErrorKind> {
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        self.answers[nth % self.answers.len()].arrives()
    }
}

/// An answer of the operation's own route as a rule, and full pages where it is a
/// list.
fn answer_to(operation: Operation) -> impl Strategy<Value = Answer> {
    let all = recorded();
    let own: Vec<_> = all.iter().filter(|it| it.operations.contains(&operation)).cloned().collect();
    // Those routes that were read in the source have no recording.
    let own = if own.is_empty() { all.clone() } else { own };
    let base = prop_oneof![5 => prop::sample::select(own), 1 => prop::sample::select(all)];
    let twist = prop_oneof![7 => twist().prop_map(Some), 1 => Just(None)];
    (base, prop::bool::weighted(0.05), twist).prop_map(|(recorded, is_full, twist)| {
        let Recorded { status, mut body, .. } = recorded;
        if is_full {
            body.as_object_mut().into_iter().flatten().for_each(|(_, field)| fill(field));
        }
        let content_type = Some("application/json; charset=utf-8".to_owned());
        Answer { status, content_type, body, twist }
    })
}

/// Makes a list as long as a page is.
fn fill(list: &mut Value) {
    if let Some(list) = list.as_array_mut().filter(|list| !list.is_empty()) {
        *list = list.iter().cycle().take(100).cloned().collect();
    }
}

fn noise() -> impl Strategy<Value = Answer> {
    let content_type = prop::option::of(Just("application/json".to_owned()));
    let body = prop::collection::vec(any::<u8>(), 0..200);
    (any::<u16>(), content_type, body).prop_map(|(status, content_type, body)| Answer {
        status,
        content_type,
        body: Value::Null,
        twist: Some(Twist::Body(body)),
    })
}

type Case = (Operation, Vec<Answer>);

fn answered<A: Strategy<Value = Answer>>(answer: fn(Operation) -> A) -> impl Strategy<Value = Case> {
    prop::sample::select(operations()).prop_flat_map(move |operation| {
        prop::collection::vec(answer(operation), 1..4).prop_map(move |answers| (operation, answers))
    })
}

fn check((operation, answers): Case) -> Result<(), TestCaseError> {
    let arriving: Vec<_> = answers.iter().filter_map(|answer| answer.arrives().ok()).collect();
    let stood: Vec<String> = arriving.iter().flat_map(|answer| texts(&answer.body)).collect();
    let exchange = Arc::new(Answers { answers, asked: AtomicUsize::new(0) });
    let client = Client::new(Arc::clone(&exchange));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match runtime.block_on(carry_out(operation, &client)) {
        Ok(tokens) => {
            for token in tokens {
                prop_assert!(!token.is_empty() && stood.contains(&token), "a token that nobody gave");
            }
        }
        Err(error) => {
            let said = format!("{error} {error:?}");
            prop_assert!(error.operation == operation.what, "{said}");
            prop_assert!(!said.contains(MARKER) && repeats(&said, &stood).is_none(), "{said}");
            prop_assert!(!error.to_string().contains(char::is_control), "{said}");
            prop_assert!(!said.contains("null"), "no place is named so: {said}");
        }
    }
    let asked = exchange.asked.load(Ordering::Relaxed);
    prop_assert!((1..=MOST_REQUESTS).contains(&asked), "{asked} requests");
    Ok(())
}

fn run(cases: u32, strategy: &impl Strategy<Value = Case>) {
    TestRunner::new(config(cases)).run(strategy, check).unwrap();
}

#[test]
fn a_mangled_answer_is_read_or_named_without_its_content() {
    run(1024, &answered(answer_to));
}

#[test]
fn an_answer_of_any_bytes_is_read_or_named_without_its_content() {
    run(1024, &answered(|_| noise()));
}
