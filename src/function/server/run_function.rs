//! What is served.

use std::time::Duration;

use tonic::Status;

use crate::contract::proto::v1::{RunFunctionRequest, RunFunctionResponse};

/// The function, as the server knows it.
pub trait RunFunction: Send + Sync + 'static {
    /// Answers one call, of which the caller waits for `deadline` at most.
    ///
    /// # Errors
    /// A status, where there is nothing that a function could answer.
    fn run_function(
        &self,
        request: RunFunctionRequest,
        deadline: Option<Duration>,
    ) -> impl Future<Output = Result<RunFunctionResponse, Status>> + Send;

    /// Waits for work that is detached from its call. It is called once, when
    /// no call is under way and none can come any more.
    fn drain(&self) -> impl Future<Output = ()> + Send;
}
