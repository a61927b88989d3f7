//! An Infisical that runs inside a test.
//!
//! [`Instance`] is the server without I/O: state, and one function from a
//! request and a time to an answer. [`FakeInfisical`] puts HTTP around it, and
//! [`Fault`]s between. It answers as the recorded exchanges of a real server
//! do; what was not recorded says so where it stands.
//!
//! It is never part of the function itself. Its tokens and passwords are of no
//! worth, and yet nothing prints them: a test that looks for leaked secrets
//! must not find the fake's.

#![expect(
    clippy::option_option,
    reason = "a field is absent, null, or a value, and each means another thing"
)]

mod fault;
mod instance;
mod journal;
mod jwt;
mod message;
mod route;
mod server;

pub use fault::{Fault, On, Times};
pub use instance::{
    Clusters, Instance, LivingToken, Settings, Snapshot, TokenAuth, Variant,
    bootstrap::{BootstrapRun, Transaction},
};
pub use journal::{Bootstraps, Entry};
pub use message::{Request, Response};
pub use route::Route;
pub use server::{FakeInfisical, Options, Time};
