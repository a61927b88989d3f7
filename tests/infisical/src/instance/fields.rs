//! The fields of a body or a query, and the issues that are found in them: a 422
//! lists all of them, in the words of the server's validator.

use serde_json::{Map, Value, json};

use crate::{Request, Response};

/// The fields of an object, and what is wrong with them so far.
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Where the object is.
    path: Vec<Value>,
    issues: Vec<Value>,
}

impl Fields {
    /// Those of a body.
    pub(super) fn of_body(request: &Request) -> Result<Self, Response> {
        match request.value()? {
            Value::Object(map) => Ok(Self::of_map(map)),
            other => Err(Response::unprocessable(vec![wrong_type("object", Some(&other), &[])])),
        }
    }

    pub(super) fn of_map(map: Map<String, Value>) -> Self {
        Self { map, path: Vec::new(), issues: Vec::new() }
    }

    /// Refuses what has an issue.
    pub(super) fn finish(self) -> Result<(), Response> {
        if self.issues.is_empty() { Ok(()) } else { Err(Response::unprocessable(self.issues)) }
    }

    /// Whether a field was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(super) fn raw(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    fn at(&self, name: &str) -> Vec<Value> {
        let mut path = self.path.clone();
        path.push(Value::from(name));
        path
    }

    /// Where the object is.
    pub(super) fn place(&self) -> &[Value] {
        &self.path
    }

    pub(super) fn has_issues(&self) -> bool {
        !self.issues.is_empty()
    }

    /// The object as it was sent.
    pub(super) fn value(&self) -> Value {
        Value::Object(self.map.clone())
    }

    pub(super) fn issue(&mut self, issue: Value) {
        self.issues.push(issue);
    }

    fn mistyped(&mut self, expected: &str, name: &str) {
        let issue = wrong_type(expected, self.map.get(name), &self.at(name));
        self.issues.push(issue);
    }

    /// A text that has to be there.
    pub(super) fn required(&mut self, name: &str) -> String {
        if self.has(name) {
            return self.text(name).unwrap_or_default();
        }
        self.mistyped("string", name);
        String::new()
    }

    /// A text that may be left out.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.map.get(name)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.mistyped("string", name);
                None
            }
        }
    }

    /// A text that may be left out, or null.
    pub(super) fn nullable(&mut self, name: &str) -> Option<Option<String>> {
        if self.map.get(name)?.is_null() {
            return Some(None);
        }
        self.text(name).map(Some)
    }

    /// Yes or no, that may be left out.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.map.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.mistyped("boolean", name);
                None
            }
        }
    }

    /// Yes or no in a query.
    pub(super) fn text_flag(&self, name: &str) -> Option<bool> {
        Some(self.map.get(name)?.as_str()? == "true")
    }

    /// A number that may be left out, between a least and a greatest.
    pub(super) fn number(&mut self, name: &str, (least, greatest): (i64, i64)) -> Option<i64> {
        let number = match self.map.get(name)? {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let Some(number) = number else {
            self.mistyped("number", name);
            return None;
        };
        let path = self.at(name);
        if number < least {
            let message = format!("Number must be greater than or equal to {least}");
            self.issues.push(too_small("number", least, &message, &path));
        }
        if number > greatest {
            let message = format!("Number must be less than or equal to {greatest}");
            self.issues.push(too_big("number", greatest, &message, &path));
        }
        Some(number)
    }

    /// A text of a list that may be left out.
    pub(super) fn choice(&mut self, name: &str, options: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        if !options.contains(&text.as_str()) {
            let all: Vec<String> = options.iter().map(|option| format!("'{option}'")).collect();
            let message = format!("Invalid enum value. Expected {}, received '{text}'", all.join(" | "));
            self.issues.push(json!({
                "received": text, "code": "invalid_enum_value", "options": options,
                "path": self.at(name), "message": message,
            }));
        }
        Some(text)
    }

    /// The objects of a list that may be left out.
    pub(super) fn objects(&mut self, name: &str) -> Option<Vec<Fields>> {
        let Value::Array(items) = self.map.get(name)? else {
            self.mistyped("array", name);
            return None;
        };
        let mut objects = Vec::new();
        for (index, item) in items.clone().into_iter().enumerate() {
            let mut path = self.at(name);
            path.push(Value::from(index));
            match item {
                Value::Object(map) => objects.push(Self { map, path, issues: Vec::new() }),
                other => self.issues.push(wrong_type("object", Some(&other), &path)),
            }
        }
        Some(objects)
    }

    /// An object that may be left out.
    pub(super) fn object(&mut self, name: &str) -> Option<Fields> {
        match self.map.get(name)? {
            Value::Object(map) => Some(Self { map: map.clone(), path: self.at(name), issues: Vec::new() }),
            _ => {
                self.mistyped("object", name);
                None
            }
        }
    }

    /// Takes over what was found in a part.
    pub(super) fn adopt(&mut self, part: Fields) {
        self.issues.extend(part.issues);
    }

    /// Texts of a list that may be left out.
    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let Value::Array(items) = self.map.get(name)? else {
            self.mistyped("array", name);
            return None;
        };
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The issue of a field that has to be there.
    pub(super) fn require(&mut self, expected: &str, name: &str) {
        if !self.has(name) {
            self.mistyped(expected, name);
        }
    }

    /// At least one character.
    pub(super) fn not_empty(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            let path = self.at(name);
            let message = "String must contain at least 1 character(s)";
            self.issues.push(too_small("string", 1, message, &path));
        }
    }

    /// So many characters at most, with a sentence or the validator's own.
    pub(super) fn at_most(&mut self, name: &str, text: &str, most: i64, message: Option<&str>) {
        if length(text) > most {
            let own = format!("String must contain at most {most} character(s)");
            let path = self.at(name);
            self.issues.push(too_big("string", most, message.unwrap_or(&own), &path));
        }
    }

    /// So many items at least.
    pub(super) fn not_fewer(&mut self, name: &str, items: usize) {
        if items == 0 {
            let path = self.at(name);
            let message = "Array must contain at least 1 element(s)";
            self.issues.push(too_small("array", 1, message, &path));
        }
    }

    /// A rule of the server's own.
    pub(super) fn custom(&mut self, name: &str, holds: bool, message: &str) {
        if !holds {
            let path = self.at(name);
            self.issues.push(json!({ "code": "custom", "message": message, "path": path }));
        }
    }

    /// A slug as most routes take it.
    pub(super) fn slug(&mut self, name: &str, slug: &str, (least, most): (i64, i64)) {
        let path = self.at(name);
        if length(slug) < least {
            let message = format!("Slug field must be at least {least} lowercase characters");
            self.issues.push(too_small("string", least, &message, &path));
        }
        if length(slug) > most {
            let message = format!("Slug field must be at most {most} lowercase characters");
            self.issues.push(too_big("string", most, &message, &path));
        }
        let message = "Slug field can only contain lowercase letters, numbers, and hyphens";
        self.custom(name, is_slug(slug), message);
    }
}

/// Lower-case words and numbers with single hyphens in between.
fn is_slug(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.split('-').all(is_word)
}

/// Characters as JavaScript counts them.
pub(super) fn length(text: &str) -> i64 {
    i64::try_from(text.encode_utf16().count()).unwrap_or(i64::MAX)
}

fn too_small(kind: &str, least: i64, message: &str, path: &[Value]) -> Value {
    json!({
        "code": "too_small", "minimum": least, "type": kind, "inclusive": true, "exact": false,
        "message": message, "path": path,
    })
}

fn too_big(kind: &str, most: i64, message: &str, path: &[Value]) -> Value {
    json!({
        "code": "too_big", "maximum": most, "type": kind, "inclusive": true, "exact": false,
        "message": message, "path": path,
    })
}

/// The issue of a value that is absent or of another type.
pub(super) fn wrong_type(expected: &str, value: Option<&Value>, path: &[Value]) -> Value {
    let received = match value {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    };
    let own = format!("Expected {expected}, received {received}");
    let message = if value.is_none() { "Required" } else { &own };
    json!({
        "code": "invalid_type", "expected": expected, "received": received, "path": path, "message": message,
    })
}
