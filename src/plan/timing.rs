//! When something is due: the next look at a token, and the next try after a
//! problem.
//!
//! Pure. Where many XRs would come back at once, the time is spread by a
//! fraction that is a function of the XR, so that the same state gives the same
//! answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{act::Accepted, input::TokenPolicy, observe::XrKey, problem::Retry};

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

/// The longest life of a token by default (recorded: 7776000 s).
const DEFAULT_LIFE: Duration = Duration::from_hours(90 * 24);

/// When a token that was accepted is verified or renewed next.
#[must_use]
pub fn check_at(accepted: &Accepted, policy: &TokenPolicy, xr: &XrKey) -> Timestamp {
    // Earlier by up to a tenth, never later than the interval that was asked for.
    let interval = policy.verify_interval.mul_f64(1.0 - 0.1 * spread(xr));
    let verify_at = later(accepted.verified_at, interval);
    match renew_at(accepted.issued_at, accepted.expires_at, policy) {
        // A renewal that is overdue was tried at the last verification.
        Some(renew_at) if renew_at > accepted.verified_at => verify_at.min(renew_at),
        _ => verify_at,
    }
}

/// When a token is renewed: when the set fraction of its life is left. One of
/// which nobody says when it ends is taken to live as long as a server lets any
/// live by default; what renewing returns does say it.
#[must_use]
pub fn renew_at(
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    policy: &TokenPolicy,
) -> Option<Timestamp> {
    let issued_at = issued_at?;
    let expires_at = expires_at.unwrap_or_else(|| later(issued_at, DEFAULT_LIFE));
    let life = Duration::try_from(expires_at.duration_since(issued_at)).ok()?;
    expires_at.checked_sub(life.mul_f64(policy.renew_at)).ok()
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

/// A number from 0 to 1 that is a function of the XR.
fn spread(xr: &XrKey) -> f64 {
    // FNV-1a: stable across versions and machines, which the standard hash is not.
    let hash = xr
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX)
}

/// A moment after another, or the end of time.
#[must_use]
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
