//! Reads a request: what is composed under which name, and the fields of the XR.

use super::error::ObserveError;
use crate::{
    contract::{desired::Desired, fieldpath::FieldPath, manifest::Manifest, proto::v1::RunFunctionRequest},
    input::nearest::nearest,
};

/// The text in a field of the XR, `None` where there is none yet. `field` of the
/// input has led there.
pub(super) fn text_of<'a>(
    composite: Manifest<'a>,
    path: &FieldPath,
    field: &str,
) -> Result<Option<&'a str>, ObserveError> {
    match composite.string_at(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(ObserveError::Value { field: field.to_owned(), what: error.to_string() }),
    }
}

pub(super) fn no_value_yet(path: &FieldPath) -> String {
    format!("{path} of the composite resource has no value yet")
}

/// Says which names there are, since a misspelt one is the likeliest reason.
pub(super) fn nobody_composes(request: &RunFunctionRequest, name: &str, field: &str) -> String {
    let mut names: Vec<&str> = request.desired.iter().flat_map(Desired::names).collect();
    names.sort_unstable();
    let meant = nearest(name, names.iter().copied()).map(|name| format!("; did you mean \"{name}\"?"));
    let end = if meant.is_some() { " Those" } else { "; those" };
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "no earlier step of the pipeline composes a resource \"{name}\" ({field}){}{end} that are composed: {there}",
        meant.unwrap_or_default()
    )
}

/// The manifest of an observed composed resource.
pub(super) fn observed<'a>(request: &'a RunFunctionRequest, name: &str) -> Option<Manifest<'a>> {
    let resource = request.observed.as_ref()?.resources.get(name)?;
    resource.resource.as_deref().map(Manifest::new)
}
