//! The current time, as a value that is passed in.
//!
//! Only [`SystemClock`] reads the machine's clocks; the lint on
//! `jiff::Timestamp::now` keeps it that way, and lets tests move time. What is made of
//! them never goes back: see [`Steady`]. Who waits between two steps waits by the clock
//! as well, so that a test that moves time need not.

use std::{
    pin::Pin,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;

    /// Waits for so long, by tokio's clock.
    fn sleep(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(pause))
    }
}

/// The machine's clock, from the start of the process on as [`Steady`] makes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static STEADY: Steady = Steady::new();
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        STEADY.read(Timestamp::now(), START.elapsed())
    }
}

/// By how much the time of day may run ahead of the monotonic clock before it is
/// believed: by less it is slewed, or was read a moment later.
const AHEAD: Duration = Duration::from_mins(1);

/// Time that passes as the monotonic clock says, and that a time of day which is set
/// back does not turn back. A time of day that is set forward counts: the machine may
/// have been asleep.
#[derive(Debug)]
pub struct Steady(Mutex<Option<Anchor>>);

#[derive(Clone, Copy, Debug)]
struct Anchor {
    shown: Timestamp,
    passed: Duration,
}

impl Default for Steady {
    fn default() -> Self {
        Self::new()
    }
}

impl Steady {
    /// It has shown nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What it shows when the time of day is `day`, and `passed` have passed by the
    /// monotonic clock.
    #[must_use]
    pub fn read(&self, day: Timestamp, passed: Duration) -> Timestamp {
        let mut anchor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let anchor = anchor.get_or_insert(Anchor { shown: day, passed });
        let now = later(anchor.shown, passed.saturating_sub(anchor.passed));
        if day <= later(now, AHEAD) {
            return now;
        }
        *anchor = Anchor { shown: day, passed };
        day
    }
}

/// A moment after another, or the end of time.
#[must_use]
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn time_passes_whatever_is_done_to_the_time_of_day() {
        let steady = Steady::new();
        let read = |day, passed| steady.read(at(day), Duration::from_secs(passed));
        assert_eq!(read(0, 5), at(0));
        assert_eq!(read(10, 15), at(10));
        assert_eq!(read(-30 * 86_400, 25), at(20), "it is set back");
        assert_eq!(read(-30 * 86_400 + 600, 625), at(620));
        assert_eq!(read(700, 635), at(700), "it is set forward again");
        assert_eq!(read(730, 645), at(710), "by a little is not believed");
        assert_eq!(read(9000, 646), at(9000), "the machine was asleep");
        assert_eq!(read(9001, 646), at(9000));
    }
}
