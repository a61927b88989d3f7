//! JSON merge patches (RFC 7386).

use serde_json::{Map, Value};

/// The patch that makes `new` out of `old`; `None` where they are the same.
#[must_use]
pub fn diff(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(fields)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (name, value) in fields {
        let changed = match old.get(name) {
            Some(before) => diff(before, value),
            None => Some(value.clone()),
        };
        patch.extend(changed.map(|changed| (name.clone(), changed)));
    }
    let gone = old.keys().filter(|name| !fields.contains_key(*name));
    patch.extend(gone.map(|name| (name.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Applies a patch, as an API server does.
pub fn apply(to: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        to.clone_from(patch);
        return;
    };
    if !to.is_object() {
        *to = Value::Object(Map::new());
    }
    let Value::Object(to) = to else { return };
    for (name, value) in fields {
        if value.is_null() {
            to.remove(name);
        } else {
            apply(to.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_patched_is_what_was_wanted() {
        let table = [
            (json!({}), json!({})),
            (json!({ "a": 1 }), json!({ "a": 1 })),
            (json!({ "a": 1 }), json!({ "a": 2, "b": { "c": [1] } })),
            (json!({ "a": { "b": 1, "c": 2 } }), json!({ "a": { "c": 2 } })),
            (json!({ "a": [1, 2] }), json!({ "a": [2] })),
            (json!({ "a": { "b": 1 } }), json!({ "a": "text" })),
            (json!({ "a": "text" }), json!({ "a": { "b": 1 } })),
        ];
        for (old, new) in table {
            let patch = diff(&old, &new);
            assert_eq!(patch.is_none(), old == new, "{old} {new}");
            let mut patched = old.clone();
            if let Some(patch) = patch {
                apply(&mut patched, &patch);
            }
            assert_eq!(patched, new, "from {old}");
        }
    }
}
