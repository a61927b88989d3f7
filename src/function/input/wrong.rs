//! What is wrong with a value of the input, in the words of YAML.
//!
//! An error never repeats a value: only a check of a text that cannot be a secret
//! does.

use std::fmt::Display;

use serde::de::{Error, Expected, Unexpected};

use crate::input::nearest::nearest;

/// What is wrong, told from the value on: `: is no host; …` of the value itself,
/// `.tls: is of no use …` of a field of it. The way to the value goes before it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

impl Wrong {
    pub(super) fn new(problem: impl Display) -> Self {
        Self(format!(": {problem}"))
    }

    /// The same of a field of the value: `tls`, or `projects[1].slug`.
    pub(super) fn at(self, field: impl Display) -> Self {
        Self(format!(".{field}{}", self.0))
    }

    pub(super) fn both(one: &str, other: &str) -> Self {
        Self::new(format!("both {one} and {other} are set; keep one of them"))
    }

    /// A field that makes no sense beside another one.
    pub(super) fn useless(field: &str, with: impl Display) -> Self {
        Self::new(format!("is of no use with {with}; leave it out")).at(field)
    }
}

impl Error for Wrong {
    /// What `TryFrom` says is a [`Wrong`] already.
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = wanted.to_string();
        let wanted = match wanted.split(' ').next() {
            Some("struct") => "an object",
            Some("enum") => "a string",
            Some("i64") => "a number",
            _ if wanted == "a sequence" => "a list",
            _ => &wanted,
        };
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Str(_) => "a string",
            Unexpected::Unit => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "an object",
            _ => "something else",
        };
        Self::new(format!("is {found}, not {wanted}"))
    }

    fn invalid_value(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(format!("is not {wanted}"))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("is none of the words that it can be; {}", write_one_of(word, known)))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("unknown field; {}", write_one_of(field, known)))
    }

    fn missing_field(field: &'static str) -> Self {
        let remedy = match field {
            "instance" => "one with an endpoint",
            "endpoint" => "one of: url, fromCompositeFieldPath, fromComposedResource, service",
            _ => "it",
        };
        Self::new(format!("is missing; write {remedy}")).at(field)
    }
}

/// How a message goes on about what is unknown: with what was probably meant.
fn write_one_of(wrong: &str, known: &'static [&'static str]) -> String {
    let write = nearest(wrong, known.iter().copied())
        .map_or_else(|| "write".to_owned(), |name| format!("did you mean \"{name}\"? Write"));
    format!("{write} one of: {}", known.join(", "))
}
