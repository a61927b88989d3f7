//! Reads an encoded input into the types of `input`.
//!
//! A serde deserializer over `prost_types::Value`. A field that is null is one that
//! is left out, as it is to Kubernetes.

use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_path_to_error::{Path, Segment};

use super::wrong::Wrong;

/// Decodes the protobuf of an input.
pub(super) fn manifest(encoded: &[u8]) -> Option<Value> {
    // prost gives up on what is nested a hundred deep, so that neither this nor
    // dropping the result can exhaust the stack.
    let manifest = Struct::decode(encoded).ok()?;
    Some(Value { kind: Some(Kind::StructValue(manifest)) })
}

/// Deserializes a decoded input, or says where in it what is wrong.
pub(super) fn decode<T: DeserializeOwned>(manifest: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(Node(manifest))
        .map_err(|error| format!("{}{}", path(error.path()), error.inner()))
}

fn path(path: &Path) -> String {
    path.iter().fold("input".to_owned(), |before, segment| match segment {
        Segment::Seq { index } => format!("{before}[{index}]"),
        Segment::Map { key } => format!("{before}.{}", name_of(key)),
        Segment::Enum { .. } | Segment::Unknown => before,
    })
}

/// The name of a field, if it looks like one: an unknown one may be anything.
fn name_of(name: &str) -> &str {
    let is_like_a_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if is_like_a_name && !name.is_empty() && name.len() <= 63 { name } else { "?" }
}

/// A value of the input.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

impl Node<'_> {
    fn is_null(self) -> bool {
        matches!(self.0.kind, None | Some(Kind::NullValue(_)))
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.kind {
            None | Some(Kind::NullValue(_)) => visitor.visit_unit(),
            Some(Kind::NumberValue(number)) if number.is_finite() => visitor.visit_f64(*number),
            Some(Kind::NumberValue(_)) => Err(Wrong::new("is not finite; write a number")),
            Some(Kind::StringValue(text)) => visitor.visit_str(text),
            Some(Kind::BoolValue(value)) => visitor.visit_bool(*value),
            Some(Kind::StructValue(_)) => Err(Wrong::invalid_type(Unexpected::Map, &visitor)),
            Some(Kind::ListValue(_)) => Err(Wrong::invalid_type(Unexpected::Seq, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        /// 2^53, up to which a float holds every integer.
        const LIMIT: f64 = 9_007_199_254_740_992.0;
        match self.0.kind {
            #[expect(clippy::cast_possible_truncation, reason = "it is in range and has no fraction")]
            Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() <= LIMIT => {
                visitor.visit_i64(number as i64)
            }
            Some(Kind::NumberValue(number)) if number.is_finite() => {
                Err(Wrong::new("is no whole number; write one"))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.kind {
            Some(Kind::ListValue(list)) => {
                visitor.visit_seq(SeqDeserializer::new(list.values.iter().map(Node)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Some(Kind::StructValue(object)) = &self.0.kind else { return self.deserialize_any(visitor) };
        let written = object.fields.iter().map(|(name, value)| (name.as_str(), Node(value)));
        let written = written.filter(|(name, value)| !value.is_null() || !fields.contains(name));
        visitor.visit_map(MapDeserializer::new(written))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.0.kind {
            Some(Kind::StringValue(word)) => visitor.visit_enum(word.as_str().into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct map identifier
    }
}
