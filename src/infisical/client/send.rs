//! The one door: makes the request of a route, has it sent, and reads its answer.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::{
    answer::{self, Response},
    exchange::Exchange,
    request::Request,
};
use crate::{
    error::{Error, ErrorKind},
    route::{PAGE, Paged, Route},
};

/// Pages of a list that are asked for at most: a hundred thousand identities or
/// tokens, of which those that were revoked stay in the list. A server that never
/// ends a list must not keep us for ever.
const MAX_PAGES: usize = 1_000;

/// One Infisical server, over some [`Exchange`].
#[derive(Clone)]
pub struct Client {
    exchange: Arc<dyn Exchange>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client that sends its requests over `exchange`.
    #[must_use]
    pub fn new(exchange: impl Exchange + 'static) -> Self {
        Self { exchange: Arc::new(exchange) }
    }

    /// Sends a route and reads its answer.
    ///
    /// # Errors
    /// There is no usable answer, or it is a refusal.
    pub async fn send<R: Route>(&self, route: &R) -> Result<R::Answer, Error<R::Refusal>> {
        let fail = |kind| Error::new(R::WHAT, kind);
        let request = Request::of(route).map_err(fail)?;
        let started = Instant::now();
        let answer = self.exchange.send(request).await;
        log(R::WHAT, R::PATH, &answer, started);
        match answer {
            Ok(response) => answer::decode(route, &response).map_err(fail),
            Err(kind) => Err(fail(kind.of_route())),
        }
    }

    /// Sends a list's route for one page after the other, until one is not full.
    ///
    /// # Errors
    /// That of a page, or the list has no end.
    pub async fn send_pages<R: Paged>(&self, route: &R) -> Result<Vec<R::Item>, Error<R::Refusal>> {
        let mut all: Vec<R::Item> = Vec::new();
        for number in 0..MAX_PAGES {
            let items = self.send(&route.beginning_at(number * PAGE)).await?;
            let last = items.len() < PAGE;
            // A server that does not know pages gives the same ones for ever.
            if !last && all.ends_with(&items) {
                break;
            }
            all.extend(items);
            if last {
                return Ok(all);
            }
        }
        Err(Error::new(R::WHAT, ErrorKind::NotInfisical { status: 200, what: "its list has no end" }))
    }
}

/// One line per request: never an id, a token or a body.
fn log(operation: &'static str, route: &'static str, answer: &Result<Response, ErrorKind>, started: Instant) {
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answer {
        Ok(response) => {
            tracing::debug!(operation, route, status = response.status, elapsed_ms, "Infisical answered");
        }
        Err(error) => tracing::debug!(operation, route, %error, elapsed_ms, "Infisical did not answer"),
    }
}
