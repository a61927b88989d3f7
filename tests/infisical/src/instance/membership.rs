//! Memberships of identities in projects, and their roles.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Identity, Instance,
    call::{Answer, Call},
    environment::is_id,
    fields::Fields,
    privilege::Privilege,
    project::size,
    time,
};
use crate::Response;

/// The roles that every project has; others need a licence.
const ROLES: [&str; 4] = ["admin", "member", "viewer", "no-access"];

/// An identity's place in a project.
#[derive(Clone)]
pub(super) struct Membership {
    pub(super) id: String,
    pub(super) identity_id: String,
    pub(super) created_at: Timestamp,
    pub(super) roles: Vec<Role>,
    /// They go with it.
    pub(super) privileges: Vec<Privilege>,
}

/// A role of a membership.
#[derive(Clone)]
pub(super) struct Role {
    id: String,
    pub(super) slug: String,
    pub(super) temporary: Option<Temporary>,
}

/// For how long something lasts that is temporary.
#[derive(Clone)]
pub(super) struct Temporary {
    range: String,
    start: Timestamp,
    end: Timestamp,
}

impl Temporary {
    /// Whether it is in force.
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }

    /// Reads what is temporary from an object of a request; its issues are put into
    /// the object.
    pub(super) fn of(fields: &mut Fields) -> Option<Self> {
        fields.choice("temporaryMode", &["relative"]);
        let range = fields.required("temporaryRange");
        let start = fields.required("temporaryAccessStartTime").parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let length = duration(&range);
        let message = "Temporary range must be a positive number";
        fields.custom("temporaryRange", length.is_some(), message);
        let end = start.saturating_add(length?).unwrap_or(start);
        Some(Self { range, start, end })
    }

    /// The fields that every role and privilege has.
    pub(super) fn fields(temporary: Option<&Self>) -> Value {
        json!({
            "isTemporary": temporary.is_some(),
            "temporaryMode": temporary.map(|_| "relative"),
            "temporaryRange": temporary.map(|it| it.range.as_str()),
            "temporaryAccessStartTime": temporary.map(|it| time(it.start)),
            "temporaryAccessEndTime": temporary.map(|it| time(it.end)),
        })
    }
}

/// `1h`, `2d`, and the like.
fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        'y' => 31_557_600,
        _ => return None,
    };
    (count > 0).then(|| SignedDuration::from_secs(count.saturating_mul(seconds)))
}

/// Puts the fields of one object into another.
pub(super) fn merged(mut into: Value, from: Value) -> Value {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
    into
}

impl Role {
    pub(super) fn permanent(id: String, slug: &str) -> Self {
        Self { id, slug: slug.to_owned(), temporary: None }
    }

    fn body(&self) -> Value {
        let own = json!({
            "id": self.id,
            "role": self.slug,
            "customRoleName": null,
            "customRoleSlug": null,
        });
        merged(own, Temporary::fields(self.temporary.as_ref()))
    }

    fn body_with_custom_role(&self) -> Value {
        merged(self.body(), json!({ "customRoleId": null }))
    }
}

impl Membership {
    pub(super) fn new(now: Timestamp, id: String, identity_id: &str, roles: Vec<Role>) -> Self {
        Self { id, identity_id: identity_id.to_owned(), created_at: now, roles, privileges: Vec::new() }
    }

    /// What a write answers.
    fn short_body(&self, project_id: &str) -> Value {
        json!({
            "id": self.id,
            "projectId": project_id,
            "identityId": self.identity_id,
            "createdAt": time(self.created_at),
            // It keeps this time for ever.
            "updatedAt": time(self.created_at),
        })
    }
}

/// A role of a request.
pub(super) struct WantedRole {
    slug: String,
    temporary: Option<Temporary>,
}

/// The roles of a request; one without any asks for `no-access`.
pub(super) fn wanted_roles(fields: &mut Fields) -> Option<Vec<WantedRole>> {
    let objects = fields.objects("roles")?;
    let mut roles = Vec::new();
    for mut object in objects {
        let slug = object.required("role");
        let mut temporary = None;
        if object.flag("isTemporary") == Some(true) {
            if is_whole(&object) {
                temporary = Temporary::of(&mut object);
            } else {
                let issue = union_issue(&object);
                object.issue(issue);
            }
        }
        fields.adopt(object);
        roles.push(WantedRole { slug, temporary });
    }
    Some(roles)
}

const TEMPORARY_FIELDS: [&str; 3] = ["temporaryMode", "temporaryRange", "temporaryAccessStartTime"];

fn is_whole(object: &Fields) -> bool {
    TEMPORARY_FIELDS.iter().all(|name| object.has(name))
}

/// What the validator says of a temporary role that lacks a field: that it is neither
/// a permanent one nor a temporary one.
fn union_issue(object: &Fields) -> Value {
    let at = |name: &str| {
        let mut path = object.place().to_vec();
        path.push(Value::from(name));
        path
    };
    let permanent = json!({
        "received": true, "code": "invalid_literal", "expected": false, "path": at("isTemporary"),
        "message": "Invalid literal value, expected false",
    });
    let missing = TEMPORARY_FIELDS.iter().filter(|name| !object.has(name)).map(|name| {
        let expected = if *name == "temporaryMode" { "'relative'" } else { "string" };
        json!({
            "code": "invalid_type", "expected": expected, "received": "undefined", "path": at(name),
            "message": "Required",
        })
    });
    let missing: Vec<Value> = missing.collect();
    json!({
        "code": "invalid_union",
        "unionErrors": [
            { "issues": [permanent], "name": "ZodError" },
            { "issues": missing, "name": "ZodError" },
        ],
        "path": object.place(),
        "message": "Invalid input",
    })
}

impl Instance {
    /// Makes roles of what was asked for, after the checks of the server.
    pub(super) fn roles(&mut self, project_id: &str, wanted: Vec<WantedRole>) -> Result<Vec<Role>, Response> {
        if wanted.is_empty() {
            return Ok(vec![Role::permanent(self.id(), "no-access")]);
        }
        if wanted.iter().all(|role| role.temporary.is_some()) {
            let message = "Identity must have at least one permanent role";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        if let Some(unknown) = wanted.iter().find(|role| !ROLES.contains(&role.slug.as_str())) {
            let message = format!(
                "Specified roles '{}' was not found in the project with ID '{project_id}'",
                unknown.slug
            );
            return Err(Response::missing(&message));
        }
        let role = |role: WantedRole| Role { id: self.id(), slug: role.slug, temporary: role.temporary };
        Ok(wanted.into_iter().map(role).collect())
    }

    pub(super) fn create_membership(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        // The old field counts where the new one is absent (recorded).
        let old = fields.text("role").map(|slug| vec![WantedRole { slug, temporary: None }]);
        let wanted = wanted_roles(&mut fields).or(old).unwrap_or_default();
        fields.finish()?;
        let (project_id, identity_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, project_id, ("create", "identity"))?;
        if !is_id(identity_id) {
            return Err(Response::failed("Find effective org memberships"));
        }
        let is_in_organization = self.identity(identity_id).is_ok_and(|it| it.project_id.is_none());
        if !is_in_organization {
            let message = format!("Identity {identity_id} is missing organization membership");
            return Err(Response::refusal(400, "BadRequest", &message));
        }
        let roles = self.roles(project_id, wanted);
        if self.project_of_id(project_id)?.membership(identity_id).is_some() {
            return Err(Response::refusal(400, "BadRequest", "Identity is already a member"));
        }
        let made = Membership::new(call.now, self.id(), identity_id, roles?);
        let body = made.short_body(project_id);
        self.project_mut(project_id)?.memberships.push(made);
        Ok(Response::ok(&json!({ "identityMembership": body })))
    }

    pub(super) fn membership(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (project_id, identity_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, project_id, ("read", "identity"))?;
        let found = self.project_of_id(project_id)?.membership(identity_id);
        let missing = || Response::missing("Identity membership not found");
        let membership = found.ok_or_else(missing)?;
        let identity = self.identity(identity_id)?;
        let roles: Vec<_> = membership.roles.iter().map(Role::body).collect();
        Ok(Response::ok(&json!({ "identityMembership": {
            "id": membership.id,
            "createdAt": time(membership.created_at),
            "updatedAt": time(membership.created_at),
            "roles": roles,
            "lastLoginAuthMethod": null,
            "lastLoginTime": null,
            "identity": {
                "name": identity.name,
                "id": identity.id,
                "orgId": identity.organization_id,
                "projectId": identity.project_id,
                "authMethods": identity.auth_methods(),
                "metadata": identity.metadata_body(),
            },
        }})))
    }

    pub(super) fn list_memberships(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let limit = query.number("limit", (1, 1000));
        let offset = query.number("offset", (0, i64::MAX)).unwrap_or_default();
        let search = query.text("identityName").unwrap_or_default();
        query.finish()?;
        let project_id = call.id(0);
        self.permit(call.now, &actor, project_id, ("read", "identity"))?;
        let members = self.project_of_id(project_id)?.memberships.iter();
        let mut all: Vec<(&Membership, &Identity)> =
            members.filter_map(|it| Some((it, self.identity(&it.identity_id).ok()?))).collect();
        all.retain(|(_, identity)| identity.name.contains(&search));
        // Found in the recordings: neither by name nor by time.
        let total = all.len();
        let page = all.into_iter().skip(size(offset)).take(limit.map_or(usize::MAX, size));
        let list: Vec<_> = page.map(|(membership, identity)| list_body(membership, identity)).collect();
        Ok(Response::ok(&json!({ "identityMemberships": list, "totalCount": total })))
    }

    pub(super) fn update_membership(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        fields.require("array", "roles");
        let wanted = wanted_roles(&mut fields).unwrap_or_default();
        if fields.has("roles") {
            fields.not_fewer("roles", wanted.len());
        }
        fields.finish()?;
        let (project_id, identity_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, project_id, ("edit", "identity"))?;
        let none = || Response::refusal(400, "BadRequest", "Identity doesn't have membership");
        self.project_of_id(project_id)?.membership(identity_id).ok_or_else(none)?;
        let roles = self.roles(project_id, wanted)?;
        let project = self.project_mut(project_id)?;
        let membership = project.membership_mut(identity_id).ok_or_else(none)?;
        membership.roles = roles;
        Ok(Response::ok(&json!({ "identityMembership": membership.short_body(project_id) })))
    }

    pub(super) fn delete_membership(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (project_id, identity_id) = (call.id(0), call.id(1));
        self.permit(call.now, &actor, project_id, ("delete", "identity"))?;
        if actor.is_identity(identity_id) {
            let message = "You can't delete your own membership";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        let none = || Response::refusal(400, "BadRequest", "Identity doesn't have membership");
        let project = self.project_mut(project_id)?;
        let membership = project.membership(identity_id).ok_or_else(none)?.clone();
        project.memberships.retain(|it| it.identity_id != identity_id);
        Ok(Response::ok(&json!({ "identityMembership": membership.short_body(project_id) })))
    }

    /// The projects in which an identity is a member.
    pub(super) fn projects_of_identity(&mut self, call: &Call<'_>) -> Answer {
        self.organization_reader(call)?;
        let identity = self.identity(call.id(0))?;
        let memberships = self.database.projects.iter().filter_map(|project| {
            let membership = project.membership(&identity.id)?;
            let roles: Vec<_> = membership.roles.iter().map(Role::body_with_custom_role).collect();
            Some(json!({
                "id": membership.id,
                "identityId": identity.id,
                "createdAt": time(membership.created_at),
                "updatedAt": time(membership.created_at),
                "roles": roles,
                "identity": {
                    "name": identity.name,
                    "id": identity.id,
                    "hasDeleteProtection": identity.has_delete_protection,
                    "authMethods": identity.auth_methods(),
                },
                "project": { "name": project.name, "id": project.id, "type": project.kind },
            }))
        });
        let memberships: Vec<_> = memberships.collect();
        Ok(Response::ok(&json!({ "identityMemberships": memberships })))
    }
}

fn list_body(membership: &Membership, identity: &Identity) -> Value {
    let roles: Vec<_> = membership.roles.iter().map(Role::body).collect();
    json!({
        "id": membership.id,
        "identityId": identity.id,
        "createdAt": time(membership.created_at),
        "updatedAt": time(membership.created_at),
        "roles": roles,
        "identity": {
            "name": identity.name,
            "id": identity.id,
            "orgId": identity.organization_id,
            "projectId": identity.project_id,
            "authMethods": identity.auth_methods(),
            "activeLockoutAuthMethods": [],
        },
    })
}

impl super::project::Project {
    pub(super) fn membership(&self, identity_id: &str) -> Option<&Membership> {
        self.memberships.iter().find(|it| it.identity_id == identity_id)
    }

    pub(super) fn membership_mut(&mut self, identity_id: &str) -> Option<&mut Membership> {
        self.memberships.iter_mut().find(|it| it.identity_id == identity_id)
    }
}
