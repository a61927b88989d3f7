//! When something is due: the next look at a token, and the next try after a
//! problem.
//!
//! Pure. Where many XRs would come back at once, the time is spread by a
//! fraction that is a function of the XR, so that the same state gives the same
//! answer.

use std::time::Duration;

use jiff::Timestamp;

use crate::{act::Accepted, due::Due, input::TokenPolicy, observe::XrKey, problem::Retry};

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

/// How soon the server is asked again how long a token lives.
const END_ASKED_AGAIN: Duration = Duration::from_mins(1);

/// When a token that was accepted is verified or renewed next.
#[must_use]
pub fn check_at(accepted: &Accepted, policy: &TokenPolicy, xr: &XrKey, now: Timestamp) -> Timestamp {
    let interval = if accepted.end_is_open { END_ASKED_AGAIN } else { policy.verify_interval };
    let verify = verification(accepted.verified_at, interval.min(policy.verify_interval), xr);
    let renewal = accepted.life.map(|life| life.nears_its_end(policy.renew_at));
    // One that is overdue was tried at the last verification.
    let renewal = renewal.filter(|renewal| renewal.comes_after(accepted.verified_at));
    // At its end the server is asked: it may have been told wrong, and else there is
    // another to be had.
    let end = accepted.life.filter(|_| accepted.expires_at.is_some()).map(|life| life.end());
    let end = end.filter(|end| end.comes_after(accepted.verified_at));
    [renewal, end].into_iter().flatten().fold(verify.at(now), |first, other| first.min(other.at(now)))
}

/// When what was accepted is asked about again: earlier than the interval by up to
/// a tenth, never later.
#[must_use]
pub fn verification(verified_at: Timestamp, interval: Duration, xr: &XrKey) -> Due {
    Due::after(verified_at, interval.mul_f64(1.0 - 0.1 * spread(xr)))
}

/// How long to wait after the `attempts`th failure in a row, from 1.
#[must_use]
pub fn pause(retry: Retry, attempts: u32, xr: &XrKey) -> Duration {
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
pub fn pause_of_renewal(left: Duration, xr: &XrKey) -> Duration {
    (left / 20).min(RARELY_LONGEST).mul_f64(0.8 + 0.4 * spread(xr))
}

/// When to be called again at the latest about a token of which so much is left.
///
/// Crossplane's response cache answers in our place until the `ttl` is over, and
/// what it answers has the whole `ttl` again; to each wait a tenth may be added.
/// After both some of the token's life has to be left.
#[must_use]
pub fn latest_call(left: Duration) -> Duration {
    left.mul_f64(1.0 / 2.3)
}

/// A number from 0 to 1 that is a function of the XR.
fn spread(xr: &XrKey) -> f64 {
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
    use infisical::{endpoint::Origin, secret::AccessToken};

    use super::*;
    use crate::{act::Owner, life::Life};

    const MINUTE: i64 = 60;
    const DAY: i64 = 24 * 60 * 60;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn xr() -> XrKey {
        XrKey::test("6d2f6c5e-0000-4000-8000-000000000001")
    }

    fn mk_accepted(verified: i64, issued: Option<i64>, expires: Option<i64>) -> Accepted {
        let nobody = Owner {
            organization_id: "o".into(),
            organization_slug: "o".into(),
            identity_id: None,
            token_id: None,
        };
        Accepted {
            owner: Box::new(nobody),
            token: AccessToken::new("marker-token").fingerprint(),
            origin: Origin::parse("http://infisical:8080").unwrap(),
            verified_at: at(verified),
            life: Life::found(issued.map(at), expires.map(at), Some(at(verified)), at(verified)),
            expires_at: expires.map(at),
            end_is_open: false,
            is_instance_admin: None,
            connection: None,
            seen_at: None,
            last_seen_at: None,
        }
    }

    #[test]
    fn a_token_is_looked_at_when_the_first_of_verification_and_renewal_is_due() {
        let policy = TokenPolicy::default();
        let table = [
            (
                "a token that lives long is verified",
                mk_accepted(0, Some(0), Some(90 * DAY)),
                9 * MINUTE..=10 * MINUTE,
            ),
            ("one that lives a minute is renewed first", mk_accepted(0, Some(0), Some(60)), 40..=40),
            (
                "a third of its life is left soon",
                mk_accepted(0, Some(-58 * DAY), Some(32 * DAY)),
                9 * MINUTE..=10 * MINUTE,
            ),
            ("and sooner", mk_accepted(0, Some(-60 * DAY + 30), Some(30 * DAY + 30)), 30..=30),
            (
                "an overdue renewal was tried when it was verified",
                mk_accepted(0, Some(-80 * DAY), Some(10 * DAY)),
                9 * MINUTE..=10 * MINUTE,
            ),
            ("nobody says when it ends", mk_accepted(0, Some(0), None), 9 * MINUTE..=10 * MINUTE),
            (
                "who knows when it ends could not be asked",
                Accepted { end_is_open: true, ..mk_accepted(0, Some(0), None) },
                54..=60,
            ),
            ("it says nothing at all", mk_accepted(0, None, None), 9 * MINUTE..=10 * MINUTE),
            ("it ended before it was issued", mk_accepted(0, Some(60), Some(0)), 9 * MINUTE..=10 * MINUTE),
        ];
        for (why, accepted, expected) in table {
            let seconds = check_at(&accepted, &policy, &xr(), at(0)).duration_since(at(0)).as_secs();
            assert!(expected.contains(&seconds), "{why}: {seconds} s");
        }
    }

    #[test]
    fn a_token_is_renewed_when_the_set_fraction_of_its_life_is_left() {
        let table = [
            ("a third", Some(0), Some(90 * DAY), 1.0 / 3.0, Some(60 * DAY)),
            ("half", Some(0), Some(90 * DAY), 0.5, Some(45 * DAY)),
            ("a minute", Some(0), Some(60), 1.0 / 3.0, Some(40)),
            ("the default life where the end is not known", Some(0), None, 1.0 / 3.0, Some(60 * DAY)),
            ("never, where nothing is known", None, None, 1.0 / 3.0, None),
        ];
        for (why, issued, expires, renew_at, expected) in table {
            let life = Life::found(issued.map(at), expires.map(at), Some(at(0)), at(0));
            let found = life.map(|life| life.nears_its_end(renew_at).at(at(0)));
            assert_eq!(found, expected.map(at), "{why}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let policy = TokenPolicy::default();
        for expires in [None, Some(60), Some(90 * DAY)] {
            let accepted = mk_accepted(0, Some(0), expires);
            for now in [-30 * DAY, -1] {
                assert_eq!(check_at(&accepted, &policy, &xr(), at(now)), at(now), "{expires:?} {now}");
            }
        }
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
            let seconds = pause(retry, attempts, &xr()).as_secs_f64() / f64::from(expected);
            assert!((0.8..=1.2).contains(&seconds), "{retry:?} {attempts}: {seconds}");
        }
        let after = |seconds| pause(Retry::After(Duration::from_secs(seconds)), 1, &xr()).as_secs();
        assert!((30..=36).contains(&after(30)), "never earlier than the server asked");
        assert!((600..=720).contains(&after(u64::MAX)), "and not for ever");
        assert!((2..=3).contains(&after(0)), "nor at once");
    }

    #[test]
    fn a_renewal_that_failed_is_tried_in_proportion_to_what_is_left() {
        for (left, expected) in [(20, 1.0), (600, 30.0), (30 * 86_400, 3600.0), (0, 0.0)] {
            let pause = pause_of_renewal(Duration::from_secs(left), &xr()).as_secs_f64();
            assert!((expected * 0.8..=expected * 1.2).contains(&pause), "{left}: {pause}");
        }
    }

    #[test]
    fn a_token_lives_on_when_the_response_was_cached_and_both_waits_were_long() {
        for left in [60, 120, 3600, 90 * 86_400].map(Duration::from_secs) {
            let ttl = latest_call(left).as_secs_f64();
            assert!(ttl * (1.0 + 1.1) < left.as_secs_f64() * 0.95, "{left:?}: {ttl}");
        }
        assert_eq!(latest_call(Duration::ZERO), Duration::ZERO, "one that has ended is looked at at once");
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
