//! Whether the composed instance is ready.

use super::request::{nobody_composes, observed};
use crate::{
    contract::proto::v1::{Ready, RunFunctionRequest},
    input::Instance,
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
        return Readiness::NotReady(capitalized(nobody_composes(request, name, "input.instance.resource")));
    }
    let said = desired.map_or(Ready::Unspecified, |desired| desired.ready());
    match instance_readiness(&instance.readiness_checks, said, manifest) {
        Readiness::Ready => Readiness::Ready,
        Readiness::NotReady(why) => Readiness::NotReady(format!("Composed resource \"{name}\": {why}")),
    }
}

/// A message of its own.
fn capitalized(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
