//! The clock of the function's processes, which may differ from everybody else's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use daemon::clock::Clock;
use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::simulated::{START, SimulatedClock};

/// A clock that can be set. All processes have the same.
#[derive(Clone)]
pub(crate) struct SetClock {
    right: SimulatedClock,
    ahead: Arc<AtomicI64>,
}

impl SetClock {
    /// One that is so many seconds ahead.
    pub(crate) fn new(right: SimulatedClock, ahead: i64) -> Self {
        Self { right, ahead: Arc::new(AtomicI64::new(ahead)) }
    }

    /// Sets it by so many seconds.
    pub(crate) fn set(&self, by: i64) {
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.right.now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }
}
