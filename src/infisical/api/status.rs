//! The health check.

use std::{convert::Infallible, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use crate::route::{Method, Route};

/// `GET /api/status`.
#[derive(Clone, Copy, Debug)]
pub struct ReadStatus;

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `maxIdentityAccessTokenTTL`: the longest life of any token. Servers
    /// before it was published leave it out.
    pub max_access_token_ttl: Option<Duration>,
    /// `date`: what the server's clock shows.
    pub date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default, rename = "maxIdentityAccessTokenTTL")]
    max_access_token_ttl: Option<u64>,
    date: Option<String>,
}

impl Route for ReadStatus {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/status";
    const WHAT: &'static str = "ask for the status";
    type Answer = Status;
    type Refusal = Infallible;

    fn answer(body: &[u8]) -> serde_json::Result<Status> {
        let Body { max_access_token_ttl, date } = serde_json::from_slice(body)?;
        Ok(Status {
            max_access_token_ttl: max_access_token_ttl.map(Duration::from_secs),
            date: date.and_then(|date| date.parse().ok()),
        })
    }
}
