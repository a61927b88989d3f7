//! Waiting by this process's own clock, bounded both ways.
//!
//! What is remembered is compared with the time here and nowhere else. A clock can be
//! set: a moment that lies ahead of the present one is no reason to wait, so nothing is
//! ever put off for longer than it was meant to be. Times of other machines' clocks
//! have no place here; what a server says of its own is a [`Life`](crate::model::life::Life).
//!
//! Rule 14 is kept here.

use std::time::Duration;

use daemon::clock::later;
use jiff::Timestamp;

/// Something that is to be done when a while has passed since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    since: Micros,
    at: Micros,
}

/// A moment in microseconds since 1970: half as large as a timestamp, of which there
/// are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(i64);

impl From<Timestamp> for Micros {
    fn from(at: Timestamp) -> Self {
        Self(at.as_microsecond())
    }
}

impl From<Micros> for Timestamp {
    fn from(at: Micros) -> Self {
        Self::from_microsecond(at.0).unwrap_or(Self::MAX)
    }
}

impl Due {
    /// When `pause` has passed since `since`.
    #[must_use]
    pub(crate) fn after(since: Timestamp, pause: Duration) -> Self {
        Self { since: since.into(), at: later(since, pause).into() }
    }

    /// One that is waited for since ever, for tests.
    #[cfg(test)]
    pub(crate) fn test(at: Timestamp) -> Self {
        Self { since: Timestamp::MIN.into(), at: at.into() }
    }

    /// Whether it is time. It is too when the clock was set back behind the moment
    /// since which it is waited for.
    #[must_use]
    pub(crate) fn is_over(self, now: Timestamp) -> bool {
        let now = Micros::from(now);
        now < self.since || self.at <= now
    }

    /// Whether it is later than another moment of the same clock.
    #[must_use]
    pub(crate) fn comes_after(self, other: Timestamp) -> bool {
        Micros::from(other) < self.at
    }

    /// The moment as it looks now: never later than the pause from now.
    #[must_use]
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        if Micros::from(now) < self.since { now } else { self.at.into() }
    }
}

/// Whether a moment is past, and by less than `span`.
#[must_use]
pub(crate) fn is_recent(at: Timestamp, span: Duration, now: Timestamp) -> bool {
    !Due::after(at, span).is_over(now)
}

/// How long it is from one moment to a later one; nothing to an earlier one.
#[must_use]
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn nothing_is_waited_for_longer_than_was_meant_wherever_the_clock_is_set() {
        let due = Due::after(at(0), MINUTE);
        for (now, is_over) in [(-30 * 86_400, true), (-1, true), (0, false), (59, false), (60, true)] {
            assert_eq!(due.is_over(at(now)), is_over, "{now}");
            assert!(due.at(at(now)) <= later(at(now), MINUTE), "{now}");
        }
    }

    #[test]
    fn what_is_ahead_of_the_clock_is_not_recent() {
        for (now, expected) in [(-1, false), (0, true), (59, true), (60, false)] {
            assert_eq!(is_recent(at(0), MINUTE, at(now)), expected, "{now}");
        }
    }

    #[test]
    fn time_ends_where_it_cannot_be_counted() {
        assert_eq!(later(at(0), Duration::MAX), Timestamp::MAX);
        assert_eq!(between(at(60), at(0)), Duration::ZERO);
    }
}
