//! The author's own checks, which mean what they mean in
//! function-patch-and-transform: a field that is missing does not pass, and a
//! condition that is missing is Unknown. A field of another kind, an error there,
//! does not pass here.

use super::object::{Object, Verdict};
use crate::{
    contract::{
        fieldpath::{FieldPath, Segment},
        manifest::{PathError, Value},
    },
    input::{ConditionStatus, ReadinessCheck, nearest::nearest},
};

pub(super) fn all_pass(object: Object<'_>, checks: &[ReadinessCheck]) -> Verdict {
    checks.iter().enumerate().try_for_each(|(index, check)| {
        let of_input = format!("input.instance.readinessChecks[{index}]");
        passes(object, check).map_err(|failure| {
            let reason = match failure {
                Failure::Value(reason) => reason,
                Failure::Field(error) => reason(object, &of_input, &error),
            };
            format!("does not pass {of_input}: {reason}")
        })
    })
}

/// Why a check does not pass.
enum Failure {
    /// What it looks at is not what it should be.
    Value(String),
    /// It cannot look at its field.
    Field(PathError),
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        Self::Field(error)
    }
}

fn passes(object: Object<'_>, check: &ReadinessCheck) -> Result<(), Failure> {
    let manifest = object.manifest;
    match check {
        ReadinessCheck::None => Ok(()),
        ReadinessCheck::NonEmpty(path) => {
            manifest.at(path)?;
            Ok(())
        }
        ReadinessCheck::MatchTrue(path) => is(manifest.bool_at(path)?, || format!("{path} is false")),
        ReadinessCheck::MatchFalse(path) => is(!manifest.bool_at(path)?, || format!("{path} is true")),
        ReadinessCheck::MatchString { path, value } => {
            // Neither value is repeated: the field may hold a secret.
            is(manifest.string_at(path)? == value, || format!("{path} is not what matchString says"))
        }
        ReadinessCheck::MatchInteger { path, value } => {
            is(manifest.integer_at(path)? == *value, || format!("{path} is not what matchInteger says"))
        }
        ReadinessCheck::MatchCondition { condition, status } => {
            let found = object.condition(condition);
            let found = found.map_or(ConditionStatus::Unknown.as_str(), |condition| condition.status);
            is(found == status.as_str(), || match meant(object, condition) {
                Some(meant) => format!("it has no condition {condition:?}; did you mean {meant:?}?"),
                None => format!("the condition {condition:?} is not {:?}", status.as_str()),
            })
        }
    }
}

/// A field that is missing may be misspelt, or come later, or never.
fn reason(object: Object<'_>, of_input: &str, error: &PathError) -> String {
    let PathError::NotFound { path, at } = error else { return error.to_string() };
    let missing = if at == path { path.to_string() } else { format!("{at}, so no {path}") };
    match neighbour(object, at) {
        Some(meant) => {
            format!("it has no field {missing}; did you mean {meant}? Correct {of_input}.fieldPath")
        }
        None => format!(
            "it has no field {missing}; it is waited for, and if none of its kind ever has it, correct \
             {of_input}.fieldPath"
        ),
    }
}

/// The field beside one that is missing which was probably meant.
fn neighbour(object: Object<'_>, at: &FieldPath) -> Option<FieldPath> {
    let [before @ .., Segment::Field(missing)] = at.segments() else { return None };
    let parent = match before.len().checked_sub(1) {
        Some(last) => object.manifest.at(&at.up_to(last)).ok()?.as_object()?,
        None => object.manifest,
    };
    let names: Vec<&str> = parent.fields().map(|(name, _)| name).collect();
    // A field that is there and null is missing as well, and spelt right.
    nearest(missing, names.iter().copied().filter(|name| name != missing)).map(|name| at.beside(name))
}

/// The condition of the object which was probably meant by one that it has not.
fn meant<'a>(object: Object<'a>, condition: &str) -> Option<&'a str> {
    if object.condition(condition).is_some() {
        return None;
    }
    let conditions = object.status.list("conditions")?;
    let types = conditions.iter().filter_map(Value::as_object).filter_map(|it| it.string("type"));
    nearest(condition, types)
}

fn is(passes: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if passes { Ok(()) } else { Err(Failure::Value(otherwise())) }
}
