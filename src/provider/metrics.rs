//! How many managed resources there are and how they are, as crossplane-runtime counts
//! them: by kind, and by nothing that an author wrote.

use std::fmt;

use kube::runtime::reflector::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};

use crate::{
    api::{
        object::{GROUP, VERSION},
        resource::{ConditionStatus, Managed},
    },
    managed::external::ManagedKind,
};

/// Counts the objects of a kind when it is asked.
pub trait Count: Send + Sync {
    /// Group, version and kind, as Go prints them.
    fn gvk(&self) -> String;
    /// How many there are, are ready and are synced.
    fn count(&self) -> [i64; 3];
}

/// The objects of one kind.
pub struct Objects<K: ManagedKind>(pub Store<Managed<K>>);

impl<K: ManagedKind> Count for Objects<K> {
    fn gvk(&self) -> String {
        format!("{GROUP}/{VERSION}, Kind={}", K::KIND)
    }

    fn count(&self) -> [i64; 3] {
        let mut counts = [0; 3];
        for object in self.0.state() {
            let is = |type_: &str| {
                let conditions = object.status.iter().flat_map(|status| &status.conditions);
                conditions.into_iter().any(|it| it.type_ == type_ && it.status == ConditionStatus::True)
            };
            for (count, holds) in counts.iter_mut().zip([true, is("Ready"), is("Synced")]) {
                *count += i64::from(holds);
            }
        }
        counts
    }
}

/// The gauges of all kinds.
pub struct Gauges(pub Vec<Box<dyn Count>>);

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

/// What is counted: the name, and what it means.
const GAUGES: [(&str, &str); 3] = [
    ("crossplane_managed_resource_exists", "The number of managed resources that exist"),
    ("crossplane_managed_resource_ready", "The number of managed resources in Ready=True state"),
    ("crossplane_managed_resource_synced", "The number of managed resources in Synced=True state"),
];

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts: Vec<_> = self.0.iter().map(|kind| (kind.gvk(), kind.count())).collect();
        for (place, (name, help)) in GAUGES.into_iter().enumerate() {
            let gauge = ConstGauge::new(0_i64);
            let mut family = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            for (gvk, counts) in &counts {
                let labels = [("gvk", gvk.as_str())];
                let count = counts.get(place).copied().unwrap_or_default();
                ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
