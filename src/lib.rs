//! function-infisical.
pub mod args;
pub mod clock;
pub mod desired;
pub mod endpoint;
pub mod function;
pub mod infisical;
pub mod proto;
pub mod secret;
pub mod server;
pub mod telemetry;
