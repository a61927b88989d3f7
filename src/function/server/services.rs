//! What is served, by the path of a call.
//!
//! Nothing stands between a connection and the service that answers a call but
//! the count of it and its deadline.

use std::{convert::Infallible, pin::Pin};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;
use tonic::{Status, body::Body, server::NamedService};
use tower::{Service, util::BoxCloneSyncService};

use super::{
    deadline,
    metrics::{CallMetrics, Received, Sent},
};
/// A call as the services take it.
type Call = Request<Received>;

/// The answer of a service, to come.
type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A service, whatever its type.
type Any = BoxCloneSyncService<Call, Response<Body>, Infallible>;

/// All services, counted.
pub(super) struct Services {
    services: Vec<(&'static str, Any)>,
    metrics: CallMetrics,
}

impl Services {
    /// None yet.
    pub(super) fn new(metrics: CallMetrics) -> Self {
        Self { services: Vec::new(), metrics }
    }

    /// One more service.
    pub(super) fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Call, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.push((S::NAME, Any::new(service)));
        self
    }

    /// Answers a call in the time that it has.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Sent> {
        let deadline = deadline::parse(request.headers());
        let answer = self.metrics.count(request, |request| self.call(request));
        let Some(deadline) = deadline else { return answer.await };
        match timeout(deadline, answer).await {
            Ok(answer) => answer,
            // As tonic says it.
            Err(_) => Status::cancelled("Timeout expired").into_http::<Body>().map(Sent::uncounted),
        }
    }

    async fn call(&self, request: Call) -> Response<Body> {
        let Ok(answer) = self.service(request).await;
        answer
    }

    fn service(&self, request: Call) -> Answer {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        match self.services.iter().find(|(name, _)| *name == service) {
            Some((_, service)) => Box::pin(service.clone().call(request)),
            None => Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        }
    }
}
