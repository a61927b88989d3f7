//! The server over real sockets.

mod calls;
mod observability;
mod process;
mod robustness;
mod stopping;
mod support;
mod tls;
