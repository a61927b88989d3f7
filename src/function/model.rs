//! What the parts of a call hand to each other: values, and what follows from one of them.
//!
//! Uses none of the parts, has no I/O and reads no clock.

pub mod condition;
pub(crate) mod connection;
pub(crate) mod due;
pub(crate) mod failure;
pub(crate) mod hand_off;
pub(crate) mod identity;
pub(crate) mod life;
pub(crate) mod pause;
pub(crate) mod problem;
pub mod reason;
pub(crate) mod remembered;
pub(crate) mod replicas;
pub(crate) mod work;
pub(crate) mod xr;
