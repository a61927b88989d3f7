//! What is served, by the path of a call.
//!
//! Nothing stands between a connection and the service that answers a call but
//! the count of it and its deadline: what a general router, and its boxes, would
//! cost for each call is more than all of the counting.

use std::{convert::Infallible, pin::Pin};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;
use tonic::{Status, body::Body, server::NamedService};
use tower::{Service, util::BoxCloneSyncService};

use super::{
    RunFunction,
    call::Calls,
    deadline,
    metrics::{CallMetrics, Received, Sent},
};
use crate::contract::proto::{
    v1::function_runner_service_server::FunctionRunnerServiceServer as ServiceV1,
    v1beta1::function_runner_service_server::FunctionRunnerServiceServer as ServiceV1Beta1,
};

/// A call as the services take it.
type Call = Request<Received>;

/// The answer of a service, to come.
type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A service that is called now and then, whatever its type.
type Other = BoxCloneSyncService<Call, Response<Body>, Infallible>;

/// All services, counted.
pub(super) struct Services<F> {
    v1: ServiceV1<Calls<F>>,
    v1beta1: ServiceV1Beta1<Calls<F>>,
    others: Vec<(&'static str, Other)>,
    metrics: CallMetrics,
}

impl<F: RunFunction> Services<F> {
    /// Both versions of the function.
    pub(super) fn new(
        v1: ServiceV1<Calls<F>>,
        v1beta1: ServiceV1Beta1<Calls<F>>,
        metrics: CallMetrics,
    ) -> Self {
        Self { v1, v1beta1, others: Vec::new(), metrics }
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
        self.others.push((S::NAME, Other::new(service)));
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
        if service == ServiceV1::<Calls<F>>::NAME {
            return self.v1.clone().call(request);
        }
        if service == ServiceV1Beta1::<Calls<F>>::NAME {
            return self.v1beta1.clone().call(request);
        }
        match self.others.iter().find(|(name, _)| *name == service) {
            Some((_, other)) => Box::pin(other.clone().call(request)),
            None => Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        }
    }
}
