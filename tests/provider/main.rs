//! The provider, as its package and its users meet it.
#![cfg_attr(
    test,
    expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")
)]

#[path = "../shared/clock.rs"]
mod clock;
mod connect;
mod crds;
mod heal;
mod kinds;
mod live;
mod program;
mod references;
mod rules;
#[path = "../shared/translate.rs"]
mod translate;
mod world;
