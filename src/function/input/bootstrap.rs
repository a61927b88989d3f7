//! The kind `Bootstrap`, and how one is read.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    admin::{Admin, AdminFields, Adopt, AdoptFields, NameSource},
    connection::{self, ConnectionDetail, SecretRef},
    decode,
    hand_off::{HandOff, HandOffFields},
    instance::Instance,
    one_of::Source,
    text::{OrganizationName, Path, StatusPath},
    token::TokenPolicy,
    wrong::Wrong,
};
use crate::contract::{fieldpath::FieldPath, manifest::Manifest};

/// The API group of the input.
pub const GROUP: &str = "infisical.fn.crossplane.io";
/// The version of the input.
pub const VERSION: &str = "v1beta1";
/// The kind of the input.
pub const KIND: &str = "Bootstrap";
/// What `apiVersion` says.
pub(super) const API_VERSION: &str = "infisical.fn.crossplane.io/v1beta1";

/// What the composition's author asks for.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "BootstrapFields")]
#[schemars(with = "BootstrapFields")]
pub struct Bootstrap {
    /// The instance and the way to it.
    pub instance: Instance,
    /// The name of the organization that bootstrapping makes, where it is not that of
    /// the XR or, where there is one, of its claim.
    pub organization: Option<NameSource>,
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

/// Bootstraps a self-hosted Infisical that a composition composes, and keeps a
/// connection Secret whose token works.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BootstrapFields {
    /// The version of this input.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// The kind of this input.
    #[serde(rename = "kind")]
    _kind: String,
    /// Not used; here because every Kubernetes object may have it.
    #[serde(rename = "metadata")]
    #[schemars(skip)]
    _metadata: Option<IgnoredAny>,
    /// The Infisical instance, and how to reach it.
    instance: Instance,
    /// The name of the organization that bootstrapping makes. Default: the name
    /// of the XR or, where there is one, of its claim.
    organization: Option<OrganizationName>,
    /// The field of the XR that holds the name of the organization.
    organization_from_composite_field_path: Option<Path>,
    /// The instance admin, who is made when the instance is bootstrapped. Write
    /// email or emailFromCompositeFieldPath, unless credentials or secretRef hold
    /// an email. Needed, but beside adopt: without it the token of adopt is all that
    /// there is, and nobody can get another when that is dead.
    admin: Option<AdminFields>,
    /// An instance that the Infisical CLI or Helm chart has bootstrapped already:
    /// its token is used, and from then on renewed and kept in the connection
    /// Secret.
    adopt: Option<AdoptFields>,
    /// The Secret that the connection is written to. What the XR's author writes
    /// into spec.writeConnectionSecretToRef comes first.
    write_connection_secret_to_ref: Option<SecretRef>,
    /// The keys of the connection Secret. Default: token, host, organizationId,
    /// organizationSlug, identityId, expiresAt and credentials.
    #[serde(default)]
    connection_details: Vec<ConnectionDetail>,
    /// When the token is verified and renewed.
    #[serde(default)]
    token: TokenPolicy,
    /// A field path of the XR, such as status.infisical, to which host,
    /// organizationId, identityId, tokenExpiresAt and connectionSecretRef are
    /// written. What the XRD does not declare of them is left out. Default: none.
    status: Option<StatusPath>,
    /// Least privilege after bootstrap: makes a machine identity of the
    /// organization with Universal Auth, and writes its client ID and secret to a
    /// Secret of its own. Left out, none is made.
    hand_off: Option<HandOffFields>,
}

impl TryFrom<BootstrapFields> for Bootstrap {
    type Error = Wrong;

    fn try_from(fields: BootstrapFields) -> Result<Self, Wrong> {
        let path = fields.organization_from_composite_field_path;
        let organization = Source::one_of("organization", fields.organization, path)?;
        let instance = fields.instance;
        if instance.resource.is_none() && !instance.readiness_checks.is_empty() {
            let problem = "are of no use without resource; write that as well";
            return Err(Wrong::new(problem).at("instance.readinessChecks"));
        }
        let admin = match fields.admin {
            Some(admin) => Some(Admin::new(admin, fields.adopt.is_some())),
            None if fields.adopt.is_some() => None,
            None => Some(Err(Wrong::new(
                "is missing; write one with an email, or adopt with the Secret of a token",
            ))),
        };
        let status = fields.status.map(Into::into);
        let hand_off = fields.hand_off.map(|hand_off| HandOff::new(hand_off, status.as_ref()));
        Ok(Self {
            instance,
            organization,
            admin: admin.transpose().map_err(|wrong| wrong.at("admin"))?,
            adopt: fields.adopt.map(|adopt| adopt.secret_ref),
            connection_secret: fields.write_connection_secret_to_ref,
            connection_details: connection::details(fields.connection_details)?,
            token: fields.token,
            hand_off: hand_off.transpose().map_err(|wrong| wrong.at("handOff"))?,
            status,
        })
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
    /// A field of it is wrong: which, and what to write instead.
    #[error("{0}")]
    Field(String),
}

/// Parses the input of a pipeline step, an encoded `google.protobuf.Struct`.
///
/// # Errors
/// The first mistake that was found in it.
pub fn parse(input: Option<&[u8]>) -> Result<Bootstrap, InputError> {
    let encoded = input.ok_or(InputError::Missing)?;
    let manifest = decode::manifest(encoded).ok_or(InputError::Undecodable)?;
    // Before the fields: those of another kind are all unknown here.
    let header = Manifest::new(encoded);
    for (field, found, expected) in
        [("apiVersion", header.api_version(), API_VERSION), ("kind", header.kind(), KIND)]
    {
        if found != Some(expected) {
            return Err(InputError::AnotherKind { field, expected });
        }
    }
    decode::decode(&manifest).map_err(InputError::Field)
}
