//! Handing off: the identity, and the Secret with its client ID and secret.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::{HandOff, IdentityDetail, IdentityDetailValue, Project, ProjectSlug, SecretRef, is_slug, raw},
    At, InputError, names,
};
use crate::contract::fieldpath::FieldPath;

/// The role of an identity whose author chose none. A member of the organization
/// can create projects, whose admin it then is, and sees none of others; with the
/// server's own default, no-access, it could do nothing in an empty instance.
const DEFAULT_ROLE: &str = "member";

/// The role in a project whose author chose none: whoever is added to one is meant
/// to read and write its secrets, and not to manage it.
const DEFAULT_PROJECT_ROLE: &str = "member";

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

/// `of_connection` is where the XR's status describes the connection.
pub(super) fn hand_off(
    at: &At,
    raw: raw::HandOff,
    of_connection: Option<&FieldPath>,
) -> Result<HandOff, InputError> {
    let raw::HandOff {
        role,
        projects,
        write_connection_secret_to_ref,
        connection_details,
        instance_admin,
        status,
    } = raw;
    Ok(HandOff {
        role: role_slug(&at.field("role"), role, DEFAULT_ROLE)?,
        projects: self::projects(&at.field("projects"), projects.unwrap_or_default())?,
        secret: write_connection_secret_to_ref
            .map(|secret| secret_ref(&at.field("writeConnectionSecretToRef"), secret))
            .transpose()?,
        details: details(&at.field("connectionDetails"), connection_details)?,
        instance_admin: instance_admin.unwrap_or_default(),
        status: status.map(|path| self::status(&at.field("status"), &path, of_connection)).transpose()?,
    })
}

fn status(at: &At, path: &str, of_connection: Option<&FieldPath>) -> Result<FieldPath, InputError> {
    let path = super::status(at, path)?;
    // It would take the place of what is said of the connection.
    if of_connection.is_some_and(|other| other.segments().starts_with(path.segments())) {
        return Err(at.problem("is the field of input.status, or around it; write another"));
    }
    Ok(path)
}

fn role_slug(at: &At, role: Option<String>, default: &str) -> Result<String, InputError> {
    let role = role.unwrap_or_else(|| default.to_owned());
    if is_slug(&role) {
        Ok(role)
    } else {
        Err(at.problem("is no slug of a role; write one such as \"member\" or \"no-access\""))
    }
}

fn projects(at: &At, raw: Vec<raw::Project>) -> Result<Arc<[Project]>, InputError> {
    let mut taken = BTreeSet::new();
    let project = |(index, raw::Project { slug, slug_from_composite_field_path, role }): (usize, _)| {
        let at = at.index(index);
        let slug = project_slug(&at, slug, slug_from_composite_field_path)?;
        if let ProjectSlug::Literal(slug) = &slug
            && !taken.insert(slug.clone())
        {
            return Err(at.field("slug").problem(format!("{slug:?} is there already; remove one")));
        }
        Ok(Project { slug, role: role_slug(&at.field("role"), role, DEFAULT_PROJECT_ROLE)? })
    };
    raw.into_iter().enumerate().map(project).collect()
}

fn project_slug(at: &At, slug: Option<String>, path: Option<String>) -> Result<ProjectSlug, InputError> {
    match (slug, path) {
        (Some(slug), None) if is_slug(&slug) => Ok(ProjectSlug::Literal(slug)),
        (Some(_), None) => {
            Err(at.field("slug").problem("is no slug of a project; write one such as \"payments\""))
        }
        (None, Some(path)) => {
            let path = at.field("slugFromCompositeFieldPath").field_path(&path)?;
            Ok(ProjectSlug::FromCompositeFieldPath(path))
        }
        (Some(_), Some(_)) => Err(at.both("slug", "slugFromCompositeFieldPath")),
        (None, None) => Err(at.problem("has no slug; write slug or slugFromCompositeFieldPath")),
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
