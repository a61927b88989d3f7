//! The 422s: what is wrong with a body, issue by issue.

use serde_json::{Value, json};

use crate::{Request, Response};

/// The text fields of a body, in the order of their names.
pub(super) fn texts<const N: usize>(request: &Request, names: [&str; N]) -> Result<[String; N], Response> {
    let body = request.value()?;
    let Some(fields) = body.as_object() else {
        let received = if body.is_null() { "undefined" } else { "unknown" };
        return Err(Response::unprocessable(vec![json!({
            "code": "invalid_type", "expected": "object", "received": received, "path": [], "message": "Required",
        })]));
    };
    let issues: Vec<Value> = names.iter().filter_map(|name| text_issue(name, fields.get(*name))).collect();
    if !issues.is_empty() {
        return Err(Response::unprocessable(issues));
    }
    Ok(names.map(|name| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()))
}

fn text_issue(name: &str, value: Option<&Value>) -> Option<Value> {
    let (received, message) = match value {
        Some(Value::String(_)) => return None,
        None => ("undefined", "Required"),
        Some(Value::Null) => ("null", "Expected string, received null"),
        Some(Value::Bool(_)) => ("boolean", "Expected string, received boolean"),
        Some(Value::Number(_)) => ("number", "Expected string, received number"),
        Some(Value::Array(_)) => ("array", "Expected string, received array"),
        Some(Value::Object(_)) => ("object", "Expected string, received object"),
    };
    Some(json!({
        "code": "invalid_type", "expected": "string", "received": received, "path": [name], "message": message,
    }))
}

/// Refuses what is no email address; white space around one makes it none
/// (recorded).
pub(super) fn email(name: &str, text: &str) -> Result<(), Response> {
    let domain = text.rsplit_once('@').filter(|(local, _)| !local.is_empty()).map(|(_, domain)| domain);
    let is_email = !text.chars().any(char::is_whitespace)
        && domain
            .is_some_and(|domain| domain.split('.').count() > 1 && domain.split('.').all(|l| !l.is_empty()));
    if is_email {
        return Ok(());
    }
    Err(Response::unprocessable(vec![json!({
        "validation": "email", "code": "invalid_string", "message": "Invalid email", "path": [name],
    })]))
}

/// Refuses an empty text (read in the server's source, not recorded).
pub(super) fn not_empty(name: &str, text: &str) -> Result<(), Response> {
    if !text.is_empty() {
        return Ok(());
    }
    Err(Response::unprocessable(vec![json!({
        "code": "too_small", "minimum": 1, "type": "string", "inclusive": true, "exact": false,
        "message": "String must contain at least 1 character(s)", "path": [name],
    })]))
}
