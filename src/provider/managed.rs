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
pub mod conditions;
pub mod external;
pub mod plan;
pub mod policies;
pub mod references;
