//! Schedules that once broke a promise.
