//! The function: a placeholder that passes desired state on.

use std::time::Duration;

use tonic::Status;

use crate::{
    proto::v1::{RunFunctionRequest, RunFunctionResponse},
    server::RunFunction,
};

/// Passes desired state on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Function;

#[async_trait::async_trait]
impl RunFunction for Function {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        _deadline: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        Ok(RunFunctionResponse { desired: request.desired, ..Default::default() })
    }

    async fn drain(&self) {}
}
