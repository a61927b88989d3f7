//! Counts tokens by how they were had, and bootstraps, for Prometheus.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::model::work::How;

type Labels = [(&'static str, &'static str); 1];

/// Tokens by how they were had, and bootstraps.
#[derive(Clone)]
pub(crate) struct Tokens {
    family: Family<Labels, Counter>,
    bootstraps: Counter,
}

impl Default for Tokens {
    fn default() -> Self {
        let family = Family::<Labels, Counter>::default();
        // Every series is there from the start, so that its first increase is seen.
        for how in How::ALL {
            drop(family.get_or_create(&[("how", how.label())]));
        }
        Self { family, bootstraps: Counter::default() }
    }
}

impl Tokens {
    /// Counts what work has come to.
    pub(crate) fn count(&self, how: Option<How>, bootstrapped: bool) {
        if let Some(how) = how {
            self.family.get_or_create(&[("how", how.label())]).inc();
        }
        if bootstrapped {
            self.bootstraps.inc();
        }
    }

    /// Adds them to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "function_infisical_tokens",
            "Tokens that the server accepted, by how they were had",
            self.family.clone(),
        );
        registry.register(
            "function_infisical_bootstraps",
            "Instances that were bootstrapped",
            self.bootstraps.clone(),
        );
    }
}
