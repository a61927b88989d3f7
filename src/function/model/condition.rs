//! The types of the conditions that the function sets on an XR and its claim.

/// Whether there is a connection to the instance.
pub const BOOTSTRAPPED: &str = "InfisicalBootstrapped";
/// Whether its token works.
pub const TOKEN_VALID: &str = "InfisicalTokenValid";
/// Whether client ID and client secret are there.
pub const HANDED_OFF: &str = "InfisicalHandedOff";
/// Whether the XRD declares what is written to the XR's status.
pub const STATUS_WRITTEN: &str = "InfisicalStatusWritten";

/// All of them.
pub const TYPES: [&str; 4] = [BOOTSTRAPPED, TOKEN_VALID, HANDED_OFF, STATUS_WRITTEN];
