//! What a server of Infisical answers, and how it is asked.
//!
//! Knows neither Crossplane nor Kubernetes: both programs of this repository build on
//! it. [`secret`], [`endpoint`] and [`claims`] are values: what must never be printed,
//! where a server is and which addresses credentials go to, what a token says of
//! itself. [`route`] is what a route is and [`api`] has them all, a struct for each;
//! [`client`] sends them. A simulation puts a server of its own behind the client with
//! [`client::Exchange`]. Nothing here retries on its own, follows a redirect with
//! credentials, or puts a response body into an error.

pub mod address;
pub mod api;
pub mod claims;
pub mod client;
pub mod endpoint;
pub mod error;
pub mod metrics;
pub mod route;
pub mod secret;

pub use client::{Client, Connect};
pub use error::{AnyError, Error, ErrorKind};
