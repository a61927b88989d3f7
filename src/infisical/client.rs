//! The client of Infisical's HTTP API.
//!
//! [`Client::send`] is the one door: it makes the request of a route and reads its
//! answer, both without I/O, and leaves the sending to an [`Exchange`]. [`HttpExchange`]
//! is the real one; a simulation supplies another. [`Connector`] makes clients for
//! endpoints.
//!
//! A route that is sent is one request, a list one per page: nothing here retries,
//! follows a redirect, or lets a body into an error or a log line.

mod answer;
mod connect;
mod decoding;
mod exchange;
mod http;
mod request;
mod resolve;
mod send;
mod tls;

pub use answer::Response;
pub use connect::{Connect, Connector};
pub use exchange::Exchange;
pub use http::{HttpExchange, Limits};
pub use request::Request;
pub use send::Client;
