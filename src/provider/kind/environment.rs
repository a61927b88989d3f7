//! An environment: found by its slug, of which a project has one at most.
//!
//! A server keeps a deleted environment for fourteen days, and its slug with it. The one
//! that this object had before is restored; that of somebody else stays as it is.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::{
    Error, ErrorKind,
    api::{
        CreateEnvironment, DeleteEnvironment, Environment, ListFolders, ListSecrets, ReadEnvironment,
        ReadProject, ResourceRefusal, RestoreEnvironment, SecretPlace, UpdateEnvironment,
    },
};

use super::{deleted, found, missing, refusal};
use crate::{
    api::environment::{
        EnvironmentDeletion, ProjectEnvironment, ProjectEnvironmentObservation, ProjectEnvironmentParameters,
    },
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// An environment, and what is wanted to be known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    environment: Environment,
    project_id: String,
    /// It moves when others come and go, so it is shown only to those who ask for it.
    shows_position: bool,
}

/// What of an environment is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    name: Option<String>,
    slug: Option<String>,
    position: Option<u32>,
}

impl ManagedKind for ProjectEnvironment {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Key;

    fn id(seen: &Seen) -> &str {
        &seen.environment.id
    }

    fn observation(seen: &Seen) -> ProjectEnvironmentObservation {
        let Environment { id, name, slug, position } = seen.environment.clone();
        ProjectEnvironmentObservation {
            id: Some(id),
            project_id: Some(seen.project_id.clone()),
            name: Some(name),
            slug: Some(slug),
            position: i32::try_from(position).ok().filter(|_| seen.shows_position),
        }
    }

    fn key(observation: &ProjectEnvironmentObservation) -> Option<&str> {
        observation.slug.as_deref()
    }

    fn observed_id(observation: &ProjectEnvironmentObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &ProjectEnvironmentParameters, seen: &Seen) -> Difference<Change> {
        let Environment { name, slug, position, .. } = &seen.environment;
        let text = |wanted: &Option<String>, seen: &str| {
            wanted.as_deref().map(str::trim).filter(|wanted| *wanted != seen.trim()).map(str::to_owned)
        };
        let change = Change {
            name: text(&wanted.name, name),
            slug: text(&wanted.slug, slug),
            position: position_of(wanted).filter(|wanted| wanted != position),
        };
        if change == Change::default() { Difference::None } else { Difference::Change(change) }
    }

    fn complete(wanted: &ProjectEnvironmentParameters) -> Result<(), &'static str> {
        wanted.project_id.as_ref().ok_or("projectId")?;
        wanted.slug.as_ref().map(|_| ()).ok_or("slug")
    }

    fn with_key(wanted: &ProjectEnvironmentParameters, key: &str) -> Option<ProjectEnvironmentParameters> {
        Some(ProjectEnvironmentParameters { slug: Some(key.to_owned()), ..wanted.clone() })
    }
}

impl Served for ProjectEnvironment {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Environments(Arc::clone(open)))
    }
}

/// The routes of environments.
struct Environments(Arc<Open>);

#[async_trait]
impl External<ProjectEnvironment> for Environments {
    async fn observe(
        &self,
        id: &str,
        wanted: &ProjectEnvironmentParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let read =
            ReadEnvironment { token: &self.0.token, project_id: project_of(wanted)?, environment_id: id };
        let environment = found(self.0.send(&read).await)?;
        Ok(environment.map(|environment| seen(wanted, environment)))
    }

    async fn find(
        &self,
        wanted: &ProjectEnvironmentParameters,
        _: Mark<'_>,
        read: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let project = ReadProject { token: &self.0.token, project_id: project_of(wanted)? };
        let Some(project) = found(self.0.send(&project).await)? else { return Ok(Vec::new()) };
        let slug = wanted.slug.as_deref().ok_or_else(|| missing("slug"))?;
        match project.environments.iter().find(|it| it.slug == slug) {
            // The project does not say at which position it is.
            Some(it) => Ok(self.observe(&it.id, wanted, read).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    async fn create(
        &self,
        wanted: &ProjectEnvironmentParameters,
        _: Mark<'_>,
    ) -> Result<Made, ExternalError> {
        let slug = wanted.slug.as_deref().ok_or_else(|| missing("slug"))?;
        let create = CreateEnvironment {
            token: &self.0.token,
            project_id: project_of(wanted)?,
            name: wanted.name.as_deref().ok_or_else(|| missing("name"))?,
            slug,
            position: position_of(wanted),
        };
        match self.0.send(&create).await {
            Ok(made) => Ok(Made { id: made.id, details: ConnectionDetails::default() }),
            Err(Error { kind: ErrorKind::Refused(ResourceRefusal::HeldByDeleted), .. }) => {
                Err(self.held(create.project_id, slug).await)
            }
            Err(error) => Err(refusal(error)),
        }
    }

    async fn create_again(
        &self,
        before: &str,
        wanted: &ProjectEnvironmentParameters,
        mark: Mark<'_>,
    ) -> Result<Made, ExternalError> {
        let restore = RestoreEnvironment {
            token: &self.0.token,
            project_id: project_of(wanted)?,
            environment_id: before,
        };
        match found(self.0.send(&restore).await)? {
            Some(restored) => Ok(Made { id: restored.id, details: ConnectionDetails::default() }),
            None => self.create(wanted, mark).await,
        }
    }

    async fn update(
        &self,
        id: &str,
        wanted: &ProjectEnvironmentParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        let update = UpdateEnvironment {
            token: &self.0.token,
            project_id: project_of(wanted)?,
            environment_id: id,
            name: change.name.as_deref(),
            slug: change.slug.as_deref(),
            position: change.position,
        };
        self.0.send(&update).await.map_err(refusal)?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, wanted: &ProjectEnvironmentParameters) -> Result<(), ExternalError> {
        let delete = DeleteEnvironment {
            token: &self.0.token,
            project_id: project_of(wanted)?,
            environment_id: id,
            // What held nothing needs not hold its slug.
            for_good: wanted.deletion == EnvironmentDeletion::Permanent || self.is_empty(id, wanted).await?,
        };
        deleted(self.0.send(&delete).await)
    }
}

impl Environments {
    /// Why a slug is held, and what to do.
    async fn held(&self, project_id: &str, slug: &str) -> ExternalError {
        let read = ReadProject { token: &self.0.token, project_id };
        let holder = match found(self.0.send(&read).await) {
            Ok(Some(project)) => project.deleted_environments.into_iter().find(|it| it.slug == slug),
            Ok(None) => None,
            Err(error) => return error,
        };
        // It may have been deleted for good meanwhile.
        let id = holder.map_or_else(|| "its id".to_owned(), |it| it.id);
        ExternalError::refused(format!(
            "the slug {slug:?} is held by a deleted environment for up to 14 days: to restore that one with its \
             secrets, set the annotation crossplane.io/external-name to {id}; else delete it for good in Infisical"
        ))
    }

    /// Whether an environment holds neither secrets nor folders.
    async fn is_empty(&self, id: &str, wanted: &ProjectEnvironmentParameters) -> Result<bool, ExternalError> {
        let Some(seen) = self.observe(id, wanted, Read::Fresh).await? else { return Ok(false) };
        let (token, environment) = (&self.0.token, &*seen.environment.slug);
        let place = SecretPlace { project_id: &seen.project_id, environment, path: "/" };
        let secrets = found(self.0.send(&ListSecrets { token, place, has_values: false }).await)?;
        let folders = ListFolders { token, project_id: &seen.project_id, environment, path: "/" };
        let folders = found(self.0.send(&folders).await)?;
        Ok(secrets.is_some_and(|all| all.is_empty()) && folders.is_some_and(|all| all.is_empty()))
    }
}

fn project_of(wanted: &ProjectEnvironmentParameters) -> Result<&str, ExternalError> {
    wanted.project_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(|| missing("projectId"))
}

fn position_of(wanted: &ProjectEnvironmentParameters) -> Option<u32> {
    wanted.position.and_then(|position| u32::try_from(position).ok())
}

fn seen(wanted: &ProjectEnvironmentParameters, environment: Environment) -> Seen {
    Seen {
        environment,
        project_id: wanted.project_id.clone().unwrap_or_default(),
        shows_position: wanted.position.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11";

    fn production(wanted: &ProjectEnvironmentParameters) -> Seen {
        let environment = Environment {
            id: "5b6b1f5e-3f0c-4d52-8d7e-0e5a4a3f8c10".to_owned(),
            name: "Production".to_owned(),
            slug: "prod".to_owned(),
            position: 3,
        };
        seen(wanted, environment)
    }

    fn wanted(name: Option<&str>, slug: Option<&str>, position: Option<i32>) -> ProjectEnvironmentParameters {
        ProjectEnvironmentParameters {
            project_id: Some(PROJECT.to_owned()),
            name: name.map(str::to_owned),
            slug: slug.map(str::to_owned),
            position,
            ..ProjectEnvironmentParameters::default()
        }
    }

    #[test]
    fn only_what_the_author_wrote_is_compared() {
        let change = |name: Option<&str>, slug: Option<&str>, position| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            Difference::Change(Change { name: text(name), slug: text(slug), position })
        };
        let table = [
            ("nothing is wanted", wanted(None, None, None), Difference::None),
            ("it is so already", wanted(Some(" Production\n"), Some("prod"), Some(3)), Difference::None),
            ("another name", wanted(Some("Live"), Some("prod"), None), change(Some("Live"), None, None)),
            ("another slug", wanted(None, Some("live"), None), change(None, Some("live"), None)),
            ("another position", wanted(None, None, Some(1)), change(None, None, Some(1))),
        ];
        for (reason, wanted, expected) in table {
            assert_eq!(ProjectEnvironment::compare(&wanted, &production(&wanted)), expected, "{reason}");
        }
    }

    #[test]
    fn a_position_is_shown_only_where_one_is_wanted() {
        for (position, shown) in [(None, None), (Some(1), Some(3))] {
            let wanted = wanted(None, None, position);
            assert_eq!(ProjectEnvironment::observation(&production(&wanted)).position, shown);
        }
    }

    #[test]
    fn others_refer_to_an_environment_by_its_slug() {
        let observation = ProjectEnvironment::observation(&production(&wanted(None, None, None)));
        assert_eq!(ProjectEnvironment::key(&observation), Some("prod"));
        assert_eq!(observation.project_id.as_deref(), Some(PROJECT));
    }

    #[test]
    fn without_a_project_or_a_slug_nothing_is_asked() {
        let none = ProjectEnvironmentParameters::default();
        assert_eq!(ProjectEnvironment::complete(&none), Err("projectId"));
        assert_eq!(ProjectEnvironment::complete(&wanted(None, None, None)), Err("slug"));
        assert_eq!(ProjectEnvironment::complete(&wanted(None, Some("prod"), None)), Ok(()));
        assert!(project_of(&none).is_err());
    }
}
