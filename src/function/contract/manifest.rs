//! A view of a manifest that stays encoded.
//!
//! A request carries whole manifests as `google.protobuf.Struct`, of which a few
//! fields are ever read. [`Manifest`] finds those in the bytes and decodes
//! nothing else, so a request of any size and depth costs what is asked of it:
//! nothing here recurses. Whatever is malformed reads as absent, and nothing
//! here prints what a manifest holds, because it may be a Secret.
//!
//! As protobuf has it, the last of repeated keys and kinds wins. A message that
//! is written in two parts, which a decoder would merge, reads as its last
//! part; no encoder writes one.

use std::{collections::BTreeMap, fmt};

use crate::contract::{
    fieldpath::{FieldPath, Segment},
    wire::{self, Malformed, Wire},
};

/// An object: an encoded `google.protobuf.Struct`.
#[derive(Clone, Copy)]
pub struct Manifest<'a>(&'a [u8]);

/// A list: an encoded `google.protobuf.ListValue`.
#[derive(Clone, Copy)]
pub struct List<'a>(&'a [u8]);

/// What a field or an element is.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Null, and a value of no kind.
    Null,
    /// A number. All of JSON's are floats here, and may be NaN or infinite.
    Number(f64),
    /// A string.
    String(&'a str),
    /// A boolean.
    Bool(bool),
    /// An object.
    Object(Manifest<'a>),
    /// A list.
    List(List<'a>),
}

/// Why a field path could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Something on the way is not there, or is null: perhaps not yet.
    #[error("cannot read {path}: {} is not there", whose(.at, .path))]
    NotFound {
        /// The whole way.
        path: FieldPath,
        /// The first part of it that is missing.
        at: FieldPath,
    },
    /// Something on the way, or at its end, is of another kind than is needed.
    #[error("cannot read {path}: {} is {found}, not {wanted}", whose(.at, .path))]
    WrongKind {
        /// The whole way.
        path: FieldPath,
        /// The part of it that is of another kind.
        at: FieldPath,
        /// The kind that it is.
        found: &'static str,
        /// The kind that is needed.
        wanted: &'static str,
    },
}

fn whose(at: &FieldPath, path: &FieldPath) -> String {
    if at == path { "it".to_owned() } else { at.to_string() }
}

impl PathError {
    /// Whether waiting may help, because the value is merely absent.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::WrongKind { .. } => false,
        }
    }
}

/// Field numbers of the messages of `google/protobuf/struct.proto`.
mod number {
    /// Of Struct and of `ListValue` alike.
    pub(super) const ENTRIES: u32 = 1;
    pub(super) const ENTRY_KEY: u32 = 1;
    pub(super) const ENTRY_VALUE: u32 = 2;
    pub(super) const NULL: u32 = 1;
    pub(super) const NUMBER: u32 = 2;
    pub(super) const STRING: u32 = 3;
    pub(super) const BOOL: u32 = 4;
    pub(super) const STRUCT: u32 = 5;
    pub(super) const LIST: u32 = 6;
}

impl<'a> Manifest<'a> {
    /// Takes an encoded `google.protobuf.Struct` as it is.
    #[must_use]
    pub fn new(encoded: &'a [u8]) -> Self {
        Self(encoded)
    }

    /// The bytes, as they came in.
    #[must_use]
    pub fn encoded(self) -> &'a [u8] {
        self.0
    }

    /// The value of a field.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Value<'a>> {
        self.field_of(name.as_bytes())
    }

    fn field_of(self, name: &[u8]) -> Option<Value<'a>> {
        let mut last = None;
        for entry in self.entries() {
            let (key, value) = entry.ok()?;
            if key == name {
                last = Some(value);
            }
        }
        Value::decode(last?)
    }

    /// All fields of this object, each once, by name.
    pub fn fields(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let entries: Result<BTreeMap<_, _>, _> = self.entries().collect();
        entries
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(key, value)| Some((std::str::from_utf8(key).ok()?, Value::decode(value)?)))
    }

    /// A field that is a string.
    #[must_use]
    pub fn string(self, name: &str) -> Option<&'a str> {
        self.field(name)?.as_str()
    }

    /// A field that is an object.
    #[must_use]
    pub fn object(self, name: &str) -> Option<Manifest<'a>> {
        self.field(name)?.as_object()
    }

    /// A field that is a list.
    #[must_use]
    pub fn list(self, name: &str) -> Option<List<'a>> {
        self.field(name)?.as_list()
    }

    /// A field that is a number without a fraction.
    #[must_use]
    pub fn integer(self, name: &str) -> Option<i64> {
        self.field(name)?.as_integer()
    }

    /// A field that is a boolean.
    #[must_use]
    pub fn boolean(self, name: &str) -> Option<bool> {
        self.field(name)?.as_bool()
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(self) -> Option<&'a str> {
        self.string("apiVersion")
    }

    /// `kind`.
    #[must_use]
    pub fn kind(self) -> Option<&'a str> {
        self.string("kind")
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        self.object("metadata")?.string("name")
    }

    /// `metadata.namespace`.
    #[must_use]
    pub fn namespace(self) -> Option<&'a str> {
        self.object("metadata")?.string("namespace")
    }

    /// `metadata.uid`.
    #[must_use]
    pub fn uid(self) -> Option<&'a str> {
        self.object("metadata")?.string("uid")
    }

    /// The value at a field path, null included.
    ///
    /// # Errors
    /// Which part of the path is missing or of another kind.
    pub fn at(self, path: &FieldPath) -> Result<Value<'a>, PathError> {
        let mut value = Value::Object(self);
        for (index, segment) in path.segments().iter().enumerate() {
            let found = match (segment, value) {
                (Segment::Field(name), Value::Object(object)) => object.field(name),
                (Segment::Index(element), Value::List(list)) => {
                    usize::try_from(*element).ok().and_then(|element| list.get(element))
                }
                (_, Value::Null) => None,
                (segment, value) => return Err(cannot_enter(path, index, segment, value)),
            };
            value = found.ok_or_else(|| PathError::NotFound { path: path.clone(), at: path.up_to(index) })?;
        }
        Ok(value)
    }

    /// The string at a field path; null is not there.
    ///
    /// # Errors
    /// Which part of the path is missing or of another kind.
    pub fn string_at(self, path: &FieldPath) -> Result<&'a str, PathError> {
        self.typed_at(path, "a string", Value::as_str)
    }

    /// The number without a fraction at a field path; null is not there.
    ///
    /// # Errors
    /// Which part of the path is missing or of another kind.
    pub fn integer_at(self, path: &FieldPath) -> Result<i64, PathError> {
        self.typed_at(path, "an integer", Value::as_integer)
    }

    /// The boolean at a field path; null is not there.
    ///
    /// # Errors
    /// Which part of the path is missing or of another kind.
    pub fn bool_at(self, path: &FieldPath) -> Result<bool, PathError> {
        self.typed_at(path, "a boolean", Value::as_bool)
    }

    fn typed_at<T>(
        self,
        path: &FieldPath,
        wanted: &'static str,
        read: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<T, PathError> {
        let value = self.at(path)?;
        let (path, at) = (path.clone(), path.clone());
        match value {
            Value::Null => Err(PathError::NotFound { path, at }),
            value => read(value).ok_or(PathError::WrongKind { path, at, found: value.kind(), wanted }),
        }
    }

    /// Whether another object says the same, in whatever order. This one has
    /// each of its fields once, as an encoding of a map has.
    #[must_use]
    pub fn is_same_as(self, other: Manifest<'_>) -> bool {
        let mut fields = 0;
        for entry in self.entries() {
            fields += 1;
            let same = entry.is_ok_and(|(key, value)| {
                let (ours, theirs) = (Value::decode(value), other.field_of(key));
                ours.zip(theirs).is_some_and(|(ours, theirs)| ours.is_same_as(theirs))
            });
            if !same {
                return false;
            }
        }
        other.entries().count() == fields
    }

    fn entries(self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> {
        elements(self.0).map(|entry| entry.and_then(split_entry))
    }
}

fn cannot_enter(path: &FieldPath, index: usize, segment: &Segment, value: Value<'_>) -> PathError {
    let wanted = match segment {
        Segment::Field(_) => "an object",
        Segment::Index(_) => "a list",
    };
    // Only a path that begins with an index has nothing before the place: the
    // manifest is an object, whatever is in it.
    let at = path.up_to(index.saturating_sub(1));
    PathError::WrongKind { path: path.clone(), at, found: value.kind(), wanted }
}

impl<'a> List<'a> {
    /// The elements, up to the first that is malformed.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        elements(self.0).map_while(|element| Value::decode(element.ok()?))
    }

    /// The element at an index from zero.
    #[must_use]
    pub fn get(self, index: usize) -> Option<Value<'a>> {
        Value::decode(elements(self.0).nth(index)?.ok()?)
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether another list says the same. What is malformed is never the same.
    fn is_same_as(self, other: List<'_>) -> bool {
        let mut theirs = elements(other.0);
        let is_next = |ours: Result<&[u8], Malformed>| {
            let (ours, theirs) = (Value::decode(ours.ok()?)?, Value::decode(theirs.next()?.ok()?)?);
            Some(ours.is_same_as(theirs))
        };
        elements(self.0).map(is_next).all(|same| same == Some(true)) && theirs.next().is_none()
    }
}

impl<'a> Value<'a> {
    /// What kind of value it is, with its article, for messages.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Bool(_) => "a boolean",
            Self::Object(_) => "an object",
            Self::List(_) => "a list",
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one that has no fraction and that a float holds
    /// exactly.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        /// 2^53, up to which a float holds every integer.
        const LIMIT: f64 = 9_007_199_254_740_992.0;
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "it is in range and has no fraction")]
            Self::Number(number) if number.fract() == 0.0 && number.abs() <= LIMIT => Some(number as i64),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(value) } else { None }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(self) -> Option<Manifest<'a>> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(self) -> Option<List<'a>> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    fn is_same_as(self, other: Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Number(ours), Value::Number(theirs)) => ours.to_bits() == theirs.to_bits(),
            (Self::String(ours), Value::String(theirs)) => ours == theirs,
            (Self::Bool(ours), Value::Bool(theirs)) => ours == theirs,
            (Self::Object(ours), Value::Object(theirs)) => ours.is_same_as(theirs),
            (Self::List(ours), Value::List(theirs)) => ours.is_same_as(theirs),
            _ => false,
        }
    }

    fn decode(encoded: &'a [u8]) -> Option<Self> {
        Self::decode_usual(encoded).map_or_else(|| Self::decode_any(encoded), Some)
    }

    /// A value as encoders write it, of the kinds that have a length.
    fn decode_usual(encoded: &'a [u8]) -> Option<Self> {
        // The number is in the upper bits of the key, which is one byte.
        let number = u32::from(*encoded.first()?) >> 3;
        let (content, rest) = wire::len(number, encoded)?;
        match number {
            _ if !rest.is_empty() => None,
            number::STRING => Some(Self::String(std::str::from_utf8(content).ok()?)),
            number::STRUCT => Some(Self::Object(Manifest(content))),
            number::LIST => Some(Self::List(List(content))),
            _ => None,
        }
    }

    fn decode_any(encoded: &'a [u8]) -> Option<Self> {
        let mut value = Self::Null;
        for field in wire::fields(encoded) {
            let field = field.ok()?;
            value = match (field.number, field.value) {
                (number::NULL, Wire::Varint(_)) => Self::Null,
                (number::NUMBER, Wire::Fixed64(bits)) => Self::Number(f64::from_bits(bits)),
                (number::STRING, Wire::Len(text)) => Self::String(std::str::from_utf8(text).ok()?),
                (number::BOOL, Wire::Varint(bit)) => Self::Bool(bit != 0),
                (number::STRUCT, Wire::Len(object)) => Self::Object(Manifest(object)),
                (number::LIST, Wire::Len(list)) => Self::List(List(list)),
                (number::NULL..=number::LIST, _) => return None,
                _ => value,
            };
        }
        Some(value)
    }
}

/// The entries of a Struct or the elements of a `ListValue`.
fn elements(encoded: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    wire::repeated(number::ENTRIES, encoded)
}

#[inline]
fn split_entry(entry: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    split_usual_entry(entry).map_or_else(|| split_any_entry(entry), Ok)
}

#[cold]
fn split_any_entry(entry: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    // What an entry leaves out is empty: the key "", a value of no kind.
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in wire::fields(entry) {
        match field.map(|field| (field.number, field.value))? {
            (number::ENTRY_KEY, Wire::Len(text)) => key = text,
            (number::ENTRY_VALUE, Wire::Len(encoded)) => value = encoded,
            (number::ENTRY_KEY | number::ENTRY_VALUE, _) => return Err(Malformed),
            _ => {}
        }
    }
    Ok((key, value))
}

/// An entry as encoders write it: its key, its value, and nothing else. Most of
/// what is read of a manifest is passed over like this.
#[inline]
fn split_usual_entry(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = wire::len(number::ENTRY_KEY, entry)?;
    let (value, rest) = wire::len(number::ENTRY_VALUE, rest)?;
    rest.is_empty().then_some((key, value))
}

impl fmt::Debug for Manifest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manifest(_)")
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List(_)")
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.kind())
    }
}

/// Encodes manifests for tests.
#[cfg(test)]
pub(crate) mod testing {
    use prost::Message as _;
    use prost_types::{ListValue, Struct, Value, value::Kind};
    use serde_json::Value as Json;

    /// Encodes a JSON object, with every number a float, as Crossplane does.
    pub(crate) fn encode(object: &Json) -> Vec<u8> {
        match value(object).kind {
            Some(Kind::StructValue(object)) => object.encode_to_vec(),
            _ => panic!("a manifest is an object"),
        }
    }

    /// Encodes an object that is written in YAML.
    pub(crate) fn encode_yaml(text: &str) -> Vec<u8> {
        encode(&serde_saphyr::from_str(text).unwrap())
    }

    fn value(json: &Json) -> Value {
        let kind = match json {
            Json::Null => Kind::NullValue(0),
            Json::Bool(value) => Kind::BoolValue(*value),
            Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
            Json::String(text) => Kind::StringValue(text.clone()),
            Json::Array(values) => Kind::ListValue(ListValue { values: values.iter().map(value).collect() }),
            Json::Object(object) => Kind::StructValue(Struct {
                fields: object.iter().map(|(name, json)| (name.clone(), value(json))).collect(),
            }),
        };
        Value { kind: Some(kind) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_types::{ListValue, Struct, Value as Decoded, value::Kind};

    use super::*;
    use crate::contract::proto::v1::RunFunctionRequest;

    fn decoded(value: Value<'_>) -> Decoded {
        let kind = match value {
            Value::Null => Kind::NullValue(0),
            Value::Number(number) => Kind::NumberValue(number),
            Value::String(text) => Kind::StringValue(text.to_owned()),
            Value::Bool(value) => Kind::BoolValue(value),
            Value::Object(object) => Kind::StructValue(decoded_object(object)),
            Value::List(list) => Kind::ListValue(ListValue { values: list.iter().map(decoded).collect() }),
        };
        Decoded { kind: Some(kind) }
    }

    fn decoded_object(object: Manifest<'_>) -> Struct {
        Struct { fields: object.fields().map(|(name, value)| (name.to_owned(), decoded(value))).collect() }
    }

    fn arb_value() -> impl Strategy<Value = Decoded> {
        let leaf = prop_oneof![
            Just(Kind::NullValue(0)),
            any::<bool>().prop_map(Kind::BoolValue),
            (-1e9..1e9_f64).prop_map(Kind::NumberValue),
            "[a-z ]{0,6}|é".prop_map(Kind::StringValue),
        ]
        .prop_map(|kind| Decoded { kind: Some(kind) });
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| Kind::ListValue(ListValue { values })),
                arb_fields(inner).prop_map(Kind::StructValue),
            ]
            .prop_map(|kind| Decoded { kind: Some(kind) })
        })
    }

    fn arb_fields(value: impl Strategy<Value = Decoded>) -> impl Strategy<Value = Struct> {
        prop::collection::btree_map("[a-c]{0,2}", value, 0..4).prop_map(|fields| Struct { fields })
    }

    fn walk(object: Manifest<'_>) {
        let mut open = vec![Value::Object(object)];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(object) => open.extend(object.fields().map(|(_, value)| value)),
                Value::List(list) => open.extend(list.iter()),
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn an_encoded_manifest_reads_as_the_decoded_one(manifest in arb_fields(arb_value())) {
            let encoded = manifest.encode_to_vec();
            prop_assert_eq!(decoded_object(Manifest::new(&encoded)), manifest.clone());
            for (name, value) in manifest.fields {
                prop_assert_eq!(Manifest::new(&encoded).field(&name).map(decoded), Some(value));
            }
        }

        #[test]
        fn any_bytes_can_be_walked(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            walk(Manifest::new(&bytes));
        }

        #[test]
        fn a_manifest_with_any_byte_changed_or_cut_off_can_be_walked(
            manifest in arb_fields(arb_value()), at in any::<prop::sample::Index>(), byte: u8,
        ) {
            let mut encoded = manifest.encode_to_vec();
            if !encoded.is_empty() {
                let at = at.index(encoded.len());
                walk(Manifest::new(&encoded[..at]));
                encoded[at] = byte;
                walk(Manifest::new(&encoded));
            }
        }
    }

    /// A field of wire type 2, by hand.
    fn len(number: u8, content: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut field);
        field.extend_from_slice(content);
        field
    }

    fn entry(key: &str, value: &[u8]) -> Vec<u8> {
        len(1, &[len(1, key.as_bytes()), len(2, value)].concat())
    }

    #[test]
    fn what_no_encoder_writes_reads_as_protobuf_says() {
        let (one, two) = (len(3, b"one"), len(3, b"two"));
        let table: [(&str, Vec<u8>, Option<&str>); 9] = [
            ("the last of repeated keys wins", [entry("a", &one), entry("a", &two)].concat(), Some("two")),
            ("the last of repeated kinds wins", entry("a", &[&[0x20, 1][..], &one].concat()), Some("one")),
            ("an unknown field of a value", entry("a", &[one.clone(), len(9, b"x")].concat()), Some("one")),
            ("an unknown field of the struct", [len(7, b"x"), entry("a", &one)].concat(), Some("one")),
            ("a group is skipped", [vec![0x3b, 0x3c], entry("a", &one)].concat(), Some("one")),
            ("a value of another wire type", entry("a", &[0x18, 1]), None),
            ("a string that is not UTF-8", entry("a", &len(3, &[0xff])), None),
            ("an object that ends early", [entry("a", &one), vec![0x0a, 9]].concat(), None),
            ("an entry of another wire type", [entry("a", &one), vec![0x08, 9]].concat(), None),
        ];
        for (reason, encoded, expected) in table {
            assert_eq!(Manifest::new(&encoded).string("a"), expected, "{reason}");
            assert_eq!(Manifest::new(&encoded).fields().count(), usize::from(expected.is_some()), "{reason}");
            if expected.is_some() {
                let prost = Struct::decode(&*encoded).unwrap();
                assert_eq!(decoded_object(Manifest::new(&encoded)), prost, "{reason}");
            } else {
                assert!(Struct::decode(&*encoded).is_err(), "{reason}");
            }
        }
        assert_eq!(Manifest::new(&len(1, &len(2, &one))).string(""), Some("one"), "a missing key is empty");
        assert!(matches!(Manifest::new(&len(1, &len(1, b"a"))).field("a"), Some(Value::Null)));
    }

    #[test]
    fn every_recorded_manifest_reads_as_the_decoded_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/requests");
        let mut read = 0;
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "binpb") {
                let request = RunFunctionRequest::decode(&*std::fs::read(&file).unwrap()).unwrap();
                let observed = request.observed.unwrap();
                for resource in observed.composite.iter().chain(observed.resources.values()) {
                    let encoded = resource.resource.as_deref().unwrap();
                    let manifest = Manifest::new(encoded);
                    assert_eq!(decoded_object(manifest), Struct::decode(encoded).unwrap());
                    assert!(manifest.kind().is_some() && manifest.uid().is_some(), "{}", file.display());
                    read += 1;
                }
            }
        }
        assert!(read > 30, "{read}");
    }

    #[test]
    fn a_manifest_may_be_nested_ten_thousand_deep() {
        let mut value = len(3, b"bottom");
        for _ in 0..10_000 {
            value = len(5, &entry("a", &value));
        }
        let encoded = entry("a", &value);
        let path = vec!["a"; 10_001].join(".").parse().unwrap();
        assert_eq!(Manifest::new(&encoded).string_at(&path), Ok("bottom"));
        walk(Manifest::new(&encoded));
    }

    #[test]
    fn a_field_path_leads_to_its_value_or_says_what_is_in_the_way() {
        let text = |text: &str| Decoded { kind: Some(Kind::StringValue(text.to_owned())) };
        let number = |number| Decoded { kind: Some(Kind::NumberValue(number)) };
        let object = |fields: Vec<(&str, Decoded)>| Decoded {
            kind: Some(Kind::StructValue(Struct {
                fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            })),
        };
        let list = |values| Decoded { kind: Some(Kind::ListValue(ListValue { values })) };
        let spec = object(vec![
            ("host", text("a.example.org")),
            ("port", number(8080.0)),
            ("ratio", number(0.5)),
            ("none", Decoded { kind: Some(Kind::NullValue(0)) }),
            ("ports", list(vec![object(vec![("name", text("http"))])])),
        ]);
        let encoded = Struct { fields: [("spec".to_owned(), spec)].into() }.encode_to_vec();
        let manifest = Manifest::new(&encoded);
        let table = [
            ("spec.host", Ok("a.example.org")),
            ("spec.ports[0].name", Ok("http")),
            ("spec.port", Err("cannot read spec.port: it is a number, not a string")),
            ("spec.none", Err("cannot read spec.none: it is not there")),
            ("spec.none.a", Err("cannot read spec.none.a: it is not there")),
            ("spec.ports[1].name", Err("cannot read spec.ports[1].name: spec.ports[1] is not there")),
            ("status.host", Err("cannot read status.host: status is not there")),
            ("spec.host.name", Err("cannot read spec.host.name: spec.host is a string, not an object")),
            ("spec[0]", Err("cannot read spec[0]: spec is an object, not a list")),
            ("spec.ports.name", Err("cannot read spec.ports.name: spec.ports is a list, not an object")),
        ];
        for (path, expected) in table {
            let read = manifest.string_at(&path.parse().unwrap());
            assert_eq!(read.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{path}");
        }
        assert_eq!(manifest.integer_at(&"spec.port".parse().unwrap()), Ok(8080));
        assert_eq!(
            manifest.integer_at(&"spec.ratio".parse().unwrap()).unwrap_err().to_string(),
            "cannot read spec.ratio: it is a number, not an integer"
        );
        assert!(!format!("{manifest:?}{:?}", manifest.field("spec")).contains("example"));
    }
}
