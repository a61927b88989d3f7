//! How the certificate of the instance is checked.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    one_of::one_of,
    text::{Key, Namespace, ObjectName, if_it, texts},
    wrong::Wrong,
};

/// The line that a certificate begins with.
pub const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// The key under which Kubernetes and cert-manager keep certificates.
const DEFAULT_CA_KEY: &str = "ca.crt";

/// How the certificate of an instance is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "TlsFields")]
#[schemars(with = "TlsFields")]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "CaBundleFrom")]
#[schemars(with = "CaBundleFrom")]
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

texts! {
    TlsName(String) = |text| if_it(is_tls_name, text,
        "is no host; write one such as \"infisical.example.org\"");
    Certificates(String) = certificates;
}

fn is_tls_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

fn certificates(pem: &str) -> Result<String, Wrong> {
    if is_certificate_bundle(pem) {
        return Ok(pem.to_owned());
    }
    Err(Wrong::new(format!("{}; write certificates, each from {BEGIN:?} on", is_no_bundle(pem))))
}

/// `tls` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TlsFields {
    /// The PEM certificates to trust in place of the public ones.
    ca_bundle: Option<Certificates>,
    /// The resource that holds them.
    ca_bundle_from: Option<CaSource>,
    /// The name that the server is asked for in TLS (SNI) and that its certificate must
    /// have. Default: the URL's host.
    server_name: Option<TlsName>,
    /// Accepts any certificate, and with it anybody who answers in the
    /// instance's place.
    #[serde(default)]
    insecure_skip_verify: bool,
}

/// `tls.caBundleFrom` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaBundleFrom {
    /// A key of a ConfigMap.
    config_map_ref: Option<KeyRef>,
    /// A key of a Secret.
    secret_ref: Option<KeyRef>,
}

/// A key of a resource.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyRef {
    /// The name of the resource.
    name: ObjectName,
    /// Its namespace. Default: that of the XR or claim, else that of
    /// writeConnectionSecretToRef in this input.
    namespace: Option<Namespace>,
    /// The key of its data. Default: ca.crt.
    key: Option<Key>,
}

impl TryFrom<TlsFields> for TlsSource {
    type Error = Wrong;

    fn try_from(fields: TlsFields) -> Result<Self, Wrong> {
        let TlsFields { ca_bundle, ca_bundle_from, server_name, insecure_skip_verify } = fields;
        let ca = one_of([
            ("caBundle", ca_bundle.map(|pem| Some(CaSource::Inline(pem.into())))),
            ("caBundleFrom", ca_bundle_from.map(Some)),
            ("insecureSkipVerify", insecure_skip_verify.then_some(None)),
        ])?;
        Ok(Self { ca: ca.flatten(), server_name: server_name.map(Into::into), insecure_skip_verify })
    }
}

impl TryFrom<CaBundleFrom> for CaSource {
    type Error = Wrong;

    fn try_from(fields: CaBundleFrom) -> Result<Self, Wrong> {
        let of = |kind| {
            move |KeyRef { name, namespace, key }| Self::From {
                kind,
                name: name.into(),
                namespace: namespace.map(Into::into),
                key: key.map_or_else(|| DEFAULT_CA_KEY.to_owned(), Into::into),
            }
        };
        one_of([
            ("configMapRef", fields.config_map_ref.map(of(CaKind::ConfigMap))),
            ("secretRef", fields.secret_ref.map(of(CaKind::Secret))),
        ])?
        .ok_or_else(|| Wrong::new("is empty; write one of: configMapRef, secretRef"))
    }
}

/// Whether a text is PEM with at least one certificate in it, and no other that
/// is broken. Whether a certificate is a good one is seen when it is used.
#[must_use]
pub fn is_certificate_bundle(pem: &str) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.is_ok_and(|certificates| !certificates.is_empty())
}

/// What a text is that is no bundle of certificates, as a predicate. The `data`
/// of a Secret is base64, and is often copied as it is.
#[must_use]
pub fn is_no_bundle(text: &str) -> &'static str {
    let decoded = STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap_or_default();
    if decoded.starts_with(b"-----BEGIN ") {
        "is the base64 of PEM, not PEM"
    } else {
        "is no PEM of certificates"
    }
}
