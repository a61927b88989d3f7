//! What all kinds of managed resources have in common: the loop, written once.
//!
//! ```text
//! object ─► observe ─► plan ─► act ─► report
//! ```
//!
//! Where crossplane-runtime has a rule that users rely on, it holds word for word; the
//! tests here are its tables. A kind is a few pure functions and five calls, in
//! [`external`]. [`plan`] is pure: one action for each situation.

pub mod annotations;
pub mod claim;
pub mod cluster;
pub mod conditions;
pub mod external;
mod halt;
mod inputs;
pub mod merge;
mod observed;
pub mod plan;
pub mod policies;
pub mod reconcile;
pub mod record;
pub mod references;
mod refusals;
pub mod report;
mod resolve;
mod run;
pub mod secret;

pub use run::{Connect, Means};
