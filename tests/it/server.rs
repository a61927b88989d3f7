//! The server over real sockets.

mod calls;
mod observability;
pub(crate) mod process;
mod robustness;
mod short_tokens;
mod stopping;
pub(crate) mod support;
mod tls;
