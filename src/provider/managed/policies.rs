//! `spec.managementPolicies`: what the provider may do with one managed resource.
//!
//! The sets that are allowed, and what each allows, are those of crossplane-runtime's
//! `pkg/reconciler/managed/policies.go`.

use std::collections::BTreeSet;

use crate::api::resource::ManagementAction::{self, All, Create, Delete, LateInitialize, Observe, Update};

/// The sets of actions that go together. Their order and how often one is written do not
/// matter.
const SUPPORTED: [&[ManagementAction]; 15] = [
    &[All],
    &[Observe, Create, Update, LateInitialize, Delete],
    &[Observe],
    &[],
    &[Observe, Create, Update, Delete],
    &[Observe, Create, Update, LateInitialize],
    &[Observe, Create, Update],
    &[Observe, Create, Delete, LateInitialize],
    &[Observe, Create, LateInitialize],
    &[Observe, Create, Delete],
    &[Observe, Create],
    &[Observe, Delete],
    &[Observe, Update],
    &[Observe, LateInitialize],
    &[Observe, Update, LateInitialize],
];

/// What the provider may do: one of the sets that go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies(BTreeSet<ManagementAction>);

/// Actions that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "spec.managementPolicies is [{}], which do not go together: write [\"*\"] for all, or Observe with what else is allowed",
    names(.0)
)]
pub struct Unsupported(BTreeSet<ManagementAction>);

fn names(actions: &BTreeSet<ManagementAction>) -> String {
    actions.iter().map(|&action| name(action)).collect::<Vec<_>>().join(", ")
}

const fn name(action: ManagementAction) -> &'static str {
    match action {
        Observe => "Observe",
        Create => "Create",
        Update => "Update",
        Delete => "Delete",
        LateInitialize => "LateInitialize",
        All => "\"*\"",
    }
}

impl Policies {
    /// What an author wrote.
    ///
    /// # Errors
    /// When it is no set that goes together.
    pub fn new(written: &[ManagementAction]) -> Result<Self, Unsupported> {
        let set: BTreeSet<_> = written.iter().copied().collect();
        let is_supported =
            |supported: &&[ManagementAction]| supported.iter().copied().collect::<BTreeSet<_>>() == set;
        if SUPPORTED.iter().any(is_supported) { Ok(Self(set)) } else { Err(Unsupported(set)) }
    }

    /// Whether nothing is done at all.
    #[must_use]
    pub fn are_paused(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what is absent is made.
    #[must_use]
    pub fn create(&self) -> bool {
        self.allow(Create)
    }

    /// Whether what differs is changed.
    #[must_use]
    pub fn update(&self) -> bool {
        self.allow(Update)
    }

    /// Whether it is deleted with the object.
    #[must_use]
    pub fn delete(&self) -> bool {
        self.allow(Delete)
    }

    /// Whether parameters that the author left out are filled in.
    #[must_use]
    pub fn late_initialize(&self) -> bool {
        self.allow(LateInitialize)
    }

    /// Whether it is only looked at, so that an absent one is an error.
    #[must_use]
    pub fn only_observe(&self) -> bool {
        self.0.len() == 1 && self.0.contains(&Observe)
    }

    fn allow(&self, action: ManagementAction) -> bool {
        self.0.contains(&action) || self.0.contains(&All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: [ManagementAction; 6] = [Observe, Create, Update, Delete, LateInitialize, All];

    #[test]
    fn fifteen_of_the_sixty_four_sets_go_together() {
        let sets = (0_u32..64).map(|bits| {
            let chosen = ACTIONS.iter().enumerate().filter(move |(place, _)| bits & (1 << place) != 0);
            chosen.map(|(_, &action)| action).collect::<Vec<_>>()
        });
        let legal: Vec<_> = sets.filter(|set| Policies::new(set).is_ok()).collect();
        assert_eq!(legal.len(), 15, "{legal:?}");
        for set in legal {
            assert!(set.is_empty() || set == [All] || set.contains(&Observe), "{set:?}");
        }
    }

    #[test]
    fn each_set_allows_what_it_says() {
        // What is written, and whether it pauses, creates, updates, deletes, late
        // initializes and only observes.
        let table: &[(&[ManagementAction], [bool; 6])] = &[
            (&[All], [false, true, true, true, true, false]),
            (&[Observe, Create, Update, LateInitialize, Delete], [false, true, true, true, true, false]),
            (&[Observe], [false, false, false, false, false, true]),
            (&[], [true, false, false, false, false, false]),
            (&[Observe, Create, Update, Delete], [false, true, true, true, false, false]),
            (&[Observe, Create, Update, LateInitialize], [false, true, true, false, true, false]),
            (&[Observe, Create, Update], [false, true, true, false, false, false]),
            (&[Observe, Create, Delete, LateInitialize], [false, true, false, true, true, false]),
            (&[Observe, Create, LateInitialize], [false, true, false, false, true, false]),
            (&[Observe, Create, Delete], [false, true, false, true, false, false]),
            (&[Observe, Create], [false, true, false, false, false, false]),
            (&[Observe, Delete], [false, false, false, true, false, false]),
            (&[Observe, Update], [false, false, true, false, false, false]),
            (&[Observe, LateInitialize], [false, false, false, false, true, false]),
            (&[Observe, Update, LateInitialize], [false, false, true, false, true, false]),
        ];
        assert_eq!(table.len(), SUPPORTED.len());
        for &(written, expected) in table {
            let policies = Policies::new(written).unwrap();
            let allowed = [
                policies.are_paused(),
                policies.create(),
                policies.update(),
                policies.delete(),
                policies.late_initialize(),
                policies.only_observe(),
            ];
            assert_eq!(allowed, expected, "{written:?}");
        }
    }

    #[test]
    fn neither_order_nor_repetition_matters() {
        let one = Policies::new(&[Observe, Create, Delete]).unwrap();
        assert_eq!(Policies::new(&[Delete, Observe, Create, Observe]).unwrap(), one);
    }

    #[test]
    fn a_set_that_does_not_go_together_is_named() {
        let refused = Policies::new(&[Update, Create]).unwrap_err();
        assert!(
            refused.to_string().starts_with("spec.managementPolicies is [Create, Update], which"),
            "{refused}"
        );
        assert!(Policies::new(&[All, Observe]).is_err());
        assert!(Policies::new(&[Delete]).is_err());
    }
}
