//! The client of Infisical's HTTP API.
//!
//! [`Client::send`] is the one door: it makes the request of a route and reads its
//! answer, both without I/O, and leaves the sending to an [`Exchange`]. [`HttpExchange`]
//! is the real one; a simulation supplies another. [`Connector`] makes clients for
//! endpoints.
//!
//! A route that is sent is one request, a list one per page: nothing here retries,
//! follows a redirect, or lets a body into an error or a log line.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    endpoint::Endpoint,
    error::{Error, ErrorKind},
    route::{PAGE, Paged, Route},
};

mod answer;
mod connect;
mod decoding;
mod exchange;
mod request;
mod resolve;
mod tls;

pub use answer::Response;
pub use connect::Connector;
pub use exchange::{HttpExchange, Limits};
pub use request::Request;

/// Pages of a list that are asked for at most: a hundred thousand identities or
/// tokens, of which those that were revoked stay in the list. A server that never
/// ends a list must not keep us for ever.
const MAX_PAGES: usize = 1_000;

/// Makes a [`Client`] for an endpoint.
pub trait Connect: Send + Sync + 'static {
    /// A client of the server at `endpoint`. No request is made.
    ///
    /// # Errors
    /// The endpoint's TLS settings cannot be used.
    fn connect(&self, endpoint: &Endpoint) -> Result<Client, Error>;
}

/// Sends one request and brings back its answer.
///
/// An implementation sends a request once, adds nothing to it that changes
/// its meaning, and follows no redirect.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Sends `request`.
    ///
    /// # Errors
    /// There is no answer, or one that is longer than
    /// [`Request::longest_answer`].
    async fn send(&self, request: Request) -> Result<Response, ErrorKind>;
}

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

/// So that a client and whoever watches its exchange can share it.
#[async_trait]
impl<E: Exchange + ?Sized> Exchange for Arc<E> {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        (**self).send(request).await
    }
}
