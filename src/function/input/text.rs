//! The texts of an input, each checked where it is read, and the types that they
//! then are. To the CRD they are strings. Those of one module are there.

use std::fmt;

use infisical::{endpoint::Origin, secret::Email};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::wrong::Wrong;
use crate::contract::fieldpath::{FieldPath, Segment};

/// The longest name of a Kubernetes object, and the longest key of its data.
const LONGEST_NAME: usize = 253;
/// The longest label of a domain name, and the longest name of a namespace.
const LONGEST_LABEL: usize = 63;

/// Makes a type for each text: what it is read into, and by which function.
macro_rules! texts {
    ($($name:ident($inner:ty) = $read:expr;)*) => {$(
        #[derive(Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub(super) struct $name($inner);

        impl TryFrom<String> for $name {
            type Error = Wrong;

            fn try_from(text: String) -> Result<Self, Wrong> {
                let read: fn(&str) -> Result<$inner, Wrong> = $read;
                read(&text).map(Self)
            }
        }

        impl From<$name> for $inner {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    )*};
}
pub(super) use texts;

texts! {
    ObjectName(String) = |text| if_it(is_object_name, text,
        "is no name of an object; write lower-case letters, digits, \"-\" and \".\" only");
    Namespace(String) = |text| if_it(is_namespace, text,
        "is no name of a namespace; write lower-case letters, digits and \"-\" only");
    Key(String) = |text| if_it(is_key, text,
        "is no key of a Secret; write letters, digits, \"-\", \"_\" and \".\" only");
    OrganizationName(String) = |text| if_it(is_line, text.trim(),
        "is no name; write one, or leave it out to use the XR's");
    CredentialName(String) = |text| if_it(is_line, text,
        "is no name; write that of a credential of the pipeline step");
    ConditionType(String) = |text| if_it(is_line, text,
        "is no type of a condition; write one such as \"Ready\"");
    Path(FieldPath) = path;
    PathBesideSecrets(FieldPath) = path_beside_secrets;
    StatusPath(FieldPath) = status_path;
    EmailAddress(Email) = email_address;
    Url(Origin) = |text| Origin::parse(text).map_err(Wrong::new);
}

/// The name of a composed resource in the pipeline, which is not its
/// `metadata.name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct ResourceName(String);

impl ResourceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ResourceName {
    type Error = Wrong;

    fn try_from(name: String) -> Result<Self, Wrong> {
        if is_line(&name) {
            Ok(Self(name))
        } else {
            Err(Wrong::new("is no name; write that of a composed resource in the pipeline"))
        }
    }
}

/// Deserializes a field that was checked as a `T`.
pub(super) fn checked<'de, T, V, D>(deserializer: D) -> Result<V, D::Error>
where
    T: Deserialize<'de> + Into<V>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Into::into)
}

/// As [`checked`], of one that may be left out.
pub(super) fn if_any<'de, T, V, D>(deserializer: D) -> Result<Option<V>, D::Error>
where
    T: Deserialize<'de> + Into<V>,
    D: Deserializer<'de>,
{
    checked::<T, V, D>(deserializer).map(Some)
}

/// A text that stays as it is, if it may be.
pub(super) fn if_it(may_be: fn(&str) -> bool, text: &str, problem: &str) -> Result<String, Wrong> {
    if may_be(text) { Ok(text.to_owned()) } else { Err(Wrong::new(problem)) }
}

/// A subdomain of RFC 1123.
fn is_object_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && name.split('.').all(is_label)
}

/// A label of RFC 1123.
fn is_namespace(name: &str) -> bool {
    name.len() <= LONGEST_LABEL && is_label(name)
}

fn is_label(label: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    label.bytes().all(|byte| is_alphanumeric(byte) || byte == b'-')
        && label.bytes().next().is_some_and(is_alphanumeric)
        && label.bytes().next_back().is_some_and(is_alphanumeric)
}

/// A key of a Secret or a `ConfigMap`. "." and ".." are none, because the keys become
/// files.
fn is_key(key: &str) -> bool {
    let characters_ok = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    characters_ok && !key.is_empty() && key.len() <= LONGEST_NAME && !key.starts_with("..") && key != "."
}

/// A name that may be anything, in one line.
fn is_line(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

/// A field path. It is repeated in the error, because what is wrong with one is
/// hard to see otherwise; nothing of it is secret.
fn path(text: &str) -> Result<FieldPath, Wrong> {
    FieldPath::parse(text).map_err(|error| {
        Wrong::new(format!("{text:?} is no field path: {error}; write one such as \"spec.host\""))
    })
}

/// A field path where a secret may have been pasted. It is not repeated.
fn path_beside_secrets(text: &str) -> Result<FieldPath, Wrong> {
    FieldPath::parse(text)
        .map_err(|error| Wrong::new(format!("is no field path: {error}; write one such as \"spec.admin\"")))
}

fn status_path(text: &str) -> Result<FieldPath, Wrong> {
    let path = path(text)?;
    let is_field = |segment: &Segment| matches!(segment, Segment::Field(_));
    match path.segments() {
        [Segment::Field(first), rest @ ..]
            if first == "status" && !rest.is_empty() && rest.iter().all(is_field) =>
        {
            Ok(path)
        }
        _ => Err(Wrong::new("is no field of the XR's status; write one such as \"status.infisical\"")),
    }
}

/// An email is repeated in the error.
fn email_address(text: &str) -> Result<Email, Wrong> {
    Email::parse(text).map_err(|error| {
        Wrong::new(format!(
            "{text:?} is no email address: {error}; write one such as \"platform@example.org\""
        ))
    })
}
