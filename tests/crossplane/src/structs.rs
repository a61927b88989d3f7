//! JSON to encoded `google.protobuf.Struct` and back.

use function_infisical::contract::proto::Bytes;
use prost::Message as _;
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::{Map, Number};

/// Encodes a JSON object as Crossplane does: every number is a double.
#[must_use]
pub fn encode(object: &serde_json::Value) -> Bytes {
    match to_value(object).kind {
        Some(Kind::StructValue(object)) => object.encode_to_vec().into(),
        _ => Bytes::new(),
    }
}

/// Decodes a manifest; what is not one becomes null.
#[must_use]
pub fn decode(encoded: &[u8]) -> serde_json::Value {
    Struct::decode(encoded).map(to_object).unwrap_or_default()
}

fn to_value(json: &serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(*value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        serde_json::Value::String(value) => Kind::StringValue(value.clone()),
        serde_json::Value::Array(values) => {
            Kind::ListValue(ListValue { values: values.iter().map(to_value).collect() })
        }
        serde_json::Value::Object(fields) => Kind::StructValue(Struct {
            fields: fields.iter().map(|(name, value)| (name.clone(), to_value(value))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}

fn to_object(object: Struct) -> serde_json::Value {
    let fields = object.fields.into_iter().map(|(name, value)| (name, to_json(value)));
    serde_json::Value::Object(fields.collect::<Map<_, _>>())
}

fn to_json(value: Value) -> serde_json::Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => to_number(value),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(to_json).collect(),
        Some(Kind::StructValue(object)) => to_object(object),
    }
}

fn to_number(value: f64) -> serde_json::Value {
    // The API server has whole numbers where the wire has doubles.
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of this size is exact in both")]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return serde_json::Value::from(value as i64);
    }
    Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number)
}
