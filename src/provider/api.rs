//! The kinds of the API: what an author writes, and what the provider answers.
//!
//! The shape of a managed resource is Crossplane's, in [`resource`]; a kind adds the
//! parameters of its `forProvider` and what is observed. [`crd`] makes the manifests in
//! the package from these types. Values of Secrets are in none of them.

pub mod config;
pub mod crd;
pub mod environment;
pub mod identity;
pub mod object;
pub mod project;
pub mod project_identity;
pub mod reference;
pub mod resource;
