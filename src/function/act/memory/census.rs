//! What is remembered of XRs, for Prometheus: the reasons of their conditions, and which token
//! ends first.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use daemon::clock::Clock;
use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, family::Family, gauge::ConstGauge, gauge::Gauge},
};

use super::{CALL_IS_LATE_AFTER, CALLED_WITHIN, Memory, entry::Entry};
use crate::model::{condition::ConditionType, due::Due, reason::Reason, xr::XrKey};

type Labels = [(&'static str, &'static str); 2];

/// What is remembered of XRs, read when it is asked for.
pub(crate) struct Xrs {
    pub memory: Arc<Memory>,
    /// Tells which XRs are still called.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Xrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xrs(_)")
    }
}

/// What a scrape says of XRs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// How many XRs say each reason of each condition.
    pub reasons: BTreeMap<(ConditionType, Reason), i64>,
    /// When the first of their tokens ends, in seconds since 1970.
    pub first_token_ends: Option<i64>,
}

impl Collector for Xrs {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let census = self.memory.census(self.clock.now());
        let reasons = Family::<Labels, Gauge>::default();
        for ((condition, reason), xrs) in census.reasons {
            reasons
                .get_or_create_owned(&[("condition", condition.as_str()), ("reason", reason.as_str())])
                .set(xrs);
        }
        reasons.encode(encoder.encode_descriptor(
            "function_infisical_xrs",
            "Composite resources, by the reason of each condition of this function",
            None,
            MetricType::Gauge,
        )?)?;
        if let Some(seconds) = census.first_token_ends {
            ConstGauge::new(seconds).encode(encoder.encode_descriptor(
                "function_infisical_first_token_expiry_timestamp_seconds",
                "When the first token of a composite resource ends, in seconds since 1970",
                None,
                MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

impl Memory {
    /// Notes what was answered: the reason of each condition, by its type, and when Crossplane
    /// calls again.
    pub(crate) fn note(
        &self,
        key: &XrKey,
        said: impl Iterator<Item = (ConditionType, Reason)> + Clone,
        ttl: Duration,
        now: Timestamp,
    ) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(key) else { return };
        entry.called_by = Some(Due::after(now, ttl * CALLED_WITHIN + CALL_IS_LATE_AFTER));
        if !said.clone().eq(entry.said.iter().copied()) {
            entry.said = said.collect();
        }
    }

    /// What the XRs say that are still called.
    #[must_use]
    pub(crate) fn census(&self, now: Timestamp) -> Census {
        let entries = self.lock();
        let is_called = |entry: &&Entry| entry.is_called(now);
        let mut census = Census::default();
        for entry in entries.values().map(AsRef::as_ref).filter(is_called) {
            for said in &*entry.said {
                *census.reasons.entry(*said).or_default() += 1;
            }
            let ends = entry.present.remembered.accepted.as_ref().and_then(|accepted| accepted.expires_at);
            let first = census.first_token_ends.into_iter().chain(ends.map(Timestamp::as_second)).min();
            census.first_token_ends = first;
        }
        census
    }
}
