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
mod faults;
mod flows;
mod human;
mod leaks;
mod life;
mod recordings;
mod repair;
mod robustness;
mod server;
mod world;
