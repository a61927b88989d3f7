//! Additional privileges: permissions with conditions for one identity in one
//! project. They need no licence, and go with the membership.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    fields::Fields,
    membership::{Membership, Temporary, merged},
    time,
};
use crate::Response;

/// What a privilege may permit on secrets (recorded).
const SECRET_ACTIONS: [&str; 6] = ["read", "describeSecret", "readValue", "create", "edit", "delete"];

/// What a privilege may be about (recorded).
const SUBJECTS: &str = include_str!("privilege_subjects.txt");

#[derive(Clone)]
pub(super) struct Privilege {
    id: String,
    slug: String,
    /// What was temporary once still shows when it is no more (recorded).
    temporary: Option<Temporary>,
    is_temporary: bool,
    pub(super) permissions: Vec<Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Privilege {
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        !self.is_temporary || self.temporary.as_ref().is_some_and(|it| it.is_on(now))
    }

    /// As lists have it: without permissions.
    fn listed_body(&self) -> Value {
        let temporary = Temporary::fields(self.temporary.as_ref());
        let own = json!({
            "id": self.id,
            "slug": self.slug,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
        });
        merged(merged(own, temporary), json!({ "isTemporary": self.is_temporary }))
    }

    fn answer(&self) -> Response {
        let body = merged(self.listed_body(), json!({ "permissions": self.permissions }));
        Response::ok(&json!({ "privilege": body }))
    }
}

/// What a request says of a privilege.
struct Wanted {
    slug: Option<String>,
    temporary: Option<Temporary>,
    is_temporary: bool,
    permissions: Vec<Value>,
}

impl Wanted {
    fn of(fields: &mut Fields) -> Self {
        let slug = fields.text("slug");
        if let Some(slug) = &slug {
            fields.slug("slug", slug, (1, 60));
        }
        // An absent list is no issue of the validator's own (recorded).
        if !fields.has("permissions") {
            fields.custom("permissions", false, "Invalid input");
        }
        let permissions = wanted_permissions(fields);
        fields.require("object", "type");
        let mut temporary = None;
        let mut is_temporary = false;
        if let Some(mut kind) = fields.object("type") {
            is_temporary = kind.flag("isTemporary").unwrap_or_default();
            if is_temporary {
                temporary = Temporary::of(&mut kind);
            }
            fields.adopt(kind);
        }
        Self { slug, temporary, is_temporary, permissions }
    }
}

/// The permissions of a request as they are stored.
fn wanted_permissions(fields: &mut Fields) -> Vec<Value> {
    let mut permissions = Vec::new();
    for mut object in fields.objects("permissions").unwrap_or_default() {
        let subject = object.text("subject").unwrap_or_default();
        if !SUBJECTS.lines().any(|known| known == subject) {
            let issue = subject_issue(&object);
            object.issue(issue);
        } else if subject == "secrets" {
            check_actions(&mut object);
        }
        permissions.push(stored(&object.value()));
        fields.adopt(object);
    }
    permissions
}

fn subject_issue(object: &Fields) -> Value {
    let options: Vec<&str> = SUBJECTS.lines().collect();
    let quoted: Vec<String> = options.iter().map(|option| format!("'{option}'")).collect();
    let mut path = object.place().to_vec();
    path.push(Value::from("subject"));
    json!({
        "code": "invalid_union_discriminator", "options": options, "path": path,
        "message": format!("Invalid discriminator value. Expected {}", quoted.join(" | ")),
    })
}

fn check_actions(object: &mut Fields) {
    let Some(Value::Array(actions)) = object.raw("action").cloned() else { return };
    let unknown = actions.iter().enumerate();
    let unknown = unknown.filter(|(_, it)| !SECRET_ACTIONS.iter().any(|known| *it == known));
    let quoted = SECRET_ACTIONS.map(|action| format!("'{action}'")).join(" | ");
    let mut at = object.place().to_vec();
    at.push(Value::from("action"));
    let issues: Vec<Value> = unknown
        .map(|(index, action)| {
            let mut path = at.clone();
            path.push(Value::from(index));
            let received = action.as_str().unwrap_or_default();
            json!({
                "received": received, "code": "invalid_enum_value", "options": SECRET_ACTIONS, "path": path,
                "message": format!("Invalid enum value. Expected {quoted}, received '{received}'"),
            })
        })
        .collect();
    if issues.is_empty() {
        return;
    }
    let no_list = json!({
        "expected": quoted, "received": "array", "code": "invalid_type", "path": at,
        "message": format!("Expected {quoted}, received array"),
    });
    object.issue(json!({
        "code": "invalid_union",
        "unionErrors": [
            { "issues": [no_list], "name": "ZodError" },
            { "issues": issues, "name": "ZodError" },
        ],
        "path": at,
        "message": "Invalid input",
    }));
}

/// A permission with what the server puts in by itself.
fn stored(permission: &Value) -> Value {
    let mut fields = Map::new();
    for name in ["subject", "action", "conditions"] {
        if let Some(value) = permission.get(name) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    let inverted = permission.get("inverted").cloned().unwrap_or(Value::Bool(false));
    fields.insert("inverted".to_owned(), inverted);
    Value::Object(fields)
}

impl Instance {
    pub(super) fn create_privilege(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let identity_id = fields.required("identityId");
        let project_id = fields.required("projectId");
        let wanted = Wanted::of(&mut fields);
        fields.finish()?;
        self.permit(call.now, &actor, &project_id, ("edit", "identity"))?;
        let suffix: String = self.hex().chars().take(9).collect();
        let slug =
            wanted.slug.clone().unwrap_or_else(|| format!("c-{}", suffix.get(..7).unwrap_or_default()));
        let id = self.id();
        let project = self.project_mut(&project_id)?;
        let none = || Response::not_a_member(&project_id);
        let membership = project.membership_mut(&identity_id).ok_or_else(none)?;
        if membership.privileges.iter().any(|privilege| privilege.slug == slug) {
            let message = format!("Additional privilege with name {slug} exists");
            return Err(Response::refusal(400, "BadRequest", &message));
        }
        let made = Privilege {
            id,
            slug,
            temporary: wanted.temporary,
            is_temporary: wanted.is_temporary,
            permissions: wanted.permissions,
            created_at: call.now,
            updated_at: call.now,
        };
        let answer = made.answer();
        membership.privileges.push(made);
        Ok(answer)
    }

    /// The project of a privilege.
    fn project_of_privilege(&self, id: &str) -> Result<String, Response> {
        let has_it = |membership: &Membership| membership.privileges.iter().any(|it| it.id == id);
        let found = self.database.projects.iter().find(|it| it.memberships.iter().any(has_it));
        found.map(|project| project.id.clone()).ok_or_else(|| absent(id))
    }

    /// A privilege, if who asks may do that with it.
    fn privilege(
        &mut self,
        call: &Call<'_>,
        actor: &Actor,
        action: &str,
    ) -> Result<&mut Privilege, Response> {
        let id = call.id(0);
        let project_id = self.project_of_privilege(id)?;
        self.permit(call.now, actor, &project_id, (action, "identity"))?;
        let memberships = self.project_mut(&project_id)?.memberships.iter_mut();
        let found = memberships.flat_map(|it| &mut it.privileges).find(|it| it.id == id);
        found.ok_or_else(|| absent(id))
    }

    pub(super) fn read_privilege(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        Ok(self.privilege(call, &actor, "read")?.answer())
    }

    pub(super) fn privilege_by_slug(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let (identity_id, slug) = (query.required("identityId"), query.required("projectSlug"));
        query.finish()?;
        let project_id = self.project_of_slug(&slug)?.id.clone();
        let privileges = self.privileges(call.now, &actor, &project_id, &identity_id)?;
        let found = privileges.iter().find(|privilege| privilege.slug == call.id(0));
        // Not recorded.
        let missing = || Response::missing(&format!("Privilege with slug {} not found", call.id(0)));
        Ok(found.ok_or_else(missing)?.answer())
    }

    fn privileges(
        &mut self,
        now: Timestamp,
        actor: &Actor,
        project_id: &str,
        identity_id: &str,
    ) -> Result<&[Privilege], Response> {
        self.permit(now, actor, project_id, ("read", "identity"))?;
        let membership = self.project_of_id(project_id)?.membership(identity_id);
        let none = || Response::refusal(400, "BadRequest", "Actor doesn't have membership");
        Ok(&membership.ok_or_else(none)?.privileges)
    }

    pub(super) fn list_privileges(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let (identity_id, project_id) = (query.required("identityId"), query.required("projectId"));
        query.finish()?;
        let privileges = self.privileges(call.now, &actor, &project_id, &identity_id)?;
        let list: Vec<_> = privileges.iter().map(Privilege::listed_body).collect();
        Ok(Response::ok(&json!({ "privileges": list })))
    }

    /// Permissions are replaced as a whole.
    pub(super) fn update_privilege(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let wanted = Wanted::of(&mut fields);
        fields.finish()?;
        let privilege = self.privilege(call, &actor, "edit")?;
        privilege.slug = wanted.slug.unwrap_or_else(|| privilege.slug.clone());
        privilege.is_temporary = wanted.is_temporary;
        privilege.temporary = wanted.temporary.or_else(|| privilege.temporary.clone());
        privilege.permissions = wanted.permissions;
        privilege.updated_at = call.now;
        Ok(privilege.answer())
    }

    pub(super) fn delete_privilege(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let answer = self.privilege(call, &actor, "delete")?.answer();
        for project in &mut self.database.projects {
            for membership in &mut project.memberships {
                membership.privileges.retain(|privilege| privilege.id != call.id(0));
            }
        }
        Ok(answer)
    }
}

fn absent(id: &str) -> Response {
    Response::missing(&format!("Privilege with id {id} not found"))
}
