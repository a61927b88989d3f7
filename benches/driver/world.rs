//! The requests: an XR that was really connected, and what is composed around
//! it grown to a size.
//!
//! The XR and the composed resources are those that a real Crossplane sent
//! (`tests/fixtures/requests`). The driver plays Crossplane around our binary
//! with a fake Infisical until the token is verified and the XR is ready; the
//! request of that state is what every server is sent.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bytes::{Bytes, BytesMut};
use fake_crossplane::{Crossplane, Earlier, Reconciled, structs};
use fake_infisical::{FakeInfisical, Options};
use function_infisical::contract::proto::v1::{Ready, RunFunctionRequest, RunFunctionResponse, State};
use prost::Message as _;
use prost_types::{Struct, value::Kind};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

use crate::{
    Failure,
    client::{Client, frame},
    load::now,
};

/// After this an XR that is not connected never will be.
const LIMIT: Duration = Duration::from_secs(30);

/// The name in the pipeline of the Infisical that the recorded XR composes.
const INSTANCE: &str = "infisical";

/// A connected XR and the server that it is connected to.
pub(crate) struct World {
    pub(crate) crossplane: Crossplane,
    /// Asked when a token is verified; it ends when this is dropped.
    _infisical: FakeInfisical,
    recorded: Recorded,
}

/// What a real Crossplane sent: manifests by their name in the pipeline.
pub(crate) struct Recorded {
    xr: Value,
    observed: BTreeMap<String, Value>,
    desired: BTreeMap<String, Value>,
}

impl Recorded {
    pub(crate) fn read() -> Result<Self, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/requests");
        let bytes = fs::read(folder.join("v2-namespaced-3-connected.binpb"))?;
        let request = RunFunctionRequest::decode(bytes.as_slice())?;
        let desired = State::decode(request.desired.unwrap_or_default().encode_to_vec().as_slice())?;
        let observed = request.observed.unwrap_or_default();
        let xr = observed.composite.and_then(|composite| composite.resource).unwrap_or_default();
        let manifests = |state: BTreeMap<String, function_infisical::contract::proto::v1::Resource>| {
            state
                .into_iter()
                .map(|(name, resource)| (name, structs::decode(&resource.resource.unwrap_or_default())))
                .collect()
        };
        Ok(Self {
            xr: structs::decode(&xr),
            observed: manifests(observed.resources),
            desired: manifests(desired.resources),
        })
    }

    /// A control plane with the recorded XR in it that composes its instance.
    pub(crate) fn crossplane(&self, url: &str) -> Crossplane {
        let input = json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1",
            "kind": "Bootstrap",
            "instance": {"resource": INSTANCE, "endpoint": {"url": url}},
            "admin": {"email": "platform@example.org"},
        });
        let mut crossplane = Crossplane::new(self.xr.clone(), input);
        self.compose(&mut crossplane, INSTANCE, INSTANCE);
        crossplane
    }

    /// Composes what was recorded under `kind` under a name.
    fn compose(&self, crossplane: &mut Crossplane, kind: &str, name: &str) {
        let renamed = |manifest: &Value| {
            let mut manifest = manifest.clone();
            if name != kind
                && let Some(metadata) = manifest.get_mut("metadata")
            {
                merge_name(metadata, name);
            }
            manifest
        };
        if let (Some(desired), Some(observed)) = (self.desired.get(kind), self.observed.get(kind)) {
            let earlier = Earlier { manifest: renamed(desired), ready: Ready::Unspecified };
            crossplane.earlier.insert(name.to_owned(), earlier);
            crossplane.composed.insert(name.to_owned(), renamed(observed));
        }
    }
}

fn merge_name(metadata: &mut Value, name: &str) {
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("name".to_owned(), json!(name));
    }
}

impl World {
    /// Connects the recorded XR through a server of ours.
    pub(crate) async fn connect(client: &Client) -> Result<Self, Failure> {
        let recorded = Recorded::read()?;
        let infisical = FakeInfisical::start(Options::default()).await?;
        let crossplane = recorded.crossplane(&infisical.url());
        let mut world = Self { crossplane, _infisical: infisical, recorded };
        let start = now();
        loop {
            let reconciled = world.crossplane.reconcile(async |request| client.ask(&request).await).await?;
            if reconciled == (Reconciled::Applied { changed: false }) && world.crossplane.is_ready() {
                return Ok(world);
            }
            if start.elapsed() > LIMIT {
                return Err(format!("the XR is not connected: {:?}", world.crossplane.events).into());
            }
        }
    }

    /// The request of the connected XR, with as many more composed resources as
    /// make it about `size` bytes long.
    pub(crate) fn request(&self, size: usize) -> RunFunctionRequest {
        let mut crossplane = self.crossplane.clone();
        let mut request = crossplane.request();
        let mut number = 0;
        let others = [INSTANCE, "postgres", "service"];
        while request.encoded_len() < size {
            // A few at a time, since making the request takes a while.
            let missing = (size - request.encoded_len()).div_ceil(4_000);
            for kind in others.iter().cycle().skip(number).take(missing) {
                self.recorded.compose(&mut crossplane, kind, &format!("{kind}-{number}"));
                number += 1;
            }
            request = crossplane.request();
        }
        request
    }

    /// The UID of the recorded XR.
    pub(crate) fn uid(&self) -> &str {
        self.recorded.xr.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Calls a server of ours until it answers as in steady state: the token is
/// known to work, and nothing is news.
pub(crate) async fn warm(client: &Client, request: &RunFunctionRequest) -> Result<(), Failure> {
    let start = now();
    loop {
        let response: RunFunctionResponse = client.ask(request).await?;
        if is_steady(&response) {
            return Ok(());
        }
        if start.elapsed() > LIMIT {
            return Err(format!("no steady state: {:?} {:?}", response.conditions, response.results).into());
        }
    }
}

/// The same request in some other orders: Go writes the fields of an object in
/// another order each time, and nothing may rely on one.
pub(crate) fn shuffled(request: &RunFunctionRequest) -> Result<Vec<Bytes>, Failure> {
    const ORDERS: u64 = 16;
    (0..ORDERS)
        .map(|seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut request = request.clone();
            shuffle(&mut request.input, &mut rng)?;
            if let Some(observed) = &mut request.observed {
                let composite = observed.composite.iter_mut();
                for resource in composite.chain(observed.resources.values_mut()) {
                    shuffle(&mut resource.resource, &mut rng)?;
                }
            }
            Ok(frame(&request))
        })
        .collect()
}

fn shuffle(manifest: &mut Option<Bytes>, rng: &mut StdRng) -> Result<(), Failure> {
    if let Some(encoded) = manifest {
        *encoded = in_some_order(Struct::decode(encoded.clone())?, rng).into();
    }
    Ok(())
}

/// Encodes an object with its fields, and those of the objects in it, in an
/// order that is drawn.
fn in_some_order(object: Struct, rng: &mut StdRng) -> Vec<u8> {
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for (name, mut value) in object.fields {
        let nested = match value.kind.take() {
            Some(Kind::StructValue(object)) => Some(in_some_order(object, rng)),
            kind => {
                value.kind = kind;
                None
            }
        };
        let value = nested.map_or_else(
            || value.encode_to_vec(),
            |object| {
                let mut value = Vec::new();
                prost::encoding::bytes::encode(5, &object, &mut value);
                value
            },
        );
        let mut entry = Vec::new();
        prost::encoding::string::encode(1, &name, &mut entry);
        prost::encoding::bytes::encode(2, &value, &mut entry);
        let mut field = Vec::new();
        prost::encoding::bytes::encode(1, &entry, &mut field);
        entries.push(field);
    }
    entries.shuffle(rng);
    entries.concat()
}

/// Whether a response is one of steady state: it asks to be called again when
/// the token is verified next, which is minutes away.
pub(crate) fn is_steady(response: &RunFunctionResponse) -> bool {
    let ttl = response.meta.as_ref().and_then(|meta| meta.ttl).map_or(0, |ttl| ttl.seconds);
    response.results.is_empty() && ttl > 60 && response.conditions.iter().all(|it| it.status == 2)
}

/// Requests of XRs that differ in their UID only.
pub(crate) struct Many {
    frame: Bytes,
    places: Vec<usize>,
}

/// The end of a UID, which is what differs.
const DIGITS: usize = 12;

impl Many {
    pub(crate) fn new(request: &RunFunctionRequest, uid: &str) -> Self {
        let frame = frame(request);
        let is_here = |at: &usize| frame.get(*at..).is_some_and(|rest| rest.starts_with(uid.as_bytes()));
        let places = (0..frame.len()).filter(is_here).map(|at| at + uid.len() - DIGITS).collect();
        Self { frame, places }
    }

    /// The request of one of them.
    pub(crate) fn of(&self, number: usize) -> Bytes {
        let mut frame = BytesMut::from(&*self.frame);
        for at in &self.places {
            if let Some(digits) = frame.get_mut(*at..*at + DIGITS) {
                digits.copy_from_slice(format!("{number:012x}").as_bytes());
            }
        }
        frame.freeze()
    }
}
