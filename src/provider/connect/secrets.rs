//! The secrets of a folder: listed once for all that are in it, and written together.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::{
    Error, ErrorKind,
    api::{
        BatchSecret, CreateSecrets, DeleteSecrets, ListSecrets, MissingSecrets, ResourceRefusal,
        SecretPlace as Place, UpdateSecrets,
    },
};

use super::{
    batch::{self, Refused},
    listing::{Listing, Operation, Write},
    session::Open,
};
use crate::{
    api::secret::SecretPlace,
    managed::external::{ExternalError, Read},
};

impl Open {
    /// The secrets of a folder; `None` where there is no such folder.
    ///
    /// # Errors
    /// The server does not answer, or refuses it.
    pub async fn secrets(
        &self,
        place: &SecretPlace,
        read: Read,
    ) -> Result<Arc<Option<Listing>>, ExternalError> {
        let ask = || async {
            let list = ListSecrets { token: &self.token, place: route(place), has_values: true };
            match self.send(&list).await {
                Ok(secrets) => Ok(Some(Listing::new(secrets))),
                Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(None),
                Err(error) => Err(ExternalError::of_resource(error)),
            }
        };
        self.secrets.reads.get(place, read, ask).await
    }

    /// Writes a secret, together with others of its folder.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn write_secret(
        &self,
        place: &SecretPlace,
        operation: Operation,
        write: Write,
    ) -> Result<(), ExternalError> {
        let sender = Sender { open: self, place, operation };
        self.secrets.writes.write(&(place.clone(), operation), write, &sender).await
    }

    /// That a folder is being written, until it is dropped.
    #[must_use]
    pub fn writing<'a>(&'a self, place: &'a SecretPlace) -> Writing<'a> {
        self.secrets.reads.written(place);
        Writing { open: self, place }
    }
}

/// What was read before it ends says nothing any more, also where nobody waits for its end.
pub struct Writing<'a> {
    open: &'a Open,
    place: &'a SecretPlace,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.open.secrets.reads.written(self.place);
    }
}

/// A folder, as the routes have it.
#[must_use]
pub fn route(place: &SecretPlace) -> Place<'_> {
    Place { project_id: &place.project_id, environment: &place.environment, path: &place.path }
}

struct Sender<'a> {
    open: &'a Open,
    place: &'a SecretPlace,
    operation: Operation,
}

#[async_trait]
impl batch::Sender<Write> for Sender<'_> {
    async fn send(&self, items: &[Write]) -> Result<(), Refused> {
        let _writing = self.open.writing(self.place);
        let (token, place) = (&self.open.token, route(self.place));
        let tags: Vec<_> = items.iter().map(Write::tags).collect();
        let secrets = items.iter().zip(&tags);
        let secrets: Vec<_> = secrets
            .map(|(item, tags)| BatchSecret { name: &item.name, content: item.content(tags.as_deref()) })
            .collect();
        let answer = match self.operation {
            Operation::Create => self.open.send(&CreateSecrets { token, place, secrets: &secrets }).await,
            Operation::Update => {
                let mode = MissingSecrets::FailOnNotFound;
                self.open.send(&UpdateSecrets { token, place, mode, secrets: &secrets }).await
            }
            Operation::Delete => {
                let names: Vec<&str> = items.iter().map(|item| &*item.name).collect();
                self.open.send(&DeleteSecrets { token, place, names: &names }).await
            }
        };
        match answer {
            Err(Error { kind: ErrorKind::NotFound, .. })
                if self.operation == Operation::Delete && items.len() == 1 =>
            {
                Ok(())
            }
            answer => answer.map_err(|error| self.refused(error, items)),
        }
    }
}

impl Sender<'_> {
    fn refused(&self, error: Error<ResourceRefusal>, items: &[Write]) -> Refused {
        let may_be_one = match &error.kind {
            ErrorKind::Refused(_)
            | ErrorKind::InvalidRequest { .. }
            | ErrorKind::Forbidden
            | ErrorKind::ServerError { .. } => true,
            // Of a create it is the folder that is not there, or a tag.
            ErrorKind::NotFound => {
                self.operation != Operation::Create || items.iter().any(|item| item.tag_ids.is_some())
            }
            _ => false,
        };
        Refused { error: ExternalError::of_resource(error), may_be_one }
    }
}
