//! Folders of an environment. Every environment has a root; a missing parent is made
//! without a word.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    environment::{Environment, is_id},
    fields::{Fields, length},
    membership::merged,
    permission::Place,
    project::Project,
    secret::Secret,
    time,
};
use crate::Response;

/// What the column of names takes (recorded).
const LONGEST_NAME: i64 = 255;

/// A folder with its secrets.
#[derive(Clone)]
pub(super) struct Folder {
    pub(super) id: String,
    parent_id: Option<String>,
    name: String,
    description: Option<String>,
    /// One more with each PATCH.
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    pub(super) secrets: Vec<Secret>,
}

impl Folder {
    pub(super) fn root(now: Timestamp, id: String) -> Self {
        Self::new(now, id, None, "root")
    }

    fn new(now: Timestamp, id: String, parent_id: Option<String>, name: &str) -> Self {
        Self {
            id,
            parent_id,
            name: name.to_owned(),
            description: None,
            version: 1,
            created_at: now,
            updated_at: now,
            secrets: Vec::new(),
        }
    }

    fn body(&self, environment: &Environment) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
            "envId": environment.id,
            "parentId": self.parent_id,
            "isReserved": false,
            "description": self.description,
            "lastSecretModified": null,
        })
    }
}

/// A path as the server keeps it: one slash in front, none at the end.
pub(super) fn normal(path: &str) -> String {
    format!("/{}", path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
}

/// A path one part deeper.
pub(super) fn joined(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl Environment {
    fn root(&self) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.parent_id.is_none())
    }

    pub(super) fn folder_at(&self, path: &str) -> Option<&Folder> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.fold(self.root(), |folder, name| self.child(&folder?.id, name))
    }

    pub(super) fn folder_at_mut(&mut self, path: &str) -> Option<&mut Folder> {
        let id = self.folder_at(path)?.id.clone();
        self.folders.iter_mut().find(|folder| folder.id == id)
    }

    fn child(&self, parent_id: &str, name: &str) -> Option<&Folder> {
        self.children(parent_id).find(|folder| folder.name == name)
    }

    fn children(&self, parent_id: &str) -> impl Iterator<Item = &Folder> {
        self.folders.iter().filter(move |folder| folder.parent_id.as_deref() == Some(parent_id))
    }

    pub(super) fn path_of(&self, folder: &Folder) -> String {
        let parent = folder.parent_id.as_ref();
        match parent.and_then(|id| self.folders.iter().find(|folder| folder.id == *id)) {
            Some(parent) => joined(&self.path_of(parent), &folder.name),
            None => "/".to_owned(),
        }
    }

    /// A folder and all below it, parents first.
    pub(super) fn below<'a>(&'a self, folder: &'a Folder) -> Vec<&'a Folder> {
        let mut all = vec![folder];
        for child in self.children(&folder.id) {
            all.extend(self.below(child));
        }
        all
    }
}

impl Instance {
    /// The folder of a path, made if it is missing.
    pub(super) fn folder_made(
        &mut self,
        now: Timestamp,
        environment: &mut Environment,
        path: &str,
    ) -> Option<String> {
        let mut parent = environment.root()?.id.clone();
        for name in path.split('/').filter(|part| !part.is_empty()) {
            parent = match environment.child(&parent, name) {
                Some(folder) => folder.id.clone(),
                None => {
                    let made = Folder::new(now, self.id(), Some(parent), name);
                    environment.folders.push(made.clone());
                    made.id
                }
            };
        }
        Some(parent)
    }

    pub(super) fn create_folder(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?)?;
        let place = Place { environment: &wanted.environment, path: &wanted.path, name: "" };
        self.permit_at(call.now, &actor, &wanted.project_id, ("create", "secret-folders"), place)?;
        let project = self.project_of_id(&wanted.project_id)?;
        let missing = || no_environment(project, &wanted.environment);
        let mut environment = project.environment(&wanted.environment).ok_or_else(missing)?.clone();
        if !wanted.path.split('/').filter(|part| !part.is_empty()).all(is_name) {
            let message =
                "Invalid secret path. Only alphanumeric characters, dashes, and underscores are allowed.";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        let parent = self.folder_made(call.now, &mut environment, &wanted.path);
        let parent = parent.ok_or_else(Response::server_error)?;
        if environment.child(&parent, &wanted.name).is_some() {
            let message =
                format!("Folder with name '{}' already exists in path '{}'", wanted.name, wanted.path);
            return Err(Response::refusal(400, "BadRequest", &message));
        }
        if length(&wanted.name) > LONGEST_NAME {
            return Err(Response::failed("Create"));
        }
        let mut made = Folder::new(call.now, self.id(), Some(parent), &wanted.name);
        made.description = wanted.description.flatten();
        let path = joined(&wanted.path, &wanted.name);
        let body = merged(made.body(&environment), json!({ "path": path }));
        environment.folders.push(made);
        self.put_environment(&wanted.project_id, environment)?;
        Ok(Response::ok(&json!({ "folder": body })))
    }

    /// Puts a changed environment in the place of what it was.
    pub(super) fn put_environment(&mut self, project_id: &str, changed: Environment) -> Result<(), Response> {
        let project = self.project_mut(project_id)?;
        if let Some(environment) = project.environments.iter_mut().find(|it| it.id == changed.id) {
            *environment = changed;
        }
        Ok(())
    }

    pub(super) fn read_folder(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let id = call.id(0);
        if !is_id(id) {
            return Err(Response::failed("Find by id"));
        }
        let found = self.database.projects.iter().find_map(|project| {
            let has_it = |it: &&Environment| it.folders.iter().any(|folder| folder.id == id);
            let environment = project.environments.iter().find(has_it)?;
            let folder = environment.folders.iter().find(|folder| folder.id == id)?;
            let more = json!({
                "environment": {
                    "envId": environment.id,
                    "envName": environment.name,
                    "envSlug": environment.slug,
                },
                "path": environment.path_of(folder),
                "projectId": project.id,
            });
            Some((project.id.clone(), merged(folder.body(environment), more)))
        });
        let (project_id, body) = found.ok_or_else(|| no_folder(id, "NotFound"))?;
        self.member(call.now, &actor, &project_id)?;
        Ok(Response::ok(&json!({ "folder": body })))
    }

    pub(super) fn list_folders(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let project_id = query.required("projectId");
        let slug = query.required("environment");
        let path = normal(&query.text("path").unwrap_or_default());
        let is_recursive = query.text_flag("recursive") == Some(true);
        query.finish()?;
        self.member(call.now, &actor, &project_id)?;
        let environment = self.project_of_id(&project_id)?.environment(&slug);
        let missing = || Response::missing(&format!("Environment with slug '{slug}' not found"));
        let environment = environment.ok_or_else(missing)?;
        let mut list = Vec::new();
        if let Some(folder) = environment.folder_at(&path) {
            if is_recursive {
                for folder in environment.below(folder).into_iter().skip(1) {
                    let below = relative(&environment.path_of(folder), &path);
                    list.push((
                        below.clone(),
                        merged(folder.body(environment), json!({ "relativePath": below })),
                    ));
                }
            } else {
                let children = environment.children(&folder.id);
                list.extend(children.map(|child| (child.name.clone(), child.body(environment))));
            }
        }
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        let list: Vec<_> = list.into_iter().map(|(_, body)| body).collect();
        Ok(Response::ok(&json!({ "folders": list })))
    }

    pub(super) fn update_folder(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?)?;
        let id = call.id(0);
        let mut environment = self.writable(call, &actor, &wanted, ("edit", "UpdateFolder"))?;
        let parent = environment.folder_at(&wanted.path).map(|it| it.id.clone());
        let parent = parent.ok_or_else(|| no_path(&wanted, "UpdateFolder"))?;
        let found =
            environment.folders.iter().find(|it| it.id == id && it.parent_id.as_ref() == Some(&parent));
        found.ok_or_else(|| no_folder(id, "UpdateFolder"))?;
        if environment.child(&parent, &wanted.name).is_some_and(|taken| taken.id != id) {
            let message = "Folder with specified name already exists";
            return Err(Response::refusal(400, "UpdateFolder", message));
        }
        if wanted.description.as_ref().is_some_and(|it| it.as_deref().is_some_and(|text| length(text) > 255))
        {
            return Err(Response::failed("SecretFolderUpdate"));
        }
        for folder in environment.folders.iter_mut().filter(|folder| folder.id == id) {
            folder.name.clone_from(&wanted.name);
            folder.description = wanted.description.clone().unwrap_or_else(|| folder.description.clone());
            folder.version += 1;
            folder.updated_at = call.now;
        }
        let changed = environment.folders.iter().find(|folder| folder.id == id);
        let changed = changed.ok_or_else(|| no_folder(id, "UpdateFolder"))?;
        let path = json!({ "path": environment.path_of(changed) });
        let body = merged(changed.body(&environment), path);
        self.put_environment(&wanted.project_id, environment)?;
        Ok(Response::ok(&json!({ "folder": body })))
    }

    /// By id or by name.
    pub(super) fn delete_folder(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let is_forced = fields.flag("forceDelete").unwrap_or_default();
        let wanted = Wanted::without_name(fields)?;
        let id = call.id(0);
        let mut environment = self.writable(call, &actor, &wanted, ("delete", "NotFound"))?;
        let parent = environment.folder_at(&wanted.path).map(|it| it.id.clone());
        let parent = parent.ok_or_else(|| no_path(&wanted, "DeleteFolder"))?;
        let found = environment.children(&parent).find(|folder| folder.id == id || folder.name == id);
        let folder = found.ok_or_else(|| no_folder(id, "NotFound"))?.clone();
        let doomed: Vec<String> = environment.below(&folder).iter().map(|it| it.id.clone()).collect();
        if !is_forced && (doomed.len() > 1 || !folder.secrets.is_empty()) {
            let message = format!(
                "Cannot delete folder \"{}\" because it contains resources. Use forceDelete=true to delete it forcefully.",
                folder.name
            );
            return Err(Response::refusal(400, "deleteFolder", &message));
        }
        let body = folder.body(&environment);
        environment.folders.retain(|folder| !doomed.contains(&folder.id));
        self.put_environment(&wanted.project_id, environment)?;
        Ok(Response::ok(&json!({ "folder": body })))
    }

    fn writable(
        &mut self,
        call: &Call<'_>,
        actor: &Actor,
        wanted: &Wanted,
        (action, error): (&str, &str),
    ) -> Result<Environment, Response> {
        let place = Place { environment: &wanted.environment, path: &wanted.path, name: "" };
        self.permit_at(call.now, actor, &wanted.project_id, (action, "secret-folders"), place)?;
        let environment = self.project_of_id(&wanted.project_id)?.environment(&wanted.environment).cloned();
        environment.ok_or_else(|| no_path(wanted, error))
    }

    /// For users only; the folder gets a new id (recorded).
    pub(super) fn move_folder(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        if matches!(actor, Actor::Identity { .. }) {
            return Err(Response::for_users_only(&call.request.path));
        }
        let mut fields = call.fields()?;
        let project_id = fields.required("projectId");
        let id = fields.required("folderId");
        let slug = fields.required("destinationEnvironment");
        let path = normal(&fields.required("destinationPath"));
        fields.finish()?;
        let new_id = self.id();
        let project = self.project_of_id(&project_id)?;
        let mut environment =
            project.environment(&slug).ok_or_else(|| no_environment(project, &slug))?.clone();
        let to = environment.folder_at(&path).map(|folder| folder.id.clone());
        let folder = environment.folders.iter().find(|folder| folder.id == id);
        let folder = folder.ok_or_else(|| no_folder(&id, "NotFound"))?;
        let from = environment.path_of(folder);
        for folder in &mut environment.folders {
            if folder.id == id {
                folder.id.clone_from(&new_id);
                folder.parent_id.clone_from(&to);
            } else if folder.parent_id.as_ref() == Some(&id) {
                folder.parent_id = Some(new_id.clone());
            }
        }
        self.put_environment(&project_id, environment)?;
        Ok(Response::ok(&json!({
            "folderId": id,
            "sourceEnvironment": slug,
            "sourcePath": from,
            "destinationEnvironment": slug,
            "destinationPath": path,
        })))
    }
}

/// What a request says of a folder.
struct Wanted {
    project_id: String,
    environment: String,
    name: String,
    path: String,
    description: Option<Option<String>>,
}

impl Wanted {
    fn of(mut fields: Fields) -> Result<Self, Response> {
        let name = fields.required("name").trim().to_owned();
        if fields.has("name") {
            let message =
                "Invalid folder name. Only alphanumeric characters, dashes, and underscores are allowed.";
            fields.custom("name", is_name(&name), message);
        }
        Self::with_name(fields, name)
    }

    fn without_name(fields: Fields) -> Result<Self, Response> {
        Self::with_name(fields, String::new())
    }

    fn with_name(mut fields: Fields, name: String) -> Result<Self, Response> {
        let wanted = Self {
            project_id: fields.required("projectId"),
            environment: fields.required("environment"),
            name,
            path: normal(&fields.text("path").unwrap_or_default()),
            description: fields.nullable("description"),
        };
        fields.finish()?;
        Ok(wanted)
    }
}

fn relative(path: &str, of: &str) -> String {
    normal(path.strip_prefix(of).unwrap_or(path))
}

fn no_environment(project: &Project, slug: &str) -> Response {
    let message = format!("Environment with slug '{slug}' in project with ID '{}' not found", project.id);
    Response::missing(&message)
}

fn no_path(wanted: &Wanted, error: &str) -> Response {
    let (path, environment) = (&wanted.path, &wanted.environment);
    let message = format!("Folder with path '{path}' in environment with slug '{environment}' not found");
    Response::refusal(404, error, &message)
}

fn no_folder(id: &str, error: &str) -> Response {
    Response::refusal(404, error, &format!("Folder with ID '{id}' not found"))
}
