//! The function's input: the kind `Bootstrap` of `infisical.fn.crossplane.io`.
//!
//! [`parse`] turns an encoded input into a [`Bootstrap`], which cannot be wrong:
//! every alternative is chosen, every name, path and address has been checked.
//! What is wrong with an input is one line that names the field and says what to
//! write instead. It repeats no value but an email, a field path or a name,
//! because a password may have been pasted into any of the others.
//!
//! `input::decode` reads the bytes into the types of `input::raw`, which are the
//! author's view and become the CRD; `input::validate` makes these types out of
//! them. What the fields lead to in a request is found out elsewhere.

use std::{fmt, sync::Arc, time::Duration};

use infisical::{endpoint::Origin, secret::Email};

use crate::contract::{fieldpath::FieldPath, manifest::Manifest};

pub mod crd;
mod decode;
mod hand_off;
mod known;
pub(crate) mod nearest;
mod raw;
mod validate;

pub use hand_off::{
    HandOff, IdentityDetail, IdentityDetailValue, InstanceAdmin, Project, ProjectSlug, is_slug,
};
pub use known::Inputs;
pub use validate::{BEGIN, is_certificate_bundle, is_no_bundle};

/// The API group of the input.
pub const GROUP: &str = "infisical.fn.crossplane.io";
/// The version of the input.
pub const VERSION: &str = "v1beta1";
/// The kind of the input.
pub const KIND: &str = "Bootstrap";
/// What `apiVersion` says.
const API_VERSION: &str = "infisical.fn.crossplane.io/v1beta1";

/// What the composition's author asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// The instance and the way to it.
    pub instance: Instance,
    /// The name of the organization that bootstrapping makes.
    pub organization: Organization,
    /// The instance admin. Never left out but beside `adopt`.
    pub admin: Option<Admin>,
    /// The token of an instance that somebody else bootstrapped.
    pub adopt: Option<Adopt>,
    /// The connection Secret; where the XR's author names one, that one counts.
    pub connection_secret: Option<SecretRef>,
    /// The keys of the connection Secret. A token is always among them.
    pub connection_details: Arc<[ConnectionDetail]>,
    /// When the token is verified and renewed.
    pub token: TokenPolicy,
    /// Where in the XR's status the connection is described, if anywhere.
    /// Consists of the names of fields and begins with `status`.
    pub status: Option<FieldPath>,
    /// The machine identity that is made after bootstrap, if any.
    pub hand_off: Option<HandOff>,
}

/// The instance and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The composed resource whose readiness counts, if this XR composes it.
    pub resource: Option<ResourceName>,
    /// The author's own checks of that resource, all of which must pass.
    pub readiness_checks: Vec<ReadinessCheck>,
    /// Where the URL comes from.
    pub endpoint: EndpointSource,
    /// How its certificate is checked. Only ever set where https is possible.
    pub tls: TlsSource,
    /// The servers that a URL read from the cluster may name. Never empty for one
    /// that the XR's author chooses; empty elsewhere means any.
    pub allowed_hosts: Vec<AllowedHost>,
}

/// The name of a composed resource in the pipeline, which is not its
/// `metadata.name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(String);

impl ResourceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A check of a composed resource, as in function-patch-and-transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadinessCheck {
    /// The field is this string.
    MatchString {
        /// The field.
        path: FieldPath,
        /// The string.
        value: String,
    },
    /// The field is this number.
    MatchInteger {
        /// The field.
        path: FieldPath,
        /// The number.
        value: i64,
    },
    /// The field is true.
    MatchTrue(FieldPath),
    /// The field is false.
    MatchFalse(FieldPath),
    /// The field is there.
    NonEmpty(FieldPath),
    /// The condition of this type has this status.
    MatchCondition {
        /// The condition's type.
        condition: String,
        /// The condition's status.
        status: ConditionStatus,
    },
    /// Nothing is checked.
    None,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

impl ConditionStatus {
    /// The status as a manifest has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Where an instance's URL comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointSource {
    /// It is in the input.
    Url(Origin),
    /// A field of the XR holds it.
    FromCompositeFieldPath(FieldPath),
    /// A field of a composed resource holds it.
    FromComposedResource {
        /// The composed resource.
        resource: ResourceName,
        /// The field.
        field_path: FieldPath,
    },
    /// It is made of the name and namespace of a composed Service.
    Service {
        /// The Service.
        resource: ResourceName,
        /// The Service's port.
        port: u16,
        /// http, unless the author says https.
        scheme: Scheme,
    },
}

/// The scheme of a Service's URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP, which is what Infisical itself speaks.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as a URL has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of it means when it names none.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A server that a URL may name. Scheme and port belong to it: what listens on
/// another port of the same host is another's, and without TLS anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    scheme: Scheme,
    /// A host, or all hosts below a domain: `*.example.org`.
    host: String,
    port: u16,
}

impl AllowedHost {
    /// Whether a server is meant.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        let host = origin.host();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let is_host = match self.host.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => host == self.host,
        };
        is_host && origin.scheme() == self.scheme.as_str() && origin.port() == self.port
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// How the certificate of an instance is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSource {
    /// The certificates to trust in place of the public ones.
    pub ca: Option<CaSource>,
    /// The name that the server is asked for and that its certificate must have, where
    /// it is not the URL's host.
    pub server_name: Option<String>,
    /// Whether any certificate will do. Never set together with `ca`.
    pub insecure_skip_verify: bool,
}

/// Where certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaSource {
    /// PEM, with at least one certificate in it.
    Inline(String),
    /// A key of a required resource.
    From {
        /// What the resource is.
        kind: CaKind,
        /// Its `metadata.name`.
        name: String,
        /// Its `metadata.namespace`; the XR's where there is none.
        namespace: Option<String>,
        /// The key of its data.
        key: String,
    },
}

/// A kind of resource that holds certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaKind {
    /// A `ConfigMap`.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// Where the organization's name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Organization {
    /// The name of the XR or, where there is one, of its claim.
    Default,
    /// It is in the input.
    Name(String),
    /// A field of the XR holds it.
    FromCompositeFieldPath(FieldPath),
}

/// Where the admin's email and password come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// The password is generated.
    Generated {
        /// The email.
        email: EmailSource,
    },
    /// A credential of the pipeline step holds them.
    Credential {
        /// The credential's name in the step.
        name: String,
        /// The email, where it is not the credential's.
        email: Option<EmailSource>,
    },
    /// A Secret per XR holds them, as a required resource.
    SecretRef {
        /// The Secret's `metadata.name`.
        name: NameSource,
        /// Its `metadata.namespace`; the XR's where there is none.
        namespace: Option<String>,
        /// The key of the email.
        email_key: String,
        /// The key of the password.
        password_key: String,
        /// The email, where it is not the Secret's.
        email: Option<EmailSource>,
    },
}

/// A Secret that holds the token of an instance admin identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopt {
    /// The Secret's `metadata.name`.
    pub name: NameSource,
    /// Its `metadata.namespace`; the XR's where there is none.
    pub namespace: Option<String>,
    /// The key of the token.
    pub key: String,
}

/// Where an email comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailSource {
    /// It is in the input.
    Literal(Email),
    /// A field of the XR holds it.
    FromCompositeFieldPath(FieldPath),
}

/// Where the name of a Secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameSource {
    /// It is in the input.
    Literal(String),
    /// A field of the XR holds it.
    FromCompositeFieldPath(FieldPath),
}

/// A Secret to write. What is left out is decided by the XR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Its `metadata.name`.
    pub name: Option<String>,
    /// Its `metadata.namespace`.
    pub namespace: Option<String>,
}

/// A key of the connection Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionDetail {
    /// The key.
    pub name: String,
    /// What it holds.
    pub value: DetailValue,
}

/// What a key of the connection Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, schemars::JsonSchema)]
pub enum DetailValue {
    /// The access token of the instance admin identity.
    Token,
    /// The instance's URL.
    Host,
    /// The organization's ID.
    OrganizationId,
    /// The organization's slug.
    OrganizationSlug,
    /// The ID of the instance admin identity.
    IdentityId,
    /// When the token expires, in RFC 3339.
    ExpiresAt,
    /// The JSON that Infisical's Terraform provider has for a token: `{"auth":{"token":"…"}}`.
    Credentials,
}

/// When the token is verified and renewed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPolicy {
    /// How often the server is asked whether the token works.
    pub verify_interval: Duration,
    /// The fraction of the token's life, between 0 and 1, that is left when it
    /// is renewed.
    pub renew_at: f64,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self { verify_interval: Duration::from_mins(10), renew_at: 1.0 / 3.0 }
    }
}

/// Why an input is none: the author's mistake, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The step has no input.
    #[error(
        "input: is missing; write one with apiVersion {API_VERSION:?}, kind {KIND:?}, instance.endpoint \
         and admin.email"
    )]
    Missing,
    /// It is something else's input.
    #[error("input.{field}: is not the one that this function reads; write {expected:?}")]
    AnotherKind {
        /// `apiVersion` or `kind`.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The bytes cannot be decoded.
    #[error("input: is nested too deeply or is no valid protobuf")]
    Undecodable,
    /// A field of it is wrong.
    #[error("{path}: {problem}")]
    Field {
        /// The field, from `input` on.
        path: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

/// Parses the input of a pipeline step, an encoded `google.protobuf.Struct`.
///
/// # Errors
/// The first mistake that was found in it.
pub fn parse(input: Option<&[u8]>) -> Result<Bootstrap, InputError> {
    let encoded = input.ok_or(InputError::Missing)?;
    let manifest = decode::manifest(encoded)?;
    // Before the fields: those of another kind are all unknown here.
    let header = Manifest::new(encoded);
    for (field, found, expected) in
        [("apiVersion", header.api_version(), API_VERSION), ("kind", header.kind(), KIND)]
    {
        if found != Some(expected) {
            return Err(InputError::AnotherKind { field, expected });
        }
    }
    validate::bootstrap(decode::decode(&manifest)?)
}
