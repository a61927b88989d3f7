//! Requests counted, for Prometheus.
//!
//! Names begin with what the program's registry puts before them. A label is a word
//! of this crate or an HTTP status: never a name, an address or anything that a
//! server or an author wrote.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::route::Method;

/// Upper bounds in seconds of a request. The longest may take a minute.
const BUCKETS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Requests to Infisical by route and status. `status` is `none` where there was no
/// answer.
#[derive(Clone)]
pub struct Requests {
    answered: Family<[(&'static str, String); 3], Counter>,
    seconds: Family<[(&'static str, &'static str); 2], Histogram>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Requests {
    /// Counts a request that was answered with a status, or was not.
    pub fn observe(&self, method: Method, route: &'static str, status: Option<u16>, took: Duration) {
        let method = method.as_str();
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status)];
        self.answered.get_or_create_owned(&labels).inc();
        self.seconds.get_or_create_owned(&[("method", method), ("route", route)]).observe(took.as_secs_f64());
    }

    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests to Infisical, by route and status", self.answered.clone());
        registry.register("request_seconds", "Time until Infisical answered, by route", self.seconds.clone());
    }
}
