//! What the API server makes of fields that a kind does not declare.
//!
//! Server-side apply refuses them, as `typed/validate.go` of structured-merge-diff and
//! `schemaconv/openapi.go` of kube-openapi have it; of an object that declares no
//! fields at all it takes any. What it took and the kind does not declare is removed,
//! as structural schemas are pruned.

use serde_json::{Map, Value};

const PRESERVES: &str = "x-kubernetes-preserve-unknown-fields";

/// Why fields are refused: the first that is not declared, or not of its type.
pub(crate) fn refusal(schema: &Value, value: &Value, path: &str) -> Option<String> {
    refusal_within(schema, value, path, false)
}

fn refusal_within(schema: &Value, value: &Value, path: &str, preserves: bool) -> Option<String> {
    let wanted = match value {
        Value::Object(_) => "object",
        Value::String(_) => "string",
        _ => return None,
    };
    if let Some(declared) = schema["type"].as_str().filter(|declared| *declared != wanted) {
        return Some(format!("{path}: expected {declared}, got {wanted}"));
    }
    let preserves = preserves || schema[PRESERVES] == true;
    let fields = value.as_object()?;
    fields.iter().find_map(|(name, value)| {
        let path = format!("{path}.{name}");
        match declared(schema, name) {
            Some(schema) => refusal_within(schema, value, &path, preserves),
            None if preserves || is_free(schema) => None,
            None => Some(format!("{path}: field not declared in schema")),
        }
    })
}

fn declared<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let property = schema["properties"].get(name);
    property.or_else(|| schema.get("additionalProperties").filter(|schema| schema.is_object()))
}

fn is_free(schema: &Value) -> bool {
    let has_none = schema["properties"].as_object().is_none_or(Map::is_empty);
    schema["additionalProperties"] == true || (has_none && schema["additionalProperties"].is_null())
}

/// Removes what is not declared.
pub(crate) fn prune(schema: &Value, value: &mut Value) {
    let Some(fields) = value.as_object_mut() else { return };
    let keeps = schema[PRESERVES] == true || schema["additionalProperties"] == true;
    fields.retain(|name, value| match declared(schema, name) {
        Some(schema) => {
            prune(schema, value);
            true
        }
        None => keeps,
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_are_not_declared_are_refused_or_removed() {
        let text = json!({"type": "string"});
        let given = json!({"a": {"b": "text"}});
        let refused = |path: &str| Some(format!(".status{path}: field not declared in schema"));
        let in_a = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
        let table = [
            (in_a(json!({"type": "object", "properties": {"b": text}})), None, given.clone()),
            (in_a(json!({"type": "object", "properties": {"c": text}})), refused(".a.b"), json!({"a": {}})),
            (json!({"type": "object", "properties": {"c": text}}), refused(".a"), json!({})),
            // Free, so it is taken, and nothing of it is kept.
            (json!({"type": "object"}), None, json!({})),
            (in_a(json!({"type": "object"})), None, json!({"a": {}})),
            (
                in_a(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})),
                None,
                given.clone(),
            ),
            (in_a(json!({"type": "object", "additionalProperties": text})), None, given.clone()),
            (
                in_a(json!({"type": "object", "properties": {"b": {"type": "integer"}}})),
                Some(".status.a.b: expected integer, got string".to_owned()),
                given.clone(),
            ),
        ];
        for (schema, why, kept) in table {
            assert_eq!(refusal(&schema, &given, ".status"), why, "{schema}");
            let mut value = given.clone();
            prune(&schema, &mut value);
            assert_eq!(value, kept, "{schema}");
        }
    }
}
