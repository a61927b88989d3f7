//! What names must look like.

use super::{super::ResourceName, At, InputError};

/// The longest name of a Kubernetes object, and the longest key of its data.
const LONGEST_NAME: usize = 253;
/// The longest label of a domain name, and the longest name of a namespace.
const LONGEST_LABEL: usize = 63;

/// The name of an object: a subdomain of RFC 1123.
pub(super) fn subdomain(at: &At, name: String) -> Result<String, InputError> {
    if name.len() <= LONGEST_NAME && name.split('.').all(is_label) {
        Ok(name)
    } else {
        Err(at.problem("is no name of an object; write lower-case letters, digits, \"-\" and \".\" only"))
    }
}

/// The name of a namespace: a label of RFC 1123.
pub(super) fn label(at: &At, name: String) -> Result<String, InputError> {
    if name.len() <= LONGEST_LABEL && is_label(&name) {
        Ok(name)
    } else {
        Err(at.problem("is no name of a namespace; write lower-case letters, digits and \"-\" only"))
    }
}

/// A key of a Secret or a `ConfigMap`. "." and ".." are none, because the keys
/// become files.
pub(super) fn secret_key(at: &At, key: String) -> Result<String, InputError> {
    let characters_ok = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if characters_ok && !key.is_empty() && key.len() <= LONGEST_NAME && !key.starts_with("..") && key != "." {
        Ok(key)
    } else {
        Err(at.problem("is no key of a Secret; write letters, digits, \"-\", \"_\" and \".\" only"))
    }
}

/// The name of a composed resource in the pipeline, which may be anything.
pub(super) fn resource(at: &At, name: String) -> Result<ResourceName, InputError> {
    if name.is_empty() || name.contains(char::is_control) {
        Err(at.problem("is no name; write that of a composed resource in the pipeline"))
    } else {
        Ok(ResourceName(name))
    }
}

fn is_label(label: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    label.bytes().all(|byte| is_alphanumeric(byte) || byte == b'-')
        && label.bytes().next().is_some_and(is_alphanumeric)
        && label.bytes().next_back().is_some_and(is_alphanumeric)
}
