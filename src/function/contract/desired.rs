//! Desired state, kept as the bytes that it came in as.
//!
//! What earlier steps of the pipeline want is passed on untouched: the order of
//! its entries, their bytes, and fields that this version of the contract does
//! not know. Only what this function owns is written: its own composed
//! resources, and of the composite its readiness, connection details and
//! status. The wire format is Protocol Buffers' `State` message: field 1 is the
//! composite, field 2 an entry of the map of composed resources.
//!
//! Rule 17 is kept here.

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, Message,
    encoding::{
        DecodeContext, WireType, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len,
        skip_field,
    },
};

use crate::contract::{
    proto::v1::{Ready, Resource},
    wire::{self, Field, Wire},
};

const COMPOSITE: u32 = 1;
const RESOURCES: u32 = 2;

/// Of a map entry: its key and its value.
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;

/// Of `Resource`.
const MANIFEST: u32 = 1;
const CONNECTION_DETAILS: u32 = 2;
const READY: u32 = 3;

/// The desired state of a request or a response.
#[derive(Clone, Default, PartialEq)]
pub struct Desired {
    composite: Option<Bytes>,
    resources: Vec<Entry>,
    unknown: Vec<Unknown>,
}

/// One composed resource: the encoded map entry, and the name found in it.
#[derive(Clone, PartialEq)]
struct Entry {
    name: Bytes,
    encoded: Bytes,
}

/// A field that this version of the contract does not know.
#[derive(Clone, PartialEq)]
struct Unknown {
    number: u32,
    wire_type: WireType,
    payload: Bytes,
}

impl Desired {
    /// The composed resource under a name in the pipeline, decoded.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<Resource> {
        let entry = self.resources.iter().rev().find(|entry| entry.name == name.as_bytes())?;
        let value = last(&entry.encoded, ENTRY_VALUE).unwrap_or_default();
        Resource::decode(value).ok()
    }

    /// The names in the pipeline of all composed resources, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().filter_map(|entry| std::str::from_utf8(&entry.name).ok())
    }

    /// Adds a composed resource. The caller has made sure that the name is not
    /// taken: of two entries with one name the later one counts.
    pub fn insert(&mut self, name: &str, resource: &Resource) {
        let name = Bytes::copy_from_slice(name.as_bytes());
        let length = prost::encoding::bytes::encoded_len(ENTRY_KEY, &name)
            + prost::encoding::message::encoded_len(ENTRY_VALUE, resource);
        let mut encoded = Vec::with_capacity(length);
        prost::encoding::bytes::encode(ENTRY_KEY, &name, &mut encoded);
        prost::encoding::message::encode(ENTRY_VALUE, resource, &mut encoded);
        self.resources.push(Entry { name, encoded: encoded.into() });
    }

    /// Whether the composite is ready, as far as a step has said so.
    #[must_use]
    pub fn composite_ready(&self) -> Ready {
        let resource = self.composite.clone().and_then(|bytes| Resource::decode(bytes).ok());
        resource.map_or(Ready::Unspecified, |resource| resource.ready())
    }

    /// The desired manifest of the composite, encoded.
    #[must_use]
    pub fn composite_manifest(&self) -> Option<Bytes> {
        last(self.composite.as_ref()?, MANIFEST)
    }

    /// Says whether the composite is ready.
    pub fn set_composite_ready(&mut self, ready: Ready) {
        let mut composite = self.composite_without(|field| field.number == READY);
        prost::encoding::int32::encode(READY, &i32::from(ready), &mut composite);
        self.composite = Some(composite.into());
    }

    /// Puts the composite's manifest in place of the one that is there.
    pub fn set_composite_manifest(&mut self, manifest: &Bytes) {
        let mut composite = self.composite_without(|field| field.number == MANIFEST);
        prost::encoding::bytes::encode(MANIFEST, manifest, &mut composite);
        self.composite = Some(composite.into());
    }

    /// Adds a connection detail of the composite, or replaces the one of that name.
    pub fn set_composite_connection_detail(&mut self, name: &str, value: &[u8]) {
        let mut composite = self.composite_without(|field| {
            matches!(field.value, Wire::Len(entry) if field.number == CONNECTION_DETAILS
                && last_in(entry, ENTRY_KEY).unwrap_or_default() == name.as_bytes())
        });
        let mut entry = Vec::new();
        prost::encoding::string::encode(ENTRY_KEY, &name.to_owned(), &mut entry);
        prost::encoding::bytes::encode(ENTRY_VALUE, &value.to_vec(), &mut entry);
        prost::encoding::bytes::encode(CONNECTION_DETAILS, &entry, &mut composite);
        self.composite = Some(composite.into());
    }

    /// The composite's encoding less the fields that `unwanted` picks.
    fn composite_without(&self, unwanted: impl Fn(&Field<'_>) -> bool) -> Vec<u8> {
        let mut kept = Vec::new();
        for field in wire::fields(self.composite.as_deref().unwrap_or_default()).flatten() {
            if !unwanted(&field) {
                kept.extend_from_slice(field.raw);
            }
        }
        kept
    }
}

/// The content of the last field with a number, since the last one counts: a
/// slice of the message. What follows bytes that are no message is not looked at.
fn last(message: &Bytes, number: u32) -> Option<Bytes> {
    last_in(message, number).map(|content| message.slice_ref(content))
}

fn last_in<'a>(message: &'a [u8], number: u32) -> Option<&'a [u8]> {
    let content = |field: Field<'a>| match field.value {
        Wire::Len(content) if field.number == number => Some(content),
        _ => None,
    };
    wire::fields(message).flatten().filter_map(content).last()
}

impl Unknown {
    fn read(number: u32, wire_type: WireType, buffer: &mut impl Buf) -> Result<Self, DecodeError> {
        let length = match wire_type {
            WireType::LengthDelimited => decode_varint(buffer)?,
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::Varint => {
                let mut payload = Vec::new();
                encode_varint(decode_varint(buffer)?, &mut payload);
                return Ok(Self { number, wire_type, payload: payload.into() });
            }
            // Deprecated, and nothing that Crossplane sends has one.
            WireType::StartGroup | WireType::EndGroup => {
                skip_field(wire_type, number, buffer, DecodeContext::default())?;
                return Ok(Self { number, wire_type: WireType::LengthDelimited, payload: Bytes::new() });
            }
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > buffer.remaining() {
            // prost offers no way to make an error of one's own; its own check
            // of a value that is cut short makes the right one.
            let mut cut = Bytes::new();
            decode_varint(&mut cut)?;
        }
        Ok(Self { number, wire_type, payload: buffer.copy_to_bytes(length.min(buffer.remaining())) })
    }

    fn encode(&self, buffer: &mut impl BufMut) {
        encode_key(self.number, self.wire_type, buffer);
        if self.wire_type == WireType::LengthDelimited {
            encode_varint(self.payload.len() as u64, buffer);
        }
        buffer.put_slice(&self.payload);
    }

    fn encoded_len(&self) -> usize {
        let prefix = match self.wire_type {
            WireType::LengthDelimited => encoded_len_varint(self.payload.len() as u64),
            _ => 0,
        };
        key_len(self.number) + prefix + self.payload.len()
    }
}

impl Message for Desired {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        if let Some(composite) = &self.composite {
            prost::encoding::bytes::encode(COMPOSITE, composite, buffer);
        }
        for entry in &self.resources {
            prost::encoding::bytes::encode(RESOURCES, &entry.encoded, buffer);
        }
        for field in &self.unknown {
            field.encode(buffer);
        }
    }

    fn merge_field(
        &mut self,
        number: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        _context: DecodeContext,
    ) -> Result<(), DecodeError> {
        let field = Unknown::read(number, wire_type, buffer)?;
        match (number, wire_type) {
            (COMPOSITE, WireType::LengthDelimited) => {
                Resource::decode(field.payload.clone())?;
                // A message that comes twice is merged, and the merge of two
                // encodings is one after the other.
                self.composite = Some(match self.composite.take() {
                    None => field.payload,
                    Some(before) => [before, field.payload].concat().into(),
                });
            }
            (RESOURCES, WireType::LengthDelimited) => {
                let name = last(&field.payload, ENTRY_KEY).unwrap_or_default();
                self.resources.push(Entry { name, encoded: field.payload });
            }
            _ => self.unknown.push(field),
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        let composite = self.composite.iter().map(|c| prost::encoding::bytes::encoded_len(COMPOSITE, c));
        let resources =
            self.resources.iter().map(|e| prost::encoding::bytes::encoded_len(RESOURCES, &e.encoded));
        let unknown = self.unknown.iter().map(Unknown::encoded_len);
        composite.chain(resources).chain(unknown).sum()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::contract::proto::v1::State;

    fn state() -> State {
        let resource = |manifest: &'static str, ready: Ready| Resource {
            resource: Some(Bytes::from_static(manifest.as_bytes())),
            connection_details: BTreeMap::from([("key".to_owned(), Bytes::from_static(b"value"))]),
            ready: ready.into(),
        };
        State {
            composite: Some(resource("xr", Ready::True)),
            resources: BTreeMap::from([
                ("one".to_owned(), resource("1", Ready::True)),
                ("two".to_owned(), resource("2", Ready::Unspecified)),
            ]),
        }
    }

    fn decoded(desired: &Desired) -> State {
        State::decode(desired.encode_to_vec().as_slice()).unwrap()
    }

    /// Fields numbered 100 of each wire type, as a newer Crossplane may send.
    fn newer_fields() -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::uint64::encode(100, &7, &mut bytes);
        prost::encoding::string::encode(101, &"newer".to_owned(), &mut bytes);
        prost::encoding::fixed32::encode(102, &7, &mut bytes);
        prost::encoding::fixed64::encode(103, &7, &mut bytes);
        bytes
    }

    #[test]
    fn untouched_state_leaves_as_the_bytes_that_came_in() {
        // The names are out of order, which a map of our own would mend.
        let mut bytes = Vec::new();
        for name in ["two", "one", "three"] {
            let mut entry = Vec::new();
            prost::encoding::string::encode(1, &name.to_owned(), &mut entry);
            let mut value = state().resources["one"].encode_to_vec();
            value.extend(newer_fields());
            prost::encoding::bytes::encode(2, &value, &mut entry);
            prost::encoding::bytes::encode(2, &entry, &mut bytes);
        }
        bytes.extend(newer_fields());
        let desired = Desired::decode(bytes.as_slice()).unwrap();
        assert_eq!(desired.encode_to_vec(), bytes);
        assert_eq!(desired.encoded_len(), bytes.len());
        assert_eq!(desired.names().collect::<Vec<_>>(), ["two", "one", "three"]);
    }

    #[test]
    fn what_is_set_on_the_composite_leaves_the_rest_of_it_alone() {
        let mut composite = state().composite.unwrap().encode_to_vec();
        composite.extend(newer_fields());
        let mut bytes = Vec::new();
        prost::encoding::bytes::encode(1, &composite, &mut bytes);
        let mut desired = Desired::decode(bytes.as_slice()).unwrap();

        desired.set_composite_ready(Ready::False);
        desired.set_composite_connection_detail("token", b"first");
        desired.set_composite_connection_detail("token", b"second");
        desired.set_composite_manifest(&Bytes::from_static(b"status"));

        let after = decoded(&desired).composite.unwrap();
        assert_eq!(after.ready(), Ready::False);
        assert_eq!(desired.composite_ready(), Ready::False);
        assert_eq!(after.resource.as_deref(), Some(b"status".as_slice()));
        assert_eq!(desired.composite_manifest().as_deref(), Some(b"status".as_slice()));
        let details = BTreeMap::from([
            ("key".to_owned(), Bytes::from_static(b"value")),
            ("token".to_owned(), Bytes::from_static(b"second")),
        ]);
        assert!(after.connection_details == details);
        let encoded = desired.encode_to_vec();
        let newer = newer_fields();
        assert!(encoded.windows(newer.len()).any(|window| window == newer), "unknown fields survive");
    }

    #[test]
    fn a_composed_resource_is_added_beside_the_others() {
        let mut desired = Desired::decode(state().encode_to_vec().as_slice()).unwrap();
        let ours = Resource { ready: Ready::False.into(), ..Resource::default() };
        desired.insert("ours", &ours);
        let mut expected = state();
        expected.resources.insert("ours".to_owned(), ours.clone());
        assert!(decoded(&desired) == expected);
        assert!(desired.resource("ours") == Some(ours));
        assert!(desired.resource("none").is_none());
    }

    #[test]
    fn a_composite_that_comes_in_two_parts_is_merged() {
        let part = |ready: Ready| {
            let mut bytes = Vec::new();
            let resource = Resource { ready: ready.into(), ..Resource::default() };
            prost::encoding::message::encode(1, &resource, &mut bytes);
            bytes
        };
        let bytes = [part(Ready::True), part(Ready::False)].concat();
        let desired = Desired::decode(bytes.as_slice()).unwrap();
        assert_eq!(desired.composite_ready(), Ready::False);
        assert!(decoded(&desired) == State::decode(bytes.as_slice()).unwrap());
    }

    proptest! {
        #[test]
        fn any_bytes_are_state_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mut desired) = Desired::decode(bytes.as_slice()) {
                let _ = desired.names().count();
                let _ = desired.resource("a");
                desired.set_composite_ready(Ready::False);
                prop_assert_eq!(desired.composite_ready(), Ready::False);
                prop_assert_eq!(desired.encoded_len(), desired.encode_to_vec().len());
            }
        }
    }
}
