//! Simulated time: that of tokio's paused clock, for everybody.

use std::time::Duration;

use daemon::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every run starts, in seconds since 1970.
pub(crate) const START: i64 = 1_795_470_829;

/// Time as tokio has it.
#[derive(Clone, Copy)]
pub(crate) struct SimulatedClock(Instant);

impl SimulatedClock {
    /// The clock of a run that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.passed()).unwrap();
        Timestamp::from_second(START).unwrap().checked_add(passed).unwrap()
    }

    /// How long the run takes already.
    pub(crate) fn passed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}
