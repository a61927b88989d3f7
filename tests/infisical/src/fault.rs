//! What goes wrong between the instance and whoever asks it.

use std::time::Duration;

use crate::{Route, Transaction};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done and nothing answered.
    Hang,
    /// It is done, and nothing answered.
    HangAfter,
    /// The answer comes late.
    Delay(Duration),
    /// The connection closes, and nothing was done.
    CloseBefore,
    /// It is done, and the connection closes without an answer.
    CloseAfter,
    /// This 5xx, and nothing was done.
    FailBefore(u16),
    /// It is done, and this 5xx answered.
    FailAfter(u16),
    /// Somebody else's equal create was a moment earlier: it is done, and what is
    /// answered is the 500 `Create` of who lost (recorded).
    LostRace,
    /// A bootstrap ends after this transaction, and the connection closes.
    CrashAfter(Transaction),
    /// 429, with a `Retry-After` of so many seconds.
    RateLimit(Option<u64>),
    /// The HTML page of a proxy in front, with this status.
    Page(u16),
    /// The JSON of a gateway in front, with this status.
    Gateway(u16),
    /// A redirect to this place.
    Redirect(String),
    /// JSON with so many bytes of padding.
    Oversized(usize),
}

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// All of them.
    Any,
    /// Those of a route.
    Route(Route),
}

impl On {
    fn matches(self, route: Route) -> bool {
        match self {
            Self::Any => true,
            Self::Route(of) => of == route,
        }
    }
}

/// How often a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// To so many requests, then no more.
    Next(usize),
    /// Until the faults are cleared.
    Always,
}

/// The faults that are switched on; the first that fits is what happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<(On, Times, Fault)>);

impl Faults {
    pub(crate) fn add(&mut self, on: On, times: Times, fault: Fault) {
        self.0.push((on, times, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of a request of `route`; it counts as having happened.
    pub(crate) fn take(&mut self, route: Route) -> Option<Fault> {
        self.0.retain(|(_, times, _)| *times != Times::Next(0));
        let (_, times, fault) = self.0.iter_mut().find(|(on, _, _)| on.matches(route))?;
        if let Times::Next(left) = times {
            *left -= 1;
        }
        Some(fault.clone())
    }
}
