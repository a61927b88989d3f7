//! Which of several objects has an external resource: the others touch nothing.

use jiff::Timestamp;

use super::{
    annotations::{Annotations, CREATE_SUCCEEDED},
    external::ManagedKind,
    policies::Policies,
};
use crate::api::resource::Managed;

/// That an object claims an external resource. The order is that of who has it: whoever
/// has observed it as its own before, who has its name before who is about to write it
/// down, who made it before who imported it, the older before the younger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    is_new: bool,
    is_unnamed: bool,
    is_import: bool,
    created: Option<Timestamp>,
    uid: String,
    name: String,
}

impl Claim {
    /// What an object claims of the resource of an id; `None` where that is nothing, as of
    /// one that only observes.
    #[must_use]
    pub fn of<K: ManagedKind>(object: &Managed<K>, id: &str) -> Option<Self> {
        let claim = Self::to_be(object, id);
        let policies = Policies::new(&object.spec.management_policies);
        let only_observes = policies.is_ok_and(|policies| policies.only_observe());
        let is_none = only_observes || (claim.is_new && claim.is_unnamed);
        (!is_none).then_some(claim)
    }

    /// The same of the object that is about to claim it, if it did not do so already.
    #[must_use]
    pub fn to_be<K: ManagedKind>(object: &Managed<K>, id: &str) -> Self {
        let metadata = &object.metadata;
        let annotations = Annotations::of(metadata);
        let observed = object.status.as_ref().and_then(|status| status.at_provider.as_ref());
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let created = metadata.creation_timestamp.as_ref();
        Self {
            is_new: observed.and_then(K::observed_id) != Some(id),
            is_unnamed: annotations.external_name() != Some(id),
            is_import: !annotations.0.contains_key(CREATE_SUCCEEDED),
            created: created.and_then(|time| Timestamp::from_second(time.0.as_second()).ok()),
            uid: text(&metadata.uid),
            name: format!("{}/{}", text(&metadata.namespace), text(&metadata.name)),
        }
    }

    /// Who has the resource, where that is another than `mine`: `namespace/name`.
    #[must_use]
    pub fn owner<'a>(mine: &Self, all: &'a [Self]) -> Option<&'a str> {
        let first = all.iter().filter(|claim| claim.uid != mine.uid).min()?;
        (first < mine).then_some(&*first.name)
    }

    /// Who has the resource, of all that claim it: `namespace/name`.
    #[must_use]
    pub fn first(all: &[Self]) -> Option<&str> {
        all.iter().min().map(|claim| &*claim.name)
    }
}
