//! When the next look at a token is due.
//!
//! Pure. What is done again after a failure is in `pause`.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    input::TokenPolicy,
    model::{due::Due, pause::spread, remembered::Accepted, xr::XrKey},
};

/// How soon the server is asked again how long a token lives.
const END_ASKED_AGAIN: Duration = Duration::from_mins(1);

/// When a token that was accepted is verified or renewed next.
#[must_use]
pub(crate) fn check_at(accepted: &Accepted, policy: &TokenPolicy, xr: &XrKey, now: Timestamp) -> Timestamp {
    let interval = if accepted.end_is_open { END_ASKED_AGAIN } else { policy.verify_interval };
    let verify = verification(accepted.verified_at, interval.min(policy.verify_interval), xr);
    let renewal = accepted.life.map(|life| life.nears_its_end(policy.renew_at));
    // One that is overdue was tried at the last verification.
    let renewal = renewal.filter(|renewal| renewal.comes_after(accepted.verified_at));
    // At its end the server is asked: it may have been told wrong, and else there is
    // another to be had.
    let end = accepted.life.filter(|_| accepted.expires_at.is_some()).map(|life| life.end());
    let end = end.filter(|end| end.comes_after(accepted.verified_at));
    first_of(verify.at(now), [renewal, end], now)
}

/// The first of a moment and of what falls due.
pub(super) fn first_of<const N: usize>(at: Timestamp, others: [Option<Due>; N], now: Timestamp) -> Timestamp {
    others.into_iter().flatten().fold(at, |first, other| first.min(other.at(now)))
}

/// When what was accepted is asked about again: earlier than the interval by up to
/// a tenth, never later.
#[must_use]
pub(crate) fn verification(verified_at: Timestamp, interval: Duration, xr: &XrKey) -> Due {
    Due::after(verified_at, interval.mul_f64(1.0 - 0.1 * spread(xr)))
}

/// When to be called again at the latest about a token of which so much is left.
///
/// Crossplane's response cache answers in our place until the `ttl` is over, and
/// what it answers has the whole `ttl` again; to each wait a tenth may be added.
/// After both some of the token's life has to be left.
#[must_use]
pub(crate) fn latest_call(left: Duration) -> Duration {
    left.mul_f64(1.0 / 2.3)
}

#[cfg(test)]
mod tests {
    use infisical::{endpoint::Origin, secret::AccessToken};

    use super::*;
    use crate::model::{life::Life, remembered::Owner};

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
    fn a_token_lives_on_when_the_response_was_cached_and_both_waits_were_long() {
        for left in [60, 120, 3600, 90 * 86_400].map(Duration::from_secs) {
            let ttl = latest_call(left).as_secs_f64();
            assert!(ttl * (1.0 + 1.1) < left.as_secs_f64() * 0.95, "{left:?}: {ttl}");
        }
        assert_eq!(latest_call(Duration::ZERO), Duration::ZERO, "one that has ended is looked at at once");
    }
}
