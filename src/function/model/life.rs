//! How long a token lives, in durations.
//!
//! A token's `iat` and `exp` are times of the server's clock, and the clock here may be
//! another by minutes or hours. The two are never compared. How long a token lives is
//! the difference of the two; how much of that has passed is measured by the clock here
//! from when it was asked for, or from when the server said what its clock shows.
//!
//! Rule 14 is kept here.

use std::time::Duration;

use daemon::clock::later;
use jiff::{SignedDuration, Timestamp};

use crate::model::due::{Due, Micros, between, is_recent};

/// The longest life of a token by default (recorded: 7776000 s).
pub(crate) const DEFAULT_LIFE: Duration = Duration::from_hours(90 * 24);

/// How long a token lives. In whole seconds, as the server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// From its issue to its end.
    whole: u32,
    /// What was left of it.
    left: u32,
    /// When, by the clock here.
    at: Micros,
    /// Whether it is known how much of it had passed then.
    age_is_known: bool,
}

impl Life {
    /// Of a token that was issued upon a request that was sent `at`: all of it is left,
    /// since it cannot have been issued earlier.
    #[must_use]
    pub(crate) fn issued(
        issued_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Option<Self> {
        let (issued_at, end) = span(issued_at, expires_at)?;
        let whole = seconds(between(issued_at, end));
        Some(Self { whole, left: whole, at: at.into(), age_is_known: true })
    }

    /// Of a token that was found, when the server's clock showed `shown` upon a request
    /// that was sent `at`. Where that is not known the two clocks are taken for one, and
    /// its age for unknown. Never more than all of it is left, whatever was shown.
    #[must_use]
    pub(crate) fn found(
        issued_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        shown: Option<Timestamp>,
        at: Timestamp,
    ) -> Option<Self> {
        let age_is_known = issued_at.is_some() && shown.is_some();
        let shown = shown.unwrap_or(at);
        let (issued_at, end) = span(issued_at.or(expires_at.and(Some(shown))), expires_at)?;
        let whole = seconds(between(issued_at, end));
        let left = seconds(between(shown, end)).min(whole);
        Some(Self { whole, left, at: at.into(), age_is_known })
    }

    /// Whether the server has issued it within a while, to whichever process.
    #[must_use]
    pub(crate) fn was_issued_within(&self, span: Duration, now: Timestamp) -> bool {
        let age = Duration::from_secs((self.whole - self.left).into());
        let rest = span.saturating_sub(age);
        self.age_is_known && !rest.is_zero() && is_recent(self.at.into(), rest, now)
    }

    /// How much of it is left now.
    #[must_use]
    pub(crate) fn left(&self, now: Timestamp) -> Duration {
        Duration::from_secs(self.left.into()).saturating_sub(between(self.at.into(), now))
    }

    /// Whether none is, so far as this clock goes.
    #[must_use]
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.left(now).is_zero()
    }

    /// How long it is until its end, or since then. `None` when the clock here was set back
    /// since it was measured.
    #[must_use]
    pub(crate) fn until_end(&self, now: Timestamp) -> Option<SignedDuration> {
        let end = later(self.at.into(), Duration::from_secs(self.left.into()));
        (self.at <= now.into()).then(|| end.duration_since(now))
    }

    /// Whether it can still be relied on: it is not over, and the clock here was not
    /// set back since it was measured.
    #[must_use]
    pub(crate) fn is_known(&self, now: Timestamp) -> bool {
        self.at <= now.into() && !self.is_over(now)
    }

    /// When none of it is left.
    #[must_use]
    pub(crate) fn end(&self) -> Due {
        self.nears_its_end(0.0)
    }

    /// When only `fraction` of it is left.
    #[must_use]
    pub(crate) fn nears_its_end(&self, fraction: f64) -> Due {
        let rest = Duration::from_secs(self.whole.into()).mul_f64(fraction);
        Due::after(self.at.into(), Duration::from_secs(self.left.into()).saturating_sub(rest))
    }

    /// Whether less than a part in `parts` of it is left.
    #[must_use]
    pub(crate) fn has_less_left_than(&self, parts: u32, now: Timestamp) -> bool {
        self.left(now) < Duration::from_secs(self.whole.into()) / parts
    }
}

/// From when to when a token lives by the server's clock. One of which nobody says when
/// it ends is taken to live as long as a server lets any live by default.
fn span(issued_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Option<(Timestamp, Timestamp)> {
    let issued_at = issued_at?;
    Some((issued_at, expires_at.unwrap_or_else(|| later(issued_at, DEFAULT_LIFE))))
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const MINUTE: Duration = Duration::from_mins(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Whatever the clock here shows when the server's shows 0.
    #[test]
    fn a_life_is_the_same_wherever_the_clock_here_is() {
        for here in [-30 * DAY, -3600, 0, 360, 3600, 30 * DAY] {
            let life = Life::issued(Some(at(0)), Some(at(3600)), at(here)).unwrap();
            assert_eq!(life.left(at(here)).as_secs(), 3600, "{here}");
            assert_eq!(life.left(at(here + 600)).as_secs(), 3000, "{here}");
            assert_eq!(life.nears_its_end(0.5).at(at(here)), at(here + 1800), "{here}");
            let found = Life::found(Some(at(-600)), Some(at(3000)), Some(at(0)), at(here)).unwrap();
            assert_eq!(found.left(at(here)).as_secs(), 3000, "{here}");
            assert_eq!(found.nears_its_end(0.5).at(at(here)), at(here + 1200), "{here}");
            assert!(found.is_over(at(here + 3000)) && !found.is_over(at(here + 2999)), "{here}");
        }
    }

    #[test]
    fn never_more_is_left_than_all_of_it_and_never_less_than_nothing() {
        let left = |shown| {
            Life::found(Some(at(0)), Some(at(60)), Some(at(shown)), at(0))
                .map(|life| life.left(at(0)).as_secs())
        };
        assert_eq!([left(-DAY), left(0), left(20), left(DAY)], [Some(60), Some(60), Some(40), Some(0)]);
    }

    #[test]
    fn a_token_is_as_young_to_who_has_found_it_as_to_whom_it_was_issued_to() {
        let (issued, end) = (Some(at(0)), Some(at(3600)));
        for here in [-30 * DAY, -3600, 0, 360, 3600, 30 * DAY] {
            let lives = [
                Life::issued(issued, end, at(here)),
                Life::found(issued, end, Some(at(20)), at(here + 20)),
                Life::found(issued, end, Some(at(50)), at(here + 50)),
            ];
            for (now, expected) in [(50, true), (59, true), (60, false), (3600, false)] {
                let young = lives.map(|life| life.unwrap().was_issued_within(MINUTE, at(here + now)));
                assert_eq!(young, [expected; 3], "{here} {now}");
            }
            let later = Life::found(issued, end, Some(at(60)), at(here)).unwrap();
            assert!(!later.was_issued_within(MINUTE, at(here)), "{here}");
        }
        for (issued, shown) in [(None, Some(at(0))), (Some(at(0)), None)] {
            let unknown = Life::found(issued, end, shown, at(0)).unwrap();
            assert!(!unknown.was_issued_within(MINUTE, at(0)), "its age is not known");
        }
    }

    #[test]
    fn what_is_not_said_is_taken_for_the_default_or_for_nothing() {
        assert_eq!(Life::issued(None, Some(at(60)), at(0)), None);
        assert_eq!(Life::found(None, None, Some(at(0)), at(0)), None);
        let left = |life: Option<Life>| life.map(|life| life.left(at(0)).as_secs());
        assert_eq!(left(Life::issued(Some(at(0)), None, at(0))), Some(90 * 86_400));
        assert_eq!(left(Life::found(None, Some(at(60)), Some(at(0)), at(0))), Some(60));
        assert_eq!(left(Life::issued(Some(at(60)), Some(at(0)), at(0))), Some(0), "it ended before it began");
    }

    #[test]
    fn a_life_is_not_known_any_more_when_the_clock_was_set_back() {
        let life = Life::issued(Some(at(0)), Some(at(60)), at(0)).unwrap();
        assert!(life.is_known(at(59)) && !life.is_known(at(60)) && !life.is_known(at(-1)));
    }
}
