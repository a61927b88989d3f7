//! The server over real sockets.

mod calls;
mod observability;
pub(crate) mod process;
mod robustness;
mod stopping;
pub(crate) mod support;
mod tls;
