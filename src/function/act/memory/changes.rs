//! When the conditions of an XR changed, by the clock here.
//!
//! A `lastTransitionTime` is a time of Crossplane's clock, which may be another by minutes
//! or by days, and anybody may have made it up who may write the XR's status. A change that
//! this process did not see at its last call has come since. Where the time lies in between
//! it is taken as it is, else the nearest that does. It is judged once and then stays, or
//! what is said of it would differ from call to call. One that was seen before the known
//! one is that of a stale read, and lies as far before it as Crossplane's clock says.

use jiff::Timestamp;

use crate::model::{condition::ConditionType, xr::PreviousConditions};

/// The last change of each condition.
#[derive(Default)]
pub(super) struct Changes([Option<Change>; ConditionType::ALL.len()]);

/// In seconds since 1970.
#[derive(Clone, Copy)]
struct Change {
    /// The time that the XR has.
    said: i32,
    /// The same by the clock here.
    here: i32,
    /// What it had before.
    earlier: [i32; 3],
}

impl Changes {
    /// Replaces the times that the XR has by those of the clock here.
    pub(super) fn date(
        &mut self,
        previous: &mut PreviousConditions,
        last_called: Option<Timestamp>,
        now: Timestamp,
    ) {
        previous.date(|name, since| {
            let mut by_type = ConditionType::ALL.into_iter().zip(&mut self.0);
            let Some((_, known)) = by_type.find(|(known, _)| *known == name) else {
                return since.min(now);
            };
            let said = seconds(since);
            let here = match known {
                Some(known) if known.is_before(said) => known.before(said),
                _ => {
                    let first = last_called.unwrap_or(Timestamp::MIN).min(now);
                    let new = || Change::new(*known, said, seconds(since.max(first)));
                    let change = known.filter(|known| known.said == said).unwrap_or_else(new);
                    // Also where the clock here was set back since.
                    known.insert(change.not_after(seconds(now))).here
                }
            };
            Timestamp::from_second(here.into()).unwrap_or(now)
        });
    }
}

impl Change {
    fn new(before: Option<Self>, said: i32, here: i32) -> Self {
        let earlier =
            before.map_or([i32::MAX; 3], |Self { said, earlier: [last, next, _], .. }| [said, last, next]);
        Self { said, here, earlier }
    }

    fn not_after(self, now: i32) -> Self {
        Self { here: self.here.min(now), ..self }
    }

    /// Whether a time is that of a read that is stale: it was seen before this change.
    fn is_before(&self, said: i32) -> bool {
        said < self.said && self.earlier.contains(&said)
    }

    /// When that was by the clock here.
    fn before(&self, said: i32) -> i32 {
        self.here.saturating_sub(self.said.saturating_sub(said))
    }
}

fn seconds(at: Timestamp) -> i32 {
    let seconds = at.as_second();
    i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn dated(changes: &mut Changes, since: i64, last_called: Option<i64>, now: i64) -> i64 {
        let mut previous =
            PreviousConditions::test(ConditionType::TokenValid, "True", "Accepted").since(at(since));
        changes.date(&mut previous, last_called.map(at), at(now));
        previous.of_type(ConditionType::TokenValid).unwrap().since.unwrap().duration_since(at(0)).as_secs()
    }

    #[test]
    fn a_change_has_come_since_the_last_call_whatever_crossplanes_clock_shows() {
        let table = [
            ("in between", 50, Some(40), 60, 50),
            ("of a clock that is behind", -3600, Some(40), 60, 40),
            ("of a clock that is ahead", 3600, Some(40), 60, 60),
            ("seen first", 50, None, 60, 50),
            ("seen first, of a clock that is ahead", 3600, None, 60, 60),
            ("the clock here was set back", 50, Some(40), 30, 30),
        ];
        for (what, since, last_called, now, expected) in table {
            assert_eq!(dated(&mut Changes::default(), since, last_called, now), expected, "{what}");
        }
    }

    #[test]
    fn a_change_stays_where_it_was_dated() {
        let mut changes = Changes::default();
        assert_eq!(dated(&mut changes, 3600, Some(40), 60), 60);
        assert_eq!(dated(&mut changes, 3600, Some(60), 90), 60);
        assert_eq!(dated(&mut changes, 3600, Some(90), -9), -9, "the clock here was set back");
        assert_eq!(dated(&mut changes, 3600, Some(-9), 90), -9);
        assert_eq!(dated(&mut changes, 3601, Some(90), 95), 95, "another change");
        assert_eq!(dated(&mut changes, 3600, Some(95), 99), 94, "a stale read");
        assert_eq!(dated(&mut changes, 3601, Some(99), 110), 95);
        assert_eq!(dated(&mut changes, 115, Some(110), 120), 115, "another change, of a clock that is right");
    }

    #[test]
    fn a_time_that_somebody_made_up_is_bounded() {
        let mut previous =
            PreviousConditions::test(ConditionType::TokenValid, "True", "x").since(Timestamp::MAX);
        Changes::default().date(&mut previous, None, at(0));
        assert_eq!(previous.of_type(ConditionType::TokenValid).unwrap().since, Some(at(0)));
        let mut previous =
            PreviousConditions::test(ConditionType::TokenValid, "True", "x").since(Timestamp::MIN);
        Changes::default().date(&mut previous, Some(at(-9)), at(0));
        assert_eq!(previous.of_type(ConditionType::TokenValid).unwrap().since, Some(at(-9)));
    }
}
