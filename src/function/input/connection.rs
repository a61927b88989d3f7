//! The connection Secret and its keys.

use std::{collections::BTreeSet, fmt::Debug, sync::Arc};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    text::{Key, Namespace, ObjectName, checked, if_any},
    wrong::Wrong,
};

/// The keys of a connection Secret whose author chose none.
const DEFAULT_DETAILS: [(&str, DetailValue); 7] = [
    ("token", DetailValue::Token),
    ("host", DetailValue::Host),
    ("organizationId", DetailValue::OrganizationId),
    ("organizationSlug", DetailValue::OrganizationSlug),
    ("identityId", DetailValue::IdentityId),
    ("expiresAt", DetailValue::ExpiresAt),
    ("credentials", DetailValue::Credentials),
];

/// A Secret to write. What is left out is decided by the XR.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Its name. Default: the XR's name, followed by -connection.
    #[serde(default, deserialize_with = "if_any::<ObjectName, _, _>")]
    pub name: Option<String>,
    /// Its namespace. Default: that of the XR or claim. A cluster-scoped XR needs one,
    /// here or in its spec.
    #[serde(default, deserialize_with = "if_any::<Namespace, _, _>")]
    pub namespace: Option<String>,
}

/// A key of the connection Secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionDetail {
    /// The key.
    #[serde(deserialize_with = "checked::<Key, _, _>")]
    pub name: String,
    /// What it holds.
    pub value: DetailValue,
}

/// What a key of the connection Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum DetailValue {
    /// The access token of the instance admin identity.
    Token,
    /// The instance's URL.
    Host,
    /// The organization's ID.
    OrganizationId,
    /// The organization's slug.
    OrganizationSlug,
    /// The ID of the instance admin identity.
    IdentityId,
    /// When the token expires, in RFC 3339.
    ExpiresAt,
    /// The JSON that Infisical's Terraform provider has for a token: `{"auth":{"token":"…"}}`.
    Credentials,
}

/// Refuses connection details of which two have the same key, or that lack one which
/// is needed, with the key that it has where the author chose none.
pub(super) fn check_details<T, V: Debug + PartialEq>(
    details: &[T],
    key_and_value: impl Fn(&T) -> (&str, V),
    needed: &[(&str, V)],
) -> Result<(), Wrong> {
    let mut taken = BTreeSet::new();
    for (index, detail) in details.iter().enumerate() {
        let (key, _) = key_and_value(detail);
        if !taken.insert(key) {
            let problem = format!("{key:?} is taken by another connection detail; rename one");
            return Err(Wrong::new(problem).at(format!("connectionDetails[{index}].name")));
        }
    }
    for (key, needed) in needed {
        if !details.iter().any(|detail| key_and_value(detail).1 == *needed) {
            let problem = format!("has no {needed:?}; add one such as {{name: {key}, value: {needed:?}}}");
            return Err(Wrong::new(problem).at("connectionDetails"));
        }
    }
    Ok(())
}

/// The keys that the author chose, or the default ones.
pub(super) fn details(chosen: Vec<ConnectionDetail>) -> Result<Arc<[ConnectionDetail]>, Wrong> {
    if chosen.is_empty() {
        let detail = |(name, value): (&str, _)| ConnectionDetail { name: name.to_owned(), value };
        return Ok(DEFAULT_DETAILS.map(detail).into());
    }
    // The token that is handed out is found again under its key.
    check_details(&chosen, |detail| (&detail.name, detail.value), &[("token", DetailValue::Token)])?;
    Ok(chosen.into())
}
