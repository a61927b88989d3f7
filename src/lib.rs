//! function-infisical.
pub mod clock;
pub mod desired;
pub mod endpoint;
pub mod infisical;
pub mod proto;
pub mod secret;
