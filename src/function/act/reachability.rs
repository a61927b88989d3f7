//! The instances that do not answer, and who asks them next.
//!
//! An instance that is gone has as many XRs as before, and each request to one that
//! hangs takes its whole limit. So one XR asks at a time, with a pause that grows; the
//! others are told what it was told, and ask nothing. All of this ends with the next
//! answer, or when nobody has asked for a while.
//!
//! Rule 8 is kept here.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use infisical::{ErrorKind, endpoint::Endpoint};
use jiff::Timestamp;

use crate::model::{due::Due, pause, problem::Retry, xr::XrKey};

/// For how long one XR may ask before another does: it may have ended without saying
/// what came of it. A request that has no answer takes ten seconds.
const ASKS_FOR: Duration = Duration::from_secs(15);

/// How soon the others come again while one of them asks.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How long after an instance was asked in vain that is forgotten: every XR with a
/// problem is called once a minute, so there is none any more.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// The instances that do not answer. How a server's certificate is checked may be the
/// reason, so it is in the key.
#[derive(Default)]
pub(super) struct Reachability(Mutex<BTreeMap<Endpoint, Silence>>);

/// An instance that does not answer.
struct Silence {
    error: ErrorKind<String>,
    /// How often it was asked in vain, in a row.
    attempts: u32,
    /// When it was asked last.
    since: Timestamp,
    /// Until when nobody else asks, since somebody does.
    asked_until: Option<Due>,
}

/// Leave to ask, on what was known when it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leave {
    attempts: u32,
}

/// What another XR was told a short time ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Why there was no answer.
    pub(super) error: ErrorKind<String>,
    pub(super) at: Timestamp,
    /// When it is worth another try.
    pub(super) retry_at: Due,
}

impl Reachability {
    /// Leave for an XR to ask, or what it is told instead. Of an instance that does not
    /// answer it is given to one of them at a time.
    pub(super) fn may_ask(&self, server: &Endpoint, xr: &XrKey, now: Timestamp) -> Result<Leave, Told> {
        let mut silent = self.lock();
        let Some(silence) = silent.get_mut(server) else { return Ok(Leave { attempts: 0 }) };
        let is_asked = silence.asked_until.is_some_and(|until| !until.is_over(now));
        if is_asked || !silence.next(xr).is_over(now) {
            return Err(silence.told(xr, now));
        }
        silence.asked_until = Some(Due::after(now, ASKS_FOR));
        Ok(Leave { attempts: silence.attempts })
    }

    /// The same for one that had leave when its turn has come: while it waited for that,
    /// another may have asked in vain.
    pub(super) fn may_still_ask(
        &self,
        leave: Leave,
        server: &Endpoint,
        xr: &XrKey,
        now: Timestamp,
    ) -> Result<(), Told> {
        match self.lock().get(server) {
            Some(silence) if silence.attempts != leave.attempts => Err(silence.told(xr, now)),
            _ => Ok(()),
        }
    }

    /// Notes why there was no answer, or that there was one. Says whether it is the first
    /// one after a silence: what the others were told is over.
    pub(super) fn heard(
        &self,
        server: &Endpoint,
        silence: Option<&ErrorKind<String>>,
        now: Timestamp,
    ) -> bool {
        let mut silent = self.lock();
        let Some(error) = silence else { return silent.remove(server).is_some() };
        silent.retain(|_, silence| !Due::after(silence.since, FORGOTTEN_AFTER).is_over(now));
        let before = silent.get(server).map_or(0, |silence| silence.attempts);
        let attempts = before.saturating_add(1);
        let silence = Silence { error: error.clone(), attempts, since: now, asked_until: None };
        silent.insert(server.clone(), silence);
        false
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Endpoint, Silence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Silence {
    /// When an XR asks next, unless another has. Those of one instance are spread, so
    /// that it is mostly the same one, and that they do not all come in one moment.
    fn next(&self, xr: &XrKey) -> Due {
        Due::after(self.since, pause::after(Retry::Soon, self.attempts, xr))
    }

    fn told(&self, xr: &XrKey, now: Timestamp) -> Told {
        let next = self.next(xr);
        let is_due = next.is_over(now);
        let retry_at = if is_due { Due::after(now, TOLD_AGAIN_AFTER) } else { next };
        Told { error: self.error.clone(), at: self.since, retry_at }
    }
}

#[cfg(test)]
mod tests {
    use infisical::{
        endpoint::{Origin, Tls},
        error::Transport,
    };

    use super::*;

    const SILENT: ErrorKind<String> = ErrorKind::Unreachable(Transport::TimedOut);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn place(url: &str, tls: Tls) -> Endpoint {
        Endpoint::new(Origin::parse(url).unwrap(), tls)
    }

    fn here() -> Endpoint {
        place("http://infisical:8080", Tls::default())
    }

    fn xr() -> XrKey {
        XrKey::test("a")
    }

    /// When the XR asks next.
    fn next(reachability: &Reachability, now: Timestamp) -> Timestamp {
        reachability.may_ask(&here(), &xr(), now).unwrap_err().retry_at.at(now)
    }

    #[test]
    fn one_xr_asks_an_instance_that_does_not_answer_and_the_others_are_told() {
        let (reachability, other) = (Reachability::default(), XrKey::test("b"));
        assert!(reachability.may_ask(&here(), &xr(), at(0)).is_ok(), "nothing is known of it");
        assert!(!reachability.heard(&here(), Some(&SILENT), at(0)));
        for xr in [&xr(), &other] {
            let told = reachability.may_ask(&here(), xr, at(1)).unwrap_err();
            assert_eq!((told.error, told.at), (SILENT, at(0)));
            assert!((at(1)..at(3)).contains(&told.retry_at.at(at(1))), "two seconds, a fifth more or less");
        }
        assert!(reachability.may_ask(&here(), &xr(), at(3)).is_ok(), "the first that comes asks");
        let told = reachability.may_ask(&here(), &other, at(3)).unwrap_err();
        assert_eq!(told.retry_at, Due::after(at(3), TOLD_AGAIN_AFTER), "the others soon hear what of");
        assert!(reachability.heard(&here(), None, at(4)), "it has answered");
        assert!(reachability.may_ask(&here(), &other, at(4)).is_ok());
        assert!(!reachability.heard(&here(), None, at(5)), "that is known already");
    }

    #[test]
    fn the_pause_doubles_with_each_that_asks_in_vain_and_begins_anew_after_an_answer() {
        let reachability = Reachability::default();
        let mut now = at(0);
        for expected in [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            reachability.heard(&here(), Some(&SILENT), now);
            let due = next(&reachability, now);
            let pause = due.duration_since(now).as_secs_f64() / expected;
            assert!((0.8..=1.2).contains(&pause), "{expected}: {pause}");
            now = due;
            reachability.may_ask(&here(), &xr(), now).unwrap();
        }
        reachability.heard(&here(), None, now);
        reachability.heard(&here(), Some(&SILENT), now);
        assert!(next(&reachability, now) < now + Duration::from_secs(3));
    }

    #[test]
    fn who_waited_for_a_turn_while_another_asked_in_vain_does_not_ask() {
        let (reachability, other) = (Reachability::default(), XrKey::test("b"));
        let [first, second] = [&xr(), &other].map(|xr| reachability.may_ask(&here(), xr, at(0)).unwrap());
        let may = |leave, now| reachability.may_still_ask(leave, &here(), &other, at(now)).is_ok();
        assert!(may(first, 0) && may(second, 0));
        reachability.heard(&here(), Some(&SILENT), at(10));
        assert!(!may(second, 10));
        let leave = reachability.may_ask(&here(), &other, at(20)).unwrap();
        assert!(may(leave, 20), "it is the one that asks");
        reachability.heard(&here(), None, at(21));
        assert!(may(second, 21) && may(leave, 21), "there was an answer");
    }

    #[test]
    fn how_a_certificate_is_checked_makes_another_instance_of_it() {
        let reachability = Reachability::default();
        reachability.heard(&here(), Some(&SILENT), at(0));
        let other = Tls { insecure_skip_verify: true, ..Tls::default() };
        for other in [place("http://infisical:8080", other), place("http://elsewhere", Tls::default())] {
            assert!(reachability.may_ask(&other, &xr(), at(0)).is_ok());
        }
    }

    #[test]
    fn one_that_never_says_what_came_of_it_is_followed_by_another() {
        let reachability = Reachability::default();
        reachability.heard(&here(), Some(&SILENT), at(0));
        assert!(reachability.may_ask(&here(), &xr(), at(10)).is_ok());
        assert!(reachability.may_ask(&here(), &xr(), at(24)).is_err());
        assert!(reachability.may_ask(&here(), &xr(), at(25)).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let reachability = Reachability::default();
        reachability.heard(&here(), Some(&SILENT), at(0));
        assert!(reachability.may_ask(&here(), &xr(), at(-86_400)).is_ok());
    }

    #[test]
    fn an_instance_that_nobody_asks_any_more_is_forgotten() {
        let reachability = Reachability::default();
        for number in 0..100 {
            let other = place(&format!("http://{number}.example.org"), Tls::default());
            reachability.heard(&other, Some(&SILENT), at(700 * number));
        }
        assert_eq!(reachability.lock().len(), 1);
    }
}
