//! Identities that a project manages. They are members of it from the start.

use serde_json::{Value, json};

use super::{
    Instance,
    call::{Answer, Call},
    identity::{Change, Identity, metadata_body, wanted_metadata},
    membership::{Membership, merged, wanted_roles},
    project::size,
    time,
};
use crate::Response;

/// What every answer has; some have more.
fn body(identity: &Identity) -> Value {
    json!({
        "id": identity.id,
        "name": identity.name,
        "orgId": identity.organization_id,
        "projectId": identity.project_id,
        "createdAt": time(identity.created_at),
        "updatedAt": time(identity.updated_at),
        "hasDeleteProtection": identity.has_delete_protection,
    })
}

impl Instance {
    pub(super) fn create_project_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.required("name").trim().to_owned();
        let has_delete_protection = fields.flag("hasDeleteProtection").unwrap_or_default();
        let metadata = wanted_metadata(&mut fields).unwrap_or_default();
        let wanted = wanted_roles(&mut fields).unwrap_or_default();
        fields.finish()?;
        let project_id = call.id(0);
        self.permit(call.now, &actor, project_id, ("create", "identity"))?;
        let roles = self.roles(project_id, wanted)?;
        let metadata = self.new_metadata(metadata)?;
        let identity = Identity {
            organization_id: self.project_of_id(project_id)?.organization_id.clone(),
            project_id: Some(project_id.to_owned()),
            has_delete_protection,
            metadata,
            ..Identity::new(call.now, (self.id(), self.id()), &name)
        };
        let membership = Membership::new(call.now, self.id(), &identity.id, roles);
        self.project_mut(project_id)?.memberships.push(membership);
        let more = json!({ "authMethods": [], "metadata": identity.metadata_body() });
        let answer = merged(body(&identity), more);
        self.database.identities.push(identity);
        Ok(Response::ok(&json!({ "identity": answer })))
    }

    /// One that this project manages.
    fn project_identity(&self, project_id: &str, id: &str) -> Result<&Identity, Response> {
        let found = self.identity(id).ok();
        let own = found.filter(|identity| identity.project_id.as_deref() == Some(project_id));
        own.ok_or_else(|| Response::missing(&format!("Identity with id {id} not found")))
    }

    pub(super) fn read_project_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.permit(call.now, &actor, call.id(0), ("read", "identity"))?;
        let identity = self.project_identity(call.id(0), call.id(1))?;
        let more = json!({
            "activeLockoutAuthMethods": [],
            "authMethods": identity.auth_methods(),
            "metadata": identity.metadata_body(),
        });
        Ok(Response::ok(&json!({ "identity": merged(body(identity), more) })))
    }

    pub(super) fn list_project_identities(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let limit = query.number("limit", (1, 1000));
        let offset = query.number("offset", (0, i64::MAX)).unwrap_or_default();
        let search = query.text("search").unwrap_or_default().to_lowercase();
        query.finish()?;
        let project_id = call.id(0);
        self.permit(call.now, &actor, project_id, ("read", "identity"))?;
        let all = self.database.identities.iter();
        let mut own: Vec<_> = all.filter(|it| it.project_id.as_deref() == Some(project_id)).collect();
        own.retain(|identity| identity.name.to_lowercase().contains(&search));
        own.sort_by(|a, b| a.name.cmp(&b.name));
        let page = own.iter().skip(size(offset)).take(limit.map_or(usize::MAX, size));
        let with_metadata =
            |identity: &&Identity| merged(body(identity), json!({ "metadata": identity.metadata_body() }));
        let list: Vec<_> = page.map(with_metadata).collect();
        Ok(Response::ok(&json!({ "identities": list, "totalCount": own.len() })))
    }

    /// Roles in the body are dropped without a word (recorded): the membership has
    /// them.
    pub(super) fn update_project_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let change = Change::of(call.fields()?)?;
        self.permit(call.now, &actor, call.id(0), ("edit", "identity"))?;
        let id = self.project_identity(call.id(0), call.id(1))?.id.clone();
        let metadata = change.metadata.clone().map(|pairs| self.new_metadata(pairs)).transpose()?;
        let identity = self.identity_mut(&id)?;
        change.apply(call.now, identity)?;
        let answered = metadata_body(metadata.as_deref().unwrap_or_default());
        identity.metadata = metadata.unwrap_or_else(|| identity.metadata.clone());
        let answer = merged(body(identity), json!({ "metadata": answered }));
        Ok(Response::ok(&json!({ "identity": answer })))
    }

    pub(super) fn delete_project_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.permit(call.now, &actor, call.id(0), ("delete", "identity"))?;
        let identity = self.project_identity(call.id(0), call.id(1))?.clone();
        if identity.has_delete_protection {
            let message = "Cannot delete identity while delete protection is enabled";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        self.remove_identity(&identity.id);
        Ok(Response::ok(&json!({ "identity": body(&identity) })))
    }
}
