//! How long to wait before something is tried again.
//!
//! Pure. Where many XRs would come back at once, the time is spread by a
//! fraction that is a function of the XR, so that the same state gives the same
//! answer.

use std::time::Duration;

use crate::model::{problem::Retry, xr::XrKey};

/// The first pause after a failure that may pass any moment.
const SOON_FIRST: Duration = Duration::from_secs(2);
/// The longest such pause.
const SOON_LONGEST: Duration = Duration::from_mins(1);
/// The first pause after a failure that a human has to mend.
const RARELY_FIRST: Duration = Duration::from_mins(10);
/// The longest such pause.
const RARELY_LONGEST: Duration = Duration::from_hours(1);
/// The longest pause that a server can ask for.
const AFTER_LONGEST: Duration = Duration::from_mins(10);

/// How long to wait after the `attempts`th failure in a row, from 1.
#[must_use]
pub(crate) fn after(retry: Retry, attempts: u32, xr: &XrKey) -> Duration {
    let doubled = |first: Duration, longest: Duration| {
        let pause = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
        pause.min(longest).mul_f64(0.8 + 0.4 * spread(xr))
    };
    match retry {
        Retry::Soon => doubled(SOON_FIRST, SOON_LONGEST),
        Retry::Rarely => doubled(RARELY_FIRST, RARELY_LONGEST),
        // Never earlier than asked.
        Retry::After(after) => after.min(AFTER_LONGEST).max(SOON_FIRST).mul_f64(1.0 + 0.2 * spread(xr)),
    }
}

/// How long to wait after a renewal that failed, at least: a twentieth of what is
/// left of the token's life, so that it is tried some dozens of times before
/// the end, be that in a minute or in a month.
#[must_use]
pub(crate) fn of_renewal(left: Duration, xr: &XrKey) -> Duration {
    (left / 20).min(RARELY_LONGEST).mul_f64(0.8 + 0.4 * spread(xr))
}

/// A number from 0 to 1 that is a function of the XR.
pub(crate) fn spread(xr: &XrKey) -> f64 {
    // FNV-1a: stable across versions and machines, which the standard hash is not.
    let hash = xr
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // Its upper bits hardly differ between keys that end alike (this is the last
    // step of MurmurHash3, which mixes them).
    let hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    f64::from(hash ^ (hash >> 16)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xr() -> XrKey {
        XrKey::test("6d2f6c5e-0000-4000-8000-000000000001")
    }

    #[test]
    fn a_pause_doubles_up_to_its_longest() {
        let table = [
            (Retry::Soon, 1, 2),
            (Retry::Soon, 2, 4),
            (Retry::Soon, 5, 32),
            (Retry::Soon, 6, 60),
            (Retry::Soon, u32::MAX, 60),
            (Retry::Rarely, 1, 600),
            (Retry::Rarely, 2, 1200),
            (Retry::Rarely, 3, 2400),
            (Retry::Rarely, 4, 3600),
            (Retry::Rarely, u32::MAX, 3600),
        ];
        for (retry, attempts, expected) in table {
            let seconds = after(retry, attempts, &xr()).as_secs_f64() / f64::from(expected);
            assert!((0.8..=1.2).contains(&seconds), "{retry:?} {attempts}: {seconds}");
        }
        let after = |seconds| after(Retry::After(Duration::from_secs(seconds)), 1, &xr()).as_secs();
        assert!((30..=36).contains(&after(30)), "never earlier than the server asked");
        assert!((600..=720).contains(&after(u64::MAX)), "and not for ever");
        assert!((2..=3).contains(&after(0)), "nor at once");
    }

    #[test]
    fn a_renewal_that_failed_is_tried_in_proportion_to_what_is_left() {
        for (left, expected) in [(20, 1.0), (600, 30.0), (30 * 86_400, 3600.0), (0, 0.0)] {
            let pause = of_renewal(Duration::from_secs(left), &xr()).as_secs_f64();
            assert!((expected * 0.8..=expected * 1.2).contains(&pause), "{left}: {pause}");
        }
    }

    #[test]
    fn xrs_are_spread_evenly_and_each_stays_where_it_is() {
        let spreads: Vec<f64> =
            (0..1000).map(|number| spread(&XrKey::test(&format!("6d2f6c5e-{number:04}")))).collect();
        for tenth in 0..10 {
            let (from, to) = (f64::from(tenth) / 10.0, f64::from(tenth + 1) / 10.0);
            let there = spreads.iter().filter(|spread| (from..to).contains(*spread)).count();
            assert!((60..=140).contains(&there), "{there} of 1000 are from {from} to {to}");
        }
        assert!((spread(&xr()) - spread(&xr())).abs() < f64::EPSILON);
    }
}
