//! A Crossplane composition function that bootstraps Infisical.
//!
//! A call goes through four parts, and [`function`] is the one place that knows
//! them all:
//!
//! - [`observe`] turns the request into what matters. Pure.
//! - [`plan`] decides, from that and from what is remembered. Pure.
//! - [`act`] carries it out against [`infisical`], detached from the call.
//! - [`respond`] lays the outcome over the desired state that came in. Pure.
//!
//! Around them are the [`server`], the [`input`] that a Composition gives, and
//! the types that keep manifests encoded. What a server of Infisical answers is in the
//! crate [`infisical`], which also has the types that keep secrets unprintable; what
//! any long-running program has is in [`daemon`].

pub mod act;
pub mod args;
pub mod composed_secret;
pub mod condition;
pub mod connection;
pub mod desired;
pub mod due;
pub mod fieldpath;
pub mod function;
pub mod identity;
pub mod input;
pub mod life;
pub mod manifest;
pub mod metrics;
mod nearest;
pub mod observe;
mod pause;
pub mod plan;
pub mod problem;
pub mod proto;
pub mod readiness;
pub mod respond;
pub mod schema;
pub mod server;
mod wire;
