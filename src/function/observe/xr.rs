//! Reads the XR's manifest.

use crate::{
    contract::manifest::{Manifest, Value},
    model::{
        condition::{ConditionType, Status},
        reason::Reason,
        xr::{Claim, PreviousCondition, PreviousConditions, Scope, Xr, XrKey},
    },
};

/// Reads the XR's manifest; `None` where it has no name.
pub(super) fn read(manifest: Manifest<'_>) -> Option<Xr> {
    let name = manifest.name().filter(|name| !name.is_empty())?;
    let namespace = manifest.namespace().filter(|namespace| !namespace.is_empty());
    let api_version = manifest.api_version().unwrap_or_default();
    let kind = manifest.kind().unwrap_or_default();
    let spec = manifest.object("spec");
    // As function-patch-and-transform tells the two apart.
    let is_v2 = spec.is_some_and(|spec| spec.object("crossplane").is_some());
    let scope = match namespace {
        // No XRD of v1 makes a namespaced XR.
        Some(namespace) => Scope::Namespaced(namespace.to_owned()),
        None if is_v2 => Scope::Cluster,
        None => Scope::Legacy { claim: spec.and_then(claim) },
    };
    let key = match manifest.uid().filter(|uid| !uid.is_empty()) {
        Some(uid) => XrKey::new(uid),
        None => {
            let key = format!("{api_version}/{kind}/{}/{name}", namespace.unwrap_or_default());
            XrKey::new(&key)
        }
    };
    let previous = conditions(manifest);
    let [api_version, kind, name] = [api_version, kind, name].map(str::to_owned);
    Some(Xr { key, api_version, kind, name, scope, previous })
}

fn claim(spec: Manifest<'_>) -> Option<Claim> {
    let claim = spec.object("claimRef")?;
    let text = |field| claim.string(field).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Claim {
        api_version: text("apiVersion").unwrap_or_default(),
        kind: text("kind").unwrap_or_default(),
        namespace: text("namespace")?,
        name: text("name")?,
    })
}

/// What its conditions say.
fn conditions(manifest: Manifest<'_>) -> PreviousConditions {
    let conditions = manifest.object("status").and_then(|status| status.field("conditions"));
    let Some(Value::List(conditions)) = conditions else { return PreviousConditions::default() };
    let read = conditions.iter().filter_map(|condition| {
        let Value::Object(condition) = condition else { return None };
        let condition_type = ConditionType::parse(condition.string("type")?)?;
        let text = |name| condition.string(name).unwrap_or_default();
        Some(PreviousCondition {
            condition_type,
            status: Status::parse(text("status")),
            reason: Reason::parse(text("reason")),
            message: text("message").to_owned(),
            since: condition.string("lastTransitionTime").and_then(|time| time.parse().ok()),
            is_elsewhere: false,
        })
    });
    PreviousConditions::new(read.collect())
}
