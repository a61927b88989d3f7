//! Everything that needs more than one module.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected, and so do its helpers"
)]

mod adopt;
mod client;
mod contract;
mod crd;
mod direct;
mod docs;
mod examples;
mod flows;
mod human;
mod recordings;
mod repair;
mod server;
mod world;
