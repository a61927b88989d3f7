//! The integration tests, as one binary.

mod client;
mod contract;
