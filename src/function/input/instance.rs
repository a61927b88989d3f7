//! The instance: its readiness, and the way to it.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{endpoint::Endpoint, readiness_check::ReadinessCheck, text::is_line, wrong::Wrong};

/// The instance and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instance {
    /// The name, in the pipeline, of the composed resource that runs Infisical
    /// and whose readiness counts. Leave it out for an instance that this XR does
    /// not compose.
    pub resource: Option<ResourceName>,
    /// Checks of the resource, all of which must pass. Default: what an earlier
    /// step said, else what its kind means, else its condition Ready.
    #[serde(default)]
    pub readiness_checks: Vec<ReadinessCheck>,
    /// Where the instance is. Write one of url, fromCompositeFieldPath,
    /// fromComposedResource and service.
    pub endpoint: Endpoint,
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
