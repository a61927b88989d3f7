//! What the organization that bootstrap makes is called.

use super::{
    ObserveError, Waiting,
    request::{no_value_yet, text_of},
};
use crate::{contract::manifest::Manifest, input::NameSource, model::xr::Xr};

/// The name that the input gives, or the one that the XR's field has, or the
/// name of the claim or XR.
pub(super) fn observe(
    xr: &Xr,
    composite: Manifest<'_>,
    organization: Option<&NameSource>,
) -> Result<Result<String, Waiting>, ObserveError> {
    Ok(Ok(match organization {
        None => xr.claim().map_or(&xr.name, |claim| &claim.name).clone(),
        Some(NameSource::Literal(name)) => name.clone(),
        Some(NameSource::FromCompositeFieldPath(path)) => {
            let field = "input.organizationFromCompositeFieldPath";
            match text_of(composite, path, field)?.map(str::trim).filter(|name| !name.is_empty()) {
                Some(name) => name.to_owned(),
                None => return Ok(Err(Waiting::Organization(no_value_yet(path)))),
            }
        }
    }))
}
