//! A problem that was met, and when it is worth trying again: of the connection, and of
//! handing off.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    due::Due,
    problem::{Problem, Retry},
};

/// A problem, and when it is worth trying again.
#[derive(Clone, Debug)]
pub(crate) struct Failure<A> {
    pub problem: Problem,
    pub attempt: A,
    /// How often in a row.
    pub attempts: u32,
    /// When it is tried again, unless what would be tried has changed.
    pub retry_at: Due,
}

/// A problem that was found a short time ago: it is too early to try the same again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BackOff {
    pub problem: Problem,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

impl<A: PartialEq> Failure<A> {
    /// Whether an attempt that would be made now has to wait.
    pub(crate) fn back_off(&self, attempt: &A, now: Timestamp) -> Option<BackOff> {
        let is_too_early = self.attempt == *attempt && !self.retry_at.is_over(now);
        is_too_early.then(|| BackOff { problem: self.problem.clone(), retry_at: self.retry_at.at(now) })
    }

    /// How often in a row an attempt has failed that fails after `before`: another one, or
    /// one that is tried again at another pace, begins anew.
    pub(crate) fn attempts_after(before: Option<&Self>, attempt: &A, retry: Retry) -> u32 {
        let again = before.filter(|failure| failure.attempt == *attempt && failure.problem.retry() == retry);
        again.map_or(1, |failure| failure.attempts.saturating_add(1))
    }

    /// What another XR was told by an instance that does not answer. Nothing was tried.
    pub(crate) fn told(before: Option<&Self>, attempt: A, problem: Problem, retry_at: Due) -> Self {
        let again = before.filter(|failure| failure.attempt == attempt);
        let attempts = again.map_or(1, |failure| failure.attempts);
        Self { problem, attempt, attempts, retry_at }
    }

    /// The instance answers again: there is no reason to wait any more.
    pub(crate) fn answers_again(&mut self, now: Timestamp) {
        if self.problem.silence().is_some() {
            self.retry_at = Due::after(now, Duration::ZERO);
        }
    }
}
