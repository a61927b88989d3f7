//! The input as its author writes it. The comments become the CRD's.
//!
//! Every alternative is optional here, and every name a string: what may stand
//! together and what a string must look like is in `input::validate`.
#![expect(clippy::doc_markdown, reason = "the CRD's descriptions are no Markdown")]

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, Visitor},
};

use super::{ConditionStatus, DetailValue, IdentityDetailValue, InstanceAdmin, Scheme};

/// Bootstraps a self-hosted Infisical that a composition composes, and keeps a
/// connection Secret whose token works.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Bootstrap {
    /// The version of this input.
    #[serde(rename = "apiVersion")]
    pub(super) _api_version: String,
    /// The kind of this input.
    #[serde(rename = "kind")]
    pub(super) _kind: String,
    /// Not used; here because every Kubernetes object may have it.
    #[serde(rename = "metadata")]
    #[schemars(skip)]
    pub(super) _metadata: Option<IgnoredAny>,
    /// The Infisical instance, and how to reach it.
    pub(super) instance: Instance,
    /// The name of the organization that bootstrapping makes. Default: the name
    /// of the XR or, where there is one, of its claim.
    pub(super) organization: Option<String>,
    /// The field of the XR that holds the name of the organization.
    pub(super) organization_from_composite_field_path: Option<String>,
    /// The instance admin, who is made when the instance is bootstrapped. Write
    /// email or emailFromCompositeFieldPath, unless credentials or secretRef hold
    /// an email. Needed, but beside adopt: without it the token of adopt is all that
    /// there is, and nobody can get another when that is dead.
    pub(super) admin: Option<Admin>,
    /// An instance that the Infisical CLI or Helm chart has bootstrapped already:
    /// its token is used, and from then on renewed and kept in the connection
    /// Secret.
    pub(super) adopt: Option<Adopt>,
    /// The Secret that the connection is written to. What the XR's author writes
    /// into spec.writeConnectionSecretToRef comes first.
    pub(super) write_connection_secret_to_ref: Option<SecretRef>,
    /// The keys of the connection Secret. Default: token, host, organizationId,
    /// organizationSlug, identityId, expiresAt and credentials.
    pub(super) connection_details: Option<Vec<ConnectionDetail>>,
    /// When the token is verified and renewed.
    pub(super) token: Option<Token>,
    /// A field path of the XR, such as status.infisical, to which host,
    /// organizationId, identityId, tokenExpiresAt and connectionSecretRef are
    /// written. What the XRD does not declare of them is left out. Default: none.
    pub(super) status: Option<String>,
    /// Least privilege after bootstrap: makes a machine identity of the
    /// organization with Universal Auth, and writes its client ID and secret to a
    /// Secret of its own. Left out, none is made.
    pub(super) hand_off: Option<HandOff>,
}

/// A machine identity with fewer rights than the instance admin.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HandOff {
    /// The slug of the organization role that the identity is made with, such as
    /// no-access, member or admin. Default: member, who can create projects and
    /// sees none of others.
    pub(super) role: Option<String>,
    /// The projects that the identity becomes a member of. One that is not there
    /// yet is waited for. A membership that is left out later stays.
    pub(super) projects: Option<Vec<Project>>,
    /// The Secret that client ID and secret are written to.
    pub(super) write_connection_secret_to_ref: Option<IdentitySecretRef>,
    /// The keys of that Secret. Default: clientId, clientSecret, host,
    /// organizationId, organizationSlug, identityId and credentials.
    pub(super) connection_details: Option<Vec<IdentityDetail>>,
    /// What becomes of the instance admin right of the identity that bootstrap has
    /// made. Default: Keep.
    pub(super) instance_admin: Option<InstanceAdmin>,
    /// A field path of the XR, such as status.identity, to which identityId and
    /// secretRef are written. What the XRD does not declare of them is left out.
    /// Default: none.
    pub(super) status: Option<String>,
}

/// A project, and the identity's role in it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Project {
    /// The project's slug. This or slugFromCompositeFieldPath is needed.
    pub(super) slug: Option<String>,
    /// The field of the XR that holds the slug.
    pub(super) slug_from_composite_field_path: Option<String>,
    /// The slug of the role that the identity gets in the project, such as viewer,
    /// member, admin or one of the project's own. Default: member. One that the
    /// identity has already stays as it is.
    pub(super) role: Option<String>,
}

/// A Secret to write.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdentitySecretRef {
    /// Its name. Default: the XR's name, followed by -identity.
    pub(super) name: Option<String>,
    /// Its namespace. Default: that of the connection Secret.
    pub(super) namespace: Option<String>,
}

/// A key of the Secret with client ID and secret.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdentityDetail {
    /// The key.
    pub(super) name: String,
    /// What it holds.
    pub(super) value: IdentityDetailValue,
}

/// The Infisical instance, and how to reach it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Instance {
    /// The name, in the pipeline, of the composed resource that runs Infisical
    /// and whose readiness counts. Leave it out for an instance that this XR does
    /// not compose.
    pub(super) resource: Option<String>,
    /// Checks of the resource, all of which must pass. Default: what an earlier
    /// step said, else what its kind means, else its condition Ready.
    pub(super) readiness_checks: Option<Vec<ReadinessCheck>>,
    /// Where the instance is. Write one of url, fromCompositeFieldPath,
    /// fromComposedResource and service.
    pub(super) endpoint: Endpoint,
}

/// A check of a composed resource.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReadinessCheck {
    /// What is checked.
    pub(super) r#type: CheckType,
    /// The field of the resource that is checked.
    pub(super) field_path: Option<String>,
    /// What the field must be, for the type MatchString.
    pub(super) match_string: Option<String>,
    /// What the field must be, for the type MatchInteger.
    pub(super) match_integer: Option<i64>,
    /// The condition that must be there, for the type MatchCondition.
    pub(super) match_condition: Option<MatchCondition>,
}

/// What is checked.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum CheckType {
    /// A condition has a status.
    MatchCondition,
    /// A field is a string.
    MatchString,
    /// A field is a number.
    MatchInteger,
    /// A field is true.
    MatchTrue,
    /// A field is false.
    MatchFalse,
    /// A field is there.
    NonEmpty,
    /// Nothing is checked.
    None,
}

impl CheckType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::MatchCondition => "MatchCondition",
            Self::MatchString => "MatchString",
            Self::MatchInteger => "MatchInteger",
            Self::MatchTrue => "MatchTrue",
            Self::MatchFalse => "MatchFalse",
            Self::NonEmpty => "NonEmpty",
            Self::None => "None",
        }
    }
}

/// A condition that must be there.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MatchCondition {
    /// The condition's type.
    pub(super) r#type: String,
    /// The condition's status.
    pub(super) status: ConditionStatus,
}

/// Where the instance is.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Endpoint {
    /// The URL, such as `https://infisical.example.org`.
    pub(super) url: Option<String>,
    /// The field of the XR that holds the URL. Needs allowedHosts.
    pub(super) from_composite_field_path: Option<String>,
    /// The composed resource that holds the URL.
    pub(super) from_composed_resource: Option<FromComposedResource>,
    /// The composed Service that leads to the instance. Its name and namespace
    /// are read when it is there.
    pub(super) service: Option<Service>,
    /// How the instance's certificate is checked. Default: it must be for the
    /// URL's host, and from a public authority.
    pub(super) tls: Option<Tls>,
    /// The servers that a URL read from the XR or a composed resource may name:
    /// infisical.example.org is that host with https on its default port, and
    /// *.example.org all hosts below it. Another port or scheme is written with it:
    /// `infisical.example.org:8443`, `http://infisical.tools.svc:8080`. The admin's
    /// password and the token are sent to no other server.
    pub(super) allowed_hosts: Option<Vec<String>>,
}

/// A field of a composed resource.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FromComposedResource {
    /// The name of the composed resource in the pipeline.
    pub(super) resource: String,
    /// The field.
    pub(super) field_path: String,
}

/// A port of a composed Service.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Service {
    /// The name of the composed Service in the pipeline.
    pub(super) resource: String,
    /// The Service's port.
    #[schemars(range(min = 1, max = 65535))]
    pub(super) port: i64,
    /// Default: http.
    pub(super) scheme: Option<Scheme>,
}

/// How the instance's certificate is checked.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tls {
    /// The PEM certificates to trust in place of the public ones.
    pub(super) ca_bundle: Option<String>,
    /// The resource that holds them.
    pub(super) ca_bundle_from: Option<CaBundleFrom>,
    /// The name that the server is asked for in TLS (SNI) and that its certificate must
    /// have. Default: the URL's host.
    pub(super) server_name: Option<String>,
    /// Accepts any certificate, and with it anybody who answers in the
    /// instance's place.
    pub(super) insecure_skip_verify: Option<bool>,
}

/// A resource that holds certificates.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CaBundleFrom {
    /// A key of a ConfigMap.
    pub(super) config_map_ref: Option<KeyRef>,
    /// A key of a Secret.
    pub(super) secret_ref: Option<KeyRef>,
}

/// A key of a resource.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyRef {
    /// The name of the resource.
    pub(super) name: String,
    /// Its namespace. Default: that of the XR or claim, else that of
    /// writeConnectionSecretToRef in this input.
    pub(super) namespace: Option<String>,
    /// The key of its data. Default: ca.crt.
    pub(super) key: Option<String>,
}

/// The instance admin.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Admin {
    /// The email, which cannot be changed once the instance is bootstrapped.
    pub(super) email: Option<String>,
    /// The field of the XR that holds the email.
    pub(super) email_from_composite_field_path: Option<String>,
    /// The name of the credential of this pipeline step that holds email and
    /// password. Default: the password is generated.
    pub(super) credentials: Option<String>,
    /// The Secret, one per XR, that holds email and password. Default: the
    /// password is generated.
    pub(super) secret_ref: Option<AdminSecretRef>,
}

/// A connection that somebody else made.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Adopt {
    /// The Secret that holds the token of an instance admin identity.
    pub(super) secret_ref: AdoptSecretRef,
}

/// A Secret that holds a token.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdoptSecretRef {
    /// The name of the Secret.
    pub(super) name: Option<String>,
    /// The field of the XR that holds the name of the Secret.
    pub(super) name_from_composite_field_path: Option<String>,
    /// Its namespace. Default: that of the XR or claim, else that of
    /// writeConnectionSecretToRef in this input.
    pub(super) namespace: Option<String>,
    /// The key of the token. Default: token.
    pub(super) key: Option<String>,
}

/// A Secret that holds email and password.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdminSecretRef {
    /// The name of the Secret.
    pub(super) name: Option<String>,
    /// The field of the XR that holds the name of the Secret.
    pub(super) name_from_composite_field_path: Option<String>,
    /// Its namespace. Default: that of the XR or claim, else that of
    /// writeConnectionSecretToRef in this input.
    pub(super) namespace: Option<String>,
    /// The key of the email. Default: email.
    pub(super) email_key: Option<String>,
    /// The key of the password. Default: password.
    pub(super) password_key: Option<String>,
}

/// A Secret to write.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecretRef {
    /// Its name. Default: the XR's name, followed by -connection.
    pub(super) name: Option<String>,
    /// Its namespace. Default: that of the XR or claim. A cluster-scoped XR needs one,
    /// here or in its spec.
    pub(super) namespace: Option<String>,
}

/// A key of the connection Secret.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConnectionDetail {
    /// The key.
    pub(super) name: String,
    /// What it holds.
    pub(super) value: DetailValue,
}

/// When the token is verified and renewed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Token {
    /// How often the instance is asked whether the token works, such as 90s, 10m
    /// or 1h30m; between 10s and 24h. Default: 10m.
    pub(super) verify_interval: Option<String>,
    /// The fraction of the token's life that is left when it is renewed: a number
    /// between 0 and 1, or a fraction such as 1/3. Default: 1/3.
    pub(super) renew_at: Option<Fraction>,
}

/// A number, or a text such as `1/3`, not yet checked.
pub(super) enum Fraction {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FractionVisitor)
    }
}

struct FractionVisitor;

impl Visitor<'_> for FractionVisitor {
    type Value = Fraction;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a fraction such as \"1/3\"")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Fraction, E> {
        Ok(Fraction::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Fraction, E> {
        Ok(Fraction::Text(text.to_owned()))
    }
}

impl JsonSchema for Fraction {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // A structural schema has no type that is a number or a string.
        schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}
