//! How a client's requests are sent.

use std::sync::Arc;

use async_trait::async_trait;

use super::{answer::Response, request::Request};
use crate::error::ErrorKind;

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

/// So that a client and whoever watches its exchange can share it.
#[async_trait]
impl<E: Exchange + ?Sized> Exchange for Arc<E> {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        (**self).send(request).await
    }
}
