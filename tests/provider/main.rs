//! The provider, as its package and its users meet it.
#![cfg_attr(
    test,
    expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")
)]

mod connect;
mod crds;
mod heal;
mod program;
mod references;
mod rights;
mod rules;
mod world;
