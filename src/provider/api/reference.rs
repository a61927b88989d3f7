//! How one managed resource names another.
//!
//! Field by field as in Crossplane's `apis/core/v2`, but for `namespace`: a reference
//! stays in its namespace, so that no field of one team leads to what another team has.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A managed resource of the same namespace, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// When it is looked up, and whether it must be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ReferencePolicy>,
}

/// A managed resource of the same namespace, by its labels or by who controls it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// The labels that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Whether it has the same controller as this one, as have all that one XR composes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_controller_ref: Option<bool>,
    /// When it is looked up, and whether it must be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ReferencePolicy>,
}

/// When a reference is looked up, and whether what it names must be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReferencePolicy {
    /// Always: at every reconcile. IfNotPresent, the default: where the author did not
    /// write the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<Resolve>,
    /// Required, the default: nothing is done before it is found. Optional: it may be
    /// missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// When a reference is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Resolve {
    /// At every reconcile.
    Always,
    /// Where the author did not write the value.
    IfNotPresent,
}

/// Whether what a reference names must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Resolution {
    /// Nothing is done before it is found.
    Required,
    /// It may be missing.
    Optional,
}
