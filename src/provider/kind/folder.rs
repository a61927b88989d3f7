//! A folder: found by its path, of which an environment has one at most.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::{
    Error, ErrorKind,
    api::{
        CreateFolder, DeleteFolder, Folder, FolderInPlace, ListFolders, ReadFolder, ResourceRefusal,
        UpdateFolder,
    },
};

use super::{
    deleted, found, missing,
    path::{joined, normal, split},
    refusal,
};
use crate::{
    api::{
        folder::{SecretFolder, SecretFolderObservation, SecretFolderParameters},
        project::Deletion,
    },
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// A folder, and the one that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    folder: Folder,
    place: Place,
}

/// What is to be of a folder: the server takes both at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    name: String,
    description: Option<String>,
    /// Where it is: it is not changed anywhere else.
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    project_id: String,
    environment: String,
    parent: String,
}

impl ManagedKind for SecretFolder {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Key;

    fn id(seen: &Seen) -> &str {
        &seen.folder.id
    }

    fn observation(seen: &Seen) -> SecretFolderObservation {
        SecretFolderObservation {
            id: Some(seen.folder.id.clone()),
            project_id: Some(seen.place.project_id.clone()),
            environment_slug: Some(seen.place.environment.clone()),
            path: Some(joined(&seen.place.parent, &seen.folder.name)),
            description: seen.folder.description.clone().filter(|text| !text.is_empty()),
        }
    }

    fn key(observation: &SecretFolderObservation) -> Option<&str> {
        observation.path.as_deref()
    }

    fn observed_id(observation: &SecretFolderObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &SecretFolderParameters, seen: &Seen) -> Difference<Change> {
        let Place { project_id, environment, parent } = &seen.place;
        let fixed = [
            ("projectId", wanted.project_id.clone(), project_id),
            ("environmentSlug", wanted.environment_slug.clone(), environment),
            ("folderPath", wanted.folder_path.as_deref().map(normal), parent),
        ];
        let mut fixed = fixed.into_iter().filter_map(|(field, wanted, seen)| Some((field, wanted?, seen)));
        if let Some((field, wanted, seen)) = fixed.find(|(_, wanted, seen)| wanted != *seen) {
            return Difference::Fixed(format!(
                "spec.forProvider.{field} is {wanted:?}, and the folder's is {seen:?}, which cannot be changed: \
                 make another SecretFolder"
            ));
        }
        let text =
            |text: Option<&String>| text.map(|text| text.trim().to_owned()).filter(|it| !it.is_empty());
        let name = wanted.name.clone().unwrap_or_else(|| seen.folder.name.clone());
        let described = text(seen.folder.description.as_ref());
        let description =
            wanted.description.as_ref().map_or_else(|| described.clone(), |wanted| text(Some(wanted)));
        if name == seen.folder.name && description == described {
            return Difference::None;
        }
        Difference::Change(Change { name, description, place: seen.place.clone() })
    }

    fn complete(wanted: &SecretFolderParameters) -> Result<(), &'static str> {
        wanted.project_id.as_ref().ok_or("projectId")?;
        wanted.environment_slug.as_ref().ok_or("environmentSlug")?;
        wanted.name.as_ref().map(|_| ()).ok_or("name")
    }

    fn with_key(wanted: &SecretFolderParameters, key: &str) -> Option<SecretFolderParameters> {
        let (parent, name) = split(key)?;
        Some(SecretFolderParameters { folder_path: Some(parent), name: Some(name), ..wanted.clone() })
    }
}

impl Served for SecretFolder {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Folders(Arc::clone(open)))
    }
}

/// The routes of folders.
struct Folders(Arc<Open>);

#[async_trait]
impl External<SecretFolder> for Folders {
    async fn observe(
        &self,
        id: &str,
        wanted: &SecretFolderParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let Some(listed) = self.list(wanted).await? else {
            return self.elsewhere(id, wanted).await;
        };
        match listed.into_iter().find(|folder| folder.id == id) {
            Some(folder) => Ok(Some(in_place(wanted, folder))),
            None => self.elsewhere(id, wanted).await,
        }
    }

    async fn find(
        &self,
        wanted: &SecretFolderParameters,
        _: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let listed = self.list(wanted).await?.unwrap_or_default();
        let is_it = |folder: &Folder| wanted.name.as_ref() == Some(&folder.name);
        Ok(listed.into_iter().filter(is_it).map(|folder| in_place(wanted, folder)).collect())
    }

    async fn create(&self, wanted: &SecretFolderParameters, _: Mark<'_>) -> Result<Made, ExternalError> {
        let description = wanted.description.as_deref().map(str::trim);
        let create = CreateFolder {
            token: &self.0.token,
            project_id: given(wanted.project_id.as_deref(), "projectId")?,
            environment: given(wanted.environment_slug.as_deref(), "environmentSlug")?,
            path: &parent_of(wanted),
            name: given(wanted.name.as_deref(), "name")?,
            description: description.filter(|text| !text.is_empty()),
        };
        let made = self.0.send(&create).await.map_err(refusal)?;
        Ok(Made { id: made.id, details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        _: &SecretFolderParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        let update = UpdateFolder {
            token: &self.0.token,
            folder_id: id,
            project_id: &change.place.project_id,
            environment: &change.place.environment,
            path: &change.place.parent,
            name: &change.name,
            description: change.description.as_deref(),
        };
        self.0.send(&update).await.map_err(refusal)?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, wanted: &SecretFolderParameters) -> Result<(), ExternalError> {
        // Where it is, and not where it was meant to be.
        let Some(seen) = self.observe(id, wanted, Read::Fresh).await? else { return Ok(()) };
        let delete = DeleteFolder {
            token: &self.0.token,
            folder_id: id,
            project_id: &seen.place.project_id,
            environment: &seen.place.environment,
            path: &seen.place.parent,
            with_content: wanted.deletion == Deletion::Force,
        };
        match self.0.send(&delete).await {
            Err(Error { kind: ErrorKind::Refused(ResourceRefusal::NotEmpty), .. }) => Err(holds(&seen)),
            answer => deleted(answer),
        }
    }
}

impl Folders {
    /// The folders where it is meant to be; `None` where there is no such environment.
    async fn list(&self, wanted: &SecretFolderParameters) -> Result<Option<Vec<Folder>>, ExternalError> {
        let list = ListFolders {
            token: &self.0.token,
            project_id: given(wanted.project_id.as_deref(), "projectId")?,
            environment: given(wanted.environment_slug.as_deref(), "environmentSlug")?,
            path: &parent_of(wanted),
        };
        found(self.0.send(&list).await)
    }

    /// The folder of an id that is not where it is meant to be.
    async fn elsewhere(
        &self,
        id: &str,
        wanted: &SecretFolderParameters,
    ) -> Result<Option<Seen>, ExternalError> {
        let read = ReadFolder { token: &self.0.token, folder_id: id };
        let Some(FolderInPlace { folder, path, environment, project_id }) = found(self.0.send(&read).await)?
        else {
            return Ok(None);
        };
        let parent = split(&path).map_or_else(|| "/".to_owned(), |(parent, _)| parent);
        let seen = Seen { folder, place: Place { project_id, environment, parent } };
        // What a deleted environment holds is not there, although it can be read.
        let is_listed = in_place(wanted, seen.folder.clone()) == seen;
        Ok((!is_listed).then_some(seen))
    }
}

fn holds(seen: &Seen) -> ExternalError {
    let path = joined(&seen.place.parent, &seen.folder.name);
    ExternalError::refused(format!(
        "the folder {path} of {} is not empty: delete what is in it, or write spec.forProvider.deletion: Force",
        seen.place.environment
    ))
}

fn given<'a>(value: Option<&'a str>, field: &str) -> Result<&'a str, ExternalError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| missing(field))
}

fn parent_of(wanted: &SecretFolderParameters) -> String {
    normal(wanted.folder_path.as_deref().unwrap_or_default())
}

fn in_place(wanted: &SecretFolderParameters, folder: Folder) -> Seen {
    let place = Place {
        project_id: wanted.project_id.clone().unwrap_or_default(),
        environment: wanted.environment_slug.clone().unwrap_or_default(),
        parent: parent_of(wanted),
    };
    Seen { folder, place }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11";

    fn wanted(path: Option<&str>, name: Option<&str>, description: Option<&str>) -> SecretFolderParameters {
        SecretFolderParameters {
            project_id: Some(PROJECT.to_owned()),
            environment_slug: Some("prod".to_owned()),
            folder_path: path.map(str::to_owned),
            name: name.map(str::to_owned),
            description: description.map(str::to_owned),
            ..SecretFolderParameters::default()
        }
    }

    fn seen() -> Seen {
        let folder = Folder {
            id: "5b6b1f5e-3f0c-4d52-8d7e-0e5a4a3f8c10".to_owned(),
            name: "api".to_owned(),
            description: Some("Of the API".to_owned()),
        };
        in_place(&wanted(Some("/team"), None, None), folder)
    }

    #[test]
    fn what_differs_is_sent_with_what_is_to_stay() {
        let change = |name: &str, description: Option<&str>| {
            Difference::Change(Change {
                name: name.to_owned(),
                description: description.map(str::to_owned),
                place: seen().place,
            })
        };
        let table = [
            ("nothing is wanted", wanted(None, None, None), Difference::None),
            ("it is so already", wanted(Some("team/"), Some("api"), Some(" Of the API\n")), Difference::None),
            ("another name", wanted(None, Some("web"), None), change("web", Some("Of the API"))),
            ("another description", wanted(None, None, Some("Ours")), change("api", Some("Ours"))),
            ("no description", wanted(None, None, Some("")), change("api", None)),
        ];
        for (reason, wanted, expected) in table {
            assert_eq!(SecretFolder::compare(&wanted, &seen()), expected, "{reason}");
        }
    }

    #[test]
    fn a_folder_does_not_move() {
        let elsewhere = SecretFolderParameters {
            environment_slug: Some("dev".to_owned()),
            ..wanted(Some("/team"), None, None)
        };
        let another =
            SecretFolderParameters { project_id: Some("another".to_owned()), ..wanted(None, None, None) };
        let table = [
            (wanted(Some("/other"), None, None), "folderPath is \"/other\", and the folder's is \"/team\""),
            (elsewhere, "environmentSlug is \"dev\", and the folder's is \"prod\""),
            (another, "projectId is \"another\""),
        ];
        for (wanted, expected) in table {
            let Difference::Fixed(why) = SecretFolder::compare(&wanted, &seen()) else {
                panic!("{expected}")
            };
            assert!(why.contains(expected) && why.ends_with("make another SecretFolder"), "{why}");
        }
    }

    #[test]
    fn others_refer_to_a_folder_by_its_path_and_import_it_by_that() {
        let observation = SecretFolder::observation(&seen());
        assert_eq!(SecretFolder::key(&observation), Some("/team/api"));
        let by_key = SecretFolder::with_key(&wanted(None, None, None), "/team/api").unwrap();
        assert_eq!((by_key.folder_path.as_deref(), by_key.name.as_deref()), (Some("/team"), Some("api")));
        assert_eq!(SecretFolder::with_key(&wanted(None, None, None), "/"), None);
    }
}
