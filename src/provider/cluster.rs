//! The cluster, over its API server: what the loop and the connections ask of it.

pub mod cache;
pub mod configs;
pub mod directory;
pub mod error;
pub mod events;
pub mod objects;
