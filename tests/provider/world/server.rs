//! The server: it has names that are unique, or marks that it does not look at.

use std::sync::Arc;

use async_trait::async_trait;
use provider_infisical::{
    api::resource::Managed,
    managed::{
        Connect,
        external::{ConnectionDetails, External, ExternalError, Made, Mark, Read},
    },
};

use super::{
    Resource, State, World,
    thing::{Parameters, Thing},
};

#[async_trait]
impl<const MARKED: bool> Connect<Thing<MARKED>> for World<MARKED> {
    async fn connect(
        &self,
        _: &Managed<Thing<MARKED>>,
    ) -> Result<Arc<dyn External<Thing<MARKED>>>, ExternalError> {
        Ok(Arc::new(self.clone()))
    }
}

impl<const MARKED: bool> World<MARKED> {
    async fn ask<T>(
        &self,
        what: &str,
        answer: impl FnOnce(&mut State) -> Result<T, ExternalError>,
    ) -> Result<T, ExternalError> {
        let answer = |state: &mut State, _| match state.refuses.clone() {
            Some(error) => Err(error),
            None => answer(state),
        };
        let answered = self.step(answer).await;
        answered.unwrap_or_else(|| Err(ExternalError::unknown(format!("cannot {what}: no answer"))))
    }
}

#[async_trait]
impl<const MARKED: bool> External<Thing<MARKED>> for World<MARKED> {
    async fn observe(&self, id: &str, _: &Parameters, _: Read) -> Result<Option<Resource>, ExternalError> {
        self.ask("read", |state| {
            state.reads += 1;
            Ok(state.resources.iter().find(|resource| resource.id == id).cloned())
        })
        .await
    }

    async fn find(
        &self,
        wanted: &Parameters,
        mark: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Resource>, ExternalError> {
        self.ask("find", |state| {
            state.reads += 1;
            let is_it = |resource: &&Resource| {
                if MARKED { resource.mark == mark.0 } else { Some(&resource.name) == wanted.name.as_ref() }
            };
            Ok(state.resources.iter().filter(is_it).cloned().collect())
        })
        .await
    }

    async fn create(&self, wanted: &Parameters, mark: Mark<'_>) -> Result<Made, ExternalError> {
        self.ask("create", |state| {
            state.writes.push("create".to_owned());
            let name = wanted.name.clone().unwrap_or_default();
            if let Some(name) = state.made_before_create.take() {
                let id = state.id();
                state.resources.push(Resource {
                    id,
                    name,
                    size: 1,
                    colour: "red".to_owned(),
                    mark: String::new(),
                });
            }
            if state.refuses_creates {
                return Err(ExternalError::refused("permission denied"));
            }
            if !MARKED && state.resources.iter().any(|resource| resource.name == name) {
                return Err(ExternalError::exists("cannot create: it exists already"));
            }
            let id = state.id();
            state.resources.push(Resource {
                id: id.clone(),
                name,
                size: wanted.size.unwrap_or(1),
                colour: wanted.colour.clone().unwrap_or_else(|| "red".to_owned()),
                mark: mark.0.to_owned(),
            });
            let details = ConnectionDetails([("once".to_owned(), b"shown once".to_vec())].into());
            Ok(Made { id, details })
        })
        .await
    }

    async fn update(&self, id: &str, _: &Parameters, size: &i64) -> Result<ConnectionDetails, ExternalError> {
        self.ask("update", |state| {
            state.writes.push("update".to_owned());
            let kept = state.keeps_size;
            if let Some(resource) = state.resources.iter_mut().find(|resource| resource.id == id) {
                resource.size = kept.unwrap_or(*size);
            }
            Ok(ConnectionDetails::default())
        })
        .await
    }

    async fn delete(&self, id: &str, _: &Parameters) -> Result<(), ExternalError> {
        self.ask("delete", |state| {
            state.writes.push("delete".to_owned());
            state.resources.retain(|resource| resource.id != id);
            Ok(())
        })
        .await
    }
}
