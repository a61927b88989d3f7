//! An identity: its name is not unique, so that it is found by a mark in its metadata.

use std::{cmp::Reverse, sync::Arc};

use async_trait::async_trait;
use infisical::api::{
    CreateMarkedIdentity, CreateProjectOwnIdentity, DeleteIdentity, DeleteProjectOwnIdentity, ListIdentities,
    ListProjectOwnIdentities, ListedIdentity, Metadata, ProjectOwnIdentity, ReadIdentity,
    ReadProjectOwnIdentity, UpdateIdentity, UpdateProjectOwnIdentity, VerifyToken,
};

use super::{deleted, found, missing, outcome::refuse_own, refusal};
use crate::{
    api::identity::{Identity, IdentityMetadata, IdentityObservation, IdentityParameters, MARK},
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// What the server answers of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    id: String,
    name: String,
    organization_id: String,
    project_id: Option<String>,
    /// One of a project has none in the organization.
    role: Option<String>,
    has_delete_protection: bool,
    metadata: Vec<Metadata>,
    auth_methods: Vec<String>,
}

/// What of an identity is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// It is sent always: without it the server drops the end of a delete protection.
    name: String,
    role: Option<String>,
    metadata: Option<Vec<Metadata>>,
    has_delete_protection: Option<bool>,
}

impl ManagedKind for Identity {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Mark;

    fn id(seen: &Seen) -> &str {
        &seen.id
    }

    fn observation(seen: &Seen) -> IdentityObservation {
        let pair =
            |Metadata { key, value }: &Metadata| IdentityMetadata { key: key.clone(), value: value.clone() };
        IdentityObservation {
            id: Some(seen.id.clone()),
            name: Some(seen.name.clone()),
            organization_id: Some(seen.organization_id.clone()),
            project_id: seen.project_id.clone(),
            role: seen.role.clone(),
            has_delete_protection: Some(seen.has_delete_protection),
            auth_methods: sorted(seen.auth_methods.clone()),
            metadata: authors(&seen.metadata).iter().map(pair).collect(),
        }
    }

    fn observed_id(observation: &IdentityObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &IdentityParameters, seen: &Seen) -> Difference<Change> {
        if let Some(why) = moved(wanted, seen) {
            return Difference::Fixed(why);
        }
        let name = wanted.name.as_deref().map_or(&*seen.name, str::trim).to_owned();
        let has_another_name = name != seen.name;
        let metadata = wanted.metadata.as_deref().map(as_stored);
        let change = Change {
            name,
            // One of a project has its roles in its membership.
            role: wanted.role.clone().filter(|role| seen.role.as_ref().is_some_and(|seen| seen != role)),
            metadata: metadata.filter(|wanted| *wanted != authors(&seen.metadata)).map(|mut wanted| {
                wanted.extend(seen.metadata.iter().filter(|it| it.key == MARK).cloned());
                wanted
            }),
            has_delete_protection: wanted
                .has_delete_protection
                .filter(|wanted| *wanted != seen.has_delete_protection),
        };
        let is_same = !has_another_name
            && change.role.is_none()
            && change.metadata.is_none()
            && change.has_delete_protection.is_none();
        if is_same { Difference::None } else { Difference::Change(change) }
    }

    fn complete(wanted: &IdentityParameters) -> Result<(), &'static str> {
        wanted.name.as_ref().map(|_| ()).ok_or("name")
    }

    fn seen_in(wanted: &IdentityParameters, shown: &IdentityObservation) -> Option<IdentityParameters> {
        (wanted.project_id != shown.project_id && shown.id.is_some())
            .then(|| IdentityParameters { project_id: shown.project_id.clone(), ..wanted.clone() })
    }
}

/// Why an identity cannot become what is wanted: it is elsewhere.
fn moved(wanted: &IdentityParameters, seen: &Seen) -> Option<String> {
    let differs = |wanted: &Option<String>, seen: Option<&str>| {
        wanted
            .as_deref()
            .filter(|wanted| seen.is_none_or(|seen| !seen.eq_ignore_ascii_case(wanted)))
            .map(str::to_owned)
    };
    let says = |field: &str, wanted: &str, seen: &str| {
        format!(
            "spec.forProvider.{field} is {wanted:?}, and the identity is of {seen:?}, which cannot be changed: make \
             another Identity"
        )
    };
    if let Some(wanted) = differs(&wanted.organization_id, Some(&seen.organization_id)) {
        return Some(says("organizationId", &wanted, &seen.organization_id));
    }
    let place = seen.project_id.as_deref();
    differs(&wanted.project_id, place).map(|wanted| says("projectId", &wanted, place.unwrap_or_default()))
}

/// The metadata that are the author's, in one order.
fn authors(metadata: &[Metadata]) -> Vec<Metadata> {
    sorted(metadata.iter().filter(|it| it.key != MARK).cloned().collect())
}

/// What an author wrote, as the server keeps it.
fn as_stored(wanted: &[IdentityMetadata]) -> Vec<Metadata> {
    let trimmed = |text: &str| text.trim().to_owned();
    let pair = |it: &IdentityMetadata| Metadata { key: trimmed(&it.key), value: trimmed(&it.value) };
    authors(&wanted.iter().map(pair).collect::<Vec<_>>())
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

fn has_mark(metadata: &[Metadata], mark: Mark<'_>) -> bool {
    metadata.iter().any(|it| it.key == MARK && it.value == mark.0)
}

impl Served for Identity {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Identities(Arc::clone(open)))
    }
}

/// The routes of identities.
struct Identities(Arc<Open>);

#[async_trait]
impl External<Identity> for Identities {
    async fn observe(
        &self,
        id: &str,
        wanted: &IdentityParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        self.read(id, wanted.project_id.as_deref()).await
    }

    async fn find(
        &self,
        wanted: &IdentityParameters,
        mark: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        match wanted.project_id.as_deref() {
            Some(project_id) => self.find_in_project(project_id, mark).await,
            None => self.find_in_organization(wanted, mark).await,
        }
    }

    async fn create(&self, wanted: &IdentityParameters, mark: Mark<'_>) -> Result<Made, ExternalError> {
        let token = &self.0.token;
        let name = wanted.name.as_deref().ok_or_else(|| missing("name"))?.trim();
        let mut metadata = as_stored(wanted.metadata.as_deref().unwrap_or_default());
        metadata.push(Metadata { key: MARK.to_owned(), value: mark.0.to_owned() });
        let has_delete_protection = wanted.has_delete_protection.unwrap_or_default();
        let id = if let Some(project_id) = wanted.project_id.as_deref() {
            let metadata = &metadata;
            let create =
                CreateProjectOwnIdentity { token, project_id, name, metadata, has_delete_protection };
            self.0.send(&create).await.map_err(refusal)?.id
        } else {
            let create = CreateMarkedIdentity {
                token,
                organization_id: &self.organization(wanted).await?,
                name,
                role: wanted.role.as_deref().unwrap_or("no-access"),
                metadata: &metadata,
                has_delete_protection,
            };
            self.0.send(&create).await.map_err(refusal)?
        };
        Ok(Made { id, details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        wanted: &IdentityParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        refuse_own(&self.0, id)?;
        let token = &self.0.token;
        let Change { name, role, metadata, has_delete_protection } = change;
        let (metadata, has_delete_protection) = (metadata.as_deref(), *has_delete_protection);
        if let Some(project_id) = wanted.project_id.as_deref() {
            let update = UpdateProjectOwnIdentity {
                token,
                project_id,
                identity_id: id,
                name,
                metadata,
                has_delete_protection,
            };
            self.0.send(&update).await.map_err(refusal)?;
        } else {
            let role = role.as_deref();
            let update =
                UpdateIdentity { token, identity_id: id, name, role, metadata, has_delete_protection };
            self.0.send(&update).await.map_err(refusal)?;
        }
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, wanted: &IdentityParameters) -> Result<(), ExternalError> {
        refuse_own(&self.0, id)?;
        let token = &self.0.token;
        match wanted.project_id.as_deref() {
            Some(project_id) => {
                deleted(self.0.send(&DeleteProjectOwnIdentity { token, project_id, identity_id: id }).await)
            }
            None => deleted(self.0.send(&DeleteIdentity { token, identity_id: id }).await),
        }
    }
}

/// How many of those that were made last are read to find one by its mark, where none has
/// its name: an author may have changed the name meanwhile.
const NEWEST: usize = 100;

impl Identities {
    async fn read(&self, id: &str, project_id: Option<&str>) -> Result<Option<Seen>, ExternalError> {
        let token = &self.0.token;
        if let Some(project_id) = project_id {
            let read = ReadProjectOwnIdentity { token, project_id, identity_id: id };
            let seen = found(self.0.send(&read).await)?;
            return Ok(seen.map(|seen| of_project(seen, project_id)));
        }
        let seen = found(self.0.send(&ReadIdentity { token, identity_id: id }).await)?;
        Ok(seen.map(|seen| Seen {
            id: seen.id,
            name: seen.name,
            organization_id: seen.organization_id,
            project_id: None,
            role: Some(seen.role),
            has_delete_protection: seen.has_delete_protection,
            metadata: seen.metadata,
            auth_methods: seen.auth_methods,
        }))
    }

    async fn find_in_project(&self, project_id: &str, mark: Mark<'_>) -> Result<Vec<Seen>, ExternalError> {
        let list = ListProjectOwnIdentities { token: &self.0.token, project_id };
        let all = found(self.0.send(&list).await)?.unwrap_or_default();
        let marked = all.into_iter().filter(|it| has_mark(&it.metadata, mark));
        Ok(marked.map(|it| of_project(it, project_id)).collect())
    }

    /// The list has no metadata, so that those that may be it are read one by one.
    async fn find_in_organization(
        &self,
        wanted: &IdentityParameters,
        mark: Mark<'_>,
    ) -> Result<Vec<Seen>, ExternalError> {
        let organization_id = &self.organization(wanted).await?;
        let list = ListIdentities { token: &self.0.token, organization_id };
        let (named, others) = candidates(self.0.send(&list).await?, wanted.name.as_deref());
        let named = self.marked(&named, mark).await?;
        if named.is_empty() { self.marked(&others, mark).await } else { Ok(named) }
    }

    async fn marked(&self, ids: &[String], mark: Mark<'_>) -> Result<Vec<Seen>, ExternalError> {
        let mut marked = Vec::new();
        for id in ids {
            marked.extend(self.read(id, None).await?.filter(|seen| has_mark(&seen.metadata, mark)));
        }
        Ok(marked)
    }

    /// The organization that is meant: the one that the token is of, where none is named.
    async fn organization(&self, wanted: &IdentityParameters) -> Result<String, ExternalError> {
        match &wanted.organization_id {
            Some(id) => Ok(id.clone()),
            None => Ok(self.0.send(&VerifyToken { token: &self.0.token }).await?.id),
        }
    }
}

/// The ids of those that have the name, the oldest first, and of the newest that have not.
fn candidates(mut all: Vec<ListedIdentity>, name: Option<&str>) -> (Vec<String>, Vec<String>) {
    all.sort_by_key(|it| it.created_at);
    let (named, mut others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|it| Some(&*it.name) == name.map(str::trim));
    others.sort_by_key(|it| Reverse(it.created_at));
    others.truncate(NEWEST);
    let ids = |all: Vec<ListedIdentity>| all.into_iter().map(|it| it.id).collect();
    (ids(named), ids(others))
}

fn of_project(seen: ProjectOwnIdentity, project_id: &str) -> Seen {
    Seen {
        id: seen.id,
        name: seen.name,
        organization_id: seen.organization_id,
        project_id: Some(project_id.to_owned()),
        role: None,
        has_delete_protection: seen.has_delete_protection,
        metadata: seen.metadata,
        auth_methods: seen.auth_methods,
    }
}

#[cfg(test)]
mod tests;
