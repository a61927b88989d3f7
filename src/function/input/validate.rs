//! Makes a [`Bootstrap`] out of what its author wrote, or says what is wrong.
//!
//! One function per field of the input; the instance, the admin and the token
//! have a module of their own. [`At`] is how each of them names its field.

use std::collections::BTreeSet;

use super::{Bootstrap, ConnectionDetail, DetailValue, InputError, Organization, SecretRef, raw};
use crate::contract::fieldpath::{FieldPath, Segment};

mod admin;
mod at;
mod hand_off;
mod instance;
mod names;
mod token;

use at::At;
pub use instance::{BEGIN, is_certificate_bundle, is_no_bundle};

/// The keys of a connection Secret whose author chose none.
const DEFAULT_DETAILS: [(&str, DetailValue); 7] = [
    ("token", DetailValue::Token),
    ("host", DetailValue::Host),
    ("organizationId", DetailValue::OrganizationId),
    ("organizationSlug", DetailValue::OrganizationSlug),
    ("identityId", DetailValue::IdentityId),
    ("expiresAt", DetailValue::ExpiresAt),
    ("credentials", DetailValue::Credentials),
];

pub(super) fn bootstrap(raw: raw::Bootstrap) -> Result<Bootstrap, InputError> {
    let at = At::input();
    let of_connection = raw.status.map(|path| status(&at.field("status"), &path)).transpose()?;
    Ok(Bootstrap {
        instance: instance::instance(&at.field("instance"), raw.instance)?,
        organization: organization(
            &at,
            raw.organization,
            raw.organization_from_composite_field_path.as_deref(),
        )?,
        admin: admin::admin(&at.field("admin"), raw.admin, raw.adopt.is_some())?,
        adopt: raw
            .adopt
            .map(|adopt| admin::adopt(&at.field("adopt").field("secretRef"), adopt))
            .transpose()?,
        connection_secret: raw
            .write_connection_secret_to_ref
            .map(|secret| secret_ref(&at.field("writeConnectionSecretToRef"), secret))
            .transpose()?,
        connection_details: connection_details(&at.field("connectionDetails"), raw.connection_details)?
            .into(),
        token: token::policy(&at.field("token"), raw.token)?,
        hand_off: raw
            .hand_off
            .map(|hand_off| hand_off::hand_off(&at.field("handOff"), hand_off, of_connection.as_ref()))
            .transpose()?,
        status: of_connection,
    })
}

fn organization(at: &At, name: Option<String>, path: Option<&str>) -> Result<Organization, InputError> {
    match (name, path) {
        (None, None) => Ok(Organization::Default),
        (Some(name), None) => {
            let at = at.field("organization");
            if name.trim().is_empty() || name.contains(char::is_control) {
                return Err(at.problem("is no name; write one, or leave it out to use the XR's"));
            }
            Ok(Organization::Name(name.trim().to_owned()))
        }
        (None, Some(path)) => {
            let at = at.field("organizationFromCompositeFieldPath");
            Ok(Organization::FromCompositeFieldPath(at.field_path(path)?))
        }
        (Some(_), Some(_)) => Err(at.both("organization", "organizationFromCompositeFieldPath")),
    }
}

fn secret_ref(at: &At, raw: raw::SecretRef) -> Result<SecretRef, InputError> {
    let raw::SecretRef { name, namespace } = raw;
    Ok(SecretRef {
        name: name.map(|name| names::subdomain(&at.field("name"), name)).transpose()?,
        namespace: namespace.map(|name| names::label(&at.field("namespace"), name)).transpose()?,
    })
}

fn connection_details(
    at: &At,
    raw: Option<Vec<raw::ConnectionDetail>>,
) -> Result<Vec<ConnectionDetail>, InputError> {
    let Some(raw) = raw.filter(|details| !details.is_empty()) else {
        let detail = |(name, value): (&str, _)| ConnectionDetail { name: name.to_owned(), value };
        return Ok(DEFAULT_DETAILS.map(detail).into());
    };
    let mut names = BTreeSet::new();
    let mut details = Vec::with_capacity(raw.len());
    for (index, raw::ConnectionDetail { name, value }) in raw.into_iter().enumerate() {
        let at = at.index(index).field("name");
        let name = names::secret_key(&at, name)?;
        if !names.insert(name.clone()) {
            return Err(at.problem(format!("{name:?} is taken by another connection detail; rename one")));
        }
        details.push(ConnectionDetail { name, value });
    }
    if details.iter().any(|detail| detail.value == DetailValue::Token) {
        Ok(details)
    } else {
        // The token that is handed out is found again under its key.
        Err(at.problem("has no token; add one such as {name: token, value: Token}"))
    }
}

fn status(at: &At, path: &str) -> Result<FieldPath, InputError> {
    let parsed = at.field_path(path)?;
    let is_status = match parsed.segments() {
        [Segment::Field(first), rest @ ..] if first == "status" && !rest.is_empty() => {
            rest.iter().all(|segment| matches!(segment, Segment::Field(_)))
        }
        _ => false,
    };
    if is_status {
        Ok(parsed)
    } else {
        Err(at.problem("is no field of the XR's status; write one such as \"status.infisical\""))
    }
}

#[cfg(test)]
mod tests;
