//! Folders of an environment.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::refusal::ResourceRefusal;
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, RefusalBody, Route},
    secret::AccessToken,
};

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Folder {
    /// Its id, a UUID, which stays when it is renamed.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is described as.
    pub description: Option<String>,
}

/// A folder, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderInPlace {
    /// The folder.
    pub folder: Folder,
    /// Its path, itself included: `/team/api`.
    pub path: String,
    /// The slug of its environment.
    pub environment: String,
    /// Its project.
    pub project_id: String,
}

fn folder(body: &[u8]) -> serde_json::Result<Folder> {
    #[derive(Deserialize)]
    struct Body {
        folder: Folder,
    }
    serde_json::from_slice(body).map(|Body { folder }| folder)
}

/// A folder by its id.
const FOLDER: &str = "/api/v2/folders/{id}";

/// `POST /api/v2/folders`. Parents that are missing are made, and stay when it is deleted.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateFolder<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The slug of the environment.
    pub environment: &'a str,
    /// The path that it is in.
    pub path: &'a str,
    /// Its name: letters, digits, `-` and `_`; case counts.
    pub name: &'a str,
    /// What it is described as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
}

impl Route for CreateFolder<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v2/folders";
    const WHAT: &'static str = "make the folder";
    type Answer = Folder;
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<Folder> {
        folder(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v2/folders/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadFolder<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The folder's id.
    pub folder_id: &'a str,
}

impl Route for ReadFolder<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = FOLDER;
    const WHAT: &'static str = "read the folder";
    type Answer = FolderInPlace;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.folder_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<FolderInPlace> {
        #[derive(Deserialize)]
        struct Body {
            folder: Placed,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Placed {
            #[serde(flatten)]
            folder: Folder,
            path: String,
            environment: Named,
            #[serde(deserialize_with = "route::id")]
            project_id: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            env_slug: String,
        }
        let Body { folder: Placed { folder, path, environment, project_id } } = serde_json::from_slice(body)?;
        Ok(FolderInPlace { folder, path, environment: environment.env_slug, project_id })
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v2/folders`: those right below a path. Of a path that is not there: none.
#[derive(Clone, Copy, Debug)]
pub struct ListFolders<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The project.
    pub project_id: &'a str,
    /// The slug of the environment.
    pub environment: &'a str,
    /// The path.
    pub path: &'a str,
}

impl Route for ListFolders<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v2/folders";
    const WHAT: &'static str = "list the folders";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<Folder>;
    type Refusal = ResourceRefusal;

    fn texts(&self) -> Vec<(&'static str, &str)> {
        vec![("projectId", self.project_id), ("environment", self.environment), ("path", self.path)]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<Folder>> {
        #[derive(Deserialize)]
        struct Body {
            folders: Vec<Folder>,
        }
        serde_json::from_slice(body).map(|Body { folders }| folders)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v2/folders/{id}`. Each makes a version, also of what is equal.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateFolder<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder's id.
    #[serde(skip)]
    pub folder_id: &'a str,
    /// The project.
    pub project_id: &'a str,
    /// The slug of the environment.
    pub environment: &'a str,
    /// The path that it is in.
    pub path: &'a str,
    /// Its name, the old one or another.
    pub name: &'a str,
    /// What it is described as; none takes it away.
    pub description: Option<&'a str>,
}

impl Route for UpdateFolder<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = FOLDER;
    const WHAT: &'static str = "change the folder";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.folder_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v2/folders/{id}`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteFolder<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder's id.
    #[serde(skip)]
    pub folder_id: &'a str,
    /// The project.
    pub project_id: &'a str,
    /// The slug of the environment.
    pub environment: &'a str,
    /// The path that it is in.
    pub path: &'a str,
    /// Whether what is in it goes too; else a folder with content is refused.
    #[serde(rename = "forceDelete")]
    pub with_content: bool,
}

impl Route for DeleteFolder<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = FOLDER;
    const WHAT: &'static str = "delete the folder";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.folder_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}
