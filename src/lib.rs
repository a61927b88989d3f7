//! function-infisical.
pub mod clock;
pub mod desired;
pub mod endpoint;
pub mod fieldpath;
pub mod infisical;
pub mod input;
pub mod manifest;
pub mod proto;
pub mod readiness;
pub mod secret;
mod wire;
