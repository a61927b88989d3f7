//! What the organization that bootstrap makes is called.

use super::{ObserveError, Waiting, Xr};
use crate::{
    input::Organization,
    manifest::{Manifest, PathError},
};

/// The name that the input gives, or the one that the XR's field has, or the
/// name of the claim or XR.
pub(super) fn observe(
    xr: &Xr,
    composite: Manifest<'_>,
    organization: &Organization,
) -> Result<Result<String, Waiting>, ObserveError> {
    let field = "input.organizationFromCompositeFieldPath";
    Ok(Ok(match organization {
        Organization::Default => xr.claim().map_or(&xr.name, |claim| &claim.name).clone(),
        Organization::Name(name) => name.clone(),
        Organization::FromCompositeFieldPath(path) => match composite.string_at(path) {
            Ok(name) if !name.trim().is_empty() => name.trim().to_owned(),
            Ok(_) | Err(PathError::NotFound { .. }) => {
                let what = format!("{path} of the composite resource has no value yet");
                return Ok(Err(Waiting::Organization(what)));
            }
            Err(error) => {
                return Err(ObserveError::Value { field: field.to_owned(), what: error.to_string() });
            }
        },
    }))
}
