//! Whether the claim that a legacy XR names is behind it.
//!
//! Whoever may write an XR can name any claim of any namespace in `spec.claimRef`, and
//! any labels. Before Crossplane makes an XR of a claim it writes that XR into the
//! claim's `spec.resourceRef` (v2.3.4, `claim/syncer_ssa.go`), and apart from it only
//! who may write the claim can. So the namespace counts when the claim in it points
//! back: who forges either side reaches no namespace but one that they may write in.
//! The same goes for a Secret of ours there, which has the XR as its controller.

use super::{Waiting, names::OUR_RESOURCES, request::observed};
use crate::{
    contract::{manifest::Manifest, proto::v1::RunFunctionRequest},
    model::xr::{Claim, Xr},
};

/// Whether a Secret that this function composed for the XR is in the claim's namespace,
/// so that the claim need not be looked up.
pub(super) fn has_our_secrets(request: &RunFunctionRequest, claim: &Claim) -> bool {
    let namespaces = OUR_RESOURCES.iter().filter_map(|name| observed(request, name)?.namespace());
    namespaces.into_iter().any(|namespace| namespace == claim.namespace)
}

/// Whether it can be one at all. An XRD has one API group for both kinds; of no other
/// is an object looked up because an XR's author has named it.
pub(super) fn may_be_of(claim: &Claim, xr: &Xr) -> bool {
    group(&claim.api_version) == group(&xr.api_version) && claim.kind != xr.kind && !claim.kind.is_empty()
}

/// Whether the claim that was brought points back.
pub(super) fn is_bound_to(claim: Manifest<'_>, xr: &Xr) -> bool {
    let reference = claim.object("spec").and_then(|spec| spec.object("resourceRef"));
    reference.is_some_and(|reference| {
        reference.string("name") == Some(xr.name.as_str())
            && reference.kind() == Some(xr.kind.as_str())
            && reference.api_version().map(group) == Some(group(&xr.api_version))
    })
}

pub(super) fn group(api_version: &str) -> Option<&str> {
    api_version.split_once('/').map(|(group, _)| group)
}

pub(super) fn is_none(claim: &Claim) -> Waiting {
    let Claim { api_version, kind, .. } = claim;
    Waiting::Claim(format!(
        "spec.claimRef of the composite resource names a {kind} of {api_version}, which is no claim of it; bind it to \
         its claim, or write the namespaces into the input of this step"
    ))
}

/// Says the same whether that claim exists or not, which the XR's author may not be
/// allowed to know.
pub(super) fn is_unbound(claim: &Claim, xr: &Xr) -> Waiting {
    let Claim { kind, namespace, name, .. } = claim;
    Waiting::Claim(format!(
        "{kind} \"{namespace}/{name}\", which spec.claimRef of the composite resource names, has no spec.resourceRef \
         to \"{}\", or is not there; Crossplane writes that when it binds the two. Without a claim, write the namespaces \
         into the input of this step: writeConnectionSecretToRef.namespace, and that of each secretRef",
        xr.name
    ))
}
