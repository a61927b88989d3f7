//! Reads an encoded input into the types of `input::raw`.
//!
//! A serde deserializer over `prost_types::Value` that checks the kind of every
//! value itself, so that its errors are in the words of YAML and name the field.
//! An error never repeats a value.

use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error, Expected, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_path_to_error::{Path, Segment};

use super::InputError;
use crate::input::nearest::nearest;

/// Decodes the protobuf of an input.
pub(super) fn manifest(encoded: &[u8]) -> Result<Value, InputError> {
    // prost gives up on what is nested a hundred deep, so that neither this nor
    // dropping the result can exhaust the stack.
    let manifest = Struct::decode(encoded).map_err(|_| InputError::Undecodable)?;
    Ok(Value { kind: Some(Kind::StructValue(manifest)) })
}

/// Deserializes a decoded input.
pub(super) fn decode<T: DeserializeOwned>(manifest: &Value) -> Result<T, InputError> {
    serde_path_to_error::deserialize(Node(manifest)).map_err(|error| {
        let path = path(error.path());
        error.into_inner().at(path)
    })
}

fn path(path: &Path) -> String {
    path.iter().fold("input".to_owned(), |before, segment| match segment {
        Segment::Seq { index } => format!("{before}[{index}]"),
        Segment::Map { key } => format!("{before}.{}", name_of(key)),
        Segment::Enum { .. } | Segment::Unknown => before,
    })
}

/// What is wrong with one value.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("is {found}, not {wanted}")]
    WrongKind { found: &'static str, wanted: String },
    #[error("is not finite; write a number")]
    NotFinite,
    #[error("is none of the words that it can be; {} one of: {}", write(*meant), known.join(", "))]
    UnknownWord { known: &'static [&'static str], meant: Option<&'static str> },
    #[error("unknown field; {} one of: {}", write(*meant), known.join(", "))]
    UnknownField { known: &'static [&'static str], meant: Option<&'static str> },
    #[error("is missing; write {}", remedy(field))]
    MissingField { field: &'static str },
    #[error("{0}")]
    Other(String),
}

impl Problem {
    fn at(self, mut path: String) -> InputError {
        // serde_path_to_error counts an unknown field in, and a missing one not.
        if let Self::MissingField { field } = &self {
            path.push('.');
            path.push_str(field);
        }
        InputError::Field { path, problem: self.to_string() }
    }
}

/// What to write where a field is missing.
fn remedy(field: &str) -> &'static str {
    match field {
        "instance" => "one with an endpoint",
        "endpoint" => "one of: url, fromCompositeFieldPath, fromComposedResource, service",
        _ => "it",
    }
}

/// How a message goes on about what is unknown: with what was probably meant.
fn write(meant: Option<&str>) -> String {
    meant.map_or_else(|| "write".to_owned(), |name| format!("did you mean \"{name}\"? Write"))
}

/// The name of a field, if it looks like one: an unknown one may be anything.
fn name_of(name: &str) -> &str {
    let is_like_a_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if is_like_a_name && !name.is_empty() && name.len() <= 63 { name } else { "?" }
}

impl Error for Problem {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::WrongKind { found: unexpected(found), wanted: wanted.to_string() }
    }

    fn invalid_value(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::Other(format!("is not {wanted}"))
    }

    fn invalid_length(_: usize, wanted: &dyn Expected) -> Self {
        Self::Other(format!("is not {wanted}"))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownWord { known, meant: nearest(word, known.iter().copied()) }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownField { known, meant: nearest(field, known.iter().copied()) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingField { field }
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self::Other("has a field twice; keep one of them".to_owned())
    }
}

fn unexpected(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        _ => "something else",
    }
}

/// A value of the input.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

impl<'a> Node<'a> {
    fn found(self) -> &'static str {
        match &self.0.kind {
            None | Some(Kind::NullValue(_)) => "null",
            Some(Kind::NumberValue(_)) => "a number",
            Some(Kind::StringValue(_)) => "a string",
            Some(Kind::BoolValue(_)) => "a boolean",
            Some(Kind::StructValue(_)) => "an object",
            Some(Kind::ListValue(_)) => "a list",
        }
    }

    fn instead_of(self, wanted: &str) -> Problem {
        Problem::WrongKind { found: self.found(), wanted: wanted.to_owned() }
    }

    fn number(self) -> Result<f64, Problem> {
        match self.0.kind {
            Some(Kind::NumberValue(number)) if number.is_finite() => Ok(number),
            Some(Kind::NumberValue(_)) => Err(Problem::NotFinite),
            _ => Err(self.instead_of("a number")),
        }
    }

    fn integer(self) -> Result<i64, Problem> {
        /// 2^53, up to which a float holds every integer.
        const LIMIT: f64 = 9_007_199_254_740_992.0;
        let number = self.number()?;
        if number.fract() != 0.0 || number.abs() > LIMIT {
            return Err(Problem::Other("is no whole number; write one".to_owned()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is in range and has no fraction")]
        Ok(number as i64)
    }

    fn string(self) -> Result<&'a str, Problem> {
        match &self.0.kind {
            Some(Kind::StringValue(text)) => Ok(text),
            _ => Err(self.instead_of("a string")),
        }
    }

    fn object<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.0.kind {
            Some(Kind::StructValue(object)) => visitor.visit_map(MapDeserializer::new(
                object.fields.iter().map(|(name, value)| (name.as_str(), Node(value))),
            )),
            _ => Err(self.instead_of("an object")),
        }
    }

    fn list<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.0.kind {
            Some(Kind::ListValue(list)) => {
                visitor.visit_seq(SeqDeserializer::new(list.values.iter().map(Node)))
            }
            _ => Err(self.instead_of("a list")),
        }
    }
}

impl<'de> IntoDeserializer<'de, Problem> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.0.kind {
            None | Some(Kind::NullValue(_)) => visitor.visit_unit(),
            Some(Kind::NumberValue(_)) => visitor.visit_f64(self.number()?),
            Some(Kind::StringValue(text)) => visitor.visit_str(text),
            Some(Kind::BoolValue(value)) => visitor.visit_bool(*value),
            Some(Kind::StructValue(_)) => self.object(visitor),
            Some(Kind::ListValue(_)) => self.list(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0.kind {
            None | Some(Kind::NullValue(_)) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0.kind {
            Some(Kind::BoolValue(value)) => visitor.visit_bool(value),
            _ => Err(self.instead_of("a boolean")),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_str(self.string()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_enum(self.string()?.into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct map identifier
    }
}
