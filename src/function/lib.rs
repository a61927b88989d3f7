//! A Crossplane composition function that bootstraps Infisical.
//!
//! A call goes through four parts, and [`function`] is the one place that knows
//! them all:
//!
//! - `observe` turns the request into what matters. Pure.
//! - `plan` decides, from that and from what is remembered. Pure.
//! - `act` carries it out against [`infisical`], detached from the call.
//! - `respond` lays the outcome over the desired state that came in. Pure.
//!
//! What they hand to each other are the nouns of `model`, and what replicas infer from the
//! conditions that the XR has is in `agreement`. Around them are the
//! [`server`], the [`input`] that a Composition gives, `readiness` of the kinds that are
//! composed, and the [`contract`] with Crossplane, whose types keep manifests encoded. What
//! a server of Infisical answers is in the crate [`infisical`], which also has the types
//! that keep secrets unprintable; what any long-running program has is in [`daemon`].

mod act;
mod agreement;
pub mod args;
pub mod contract;
pub mod function;
pub mod input;
mod model;
mod observe;
mod plan;
mod readiness;
mod respond;
pub mod server;

pub use agreement::{Inference, inferences};
pub use model::{condition, reason};
