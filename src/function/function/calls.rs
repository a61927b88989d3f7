//! Counts calls by what came of them, for Prometheus. Calls as gRPC sees them are counted in
//! `server`, requests to Infisical by its client.
//!
//! A label is one of a few words of this program: never a name, an address or anything that
//! an author wrote.

use std::{collections::BTreeMap, time::Duration};

use prometheus_client::{
    metrics::{family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::plan::{Action, HandOffAction, Plan};

/// Upper bounds in seconds of a call. A steady one takes tens of microseconds, one
/// that waits for work two seconds.
const CALL_BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.0, 3.0];

type Labels = [(&'static str, &'static str); 1];

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallOutcome {
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
            Action::BackOff(_) => Self::Problem,
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
            HandOffAction::BackOff(_) => Self::Problem,
        }
    }
}

/// Calls by what came of them, and how long they took.
pub(super) struct Calls {
    family: Family<Labels, Histogram>,
    by_outcome: BTreeMap<CallOutcome, Histogram>,
}

impl Default for Calls {
    fn default() -> Self {
        let family =
            Family::<Labels, _>::new_with_constructor((|| Histogram::new(CALL_BUCKETS)) as fn() -> Histogram);
        let of =
            |outcome: CallOutcome| (outcome, family.get_or_create_owned(&[("outcome", outcome.label())]));
        Self { by_outcome: CallOutcome::ALL.map(of).into(), family }
    }
}

impl Calls {
    /// Counts a call that was answered.
    pub(super) fn observe(&self, outcome: CallOutcome, took: Duration) {
        if let Some(histogram) = self.by_outcome.get(&outcome) {
            histogram.observe(took.as_secs_f64());
        }
    }

    /// Adds them to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time until a call was answered, by what came of it";
        registry.register("function_infisical_call_seconds", help, self.family.clone());
    }
}
