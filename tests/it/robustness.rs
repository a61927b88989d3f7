//! Whatever a request holds, the function answers it and goes on.

use fake_crossplane::structs::encode;
use fake_infisical::Settings;
use function_infisical::contract::proto::{
    Bytes,
    v1::{
        Credentials, RequestMeta, Resource, Resources, RunFunctionRequest, RunFunctionResponse, Severity,
        State, function_runner_service_client::FunctionRunnerServiceClient,
    },
};
use proptest::prelude::{Strategy, any, prop};
use prost::Message as _;
use prost_types::{Struct, Value as ProtoValue, value::Kind as ProtoKind};
use serde_json::json;

use crate::{
    server::support::{channel, soon},
    world::{Kind, World},
};

/// Encoded fields of a message, by hand: a tag, and what is under it.
fn field(tag: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

/// A manifest that is nested so deep: `{a: {a: …}}`.
fn nested(depth: usize) -> Bytes {
    // From the inside out, each level at the end of a buffer written backwards.
    let mut inner: Vec<u8> = Vec::new();
    for _ in 0..depth {
        // `fields { key: "a", value { struct_value { … } } }`
        let value = field(2, &field(5, &inner));
        inner = field(1, &[field(1, b"a"), value].concat());
    }
    inner.into()
}

/// A manifest with a number in it that JSON has not.
fn not_a_number(mut manifest: Struct) -> Bytes {
    let nan = ProtoValue { kind: Some(ProtoKind::NumberValue(f64::NAN)) };
    manifest.fields.insert("nan".to_owned(), nan.clone());
    for value in manifest.fields.values_mut() {
        if let Some(ProtoKind::StructValue(object)) = &mut value.kind {
            object.fields.insert("generation".to_owned(), nan.clone());
        }
    }
    manifest.encode_to_vec().into()
}

fn observed(request: &mut RunFunctionRequest) -> &mut State {
    request.observed.as_mut().unwrap()
}

fn manifest(request: &mut RunFunctionRequest, name: &str) -> Struct {
    let resource = observed(request).resources[name].resource.clone().unwrap();
    Struct::decode(resource).unwrap()
}

/// Sets what is desired of one resource: the bytes of a manifest, whatever they are.
fn desire(request: &mut RunFunctionRequest, name: &str, bytes: Bytes) {
    let resource = Resource { resource: Some(bytes), ..Resource::default() };
    let state = State { composite: None, resources: [(name.to_owned(), resource)].into() };
    let desired = field(3, &state.encode_to_vec());
    request.desired = RunFunctionRequest::decode(desired.as_slice()).unwrap().desired;
}

type Absurd = fn(&mut RunFunctionRequest);

const TABLE: &[(&str, Absurd)] = &[
    ("nothing at all", |request| *request = RunFunctionRequest::default()),
    ("no metadata", |request| request.meta = None),
    ("no observed state", |request| request.observed = None),
    ("no XR", |request| observed(request).composite = None),
    ("an XR without a manifest", |request| {
        observed(request).composite.as_mut().unwrap().resource = None;
    }),
    ("an XR without a name", |request| {
        let xr =
            json!({"apiVersion": "example.org/v1", "kind": "Vault", "metadata": {"namespace": "team-a"}});
        observed(request).composite.as_mut().unwrap().resource = Some(encode(&xr));
    }),
    ("an XR whose metadata is a list", |request| {
        let xr = json!({"apiVersion": "example.org/v1", "kind": "Vault", "metadata": ["vault"]});
        observed(request).composite.as_mut().unwrap().resource = Some(encode(&xr));
    }),
    ("an XR that is no protobuf", |request| {
        observed(request).composite.as_mut().unwrap().resource = Some(Bytes::from_static(&[0xff; 64]));
    }),
    ("an XR whose conditions are absurd", |request| {
        let xr = json!({
            "apiVersion": "example.org/v1", "kind": "Vault",
            "metadata": {"name": "vault", "namespace": "team-a"},
            "status": {"conditions": [1, null, {"type": 7}, {"status": "True"}, [[]]]},
        });
        observed(request).composite.as_mut().unwrap().resource = Some(encode(&xr));
    }),
    ("no input", |request| request.input = None),
    ("an empty input", |request| request.input = Some(Bytes::new())),
    ("NaN in the input", |request| {
        let input = Struct::decode(request.input.clone().unwrap()).unwrap();
        request.input = Some(not_a_number(input));
    }),
    ("an input nested ten thousand deep", |request| request.input = Some(nested(10_000))),
    ("an XR nested ten thousand deep", |request| {
        observed(request).composite.as_mut().unwrap().resource = Some(nested(10_000));
    }),
    ("an observed resource nested ten thousand deep", |request| {
        observed(request).resources.get_mut("infisical").unwrap().resource = Some(nested(10_000));
    }),
    ("a connection Secret nested ten thousand deep", |request| {
        observed(request).resources.get_mut("infisical-connection").unwrap().resource = Some(nested(10_000));
    }),
    ("a desired resource nested ten thousand deep", |request| desire(request, "infisical", nested(10_000))),
    ("NaN in an observed resource", |request| {
        let nan = not_a_number(manifest(request, "infisical"));
        observed(request).resources.get_mut("infisical").unwrap().resource = Some(nan);
    }),
    ("NaN in the connection Secret", |request| {
        let nan = not_a_number(manifest(request, "infisical-connection"));
        observed(request).resources.get_mut("infisical-connection").unwrap().resource = Some(nan);
    }),
    ("NaN in a desired resource", |request| {
        let nan = not_a_number(manifest(request, "infisical"));
        desire(request, "infisical", nan);
    }),
    ("a string of almost four megabytes", |request| {
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "large"}, "data": {"large": "x".repeat((4 << 20) - (64 << 10))},
        });
        let resource = Resource { resource: Some(encode(&config)), ..Resource::default() };
        observed(request).resources.insert("large".to_owned(), resource);
    }),
    ("an email of almost four megabytes", |request| {
        let mut input = json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1", "kind": "Bootstrap",
            "instance": {"endpoint": {"url": "http://127.0.0.1:1"}},
        });
        input["admin"] = json!({"email": format!("{}@example.org", "x".repeat((4 << 20) - (64 << 10)))});
        request.input = Some(encode(&input));
    }),
    ("an organization of almost four megabytes", |request| {
        let organization = "x".repeat((4 << 20) - (64 << 10));
        request.input = Some(encode(&json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1", "kind": "Bootstrap",
            "instance": {"endpoint": {"url": "http://127.0.0.1:1"}}, "admin": {"email": "a@example.org"},
            "organization": organization,
        })));
    }),
    ("required resources without items", |request| {
        for name in ["infisical-admin-credentials", "infisical-adopted-token", "infisical-ca-bundle", "other"]
        {
            request.required_resources.insert(name.to_owned(), Resources::default());
        }
    }),
    ("a required resource that is empty", |request| {
        let items = vec![Resource::default(); 3];
        request.required_resources.insert("infisical-adopted-token".to_owned(), Resources { items });
    }),
    ("a credential without data", |request| {
        request.credentials.insert("admin".to_owned(), Credentials { source: None });
    }),
    ("the connection Secret is something else", |request| {
        let other = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "vault"}});
        observed(request).resources.get_mut("infisical-connection").unwrap().resource = Some(encode(&other));
    }),
    ("an earlier step has our name", |request| {
        desire(request, "infisical-connection", encode(&json!({"apiVersion": "v1", "kind": "Secret"})));
    }),
    ("names that nobody can have", |request| {
        for name in ["", "\0", "../..", "a\nb", "\u{202e}"] {
            observed(request).resources.insert(name.to_owned(), Resource::default());
        }
    }),
];

/// A request with duplicates: what protobuf has twice, the last of it counts.
fn twice(request: &RunFunctionRequest) -> Vec<u8> {
    let encoded = request.encode_to_vec();
    [encoded.clone(), encoded].concat()
}

/// Whether a response says what it must: when to be called again, and how it is or
/// why it is not.
pub(crate) fn is_an_answer(response: &RunFunctionResponse) -> bool {
    let is_fatal = response.results.iter().any(|result| result.severity() == Severity::Fatal);
    let has_ttl = response.meta.as_ref().is_some_and(|meta| meta.ttl.is_some_and(|ttl| ttl.seconds > 0));
    // Three with handOff.
    has_ttl && (is_fatal || (2..=3).contains(&response.conditions.len()))
}

#[tokio::test]
async fn an_absurd_request_is_answered_and_so_is_the_next_one() {
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let good = world.request();
    let expected = world.call(good.clone()).await.encode_to_vec();
    for (what, change) in TABLE {
        let mut request = good.clone();
        change(&mut request);
        // Through the encoding, as far as it can be decoded.
        let encoded = request.encode_to_vec();
        assert!(encoded.len() < 4 << 20, "{what}: it is within the limit");
        if let Ok(request) = RunFunctionRequest::decode(encoded.as_slice()) {
            let response = soon(world.function.call(request, None)).await;
            assert!(is_an_answer(&response), "{what}");
            for result in &response.results {
                assert!(result.message.len() <= 1024, "{what}: {} bytes", result.message.len());
            }
        }
        assert!(world.call(good.clone()).await.encode_to_vec() == expected, "{what}: and the next one");
    }
    let request = RunFunctionRequest::decode(twice(&good).as_slice()).unwrap();
    assert!(is_an_answer(&world.function.call(request, None).await), "everything is there twice");
}

#[tokio::test]
async fn the_binary_answers_absurd_requests_and_goes_on() {
    let binary = crate::server::process::Process::start();
    let mut client = FunctionRunnerServiceClient::new(channel(binary.addr).await);
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let good = world.request();
    let (mut answered, mut refused) = (0, 0);
    for (what, change) in TABLE {
        let mut request = good.clone();
        change(&mut request);
        match soon(client.run_function(request)).await {
            Ok(response) => {
                assert!(is_an_answer(response.get_ref()), "{what}");
                answered += 1;
            }
            Err(status) => {
                assert_ne!(status.code(), tonic::Code::Unavailable, "{what}: {status:?}");
                refused += 1;
            }
        }
        let tag = RequestMeta { tag: (*what).to_owned(), ..RequestMeta::default() };
        let request = RunFunctionRequest { meta: Some(tag), ..good.clone() };
        let response = soon(client.run_function(request)).await.ok().unwrap().into_inner();
        assert!(is_an_answer(&response), "{what}: and the next one");
        assert_eq!(response.meta.unwrap().tag, *what);
    }
    assert!(answered > 20, "{answered} answered, {refused} refused");
}

/// Recorded requests, and what is done to their bytes.
fn recorded() -> Vec<(String, Vec<u8>)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/requests");
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "binpb")).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, by) => {
                let at = at.index(bytes.len());
                bytes[at] ^= by;
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, part);
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    use prop::sample::Index;
    proptest::prop_oneof![
        8 => (any::<Index>(), 1_u8..).prop_map(|(at, by)| Mutation::Flip(at, by)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        2 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, more)| Mutation::Insert(at, more)),
    ]
}

#[test]
fn a_mutated_request_is_answered_or_cannot_be_decoded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recorded = recorded();
    let world = runtime.block_on(World::connected(Settings::default(), Kind::Namespaced));
    let good = world.request();
    let config = proptest::test_runner::Config { failure_persistence: None, ..Default::default() };
    let cases = (prop::sample::select(recorded), prop::collection::vec(mutation(), 1..6));
    proptest::test_runner::TestRunner::new(config)
        .run(&cases, |((name, mut bytes), mutations)| {
            for mutation in &mutations {
                mutation.apply(&mut bytes);
            }
            let Ok(mut request) = RunFunctionRequest::decode(bytes.as_slice()) else { return Ok(()) };
            // Nobody is asked: the recorded endpoints are not ours.
            request.required_resources.clear();
            if request.observed.is_some() {
                observed(&mut request).resources.remove("infisical");
            }
            let response = runtime.block_on(async { soon(world.function.call(request, None)).await });
            proptest::prop_assert!(is_an_answer(&response), "{name}");
            let response = runtime.block_on(world.function.call(good.clone(), None));
            proptest::prop_assert!(is_an_answer(&response), "{name}: and the next one");
            Ok(())
        })
        .unwrap();
}
