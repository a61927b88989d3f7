//! The provider: managed resources for Infisical, each the size of what a team asks for.
//!
//! `api` is what authors write and read: the kinds and their CRDs. `managed` is the loop,
//! written once for all kinds. `connect` is the way from a configuration to a server.

pub mod api;
pub mod connect;
pub mod managed;
