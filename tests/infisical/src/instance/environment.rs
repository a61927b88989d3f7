//! Environments of a project: create, read, change, delete softly or for good,
//! restore. The positions are the server's: an insert moves its neighbours.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    folder::Folder,
    project::Project,
    time,
};
use crate::Response;

/// How long a deleted one can be restored (recorded).
const PENDING: SignedDuration = SignedDuration::from_hours(14 * 24);

/// An environment with its folders; the first folder is the root.
#[derive(Clone)]
pub(super) struct Environment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) position: i64,
    project_id: String,
    created_at: Timestamp,
    pub(super) deleted: Option<SoftDelete>,
    pub(super) folders: Vec<Folder>,
}

/// When one was deleted, and by whom.
#[derive(Clone)]
pub(super) struct SoftDelete {
    at: Timestamp,
    identity_id: Option<String>,
    user_id: Option<String>,
    name: String,
}

impl SoftDelete {
    fn until(&self) -> Timestamp {
        self.at.saturating_add(PENDING).unwrap_or(self.at)
    }
}

impl Environment {
    /// As it stands in its project.
    pub(super) fn short_body(&self) -> Value {
        json!({ "name": self.name, "slug": self.slug, "id": self.id })
    }

    /// As a deleted one stands in its project.
    pub(super) fn deleted_body(&self) -> Value {
        let deleted = self.deleted.as_ref();
        let of_identity = deleted.and_then(|it| it.identity_id.as_ref());
        let of_user = deleted.and_then(|it| it.user_id.as_ref());
        json!({
            "id": self.id,
            "name": self.name,
            "slug": self.slug,
            "deleteAfter": deleted.map(|it| time(it.until())),
            "softDeletedAt": deleted.map(|it| time(it.at)),
            "deletedBy": {
                "type": if of_identity.is_some() { "identity" } else { "user" },
                "id": of_identity.or(of_user),
                "name": deleted.map(|it| it.name.as_str()),
            },
        })
    }

    fn body(&self) -> Value {
        let deleted = self.deleted.as_ref();
        json!({
            "id": self.id,
            "name": self.name,
            "slug": self.slug,
            "position": self.position,
            "projectId": self.project_id,
            "createdAt": time(self.created_at),
            // It keeps this time for ever.
            "updatedAt": time(self.created_at),
            "deleteAfter": deleted.map(|it| time(it.until())),
            "softDeletedAt": deleted.map(|it| time(it.at)),
            "deletedByUserId": deleted.and_then(|it| it.user_id.clone()),
            "deletedByIdentityId": deleted.and_then(|it| it.identity_id.clone()),
        })
    }
}

impl Project {
    /// An environment that is not deleted.
    pub(super) fn environment(&self, slug: &str) -> Option<&Environment> {
        self.environments.iter().find(|it| it.slug == slug && it.deleted.is_none())
    }

    /// The same, to change it.
    pub(super) fn environment_mut(&mut self, slug: &str) -> Option<&mut Environment> {
        self.environments.iter_mut().find(|it| it.slug == slug && it.deleted.is_none())
    }

    fn environment_of_id(&self, id: &str) -> Option<&Environment> {
        self.environments.iter().find(|it| it.id == id)
    }

    /// The place after the last one, deleted ones counted too.
    fn next_position(&self) -> i64 {
        self.environments.iter().map(|it| it.position).max().unwrap_or_default() + 1
    }

    /// Frees a place for a new one, if somebody has it.
    fn make_room(&mut self, position: i64) {
        if self.environments.iter().any(|it| it.position == position) {
            for environment in self.environments.iter_mut().filter(|it| it.position >= position) {
                environment.position += 1;
            }
        }
    }

    /// Moves one to a place. Its neighbours move only when somebody has that place.
    fn move_environment(&mut self, id: &str, to: i64) {
        let Some(from) = self.environment_of_id(id).map(|it| it.position) else { return };
        let is_taken = self.environments.iter().any(|it| it.position == to && it.id != id);
        for environment in self.environments.iter_mut().filter(|it| is_taken && it.id != id) {
            if to > from && environment.position > from && environment.position <= to {
                environment.position -= 1;
            } else if to < from && environment.position >= to && environment.position < from {
                environment.position += 1;
            }
        }
        for environment in self.environments.iter_mut().filter(|it| it.id == id) {
            environment.position = to;
        }
    }

    /// Puts one behind all others, which move up.
    fn move_to_the_end(&mut self, id: &str) {
        let Some(from) = self.environment_of_id(id).map(|it| it.position) else { return };
        let last = self.next_position() - 1;
        for environment in self.environments.iter_mut().filter(|it| it.position > from) {
            environment.position -= 1;
        }
        for environment in self.environments.iter_mut().filter(|it| it.id == id) {
            environment.position = last;
        }
    }
}

impl Instance {
    pub(super) fn new_environment(
        &mut self,
        now: Timestamp,
        project_id: &str,
        (name, slug): (&str, &str),
        position: i64,
    ) -> Environment {
        Environment {
            id: self.id(),
            name: name.to_owned(),
            slug: slug.to_owned(),
            position,
            project_id: project_id.to_owned(),
            created_at: now,
            deleted: None,
            folders: vec![Folder::root(now, self.id())],
        }
    }

    pub(super) fn create_environment(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.required("name").trim().to_owned();
        if fields.has("name") {
            fields.not_empty("name", &name);
        }
        fields.at_most("name", &name, 255, None);
        let slug = fields.required("slug");
        if fields.has("slug") {
            fields.slug("slug", &slug, (1, 64));
        }
        let position = fields.number("position", (1, i64::MAX));
        fields.finish()?;
        let id = call.id(0);
        self.permit(call.now, &actor, id, ("create", "environments"))?;
        let refused = |message: &str| Err(Response::refusal(400, "CreateEnvironment", message));
        match self.project_of_id(id)?.environments.iter().find(|it| it.slug == slug) {
            Some(taken) if taken.deleted.is_some() => {
                return refused(&format!(
                    "Environment slug '{slug}' is held by a pending-deletion environment. Permanently delete that environment first, then retry."
                ));
            }
            Some(_) => return refused("Environment with slug already exists"),
            None => {}
        }
        let project = self.project_mut(id)?;
        let place = position.unwrap_or_else(|| project.next_position());
        project.make_room(place);
        let made = self.new_environment(call.now, id, (&name, &slug), place);
        let answer = done(id, "Successfully created new environment", &made);
        self.project_mut(id)?.environments.push(made);
        Ok(answer)
    }

    pub(super) fn environment_by_id(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (id, environment_id) = (call.id(0), call.id(1));
        if !is_id(environment_id) {
            return Err(Response::failed("Find by id"));
        }
        let found = self.project_of_id(id).ok().and_then(|project| project.environment_of_id(environment_id));
        let missing = || Response::missing(&format!("Environment with ID '{environment_id}' not found"));
        let body = found.filter(|it| it.deleted.is_none()).ok_or_else(missing)?.body();
        self.member(call.now, &actor, id)?;
        Ok(Response::ok(&json!({ "environment": body })))
    }

    pub(super) fn environment_by_slug(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (id, slug) = (call.id(0), call.id(1));
        let mut fields = call.query();
        fields.slug("envSlug", slug, (1, 64));
        fields.finish()?;
        self.member(call.now, &actor, id)?;
        let found = self.project_of_id(id)?.environment(slug);
        let missing = || {
            Response::missing(&format!("Environment with slug '{slug}' in project with ID '{id}' not found"))
        };
        Ok(Response::ok(&json!({ "environment": found.ok_or_else(missing)?.body() })))
    }

    pub(super) fn update_environment(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.text("name").map(|name| name.trim().to_owned());
        let slug = fields.text("slug");
        if let Some(slug) = &slug {
            fields.slug("slug", slug, (1, 64));
        }
        let position = fields.number("position", (1, i64::MAX));
        fields.finish()?;
        let (id, environment_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, id, ("edit", "environments"))?;
        if !is_id(environment_id) {
            return Err(Response::failed("Find one"));
        }
        self.alive(id, environment_id, "NotFound")?;
        let project = self.project_mut(id)?;
        let is_taken =
            |slug: &String| project.environments.iter().any(|it| it.slug == *slug && it.id != environment_id);
        if slug.as_ref().is_some_and(is_taken) {
            let message = "Environment with slug already exists";
            return Err(Response::refusal(400, "UpdateEnvironment", message));
        }
        if name.is_none() && slug.is_none() && position.is_none() {
            return Err(Response::failed("Update by id"));
        }
        if let Some(position) = position {
            project.move_environment(environment_id, position);
        }
        for environment in project.environments.iter_mut().filter(|it| it.id == environment_id) {
            environment.name = name.clone().unwrap_or_else(|| environment.name.clone());
            environment.slug = slug.clone().unwrap_or_else(|| environment.slug.clone());
        }
        let changed = self.alive(id, environment_id, "NotFound")?;
        Ok(done(id, "Successfully updated environment", changed))
    }

    pub(super) fn delete_environment(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (id, environment_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, id, ("delete", "environments"))?;
        let for_good = call.query().text_flag("hardDelete") == Some(true);
        if for_good {
            let project = self.project_mut(id)?;
            let found = project.environment_of_id(environment_id).cloned();
            let found = found.ok_or_else(|| absent(id, environment_id, "DeleteEnvironment"))?;
            project.move_to_the_end(environment_id);
            project.environments.retain(|it| it.id != environment_id);
            return Ok(done(id, "Successfully deleted environment", &found));
        }
        self.alive(id, environment_id, "DeleteEnvironment")?;
        let deleted = self.soft_delete(call.now, &actor);
        let project = self.project_mut(id)?;
        project.move_to_the_end(environment_id);
        for environment in project.environments.iter_mut().filter(|it| it.id == environment_id) {
            environment.deleted = Some(deleted.clone());
        }
        let found = project.environment_of_id(environment_id);
        let found = found.ok_or_else(|| absent(id, environment_id, "DeleteEnvironment"))?;
        Ok(done(id, "Successfully deleted environment", found))
    }

    fn soft_delete(&self, now: Timestamp, actor: &Actor) -> SoftDelete {
        match actor {
            Actor::Identity { id } => SoftDelete {
                at: now,
                identity_id: Some(id.clone()),
                user_id: None,
                name: self.identity(id).map(|it| it.name.clone()).unwrap_or_default(),
            },
            Actor::User { id, .. } => SoftDelete {
                at: now,
                identity_id: None,
                user_id: Some(id.clone()),
                name: self.user(id).map(|it| it.email.clone()).unwrap_or_default(),
            },
        }
    }

    pub(super) fn restore_environment(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (id, environment_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, id, ("delete", "environments"))?;
        let project = self.project_mut(id)?;
        let last = project.next_position();
        let found =
            project.environments.iter_mut().find(|it| it.id == environment_id && it.deleted.is_some());
        let missing = || {
            let message = format!(
                "Soft-deleted environment with id '{environment_id}' in project with ID '{id}' not found"
            );
            Response::refusal(404, "RestoreEnvironment", &message)
        };
        let found = found.ok_or_else(missing)?;
        found.deleted = None;
        found.position = last;
        Ok(done(id, "Successfully restored environment", found))
    }

    fn alive(&self, project_id: &str, id: &str, error: &str) -> Result<&Environment, Response> {
        let found = self.project_of_id(project_id)?.environment_of_id(id);
        found.filter(|it| it.deleted.is_none()).ok_or_else(|| absent(project_id, id, error))
    }
}

fn absent(project_id: &str, id: &str, error: &str) -> Response {
    let message = format!("Environment with id '{id}' in project with ID '{project_id}' not found");
    Response::refusal(404, error, &message)
}

fn done(project_id: &str, message: &str, environment: &Environment) -> Response {
    Response::ok(&json!({ "message": message, "projectId": project_id, "environment": environment.body() }))
}

/// Whether a text is a UUID, which the database insists on.
pub(super) fn is_id(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
