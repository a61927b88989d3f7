//! What the parts of a call hand to each other: nouns without verbs.
//!
//! Uses none of the parts, has no I/O and reads no clock.

pub mod condition;
pub mod connection;
pub mod due;
pub mod hand_off;
pub mod held;
pub mod identity;
pub mod life;
pub mod pause;
pub mod problem;
pub mod reason;
pub mod remembered;
pub mod replicas;
pub mod work;
pub mod xr;
