//! What all kinds of managed resources have in common, as far as it is pure.
//!
//! Where crossplane-runtime has a rule that users rely on, it holds word for word; the
//! tests here are its tables. A kind is asked only for what differs and what is ours.

pub mod annotations;
pub mod conditions;
pub mod policies;
pub mod references;
