//! Tags of a project: create, read, list, change, delete.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    fields::Fields,
    membership::merged,
    time,
};
use crate::Response;

/// A tag of a project.
#[derive(Clone)]
pub(super) struct Tag {
    pub(super) id: String,
    pub(super) slug: String,
    color: String,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Tag {
    fn body(&self, project_id: &str) -> Value {
        json!({
            "id": self.id,
            "slug": self.slug,
            "color": self.color,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
            "createdBy": self.created_by,
            "projectId": project_id,
            "createdByActorType": "identity",
        })
    }

    /// What a read of it answers (recorded: it has a name too).
    fn read_body(&self, project_id: &str) -> Value {
        merged(self.body(project_id), json!({ "name": self.slug }))
    }

    /// As it is on a secret.
    pub(super) fn of_secret(&self) -> Value {
        json!({ "id": self.id, "slug": self.slug, "color": self.color, "name": self.slug })
    }
}

/// Slug and colour, both of which have to be there.
fn wanted(mut fields: Fields) -> Result<(String, String), Response> {
    let slug = fields.required("slug").trim().to_owned();
    if fields.has("slug") {
        fields.slug("slug", &slug, (1, 64));
    }
    let color = fields.required("color").trim().to_owned();
    fields.finish()?;
    Ok((slug, color))
}

fn taken() -> Response {
    Response::refusal(400, "BadRequest", "Tag already exists")
}

fn missing(id: &str) -> Response {
    Response::missing(&format!("Tag with ID '{id}' not found"))
}

impl Instance {
    pub(super) fn create_tag(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (slug, color) = wanted(call.fields()?)?;
        let project_id = call.id(0);
        self.permit(call.now, &actor, project_id, ("create", "tags"))?;
        let id = self.id();
        let project = self.project_mut(project_id)?;
        if project.tags.iter().any(|tag| tag.slug == slug) {
            return Err(taken());
        }
        let (Actor::Identity { id: created_by } | Actor::User { id: created_by, .. }) = actor;
        let tag = Tag { id, slug, color, created_by, created_at: call.now, updated_at: call.now };
        let body = tag.body(project_id);
        project.tags.push(tag);
        Ok(Response::ok(&json!({ "tag": body })))
    }

    pub(super) fn list_tags(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.permit(call.now, &actor, call.id(0), ("read", "tags"))?;
        let tags = self.project_of_id(call.id(0))?.tags.iter();
        let list: Vec<_> = tags.map(|tag| tag.body(call.id(0))).collect();
        Ok(Response::ok(&json!({ "tags": list })))
    }

    pub(super) fn read_tag(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.permit(call.now, &actor, call.id(0), ("read", "tags"))?;
        let tag = self.project_of_id(call.id(0))?.tags.iter().find(|tag| tag.id == call.id(1));
        let body = tag.ok_or_else(|| missing(call.id(1)))?.read_body(call.id(0));
        Ok(Response::ok(&json!({ "tag": body })))
    }

    pub(super) fn tag_by_slug(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.permit(call.now, &actor, call.id(0), ("read", "tags"))?;
        let slug = call.id(1);
        let tag = self.project_of_id(call.id(0))?.tags.iter().find(|tag| tag.slug == slug);
        let missing = || Response::missing(&format!("Tag with slug '{slug}' not found"));
        let body = tag.ok_or_else(missing)?.read_body(call.id(0));
        Ok(Response::ok(&json!({ "tag": body })))
    }

    pub(super) fn update_tag(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (slug, color) = wanted(call.fields()?)?;
        self.permit(call.now, &actor, call.id(0), ("edit", "tags"))?;
        let project = self.project_mut(call.id(0))?;
        if project.tags.iter().any(|tag| tag.slug == slug && tag.id != call.id(1)) {
            return Err(taken());
        }
        let found = project.tags.iter_mut().find(|tag| tag.id == call.id(1));
        let tag = found.ok_or_else(|| missing(call.id(1)))?;
        (tag.slug, tag.color, tag.updated_at) = (slug, color, call.now);
        Ok(Response::ok(&json!({ "tag": tag.body(call.id(0)) })))
    }

    /// One that is in use is taken off the secrets (recorded).
    pub(super) fn delete_tag(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.permit(call.now, &actor, call.id(0), ("delete", "tags"))?;
        let project = self.project_mut(call.id(0))?;
        let found = project.tags.iter().find(|tag| tag.id == call.id(1));
        let body = found.ok_or_else(|| missing(call.id(1)))?.body(call.id(0));
        project.tags.retain(|tag| tag.id != call.id(1));
        let folders = project.environments.iter_mut().flat_map(|environment| &mut environment.folders);
        folders.flat_map(|folder| &mut folder.secrets).for_each(|secret| secret.lose_tag(call.id(1)));
        Ok(Response::ok(&json!({ "tag": body })))
    }
}
