//! A project: found by its slug, of which an organization has one at most.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::api::{
    CreateProject, DeleteProject, ListFolders, ListProjects, ListSecrets, Project as Seen, ReadProject,
    ReadProjectBySlug, SecretPlace, UpdateProject,
};

use super::{deleted, found, missing, refusal};
use crate::{
    api::project::{Deletion, Project, ProjectEnvironmentSummary, ProjectObservation, ProjectParameters},
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// What of a project is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    name: Option<String>,
    slug: Option<String>,
    description: Option<String>,
    has_delete_protection: Option<bool>,
}

impl ManagedKind for Project {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Key;

    fn id(seen: &Seen) -> &str {
        &seen.id
    }

    fn observation(seen: &Seen) -> ProjectObservation {
        let mut environments: Vec<_> = seen.environments.iter().map(summary).collect();
        environments.sort_by(|one, other| one.slug.cmp(&other.slug));
        ProjectObservation {
            id: Some(seen.id.clone()),
            organization_id: None,
            name: Some(seen.name.clone()),
            slug: Some(seen.slug.clone()),
            description: seen.description.clone().filter(|text| !text.is_empty()),
            type_: Some(seen.kind.clone()),
            has_delete_protection: Some(seen.has_delete_protection),
            environments,
        }
    }

    fn observed_id(observation: &ProjectObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &ProjectParameters, seen: &Seen) -> Difference<Change> {
        if let Some(wanted) = wanted.type_.as_ref().filter(|type_| **type_ != seen.kind) {
            return Difference::Fixed(format!(
                "spec.forProvider.type is {wanted:?}, and the project's is {:?}, which cannot be changed: make \
                 another Project",
                seen.kind
            ));
        }
        // The server cuts off white space at both ends, and has no empty description.
        let text = |wanted: &Option<String>, seen: &str| {
            wanted.as_deref().map(str::trim).filter(|wanted| *wanted != seen).map(str::to_owned)
        };
        let change = Change {
            name: text(&wanted.name, &seen.name),
            slug: text(&wanted.slug, &seen.slug),
            description: text(&wanted.description, seen.description.as_deref().unwrap_or_default()),
            has_delete_protection: wanted
                .has_delete_protection
                .filter(|wanted| *wanted != seen.has_delete_protection),
        };
        if change == Change::default() { Difference::None } else { Difference::Change(change) }
    }

    fn complete(wanted: &ProjectParameters) -> Result<(), &'static str> {
        wanted.slug.as_ref().map(|_| ()).ok_or("slug")
    }

    fn with_key(wanted: &ProjectParameters, key: &str) -> Option<ProjectParameters> {
        Some(ProjectParameters { slug: Some(key.to_owned()), ..wanted.clone() })
    }
}

fn summary(environment: &infisical::api::ProjectEnvironment) -> ProjectEnvironmentSummary {
    let infisical::api::ProjectEnvironment { id, name, slug } = environment.clone();
    ProjectEnvironmentSummary { id, name, slug }
}

impl Served for Project {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Projects(Arc::clone(open)))
    }
}

/// The routes of projects.
struct Projects(Arc<Open>);

#[async_trait]
impl External<Project> for Projects {
    async fn observe(&self, id: &str, _: &ProjectParameters, _: Read) -> Result<Option<Seen>, ExternalError> {
        let read = ReadProject { token: &self.0.token, project_id: id };
        found(self.0.send(&read).await)
    }

    async fn find(
        &self,
        wanted: &ProjectParameters,
        _: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let token = &self.0.token;
        let slug = wanted.slug.as_deref().unwrap_or_default();
        if slug.contains('_') {
            // Such a slug cannot be asked for.
            let all = self.0.send(&ListProjects { token }).await.map_err(refusal)?;
            return Ok(all.into_iter().filter(|project| project.slug == slug).collect());
        }
        let found = found(self.0.send(&ReadProjectBySlug { token, slug }).await)?;
        Ok(found.into_iter().collect())
    }

    async fn create(&self, wanted: &ProjectParameters, _: Mark<'_>) -> Result<Made, ExternalError> {
        let slug = wanted.slug.as_deref().ok_or_else(|| missing("slug"))?;
        let create = CreateProject {
            token: &self.0.token,
            name: wanted.name.as_deref().ok_or_else(|| missing("name"))?,
            slug,
            description: wanted.description.as_deref(),
            kind: wanted.type_.as_deref(),
            has_default_environments: wanted.should_create_default_envs.unwrap_or(true),
            has_delete_protection: wanted.has_delete_protection.unwrap_or_default(),
        };
        let made = self.0.send(&create).await.map_err(refusal)?;
        Ok(Made { id: made.id, details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        wanted: &ProjectParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        let update = UpdateProject {
            token: &self.0.token,
            project_id: id,
            // The protection alone is dropped silently.
            name: change.name.as_deref().or(wanted.name.as_deref()),
            slug: change.slug.as_deref(),
            description: change.description.as_deref(),
            has_delete_protection: change.has_delete_protection,
            auto_capitalization: None,
        };
        self.0.send(&update).await.map_err(refusal)?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, wanted: &ProjectParameters) -> Result<(), ExternalError> {
        if wanted.deletion == Deletion::Protect {
            self.refuse_with_secrets(id).await?;
        }
        deleted(self.0.send(&DeleteProject { token: &self.0.token, project_id: id }).await)
    }
}

impl Projects {
    /// Refuses where the project holds secrets.
    async fn refuse_with_secrets(&self, id: &str) -> Result<(), ExternalError> {
        let token = &self.0.token;
        let Some(project) = found(self.0.send(&ReadProject { token, project_id: id }).await)? else {
            return Ok(());
        };
        for environment in &project.environments {
            let mut paths = vec!["/".to_owned()];
            while let Some(path) = paths.pop() {
                let place = SecretPlace { project_id: id, environment: &environment.slug, path: &path };
                let list = ListSecrets { token, place, has_values: false };
                let secrets = self.0.send(&list).await.map_err(refusal)?;
                if !secrets.is_empty() {
                    return Err(holds(secrets.len(), &environment.slug, &path));
                }
                let list = ListFolders { token, project_id: id, environment: &environment.slug, path: &path };
                let folders = self.0.send(&list).await.map_err(refusal)?;
                let beneath = |folder: &str| format!("{}/{folder}", path.trim_end_matches('/'));
                paths.extend(folders.iter().map(|folder| beneath(&folder.name)));
            }
        }
        Ok(())
    }
}

fn holds(secrets: usize, environment: &str, path: &str) -> ExternalError {
    ExternalError::refused(format!(
        "the project holds secrets ({secrets} in {environment} at {path}): delete them, or write \
         spec.forProvider.deletion: Force"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        serde_json::from_value(serde_json::json!({
            "id": "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11",
            "name": "Payments",
            "slug": "payments",
            "description": "",
            "type": "secret-manager",
            "hasDeleteProtection": false,
            "autoCapitalization": false,
            "environments": [
                { "id": "b", "name": "Production", "slug": "prod" },
                { "id": "a", "name": "Development", "slug": "dev" },
            ],
        }))
        .unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "all parameters are optional")]
    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn only_what_the_author_wrote_is_compared_and_as_the_server_keeps_it() {
        let none = ProjectParameters::default();
        let table = [
            ("nothing is wanted", none.clone(), Change::default()),
            (
                "it is so already",
                ProjectParameters {
                    name: text(" Payments\n"),
                    slug: text("payments"),
                    description: text(""),
                    type_: text("secret-manager"),
                    has_delete_protection: Some(false),
                    ..none.clone()
                },
                Change::default(),
            ),
            (
                "all is another",
                ProjectParameters {
                    name: text("Billing"),
                    slug: text("billing"),
                    description: text("of team-a"),
                    has_delete_protection: Some(true),
                    ..none.clone()
                },
                Change {
                    name: text("Billing"),
                    slug: text("billing"),
                    description: text("of team-a"),
                    has_delete_protection: Some(true),
                },
            ),
            (
                "what counts only once does not count later",
                ProjectParameters { should_create_default_envs: Some(false), ..none.clone() },
                Change::default(),
            ),
        ];
        for (reason, wanted, expected) in table {
            let expected =
                if expected == Change::default() { Difference::None } else { Difference::Change(expected) };
            assert_eq!(Project::compare(&wanted, &seen()), expected, "{reason}");
        }
    }

    #[test]
    fn a_description_is_taken_away_by_an_empty_one() {
        let wanted = ProjectParameters { description: text(""), ..ProjectParameters::default() };
        let seen = Seen { description: text("of team-a"), ..seen() };
        let change = Change { description: text(""), ..Change::default() };
        assert_eq!(Project::compare(&wanted, &seen), Difference::Change(change));
    }

    #[test]
    fn another_type_is_refused_with_what_to_do() {
        let wanted = ProjectParameters { type_: text("kms"), name: text("Billing"), ..Default::default() };
        let Difference::Fixed(why) = Project::compare(&wanted, &seen()) else { panic!("it is fixed") };
        assert!(why.contains("\"kms\"") && why.ends_with("make another Project"), "{why}");
    }

    #[test]
    fn environments_are_shown_in_one_order() {
        let shown = Project::observation(&seen());
        let slugs: Vec<_> = shown.environments.iter().map(|it| &*it.slug).collect();
        assert_eq!(slugs, ["dev", "prod"]);
        assert_eq!(shown.description, None);
    }
}
