//! What all ways to log in of a machine identity have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address or a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustedIp {
    /// The address or network, such as 10.0.0.0/8 or ::/0.
    #[schemars(length(min = 1, max = 64))]
    pub ip_address: String,
}
