//! What protects a server from its clients: all that goes to one server passes here.
//!
//! A server whose pool of connections is taken up by writes stands still for a minute, so
//! few are under way at a time. One that asks to wait is left alone for as long, and one
//! that does not answer is asked by one, with a back-off, and not by each resource.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use daemon::clock::later;
use infisical::error::Transport;
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Writes to one server at a time: ten or more can freeze a real one.
const WRITES: usize = 4;

/// After the first request without an answer; it doubles with each.
const SHORTEST: Duration = Duration::from_secs(1);

/// At most.
const LONGEST: Duration = Duration::from_mins(1);

/// What a probe may take at most, before another is sent.
const PROBE: Duration = Duration::from_secs(70);

/// The limiter of one server.
#[derive(Debug)]
pub struct Limiter {
    writes: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nobody asks before.
    closed_until: Option<Timestamp>,
    /// Why: it did not answer, or else it asks to wait.
    why: Option<Transport>,
    /// How long it is closed the next time that there is no answer.
    backoff: Option<Duration>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { writes: Semaphore::new(WRITES), state: Mutex::default() }
    }
}

/// How a request ended, as far as it says something of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The server answered.
    Answered,
    /// It asks to wait.
    Limited(Option<Duration>),
    /// It did not answer, and why.
    Silent(Transport),
}

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Why the server does not answer; `None` where it asks to wait.
    pub why: Option<Transport>,
    /// For how long.
    pub wait: Duration,
}

impl Limiter {
    /// Waits until a write may begin.
    pub async fn write(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.writes.acquire().await.ok()
    }

    /// Whether a request may be sent now. After a silence the first one may, and all
    /// others wait for how it ends.
    ///
    /// # Errors
    /// It may not, and when it is time.
    pub fn admit(&self, now: Timestamp) -> Result<(), Closed> {
        let mut state = self.state();
        let Some(until) = state.closed_until else { return Ok(()) };
        if now < until {
            let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            return Err(Closed { why: state.why.clone(), wait });
        }
        if state.backoff.is_some() {
            // This one is the probe.
            state.closed_until = Some(later(now, PROBE));
        }
        Ok(())
    }

    /// Learns from how a request ended.
    pub fn learn(&self, ended: &Ended, now: Timestamp) {
        let mut state = self.state();
        match ended {
            Ended::Answered => *state = State::default(),
            Ended::Limited(wait) => {
                let wait = wait.unwrap_or(SHORTEST).clamp(SHORTEST, LONGEST);
                state.why = None;
                state.closed_until = state.closed_until.max(Some(later(now, wait)));
                state.backoff = None;
            }
            Ended::Silent(why) => {
                let wait = state.backoff.unwrap_or(SHORTEST);
                state.why = Some(why.clone());
                state.closed_until = Some(later(now, wait));
                state.backoff = Some((wait * 2).min(LONGEST));
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while the lock is held leaves a valid state behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn waits(limiter: &Limiter, second: i64) -> Option<u64> {
        limiter.admit(at(second)).err().map(|closed| closed.wait.as_secs())
    }

    #[test]
    fn a_server_that_does_not_answer_costs_one_probe_with_a_back_off() {
        let limiter = Limiter::default();
        let silent = Ended::Silent(Transport::Refused);
        assert_eq!(waits(&limiter, 0), None);
        limiter.learn(&silent, at(0));
        assert_eq!(waits(&limiter, 0), Some(1));
        assert_eq!(limiter.admit(at(0)).unwrap_err().why, Some(Transport::Refused));
        assert_eq!(waits(&limiter, 1), None, "the probe");
        assert_eq!(waits(&limiter, 1), Some(70), "all others wait for it");
        limiter.learn(&silent, at(2));
        assert_eq!(waits(&limiter, 2), Some(2));
        for second in 0..10 {
            limiter.learn(&silent, at(100 + second));
        }
        assert_eq!(waits(&limiter, 109), Some(60), "it ends at a minute");
        limiter.learn(&Ended::Answered, at(170));
        assert_eq!(waits(&limiter, 170), None);
        limiter.learn(&silent, at(171));
        assert_eq!(waits(&limiter, 171), Some(1), "it begins anew");
    }

    #[test]
    fn a_server_that_asks_to_wait_is_left_alone_for_as_long() {
        let limiter = Limiter::default();
        limiter.learn(&Ended::Limited(Some(Duration::from_secs(30))), at(0));
        assert_eq!(waits(&limiter, 10), Some(20));
        limiter.learn(&Ended::Limited(Some(Duration::from_secs(1))), at(10));
        assert_eq!(waits(&limiter, 10), Some(20), "a shorter one does not make it shorter");
        assert_eq!(waits(&limiter, 30), None);
        limiter.learn(&Ended::Limited(None), at(30));
        assert_eq!(waits(&limiter, 30), Some(1));
    }

    #[tokio::test]
    async fn only_four_writes_are_under_way() {
        let limiter = Limiter::default();
        let mut held = Vec::new();
        for _ in 0..WRITES {
            held.push(limiter.write().await.unwrap());
        }
        let fifth = tokio::time::timeout(Duration::from_millis(10), limiter.write()).await;
        assert!(fifth.is_err());
        held.pop();
        assert!(limiter.write().await.is_some());
    }
}
