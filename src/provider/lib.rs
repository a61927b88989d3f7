//! The provider: managed resources for Infisical, each the size of what a team asks for.
//!
//! `api` is what authors write and read: the kinds and their CRDs. `managed` is the loop,
//! written once for all kinds; it knows no API server. `connect` is the way from a
//! configuration to a server of Infisical, `cluster` the one to the API server, and
//! `controller` calls the loop when something has changed or is due.

pub mod api;
pub mod args;
pub mod cluster;
mod configs;
pub mod connect;
pub mod controller;
mod kind;
pub mod leader;
pub mod managed;
pub mod metrics;
pub mod provider;
