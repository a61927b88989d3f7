//! The integration tests, as one binary.
//!
//! `cfg(test)` is always on here; it tells clippy that helpers may unwrap, too.

#[cfg(test)]
mod client;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod direct;
