//! What is remembered of XRs, for Prometheus: the reasons of their conditions, and which token
//! ends first.

use std::{fmt, sync::Arc};

use daemon::clock::Clock;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, family::Family, gauge::ConstGauge, gauge::Gauge},
};

use super::memory::Memory;

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
