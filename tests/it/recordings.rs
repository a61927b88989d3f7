//! Every request that a real Crossplane sent, through the function.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use daemon::clock::SystemClock;
use fake_crossplane::Crossplane;
use function_infisical::{
    contract::proto::v1::{
        Ready, Resource, Resources, RunFunctionRequest, RunFunctionResponse, Severity, State, Status,
    },
    function::Function,
};
use infisical::client::Connector;
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

pub(crate) fn recordings() -> BTreeMap<String, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/requests");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().strip_suffix(".binpb")?.to_owned();
        Some((name, std::fs::read(&path).unwrap()))
    };
    let recordings: BTreeMap<_, _> = std::fs::read_dir(folder).unwrap().filter_map(read).collect();
    assert_eq!(recordings.len(), 16);
    recordings
}

fn function() -> Function {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Function::new(Arc::new(Connector::default()), Arc::new(SystemClock), StdRng::seed_from_u64(1))
}

/// An input for the recorded XRs, at an address where nothing listens.
fn input() -> Value {
    json!({
        "apiVersion": "infisical.fn.crossplane.io/v1beta1",
        "kind": "Bootstrap",
        "instance": {"resource": "infisical", "endpoint": {"url": "http://127.0.0.1:1"}},
        "admin": {"email": "platform@example.org"},
    })
}

/// With what the recorder did not ask for: the claim of a legacy XR, and that nothing is
/// under the names of the Secrets.
fn with_input(recording: &[u8]) -> RunFunctionRequest {
    let mut request = RunFunctionRequest::decode(recording).unwrap();
    let composite = request.observed.as_ref().unwrap().composite.as_ref().unwrap();
    let xr = fake_crossplane::structs::decode(composite.resource.as_deref().unwrap());
    if let Some(claim) = Crossplane::new(xr, input()).claim {
        let resource = Some(fake_crossplane::structs::encode(&claim));
        let items = vec![Resource { resource, ..Resource::default() }];
        request.required_resources.insert("infisical-claim".to_owned(), Resources { items });
    }
    for secret in ["infisical-admin-secret", "infisical-connection-secret"] {
        request.required_resources.insert(secret.to_owned(), Resources::default());
    }
    request.input = Some(fake_crossplane::structs::encode(&input()));
    request
}

/// Desired state with all of it decoded.
fn desired_of(response: &RunFunctionResponse) -> State {
    State::decode(response.desired.as_ref().unwrap().encode_to_vec().as_slice()).unwrap()
}

fn reason(response: &RunFunctionResponse, condition_type: &str) -> String {
    let condition = response.conditions.iter().find(|condition| condition.r#type == condition_type);
    condition.unwrap().reason.clone()
}

#[tokio::test]
async fn a_recorded_request_is_answered_with_its_tag_and_all_of_its_desired_state() {
    for (name, recording) in recordings() {
        let request = RunFunctionRequest::decode(recording.as_slice()).unwrap();
        let desired = request.desired.as_ref().unwrap().encode_to_vec();
        let tag = request.meta.as_ref().unwrap().tag.clone();
        let response = function().call(request, None).await;
        assert_eq!(response.meta.as_ref().unwrap().tag, tag, "{name}");
        assert!(response.desired.as_ref().unwrap().encode_to_vec() == desired, "{name}: to the byte");
        // The recorder's input says nothing but its kind.
        assert_eq!(response.results.len(), 1, "{name}");
        assert_eq!(response.results[0].severity(), Severity::Fatal, "{name}");
        assert!(response.results[0].message.contains("input.instance"), "{}", response.results[0].message);
    }
}

#[tokio::test]
async fn with_an_input_each_recorded_state_gets_what_the_design_says_for_it() {
    for (name, recording) in recordings() {
        let request = with_input(&recording);
        let before: State =
            State::decode(request.desired.as_ref().unwrap().encode_to_vec().as_slice()).unwrap();
        let response = function().call(request, None).await;
        let desired = desired_of(&response);
        for (resource, untouched) in &before.resources {
            assert!(desired.resources.get(resource) == Some(untouched), "{name}: {resource} is passed on");
        }
        assert!(response.results.iter().all(|result| result.severity() != Severity::Fatal), "{name}");
        let admin = &desired.resources["infisical-admin"];
        let connection = desired.resources.get("infisical-connection");
        let bootstrapped = reason(&response, "InfisicalBootstrapped");
        if name.contains("-3-connected") {
            assert_eq!(bootstrapped, "Bootstrapped", "{name}");
            assert_eq!(reason(&response, "InfisicalTokenValid"), "Unreachable", "{name}");
            assert!(connection.is_some(), "{name}: what is persisted is emitted again");
            assert_eq!(admin.ready(), Ready::True, "{name}: a server that does not answer changes nothing");
        } else {
            let expected = if name.contains("-2-") { "Unreachable" } else { "WaitingForInstance" };
            assert_eq!(bootstrapped, expected, "{name}");
            assert!(connection.is_none(), "{name}");
            assert_eq!(admin.ready(), Ready::False, "{name}");
            assert_eq!(desired.composite.as_ref().unwrap().ready(), Ready::False, "{name}");
            let token_valid = &response.conditions[1];
            assert_eq!(token_valid.status(), Status::ConditionFalse, "{name}");
        }
        assert!(response.meta.as_ref().unwrap().ttl.is_some_and(|ttl| ttl.seconds > 0), "{name}");
    }
}

#[tokio::test]
async fn the_same_request_twice_gives_the_same_bytes() {
    for (name, recording) in recordings() {
        let function = function();
        let first = function.call(with_input(&recording), None).await;
        let second = function.call(with_input(&recording), None).await;
        assert!(first.encode_to_vec() == second.encode_to_vec(), "{name}");
    }
}
