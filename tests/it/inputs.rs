//! Whatever stands in an input, it is accepted or refused in a line that names a
//! field. Bytes that are no input at all are tried next to the parser.

use fake_crossplane::structs::encode;
use function_infisical::input::parse;
use proptest::{
    prelude::{Just, Strategy, any, prop},
    prop_assert, prop_oneof,
    test_runner::{TestCaseError, TestRunner},
};
use prost::Message as _;
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::json;

use crate::mangle::{Edit, config, edit};

/// Bytes of an error, at most: as many as a result can have.
const ERROR_LONGEST: usize = 1024;

/// Inputs that have every field between them.
fn good() -> Vec<serde_json::Value> {
    let full = json!({
        "apiVersion": "infisical.fn.crossplane.io/v1beta1", "kind": "Bootstrap",
        "instance": {
            "resource": "infisical",
            "readinessChecks": [
                {"type": "MatchString", "fieldPath": "status.phase", "matchString": "Running"},
                {"type": "MatchInteger", "fieldPath": "status.replicas", "matchInteger": 3},
                {"type": "MatchCondition", "matchCondition": {"type": "Available", "status": "True"}},
                {"type": "NonEmpty", "fieldPath": "status.loadBalancer.ingress[0].ip"},
            ],
            "endpoint": {"service": {"resource": "service", "port": 8443, "scheme": "https"}},
        },
        "admin": {"email": "platform@example.org"},
        "organization": "Acme",
        "writeConnectionSecretToRef": {"name": "connection", "namespace": "team-a"},
        "connectionDetails": [{"name": "TOKEN", "value": "Token"}, {"name": "HOST", "value": "Host"}],
        "token": {"verifyInterval": "5m", "renewAt": 0.5},
        "status": "status.infisical",
    });
    let with = |fields: serde_json::Value| {
        let mut input = full.clone();
        for (name, value) in fields.as_object().unwrap() {
            input[name] = value.clone();
        }
        input
    };
    let url = json!({"url": "https://infisical.example.org", "tls": {"insecureSkipVerify": true}});
    let from_xr = json!({"fromCompositeFieldPath": "spec.host", "allowedHosts": ["*.example.org"]});
    vec![
        with(json!({
            "instance": {"endpoint": url},
            "admin": {"credentials": "admin"},
        })),
        with(json!({
            "instance": {"endpoint": from_xr},
            "admin": {"secretRef": {"name": "admin", "namespace": "team-a"}},
            "adopt": {"secretRef": {"name": "token", "namespace": "team-a", "key": "token"}},
        })),
        full,
    ]
}

fn check(encoded: &[u8]) -> Result<(), TestCaseError> {
    if let Err(error) = parse(Some(encoded)) {
        let error = error.to_string();
        prop_assert!(error.starts_with("input") && error.contains(": "), "{error}");
        prop_assert!(error.len() <= ERROR_LONGEST, "{} bytes: {error}", error.len());
        prop_assert!(!error.contains(char::is_control), "{error:?}");
    }
    Ok(())
}

fn run<T: std::fmt::Debug>(
    cases: u32,
    strategy: &impl Strategy<Value = T>,
    check: impl Fn(T) -> Result<(), TestCaseError>,
) {
    TestRunner::new(config(cases)).run(strategy, check).unwrap();
}

/// Any value, also what JSON has not.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(None),
        any::<i32>().prop_map(|it| Some(Kind::NullValue(it))),
        any::<f64>().prop_map(|it| Some(Kind::NumberValue(it))),
        any::<bool>().prop_map(|it| Some(Kind::BoolValue(it))),
        any::<String>().prop_map(|it| Some(Kind::StringValue(it))),
    ];
    leaf.prop_map(|kind| Value { kind }).prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| Value { kind: Some(Kind::ListValue(ListValue { values })) }),
            fields(inner).prop_map(|object| Value { kind: Some(Kind::StructValue(object)) }),
        ]
    })
}

/// An object whose fields have names that count as often as not.
fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Struct> {
    let known = ["instance", "admin", "endpoint", "url", "email", "token", "renewAt", "status", "service"];
    let name = prop_oneof![prop::sample::select(known.map(str::to_owned).to_vec()), any::<String>()];
    prop::collection::btree_map(name, value, 0..4)
        .prop_map(|fields| Struct { fields: fields.into_iter().collect() })
}

#[test]
fn an_input_with_any_node_changed_is_accepted_or_its_field_is_named() {
    for input in good() {
        assert!(parse(Some(&encode(&input))).is_ok(), "{:?}", parse(Some(&encode(&input))));
    }
    let cases = (prop::sample::select(good()), prop::collection::vec(edit(), 1..4));
    run(2048, &cases, |(mut input, edits): (serde_json::Value, Vec<Edit>)| {
        for edit in &edits {
            edit.apply(&mut input);
        }
        check(&encode(&input))
    });
}

#[test]
fn an_input_of_any_values_is_accepted_or_its_field_is_named() {
    run(1024, &fields(any_value()), |mut input| {
        let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
        input.fields.insert("apiVersion".to_owned(), text("infisical.fn.crossplane.io/v1beta1"));
        input.fields.insert("kind".to_owned(), text("Bootstrap"));
        check(&input.encode_to_vec())
    });
}
