//! What an actor may do in a project: the roles of its membership and its additional
//! privileges, as the server remembers them.
//!
//! The server keeps what it looked up for ten seconds, so that a grant comes late and
//! a revocation too (recorded).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Instance, auth::Actor};
use crate::Response;

/// What an identity may do in a project, and when that was looked up.
#[derive(Clone)]
struct Known {
    at: Timestamp,
    rights: Option<Rights>,
}

/// What the server remembers, by identity and project. It is in no dump.
#[derive(Clone, Default)]
pub(super) struct Memory(BTreeMap<(String, String), Known>);

/// The roles and the permissions of the privileges of a member.
#[derive(Clone, Default)]
pub(super) struct Rights {
    roles: Vec<String>,
    permissions: Vec<Value>,
}

/// A place that conditions are about.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) environment: &'a str,
    pub(super) path: &'a str,
    pub(super) name: &'a str,
}

impl Rights {
    /// Whether an action is permitted; a place narrows it to what the conditions of a
    /// privilege say.
    pub(super) fn permit(&self, (action, subject): (&str, &str), place: Place<'_>) -> bool {
        self.roles.iter().any(|role| role_permits(role, action, subject))
            || self.permissions.iter().any(|it| permission_permits(it, (action, subject), place))
    }
}

/// What the roles permit of the subjects that the fake has: an admin everything, a
/// member all but changing the project and its members' rights, a viewer to read.
fn role_permits(role: &str, action: &str, subject: &str) -> bool {
    let reads = ["read", "readValue", "describeSecret"].contains(&action);
    match role {
        "admin" => true,
        "member" => reads || !["workspace", "privilege"].contains(&subject),
        "viewer" => reads,
        _ => false,
    }
}

fn permission_permits(permission: &Value, (action, subject): (&str, &str), place: Place<'_>) -> bool {
    let text = |name: &str| permission.get(name).and_then(Value::as_str).unwrap_or_default();
    // The old `read` stands for both (recorded).
    let fits = |given: &str| {
        given == action || (given == "read" && ["readValue", "describeSecret"].contains(&action))
    };
    let actions = permission.get("action");
    let has_action = match actions {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).any(fits),
        Some(Value::String(one)) => fits(one),
        _ => false,
    };
    let conditions = permission.get("conditions").and_then(Value::as_object);
    let holds =
        conditions.is_none_or(|all| all.iter().all(|(name, rule)| condition_holds(name, rule, place)));
    let is_inverted = permission.get("inverted").and_then(Value::as_bool) == Some(true);
    text("subject") == subject && has_action && holds && !is_inverted
}

fn condition_holds(name: &str, rule: &Value, place: Place<'_>) -> bool {
    let value = match name {
        "environment" => place.environment,
        "secretPath" => place.path,
        "secretName" => place.name,
        _ => return false,
    };
    match rule {
        Value::String(text) => text == value,
        Value::Object(operators) => operators.iter().all(|(operator, wanted)| {
            let text = wanted.as_str().unwrap_or_default();
            let is_among = || wanted.as_array().is_some_and(|all| all.iter().any(|it| it == value));
            match operator.as_str() {
                "$eq" => text == value,
                "$ne" => text != value,
                "$in" => is_among(),
                "$glob" => glob(text, value),
                _ => false,
            }
        }),
        _ => false,
    }
}

/// Globs of paths: `*` within a part, `**` over parts. `/team/**` is `/team` too
/// (recorded).
fn glob(pattern: &str, text: &str) -> bool {
    if let Some(start) = pattern.strip_suffix("/**") {
        return glob(start, text) || text.strip_prefix(start).is_some_and(|rest| rest.starts_with('/'));
    }
    let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, given) = (parts(pattern), parts(text));
    wanted.len() == given.len() && wanted.iter().zip(&given).all(|(part, of)| part_fits(part, of))
}

fn part_fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

impl Instance {
    /// What somebody may do in a project, by the server's memory.
    pub(super) fn rights(
        &mut self,
        now: Timestamp,
        actor: &Actor,
        project_id: &str,
    ) -> Result<Rights, Response> {
        // Another sentence than for the project's own routes (recorded).
        let known = self.database.projects.iter().any(|project| project.id == project_id);
        if !known {
            return Err(Response::missing(&format!("Project with {project_id} not found")));
        }
        let rights = match actor {
            // A user of the organization's is let in here.
            Actor::User { .. } => Some(Rights { roles: vec!["admin".to_owned()], permissions: Vec::new() }),
            Actor::Identity { id } => self.remembered(now, id, project_id),
        };
        rights.ok_or_else(|| Response::not_a_member(project_id))
    }

    fn remembered(&mut self, now: Timestamp, identity_id: &str, project_id: &str) -> Option<Rights> {
        let key = (identity_id.to_owned(), project_id.to_owned());
        let lag = self.settings.permission_lag;
        if let Some(known) = self.memory.0.get(&key)
            && now.as_millisecond() - known.at.as_millisecond() < lag
        {
            return known.rights.clone();
        }
        let rights = self.looked_up(now, identity_id, project_id);
        self.memory.0.insert(key, Known { at: now, rights: rights.clone() });
        rights
    }

    fn looked_up(&self, now: Timestamp, identity_id: &str, project_id: &str) -> Option<Rights> {
        let membership = self.project_of_id(project_id).ok()?.membership(identity_id)?;
        let roles = membership.roles.iter();
        let roles = roles.filter(|role| role.temporary.as_ref().is_none_or(|it| it.is_on(now)));
        let privileges = membership.privileges.iter().filter(|privilege| privilege.is_on(now));
        Some(Rights {
            roles: roles.map(|role| role.slug.clone()).collect(),
            permissions: privileges.flat_map(|privilege| privilege.permissions.clone()).collect(),
        })
    }

    /// Refuses who is no member.
    pub(super) fn member(&mut self, now: Timestamp, actor: &Actor, project_id: &str) -> Result<(), Response> {
        self.rights(now, actor, project_id).map(drop)
    }

    /// Refuses who may not do something in a project.
    pub(super) fn permit(
        &mut self,
        now: Timestamp,
        actor: &Actor,
        project_id: &str,
        what: (&str, &str),
    ) -> Result<(), Response> {
        self.permit_at(now, actor, project_id, what, Place::default())
    }

    /// The same at a place.
    pub(super) fn permit_at(
        &mut self,
        now: Timestamp,
        actor: &Actor,
        project_id: &str,
        what: (&str, &str),
        place: Place<'_>,
    ) -> Result<(), Response> {
        let rights = self.rights(now, actor, project_id)?;
        if rights.permit(what, place) { Ok(()) } else { Err(Response::not_allowed(what)) }
    }
}
