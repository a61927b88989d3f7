//! The Secrets that this function composes, as manifests.
//!
//! There are two, so that RBAC can hand out the connection without the admin's
//! password. This module reads and writes them; what goes into which, and when,
//! is decided elsewhere. Nothing here can be printed.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use base64::{
    Engine as _,
    engine::{Simd, general_purpose::PAD},
};
use bytes::Bytes;
use prost::encoding::{encode_varint, encoded_len_varint};
use zeroize::Zeroizing;

use crate::contract::manifest::{Manifest, Value};

/// Base64 with padding, by what this machine's processor is fastest at: tokens are
/// long, and decoded and encoded in every call.
static STANDARD: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// What a Secret holds: its decoded `data`, in the order of its keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData(BTreeMap<String, Zeroizing<Vec<u8>>>);

/// `metadata.name` and `metadata.namespace` of a composed Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`. `None` under a namespaced XR: Crossplane fills it in.
    pub namespace: Option<String>,
}

impl SecretData {
    /// Reads the `data` of an observed Secret, or of one that was required.
    /// Values that are not base64 are left out.
    #[must_use]
    pub fn read(secret: Manifest<'_>) -> Self {
        let decode = |value: Value<'_>| STANDARD.decode(value.as_str()?).ok();
        let fields = secret.object("data").into_iter().flat_map(Manifest::fields);
        Self(
            fields
                .filter_map(|(key, value)| Some((key.to_owned(), Zeroizing::new(decode(value)?))))
                .collect(),
        )
    }

    /// Takes over what is decoded already: step credentials, connection details.
    #[must_use]
    pub fn from_bytes(details: &BTreeMap<String, Bytes>) -> Self {
        let copied = details.iter().map(|(key, value)| (key.clone(), Zeroizing::new(value.to_vec())));
        Self(copied.collect())
    }

    /// Sets a key.
    pub fn insert(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), Zeroizing::new(value.as_bytes().to_vec()));
    }

    /// Takes over what `other` has under keys that have no value here.
    pub fn fill(&mut self, other: &Self) {
        for (key, value) in self.0.iter_mut().filter(|(_, value)| value.is_empty()) {
            if let Some(other) = other.0.get(key) {
                value.clone_from(other);
            }
        }
    }

    /// Keeps the keys and values that are wanted.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(&str, &[u8]) -> bool) {
        self.0.retain(|key, value| is_wanted(key, value));
    }

    /// The text under a key. `None` where it is missing, empty or not UTF-8.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        let value = std::str::from_utf8(self.0.get(key)?).ok()?;
        (!value.is_empty()).then_some(value)
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(|value| value.as_slice())
    }

    /// The keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// The keys that are there with a value.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(key, _)| key.as_str())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What a Secret is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretKind {
    /// `type`.
    pub secret_type: &'static str,
    /// `immutable`: the API server refuses every later change of the data.
    pub immutable: bool,
}

/// Writes a Secret's manifest as an encoded `google.protobuf.Struct`.
///
/// The same arguments give the same bytes.
#[must_use]
pub fn manifest(name: &SecretName, kind: SecretKind, data: &SecretData) -> Bytes {
    let mut metadata =
        Object::with_room_for(name.name.len() + name.namespace.as_ref().map_or(0, String::len), 2);
    metadata.text("name", &name.name);
    if let Some(namespace) = &name.namespace {
        metadata.text("namespace", namespace);
    }
    let texts = data.0.iter().map(|(key, value)| key.len() + base64_length(value)).sum();
    let mut encoded = Object::with_room_for(texts, data.0.len());
    for (key, value) in &data.0 {
        // Exposed here: the Secret is where these values belong.
        encoded.base64(key, value);
    }
    let mut secret = Object::with_room_for(encoded.0.len() + metadata.0.len(), 6);
    secret.text("apiVersion", "v1");
    secret.object("data", &encoded);
    if kind.immutable {
        secret.field("immutable", &TRUE);
    }
    secret.text("kind", "Secret");
    secret.object("metadata", &metadata);
    secret.text("type", kind.secret_type);
    secret.0.into()
}

/// A `google.protobuf.Struct` that is written field by field, each once.
#[derive(Default)]
struct Object(Vec<u8>);

/// Keys of the messages of `google/protobuf/struct.proto`: numbers and wire types.
const ENTRY: u8 = 1 << 3 | 2;
const ENTRY_NAME: u8 = 1 << 3 | 2;
const ENTRY_VALUE: u8 = 2 << 3 | 2;
const STRING: u8 = 3 << 3 | 2;
const STRUCT: u8 = 5 << 3 | 2;
/// A value that is the boolean `true`.
const TRUE: [u8; 2] = [4 << 3, 1];

/// Bytes around a field, at most, and of the names and texts that this module
/// writes as they are.
const AROUND: usize = 48;

/// How long a value is in base64.
fn base64_length(value: &[u8]) -> usize {
    value.len().div_ceil(3) * 4
}

impl Object {
    /// One that does not have to grow for so many fields of so many bytes.
    fn with_room_for(bytes: usize, fields: usize) -> Self {
        Self(Vec::with_capacity(bytes + fields * AROUND))
    }

    /// A field whose text is a value in base64.
    fn base64(&mut self, name: &str, value: &[u8]) {
        let text = base64_length(value);
        self.begin(name, length(text));
        self.0.push(STRING);
        encode_varint(text as u64, &mut self.0);
        let start = self.0.len();
        self.0.resize(start + text, 0);
        let written = self.0.get_mut(start..).map(|room| STANDARD.encode_slice(value, room));
        debug_assert!(matches!(written, Some(Ok(written)) if written == text), "the room is just as long");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.nested(name, STRING, value.as_bytes());
    }

    fn object(&mut self, name: &str, object: &Self) {
        self.nested(name, STRUCT, &object.0);
    }

    /// A field whose value is of a kind that has a length.
    fn nested(&mut self, name: &str, kind: u8, content: &[u8]) {
        self.begin(name, length(content.len()));
        self.piece(kind, content);
    }

    /// A field with an encoded value.
    fn field(&mut self, name: &str, value: &[u8]) {
        self.begin(name, value.len());
        self.0.extend_from_slice(value);
    }

    /// All of a field before its value, which is `value` long.
    fn begin(&mut self, name: &str, value: usize) {
        let entry = length(name.len()) + length(value);
        self.0.reserve(length(entry));
        self.0.push(ENTRY);
        encode_varint(entry as u64, &mut self.0);
        self.piece(ENTRY_NAME, name.as_bytes());
        self.0.push(ENTRY_VALUE);
        encode_varint(value as u64, &mut self.0);
    }

    fn piece(&mut self, key: u8, content: &[u8]) {
        self.0.push(key);
        encode_varint(content.len() as u64, &mut self.0);
        self.0.extend_from_slice(content);
    }
}

/// How long a key of one byte, a length and so many bytes are together.
fn length(content: usize) -> usize {
    1 + encoded_len_varint(content as u64) + content
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::Struct;

    use super::*;

    const OPAQUE: SecretKind = SecretKind { secret_type: "Opaque", immutable: false };

    #[test]
    fn a_secret_that_is_written_is_read_back() {
        let mut data = SecretData::default();
        data.insert("token", "marker-token");
        data.insert("host", "http://infisical:8080");
        let name = SecretName { name: "vault-connection".to_owned(), namespace: Some("team-a".to_owned()) };
        let written = manifest(&name, OPAQUE, &data);
        let read = Manifest::new(&written);
        assert_eq!(SecretData::read(read), data);
        assert_eq!(read.name(), Some("vault-connection"));
        assert_eq!(read.namespace(), Some("team-a"));
        assert_eq!((read.kind(), read.api_version()), (Some("Secret"), Some("v1")));
        assert!(manifest(&name, OPAQUE, &data) == written);
        assert!(Struct::decode(&*written).unwrap().encode_to_vec() == written, "as a map is encoded");
        assert_eq!(read.boolean("immutable"), None);
        let immutable = manifest(&name, SecretKind { immutable: true, ..OPAQUE }, &data);
        assert_eq!(Manifest::new(&immutable).boolean("immutable"), Some(true));
    }

    #[test]
    fn a_namespace_is_left_out_where_crossplane_fills_it_in() {
        let name = SecretName { name: "vault-admin".to_owned(), namespace: None };
        let written = manifest(&name, OPAQUE, &SecretData::default());
        assert_eq!(Manifest::new(&written).namespace(), None);
    }

    #[test]
    fn printing_shows_the_keys_only() {
        let mut data = SecretData::default();
        data.insert("token", "marker-token");
        assert_eq!(format!("{data:?}"), r#"{"token"}"#);
    }
}
