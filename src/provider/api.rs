//! The kinds of the API: what an author writes, and what the provider answers.
//!
//! The shape of a managed resource is Crossplane's, in [`resource`]; a kind adds the
//! parameters of its `forProvider` and what is observed. [`crd`] makes the manifests in
//! the package from these types. Values of Secrets are in none of them.

pub mod additional_privilege;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod client_secret;
pub mod config;
pub mod crd;
pub mod environment;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod folder;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod identity;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod kubernetes_auth;
pub mod object;
pub mod project;
pub mod project_identity;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod reference;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod resource;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod secret;
#[expect(clippy::doc_markdown, reason = "what a CRD says is no Markdown")]
pub mod token_terms;
pub mod universal_auth;
