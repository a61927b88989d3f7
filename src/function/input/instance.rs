//! The instance: its readiness, and the way to it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{endpoint::Endpoint, readiness_check::ReadinessCheck, text::ResourceName};

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
