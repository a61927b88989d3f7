//! tests
mod crd;
