//! What the function counts of its own work, for Prometheus.
//!
//! Calls by what came of them, tokens by how they were had, and what is remembered of
//! XRs: the reasons of their conditions, and which token ends first. Calls as gRPC
//! sees them are counted in `server`, requests to Infisical by its client. A label is one of a few words of this program or an HTTP status: never
//! a name, an address or anything that a server or an author wrote.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use daemon::clock::Clock;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{
        MetricType, counter::Counter, family::Family, gauge::ConstGauge, gauge::Gauge, histogram::Histogram,
    },
    registry::Registry,
};

use crate::{
    act::{How, Memory},
    plan::{Action, Plan, hand_off::HandOffAction},
};

/// What the names begin with of all that this program counts, but for gRPC's.
pub const PREFIX: &str = "function_infisical";

/// Upper bounds in seconds of a call. A steady one takes tens of microseconds, one
/// that waits for work two seconds.
const CALL_BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.0, 3.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallOutcome {
    /// All is well and nothing was to do.
    Steady,
    /// A connection was handed out and is not seen in the cluster yet.
    HandedOut,
    /// Something in the cluster is awaited.
    Waiting,
    /// Work at the server is under way.
    Working,
    /// A problem stands that the conditions name.
    Problem,
    /// The input or the XR is wrong: a fatal result.
    InvalidInput,
}

impl CallOutcome {
    const ALL: [Self; 6] =
        [Self::Steady, Self::HandedOut, Self::Waiting, Self::Working, Self::Problem, Self::InvalidInput];

    fn label(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::HandedOut => "handed_out",
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Problem => "problem",
            Self::InvalidInput => "invalid_input",
        }
    }
}

impl From<&Plan> for CallOutcome {
    fn from(plan: &Plan) -> Self {
        match &plan.action {
            Action::Keep { .. } => plan.hand_off.as_ref().map_or(Self::Steady, |plan| (&plan.action).into()),
            Action::HandOut => Self::HandedOut,
            Action::Wait(_) => Self::Waiting,
            Action::Start(_) | Action::Await => Self::Working,
            Action::Hold { .. } => Self::Problem,
        }
    }
}

impl From<&HandOffAction> for CallOutcome {
    fn from(action: &HandOffAction) -> Self {
        match action {
            HandOffAction::Keep { .. } => Self::Steady,
            HandOffAction::HandOut => Self::HandedOut,
            HandOffAction::Wait | HandOffAction::MakeRoom(_) => Self::Waiting,
            HandOffAction::Start(_) | HandOffAction::Await => Self::Working,
            HandOffAction::Hold { .. } => Self::Problem,
        }
    }
}

/// Calls by what came of them, and how long they took.
pub struct Calls {
    family: Family<Labels<1>, Histogram>,
    by_outcome: BTreeMap<CallOutcome, Histogram>,
}

impl Default for Calls {
    fn default() -> Self {
        let family = Family::<Labels<1>, _>::new_with_constructor(
            (|| Histogram::new(CALL_BUCKETS)) as fn() -> Histogram,
        );
        let of =
            |outcome: CallOutcome| (outcome, family.get_or_create_owned(&[("outcome", outcome.label())]));
        Self { by_outcome: CallOutcome::ALL.map(of).into(), family }
    }
}

impl Calls {
    /// Counts a call that was answered.
    pub fn observe(&self, outcome: CallOutcome, took: Duration) {
        if let Some(histogram) = self.by_outcome.get(&outcome) {
            histogram.observe(took.as_secs_f64());
        }
    }

    fn register(&self, registry: &mut Registry) {
        let help = "Time until a call was answered, by what came of it";
        registry.register("function_infisical_call_seconds", help, self.family.clone());
    }
}

/// Tokens by how they were had, and bootstraps.
#[derive(Clone)]
pub struct Tokens {
    family: Family<Labels<1>, Counter>,
    bootstraps: Counter,
}

impl Default for Tokens {
    fn default() -> Self {
        let family = Family::<Labels<1>, Counter>::default();
        // Every series is there from the start, so that its first increase is seen.
        for how in How::ALL {
            drop(family.get_or_create(&[("how", how.label())]));
        }
        Self { family, bootstraps: Counter::default() }
    }
}

impl Tokens {
    /// Counts what work has come to.
    pub fn count(&self, how: Option<How>, bootstrapped: bool) {
        if let Some(how) = how {
            self.family.get_or_create(&[("how", how.label())]).inc();
        }
        if bootstrapped {
            self.bootstraps.inc();
        }
    }

    fn register(&self, registry: &mut Registry) {
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

/// What is remembered of XRs, read when it is asked for.
struct Xrs {
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Xrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xrs(_)")
    }
}

/// What a scrape says of XRs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many XRs say each reason of each condition.
    pub reasons: BTreeMap<(&'static str, &'static str), i64>,
    /// When the first of their tokens ends, in seconds since 1970.
    pub first_token_ends: Option<i64>,
}

impl Collector for Xrs {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let census = self.memory.census(self.clock.now());
        let reasons = Family::<Labels<2>, Gauge>::default();
        for ((condition, reason), xrs) in census.reasons {
            reasons.get_or_create_owned(&[("condition", condition), ("reason", reason)]).set(xrs);
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

/// What one function counts.
#[derive(Default)]
pub struct Metrics {
    /// Its calls.
    pub calls: Calls,
    /// Its tokens.
    pub tokens: Tokens,
}

impl Metrics {
    /// Adds them to a registry, with what is remembered of XRs.
    pub fn register(&self, registry: &mut Registry, memory: Arc<Memory>, clock: Arc<dyn Clock>) {
        self.calls.register(registry);
        self.tokens.register(registry);
        registry.register_collector(Box::new(Xrs { memory, clock }));
    }
}
