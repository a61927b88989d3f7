//! Everything that needs more than one module.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected, and so do its helpers"
)]

mod adopt;
mod answers;
mod authors;
mod client;
#[path = "../shared/clock.rs"]
mod clock;
mod clocks;
mod contract;
mod crd;
mod direct;
mod docs;
mod examples;
mod faults;
mod flows;
mod hand_off;
mod hostile_xrs;
mod human;
mod inputs;
mod leaks;
mod life;
mod mangle;
mod mistakes;
mod mistrust;
mod monitoring;
mod neighbours;
#[path = "../shared/operations.rs"]
mod operations;
#[path = "../shared/mistakes.rs"]
mod page;
mod recordings;
mod repair;
mod resources;
mod robustness;
mod rotation;
mod server;
mod silence;
mod status;
mod taken;
#[path = "../shared/translate.rs"]
mod translate;
mod world;
mod xr_fields;
