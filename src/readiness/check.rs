//! The author's own checks, which mean what they mean in
//! function-patch-and-transform: a field that is missing does not pass, and a
//! condition that is missing is Unknown. A field of another kind, an error there,
//! does not pass here.

use super::object::{Object, Verdict};
use crate::{
    input::{ConditionStatus, ReadinessCheck},
    manifest::PathError,
};

pub(super) fn all_pass(object: Object<'_>, checks: &[ReadinessCheck]) -> Verdict {
    checks.iter().enumerate().try_for_each(|(index, check)| {
        passes(object, check).map_err(|reason| format!("does not pass readinessChecks[{index}]: {reason}"))
    })
}

fn passes(object: Object<'_>, check: &ReadinessCheck) -> Verdict {
    let manifest = object.manifest;
    match check {
        ReadinessCheck::None => Ok(()),
        ReadinessCheck::NonEmpty(path) => manifest.at(path).map(|_| ()).map_err(text),
        ReadinessCheck::MatchTrue(path) => {
            is(manifest.bool_at(path).map_err(text)?, || format!("{path} is false"))
        }
        ReadinessCheck::MatchFalse(path) => {
            is(!manifest.bool_at(path).map_err(text)?, || format!("{path} is true"))
        }
        ReadinessCheck::MatchString { path, value } => {
            // Neither value is repeated: the field may hold a secret.
            is(manifest.string_at(path).map_err(text)? == value, || {
                format!("{path} is not what matchString says")
            })
        }
        ReadinessCheck::MatchInteger { path, value } => {
            is(manifest.integer_at(path).map_err(text)? == *value, || {
                format!("{path} is not what matchInteger says")
            })
        }
        ReadinessCheck::MatchCondition { condition, status } => {
            let found = object.condition(condition);
            let found = found.map_or(ConditionStatus::Unknown.as_str(), |condition| condition.status);
            is(found == status.as_str(), || {
                format!("the condition {condition:?} is not {:?}", status.as_str())
            })
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn text(error: PathError) -> String {
    error.to_string()
}

fn is(passes: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if passes { Ok(()) } else { Err(otherwise()) }
}
