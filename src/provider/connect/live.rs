//! The calls of a kind over a session: a token that dies is no event.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;

use super::session::{Open, Session};
use crate::managed::external::{ConnectionDetails, External, ExternalError, Made, ManagedKind, Mark, Read};

/// A kind of which the server can be asked.
pub trait Served: ManagedKind {
    /// How many are reconciled at a time at least.
    const AT_ONCE: u16 = 1;

    /// The calls of the kind, with a login.
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>>;
}

/// The calls of a kind, each tried again with another login where there is one.
pub(super) struct Live {
    session: Arc<Session>,
}

impl Live {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    async fn ask<T, F>(&self, call: impl Fn(Arc<Open>) -> F + Send) -> Result<T, ExternalError>
    where
        T: Send,
        F: Future<Output = Result<T, ExternalError>> + Send,
    {
        let open = self.session.open().await?;
        let error = match call(Arc::clone(&open)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match self.session.again(&open, error.failure).await? {
            Some(open) => call(open).await,
            None => Err(error),
        }
    }
}

#[async_trait]
impl<K: Served> External<K> for Live {
    async fn observe(
        &self,
        id: &str,
        wanted: &K::Parameters,
        read: Read,
    ) -> Result<Option<K::Seen>, ExternalError> {
        self.ask(|open| async move { K::external(&open).observe(id, wanted, read).await }).await
    }

    async fn find(
        &self,
        wanted: &K::Parameters,
        mark: Mark<'_>,
        read: Read,
    ) -> Result<Vec<K::Seen>, ExternalError> {
        self.ask(|open| async move { K::external(&open).find(wanted, mark, read).await }).await
    }

    async fn create(&self, wanted: &K::Parameters, mark: Mark<'_>) -> Result<Made, ExternalError> {
        self.ask(|open| async move { K::external(&open).create(wanted, mark).await }).await
    }

    async fn create_again(
        &self,
        before: &str,
        wanted: &K::Parameters,
        mark: Mark<'_>,
    ) -> Result<Made, ExternalError> {
        self.ask(|open| async move { K::external(&open).create_again(before, wanted, mark).await }).await
    }

    async fn update(
        &self,
        id: &str,
        wanted: &K::Parameters,
        change: &K::Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        self.ask(|open| async move { K::external(&open).update(id, wanted, change).await }).await
    }

    async fn delete(&self, id: &str, wanted: &K::Parameters) -> Result<(), ExternalError> {
        self.ask(|open| async move { K::external(&open).delete(id, wanted).await }).await
    }
}
