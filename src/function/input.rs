//! The function's input: the kind `Bootstrap` of `infisical.fn.crossplane.io`.
//!
//! [`parse`] turns an encoded input into a [`Bootstrap`], which cannot be wrong:
//! every alternative is chosen, every name, path and address has been checked.
//! What is wrong with an input is one line that names the field and says what to
//! write instead. It repeats no value but an email, a field path or a name,
//! because a password may have been pasted into any of the others.
//!
//! serde reads each field into a type that has checked it: a text in `input::text`.
//! Where fields depend on each other, an object is first read into its fields as
//! their author writes them (`AdminFields` of `admin`), and those are made into what
//! it means. Together they are the CRD, with their comments. What the fields lead to
//! in a request is found out elsewhere.
#![expect(clippy::doc_markdown, reason = "the CRD's descriptions are no Markdown")]

mod admin;
mod bootstrap;
mod connection;
pub mod crd;
mod decode;
mod endpoint;
mod hand_off;
mod instance;
mod known;
pub(crate) mod nearest;
mod one_of;
mod readiness_check;
mod text;
mod tls;
mod token;
mod wrong;

pub use admin::{Admin, Adopt, EmailSource, NameSource};
pub use bootstrap::{Bootstrap, GROUP, InputError, KIND, VERSION, parse};
pub use connection::{ConnectionDetail, DetailValue, SecretRef};
pub use endpoint::{AllowedHost, Endpoint, EndpointSource, FromComposedResource, Scheme, Service};
pub use hand_off::{
    HandOff, IdentityDetail, IdentityDetailValue, InstanceAdmin, Project, ProjectSlug, is_slug,
};
pub use instance::Instance;
pub use known::Inputs;
pub use one_of::Source;
pub use readiness_check::{ConditionStatus, ReadinessCheck};
pub use text::ResourceName;
pub use tls::{BEGIN, CaKind, CaSource, TlsSource, is_certificate_bundle, is_no_bundle};
pub use token::TokenPolicy;

#[cfg(test)]
mod tests;
