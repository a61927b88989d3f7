//! What the schema of a kind declares, as the API server publishes it in OpenAPI.
//!
//! The API server refuses to apply a field that no schema declares, or removes it. The
//! rules are those of structural schemas: a field is among the `properties` of its
//! object, or is what `additionalProperties` says, or any where unknown fields are
//! preserved. Whatever cannot be read declares nothing.

use crate::contract::manifest::Manifest;

/// The schema of an object or of a field.
#[derive(Clone, Copy)]
pub struct Schema<'a>(Manifest<'a>);

/// What a schema says of one field.
enum Field<'a> {
    Declared(Schema<'a>),
    /// It may be anything.
    Any,
    NotDeclared,
}

impl<'a> Schema<'a> {
    /// Takes an encoded schema as it is.
    #[must_use]
    pub fn new(encoded: &'a [u8]) -> Self {
        Self(Manifest::new(encoded))
    }

    /// Whether the field at a way of names may hold text.
    pub fn declares_text<'n>(self, names: impl IntoIterator<Item = &'n str>) -> bool {
        let mut at = self;
        for name in names {
            at = match at.field(name) {
                Field::Declared(schema) => schema,
                Field::Any => return true,
                Field::NotDeclared => return false,
            };
        }
        at.is_of("string")
    }

    fn field(self, name: &str) -> Field<'a> {
        if !self.is_of("object") {
            return Field::NotDeclared;
        }
        if let Some(declared) = self.0.object("properties").and_then(|properties| properties.object(name)) {
            return Field::Declared(Self(declared));
        }
        if let Some(declared) = self.0.object("additionalProperties") {
            return Field::Declared(Self(declared));
        }
        let is_set = |flag| self.0.boolean(flag) == Some(true);
        if is_set("additionalProperties") || is_set("x-kubernetes-preserve-unknown-fields") {
            return Field::Any;
        }
        Field::NotDeclared
    }

    /// Without a type it is of any, as an integer or a string.
    fn is_of(self, wanted: &str) -> bool {
        self.0.string("type").is_none_or(|declared| declared == wanted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::contract::manifest::testing::encode;

    #[test]
    fn a_field_is_declared_as_the_api_server_sees_it() {
        let object = |properties: Value| json!({"type": "object", "properties": properties});
        let text = || json!({"type": "string"});
        let preserves = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let mut preserves_beside = object(json!({"b": {"type": "object"}}));
        preserves_beside["x-kubernetes-preserve-unknown-fields"] = json!(true);
        let table = [
            ("its type is text", object(json!({"a": object(json!({"b": text()}))})), true),
            (
                "it is a date",
                object(json!({"a": object(json!({"b": {"type": "string", "format": "date-time"}}))})),
                true,
            ),
            ("it is a number", object(json!({"a": object(json!({"b": {"type": "integer"}}))})), false),
            ("it is an object", object(json!({"a": object(json!({"b": {"type": "object"}}))})), false),
            (
                "it is an integer or a string",
                object(json!({"a": object(json!({"b": {"x-kubernetes-int-or-string": true}}))})),
                true,
            ),
            ("another is declared", object(json!({"a": object(json!({"c": text()}))})), false),
            ("none is declared", object(json!({"a": {"type": "object"}})), false),
            ("what it is in is not declared", object(json!({})), false),
            ("what it is in is text", object(json!({"a": text()})), false),
            ("nothing is declared", json!({}), false),
            ("unknown fields are preserved", object(json!({"a": preserves.clone()})), true),
            ("they are, further up", preserves, true),
            ("they are, but it is declared otherwise", object(json!({"a": preserves_beside})), false),
            (
                "all fields are text",
                object(json!({"a": {"type": "object", "additionalProperties": {"type": "string"}}})),
                true,
            ),
            (
                "all fields are numbers",
                object(json!({"a": {"type": "object", "additionalProperties": {"type": "integer"}}})),
                false,
            ),
            (
                "all fields may be",
                object(json!({"a": {"type": "object", "additionalProperties": true}})),
                true,
            ),
            ("none may be", object(json!({"a": {"type": "object", "additionalProperties": false}})), false),
        ];
        for (what, schema, expected) in table {
            let encoded = encode(&schema);
            assert_eq!(Schema::new(&encoded).declares_text(["a", "b"]), expected, "{what}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_declare_something_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Schema::new(&bytes).declares_text(["status", "host"]);
        }
    }
}
