//! Whatever has the condition `Ready`: an XR, a managed resource, a Release of
//! provider-helm, an Object of provider-kubernetes.

use super::object::{Object, Verdict, not_observed};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    let Some(ready) = object.condition("Ready") else {
        return Err("has no condition \"Ready\" yet".to_owned());
    };
    if !ready.is_true() {
        return Err(format!("is not ready{}", ready.reason_after_space()));
    }
    match ready.observed_generation {
        Some(observed) if observed < object.generation() => Err(not_observed()),
        _ => Ok(()),
    }
}
