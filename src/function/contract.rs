//! The contract with Crossplane: messages whose manifests stay encoded, desired state that
//! keeps what it does not know, and the few fields that are read out of a manifest.
//!
//! Knows nothing of Infisical, nor of what the function is for.

pub mod composed_secret;
pub mod desired;
pub mod fieldpath;
pub mod manifest;
pub mod proto;
pub mod schema;
pub(crate) mod wire;
