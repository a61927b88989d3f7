//! Handing off: the identity, and the Secret with its client ID and secret.

use std::collections::BTreeSet;

use super::{
    super::{HandOff, IdentityDetail, IdentityDetailValue, SecretRef, raw},
    At, InputError, names,
};

/// The role of an identity whose author chose none. A member of the organization
/// can create projects, whose admin it then is, and sees none of others; with the
/// server's own default, no-access, it could do nothing in an empty instance.
const DEFAULT_ROLE: &str = "member";

/// The keys of a Secret whose author chose none.
const DEFAULT_DETAILS: [(&str, IdentityDetailValue); 7] = [
    ("clientId", IdentityDetailValue::ClientId),
    ("clientSecret", IdentityDetailValue::ClientSecret),
    ("host", IdentityDetailValue::Host),
    ("organizationId", IdentityDetailValue::OrganizationId),
    ("organizationSlug", IdentityDetailValue::OrganizationSlug),
    ("identityId", IdentityDetailValue::IdentityId),
    ("credentials", IdentityDetailValue::Credentials),
];

pub(super) fn hand_off(at: &At, raw: raw::HandOff) -> Result<HandOff, InputError> {
    let raw::HandOff { role, write_connection_secret_to_ref, connection_details, instance_admin } = raw;
    Ok(HandOff {
        role: role.map_or_else(|| Ok(DEFAULT_ROLE.to_owned()), |role| slug(&at.field("role"), role))?,
        secret: write_connection_secret_to_ref
            .map(|secret| secret_ref(&at.field("writeConnectionSecretToRef"), secret))
            .transpose()?,
        details: details(&at.field("connectionDetails"), connection_details)?,
        instance_admin: instance_admin.unwrap_or_default(),
    })
}

/// A slug, as Infisical makes them.
fn slug(at: &At, role: String) -> Result<String, InputError> {
    let is_slug = role.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_slug && (1..=64).contains(&role.len()) {
        Ok(role)
    } else {
        Err(at.problem("is no slug of a role; write one such as \"member\" or \"no-access\""))
    }
}

fn secret_ref(at: &At, raw: raw::IdentitySecretRef) -> Result<SecretRef, InputError> {
    let raw::IdentitySecretRef { name, namespace } = raw;
    super::secret_ref(at, raw::SecretRef { name, namespace })
}

fn details(at: &At, raw: Option<Vec<raw::IdentityDetail>>) -> Result<Vec<IdentityDetail>, InputError> {
    let Some(raw) = raw.filter(|details| !details.is_empty()) else {
        let detail = |(name, value): (&str, _)| IdentityDetail { name: name.to_owned(), value };
        return Ok(DEFAULT_DETAILS.map(detail).into());
    };
    let mut taken = BTreeSet::new();
    let mut details = Vec::with_capacity(raw.len());
    for (index, raw::IdentityDetail { name, value }) in raw.into_iter().enumerate() {
        let at = at.index(index).field("name");
        let name = names::secret_key(&at, name)?;
        if !taken.insert(name.clone()) {
            return Err(at.problem(format!("{name:?} is taken by another connection detail; rename one")));
        }
        details.push(IdentityDetail { name, value });
    }
    // Both are found again under their keys.
    for (value, example) in [
        (IdentityDetailValue::ClientId, "{name: clientId, value: ClientId}"),
        (IdentityDetailValue::ClientSecret, "{name: clientSecret, value: ClientSecret}"),
    ] {
        if details.iter().all(|detail| detail.value != value) {
            return Err(at.problem(format!("has no {value:?}; add one such as {example}")));
        }
    }
    Ok(details)
}
