//! Secrets one at a time: create, read, list, change, delete.
//!
//! What a write answers is not the state: a value or comment that was not sent reads
//! as empty there (recorded).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    fields::Fields,
    folder::{Folder, joined, normal},
    membership::merged,
    permission::Place,
    reference,
    tag::Tag,
    time,
};
use crate::Response;

/// What stands in the place of a value that is not shown.
const HIDDEN: &str = "<hidden-by-infisical>";

/// A secret of a folder.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) value: String,
    comment: String,
    metadata: Vec<Metadata>,
    /// Ids of its tags.
    tags: Vec<String>,
    skips_encoding: bool,
    /// One more with each PATCH, also of what is equal (recorded).
    pub(super) version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A key and a value on a secret, and whether the value is kept encrypted.
type Metadata = (String, String, bool);

/// Where a secret is.
#[derive(Clone)]
pub(super) struct Where {
    pub(super) project_id: String,
    pub(super) environment: String,
    pub(super) path: String,
}

impl Where {
    pub(super) fn of(fields: &mut Fields) -> Self {
        Self {
            project_id: fields.required("projectId"),
            environment: fields.required("environment"),
            path: normal(&fields.text("secretPath").unwrap_or_default()),
        }
    }

    pub(super) fn no_folder(&self, error: &str) -> Response {
        let (path, environment) = (&self.path, &self.environment);
        let message = format!("Folder with path '{path}' in environment with slug '{environment}' not found");
        Response::refusal(404, error, &message)
    }
}

/// What a request says of a secret.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    pub(super) name: String,
    value: Option<String>,
    comment: Option<String>,
    metadata: Option<Vec<Metadata>>,
    skips_encoding: Option<bool>,
    pub(super) tags: Option<Vec<String>>,
    is_personal: bool,
    new_name: Option<String>,
}

impl Wanted {
    /// The fields of a secret, in the body or in one item of a batch.
    pub(super) fn of(fields: &mut Fields, name: &str) -> Self {
        let value = fields.text("secretValue").map(|value| stored(&value));
        let comment = fields.text("secretComment").map(|comment| comment.trim().to_owned());
        let kind = fields.choice("type", &["shared", "personal"]);
        let new_name = fields.text("newSecretName").map(|name| name.trim().to_owned());
        let tags = fields.texts("tagIds");
        Self {
            name: name.trim().to_owned(),
            value,
            comment,
            metadata: wanted_metadata(fields),
            skips_encoding: fields.flag("skipMultilineEncoding"),
            tags,
            is_personal: kind.as_deref() == Some("personal"),
            new_name,
        }
    }
}

fn wanted_metadata(fields: &mut Fields) -> Option<Vec<Metadata>> {
    let objects = fields.objects("secretMetadata")?;
    let mut pairs = Vec::new();
    for mut object in objects {
        let key = object.required("key").trim().to_owned();
        let value = object.text("value").unwrap_or_default().trim().to_owned();
        object.at_most("key", &key, 255, None);
        object.at_most("value", &value, 1020, None);
        let is_encrypted = object.flag("isEncrypted").unwrap_or_default();
        fields.adopt(object);
        pairs.push((key, value, is_encrypted));
    }
    Some(pairs)
}

/// The white space of JavaScript at both ends goes, but for one newline at the end
/// (recorded).
fn stored(value: &str) -> String {
    let is_space = |c: char| c.is_whitespace() && c != '\u{85}' || c == '\u{feff}';
    let trimmed = value.trim_matches(is_space);
    if value.ends_with('\n') { format!("{trimmed}\n") } else { trimmed.to_owned() }
}

/// Refuses signs that no name may have.
pub(super) fn check_name(fields: &mut Fields, field: &str, name: &str) {
    let message = "Secret name cannot contain colon or forward slash.";
    fields.custom(field, !name.contains(':') && !name.contains('/'), message);
}

impl Secret {
    pub(super) fn new(now: Timestamp, id: String, name: &str, value: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            value: value.to_owned(),
            comment: String::new(),
            metadata: Vec::new(),
            tags: Vec::new(),
            skips_encoding: false,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    pub(super) fn made(now: Timestamp, id: String, wanted: &Wanted) -> Self {
        let value = wanted.value.as_deref().unwrap_or_default();
        let mut made = Self::new(now, id, &wanted.name, value);
        made.comment = wanted.comment.clone().unwrap_or_default();
        made.metadata = wanted.metadata.clone().unwrap_or_default();
        made.tags = wanted.tags.clone().unwrap_or_default();
        made.skips_encoding = wanted.skips_encoding.unwrap_or_default();
        made
    }

    /// Takes over what was sent, and counts.
    pub(super) fn change(&mut self, now: Timestamp, wanted: &Wanted) {
        self.value = wanted.value.clone().unwrap_or_else(|| self.value.clone());
        self.comment = wanted.comment.clone().unwrap_or_else(|| self.comment.clone());
        self.metadata = wanted.metadata.clone().unwrap_or_else(|| self.metadata.clone());
        self.tags = wanted.tags.clone().unwrap_or_else(|| self.tags.clone());
        self.skips_encoding = wanted.skips_encoding.unwrap_or(self.skips_encoding);
        self.name = wanted.new_name.clone().unwrap_or_else(|| self.name.clone());
        self.version += 1;
        self.updated_at = now;
    }

    pub(super) fn lose_tag(&mut self, id: &str) {
        self.tags.retain(|tag| tag != id);
    }

    /// What all answers have.
    fn body(&self, place: &Where, value: &str, comment: &str) -> Value {
        json!({
            "id": self.id,
            "_id": self.id,
            "workspace": place.project_id,
            "environment": place.environment,
            "version": self.version,
            "type": "shared",
            "secretKey": self.name,
            "secretValue": value,
            "secretComment": comment,
            "secretReminderNote": null,
            "secretReminderRepeatDays": null,
            "skipMultilineEncoding": self.skips_encoding,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
        })
    }

    pub(super) fn created_body(&self, place: &Where) -> Value {
        let more = json!({ "isRotatedSecret": false, "rotationId": null });
        merged(self.body(place, &self.value, &self.comment), more)
    }

    pub(super) fn upserted_body(&self, place: &Where) -> Value {
        merged(self.created_body(place), json!({ "secretValueHidden": false }))
    }

    pub(super) fn changed_body(&self, place: &Where, wanted: &Wanted) -> Value {
        let value = wanted.value.as_deref().unwrap_or_default();
        let comment = wanted.comment.as_deref().unwrap_or_default();
        let more = json!({ "isRotatedSecret": false, "rotationId": null, "secretValueHidden": false });
        merged(self.body(place, value, comment), more)
    }

    /// In a batch what was not sent reads as it is (recorded).
    pub(super) fn changed_body_of_batch(&self, place: &Where) -> Value {
        let more = json!({ "isRotatedSecret": false, "rotationId": null, "secretValueHidden": false });
        merged(self.body(place, &self.value, &self.comment), more)
    }

    pub(super) fn deleted_body(&self, place: &Where) -> Value {
        let more = json!({ "secretValueHidden": false });
        merged(self.body(place, &self.value, &self.comment), more)
    }

    fn read_body(&self, place: &Where, all_tags: &[Tag], value: Option<&str>) -> Value {
        let metadata = self.metadata.iter();
        let metadata: Vec<_> = metadata
            .map(|(key, value, is_encrypted)| json!({ "key": key, "value": value, "isEncrypted": is_encrypted }))
            .collect();
        let own = all_tags.iter().filter(|tag| self.tags.contains(&tag.id));
        let tags: Vec<_> = own.map(Tag::of_secret).collect();
        let more = json!({
            "isRotatedSecret": false,
            "rotationId": null,
            "secretPath": place.path,
            "secretValueHidden": value.is_none(),
            "secretMetadata": metadata,
            "tags": tags,
        });
        merged(self.body(place, value.unwrap_or(HIDDEN), &self.comment), more)
    }
}

/// How a read wants to see values.
struct View {
    is_expanded: bool,
    has_value: bool,
}

impl View {
    fn of(query: &Fields) -> Self {
        Self {
            is_expanded: query.text_flag("expandSecretReferences") != Some(false),
            has_value: query.text_flag("viewSecretValue") != Some(false),
        }
    }
}

impl Instance {
    /// Refuses who may not do that with secrets at a place.
    pub(super) fn permit_secret(
        &mut self,
        now: Timestamp,
        actor: &Actor,
        place: &Where,
        (action, name): (&str, &str),
    ) -> Result<(), Response> {
        let id = &place.project_id;
        if self.project_of_id(id).is_err() {
            let message = format!(
                "Project with ID '{id}' not found during bot lookup. Are you sure you are using the correct project ID?"
            );
            return Err(Response::missing(&message));
        }
        let of = Place { environment: &place.environment, path: &place.path, name };
        self.permit_at(now, actor, id, (action, "secrets"), of)
    }

    pub(super) fn folder_of(&self, place: &Where) -> Option<&Folder> {
        self.project_of_id(&place.project_id).ok()?.environment(&place.environment)?.folder_at(&place.path)
    }

    pub(super) fn folder_of_mut(&mut self, place: &Where) -> Option<&mut Folder> {
        let project = self.project_mut(&place.project_id).ok()?;
        project.environment_mut(&place.environment)?.folder_at_mut(&place.path)
    }

    /// What a project refuses: names in lower case, where it is set so.
    pub(super) fn check_case(&self, place: &Where, name: &str) -> Result<(), Response> {
        let is_strict = self.project_of_id(&place.project_id)?.auto_capitalization;
        if !is_strict || name == name.to_uppercase() {
            return Ok(());
        }
        let message = "Secret name must be in UPPERCASE per project requirements. You can disable this requirement in project settings.";
        Err(Response::refusal(400, "BadRequest", message))
    }

    pub(super) fn create_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        check_name(&mut fields, "secretName", call.id(0));
        let place = Where::of(&mut fields);
        fields.require("string", "secretValue");
        let wanted = Wanted::of(&mut fields, call.id(0));
        fields.finish()?;
        self.check_case_and_kind(&place, &wanted)?;
        self.permit_secret(call.now, &actor, &place, ("create", &wanted.name))?;
        self.check_tags(&place, std::slice::from_ref(&wanted))?;
        let id = self.id();
        let none = || place.no_folder("CreateSecret");
        let folder = self.folder_of_mut(&place).ok_or_else(none)?;
        if folder.secrets.iter().any(|secret| secret.name == wanted.name) {
            return Err(Response::refusal(400, "BadRequest", "Secret already exists"));
        }
        let made = Secret::made(call.now, id, &wanted);
        let body = made.created_body(&place);
        folder.secrets.push(made);
        Ok(Response::ok(&json!({ "secret": body })))
    }

    fn check_case_and_kind(&self, place: &Where, wanted: &Wanted) -> Result<(), Response> {
        if wanted.is_personal {
            let message = "Must be user to create personal secret";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        if self.project_of_id(&place.project_id).is_ok() {
            self.check_case(place, &wanted.name)?;
        }
        Ok(())
    }

    /// Refuses tags that the project does not have.
    pub(super) fn check_tags(&self, place: &Where, wanted: &[Wanted]) -> Result<(), Response> {
        let project = self.project_of_id(&place.project_id)?;
        let mut ids = wanted.iter().filter_map(|one| one.tags.as_ref()).flatten();
        let all_are_there = ids.all(|id| project.tags.iter().any(|tag| tag.id == *id));
        if all_are_there { Ok(()) } else { Err(Response::missing("Tag not found. Found ")) }
    }

    /// The value as a read shows it.
    fn shown(&self, place: &Where, secret: &Secret, view: &View) -> Option<String> {
        let expanded = || reference::expanded(self, place, &secret.value, &mut Vec::new());
        view.has_value.then(|| if view.is_expanded { expanded() } else { secret.value.clone() })
    }

    pub(super) fn read_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let place = Where::of(&mut query);
        let view = View::of(&query);
        let is_personal = query.text("type").as_deref() == Some("personal");
        query.finish()?;
        let name = call.id(0).trim();
        self.permit_secret(call.now, &actor, &place, ("describeSecret", name))?;
        if view.has_value {
            self.permit_secret(call.now, &actor, &place, ("readValue", name))?;
        }
        let folder = self.folder_of(&place).ok_or_else(|| place.no_folder("GetSecretByName"))?;
        let found = folder.secrets.iter().find(|secret| secret.name == name && !is_personal);
        let missing = || Response::missing(&format!("Secret with name '{name}' not found"));
        let secret = found.ok_or_else(missing)?;
        let tags = &self.project_of_id(&place.project_id)?.tags;
        let body = secret.read_body(&place, tags, self.shown(&place, secret, &view).as_deref());
        Ok(Response::ok(&json!({ "secret": body })))
    }

    pub(super) fn secret_by_id(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (place, secret) = self.place_of_secret(call.id(0)).ok_or_else(|| {
            let message = format!("Secret with ID '{}' not found", call.id(0));
            Response::refusal(404, "GetSecretById", &message)
        })?;
        self.permit_secret(call.now, &actor, &place, ("describeSecret", &secret.name))?;
        self.permit_secret(call.now, &actor, &place, ("readValue", &secret.name))?;
        let tags = &self.project_of_id(&place.project_id)?.tags;
        let mut body = secret.read_body(&place, tags, Some(&secret.value));
        if let Some(fields) = body.as_object_mut() {
            fields.remove("secretValueHidden");
        }
        Ok(Response::ok(&json!({ "secret": body })))
    }

    fn place_of_secret(&self, id: &str) -> Option<(Where, Secret)> {
        let projects = self.database.projects.iter();
        let environments = projects.flat_map(|of| of.environments.iter().map(|it| (of.id.as_str(), it)));
        let mut folders = environments.flat_map(|(of, environment)| {
            environment.folders.iter().map(move |folder| (of, environment, folder))
        });
        folders.find_map(|(project_id, environment, folder)| {
            let secret = folder.secrets.iter().find(|secret| secret.id == id)?.clone();
            let path = environment.path_of(folder);
            let environment = environment.slug.clone();
            Some((Where { project_id: project_id.to_owned(), environment, path }, secret))
        })
    }

    pub(super) fn list_secrets(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let place = Where::of(&mut query);
        let view = View::of(&query);
        let is_recursive = query.text_flag("recursive") == Some(true);
        let filter = query.text("metadataFilter");
        let slugs = query.text("tagSlugs");
        query.finish()?;
        self.permit_secret(call.now, &actor, &place, ("describeSecret", ""))?;
        let project = self.project_of_id(&place.project_id)?;
        let environment = project.environment(&place.environment);
        let missing = || {
            let (path, slug) = (&place.path, &place.environment);
            let message = format!(
                "Folder with path '{path}' in environment '{slug}' was not found. Please ensure the environment slug and secret path is correct."
            );
            Response::refusal(404, "SecretPathNotFound", &message)
        };
        let environment = environment.ok_or_else(missing)?;
        let folder = environment.folder_at(&place.path).ok_or_else(missing)?;
        let folders = if is_recursive { environment.below(folder) } else { vec![folder] };
        let mut list = Vec::new();
        for folder in folders {
            let place = Where { path: environment.path_of(folder), ..place.clone() };
            let mut secrets: Vec<&Secret> = folder.secrets.iter().collect();
            secrets.sort_by(|a, b| a.name.cmp(&b.name));
            secrets.retain(|secret| fits(filter.as_deref(), secret));
            secrets.retain(|secret| has_a_tag(slugs.as_deref(), &project.tags, secret));
            for secret in secrets {
                let shown = self.shown(&place, secret, &view);
                list.push(secret.read_body(&place, &project.tags, shown.as_deref()));
            }
        }
        Ok(Response::ok(&json!({ "secrets": list, "imports": [] })))
    }

    pub(super) fn update_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let place = Where::of(&mut fields);
        let wanted = Wanted::of(&mut fields, call.id(0));
        fields.finish()?;
        if wanted.is_personal {
            let message = "Must be user to create personal secret";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        self.permit_secret(call.now, &actor, &place, ("edit", &wanted.name))?;
        self.check_tags(&place, std::slice::from_ref(&wanted))?;
        let none = || place.no_folder("UpdateSecret");
        let folder = self.folder_of_mut(&place).ok_or_else(none)?;
        let is_there = |name: &String| folder.secrets.iter().any(|secret| secret.name == *name);
        if wanted.new_name.as_ref().is_some_and(|name| *name != wanted.name && is_there(name)) {
            return Err(Response::refusal(400, "BadRequest", "Secret with the new name already exists"));
        }
        let found = folder.secrets.iter_mut().find(|secret| secret.name == wanted.name);
        let missing = || Response::missing(&format!("Secret with name {} not found", wanted.name));
        let secret = found.ok_or_else(missing)?;
        secret.change(call.now, &wanted);
        let body = secret.changed_body(&place, &wanted);
        Ok(Response::ok(&json!({ "secret": body })))
    }

    pub(super) fn delete_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let place = Where::of(&mut fields);
        fields.finish()?;
        let name = call.id(0).trim();
        self.permit_secret(call.now, &actor, &place, ("delete", name))?;
        let none = || place.no_folder("DeleteSecret");
        let folder = self.folder_of_mut(&place).ok_or_else(none)?;
        let found = folder.secrets.iter().find(|secret| secret.name == name);
        let missing = || Response::missing("Secret not found");
        let body = found.ok_or_else(missing)?.deleted_body(&place);
        folder.secrets.retain(|secret| secret.name != name);
        Ok(Response::ok(&json!({ "secret": body })))
    }

    /// The version of a secret: how often it was written.
    #[must_use]
    pub fn secret_version(&self, project_slug: &str, environment: &str, path: &str) -> Option<u64> {
        let (folder, name) = path.rsplit_once('/')?;
        let environment = self.project_of_slug(project_slug).ok()?.environment(environment)?;
        let folder = environment.folder_at(&joined("/", folder))?;
        folder.secrets.iter().find(|secret| secret.name == name).map(|secret| secret.version)
    }
}

/// Whether a secret has one of the tags that were asked for.
fn has_a_tag(slugs: Option<&str>, tags: &[Tag], secret: &Secret) -> bool {
    let Some(slugs) = slugs else { return true };
    let mut own = tags.iter().filter(|tag| secret.tags.contains(&tag.id));
    own.any(|tag| slugs.split(',').any(|slug| slug == tag.slug))
}

/// Whether a secret has the metadata of a filter: `key=k,value=v`.
fn fits(filter: Option<&str>, secret: &Secret) -> bool {
    let part = |name: &str| {
        filter?.split(',').find_map(|part| part.strip_prefix(name)).and_then(|it| it.strip_prefix('='))
    };
    let has = |(key, value, _): &Metadata| {
        part("key").is_none_or(|it| it == key) && part("value").is_none_or(|it| it == value)
    };
    filter.is_none() || secret.metadata.iter().any(has)
}
