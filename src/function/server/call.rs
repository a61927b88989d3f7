//! One call, from the generated services to the function.
//!
//! Both versions of the service have the same messages and end up in the same
//! method. A panic is stopped here: it costs the call that it happened in, and
//! what it says stays inside, because it may be about a Secret (Rule 11).

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use tonic::{Request, Response, Status};

use super::{RunFunction, deadline};
use crate::contract::proto::{
    v1::{
        RunFunctionRequest, RunFunctionResponse,
        function_runner_service_server::FunctionRunnerService as FunctionRunnerServiceV1,
    },
    v1beta1::function_runner_service_server::FunctionRunnerService as FunctionRunnerServiceV1Beta1,
};

/// The function behind both versions of the generated service.
pub(super) struct Calls<F>(pub(super) Arc<F>);

impl<F: RunFunction> Calls<F> {
    async fn call(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        let deadline = deadline::parse(request.metadata().as_ref());
        let call = pin!(self.0.run_function(request.into_inner(), deadline));
        match unwound(call).await {
            Ok(answer) => answer.map(Response::new),
            Err(Panicked) => Err(Status::internal("the function panicked; its log says where")),
        }
    }
}

#[async_trait::async_trait]
impl<F: RunFunction> FunctionRunnerServiceV1 for Calls<F> {
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        self.call(request).await
    }
}

#[async_trait::async_trait]
impl<F: RunFunction> FunctionRunnerServiceV1Beta1 for Calls<F> {
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        self.call(request).await
    }
}

/// A call ended by unwinding. What it said is not kept.
struct Panicked;

/// Runs a future and stops a panic of it. The future is pinned by the caller: one
/// that is taken over is there twice.
async fn unwound<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Result<T, Panicked> {
    poll_fn(move |context| {
        // Not polled again after a panic, and what it shared with others is
        // behind locks that the function keeps consistent itself.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(_what_it_said) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
