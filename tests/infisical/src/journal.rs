//! What the fake was asked, for a test to look at afterwards.

use jiff::Timestamp;

use crate::Route;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it went.
    pub route: Route,
    /// When, by the fake's clock.
    pub at: Timestamp,
    /// What was answered; `None` when nothing was.
    pub status: Option<u16>,
    /// The email in its body, at bootstrap and login.
    pub email: Option<String>,
    /// Whether there was an `Authorization` header.
    pub authorized: bool,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
}

/// What became of the bootstraps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstraps {
    /// How many were asked for.
    pub asked: usize,
    /// How many went through to the end, whether or not the answer arrived.
    pub successful: usize,
    /// How many are under way.
    pub under_way: usize,
    /// How many were under way at once, at most.
    pub max_concurrent: usize,
    /// The emails of all of them, in order.
    pub emails: Vec<String>,
}
