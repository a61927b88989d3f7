//! Whether the composed instance is ready.

use super::observed;
use crate::{
    desired::Desired,
    input::Instance,
    proto::v1::{Ready, RunFunctionRequest},
    readiness::{Readiness, instance_readiness},
};

/// The readiness of `instance.resource`. An instance that this XR does not
/// compose is ready when its endpoint answers, which is not found out here.
pub(super) fn observe(request: &RunFunctionRequest, instance: &Instance) -> Readiness {
    let Some(resource) = &instance.resource else { return Readiness::Ready };
    let name = resource.as_str();
    let desired = request.desired.as_ref().and_then(|desired| desired.resource(name));
    let manifest = observed(request, name);
    if desired.is_none() && manifest.is_none() {
        return Readiness::NotReady(nobody_composes(request, name));
    }
    let said = desired.map_or(Ready::Unspecified, |desired| desired.ready());
    match instance_readiness(&instance.readiness_checks, said, manifest) {
        Readiness::Ready => Readiness::Ready,
        Readiness::NotReady(why) => Readiness::NotReady(format!("Composed resource \"{name}\": {why}")),
    }
}

/// Says which names there are, since a misspelt one is the likeliest reason.
fn nobody_composes(request: &RunFunctionRequest, name: &str) -> String {
    let mut names: Vec<&str> = request.desired.iter().flat_map(Desired::names).collect();
    names.sort_unstable();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "No earlier step of the pipeline composes a resource \"{name}\" (input.instance.resource); those that are \
         composed: {there}"
    )
}
