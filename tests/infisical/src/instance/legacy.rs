//! Older routes that the function's users have: a project by `/api/v2/workspace`,
//! which was recorded; the membership by `identity-memberships` and the secrets of
//! `/api/v3`, which were read in the server's source and in that of External Secrets
//! Operator.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    membership::{Membership, Role},
    project::Project,
    secret::Secret,
    validate,
};
use crate::{Request, Response};

/// The roles that every project has (read in the source).
const ROLES: [&str; 4] = ["admin", "member", "viewer", "no-access"];

impl Instance {
    pub(super) fn create_workspace(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let [name] = validate::texts(call.request, ["projectName"])?;
        let organization_id = self.organization_of(&actor)?;
        let suffix: String = self.hex().chars().take(4).collect();
        let slug = match call.request.value()?.get("slug").and_then(Value::as_str) {
            Some(slug) => slug.to_owned(),
            None => format!("{name}-{suffix}"),
        };
        let mut project = Project::new(call.now, self.id(), &name, &slug, &organization_id);
        self.add_default_environments(call.now, &mut project);
        self.add_creator(call.now, &mut project, &actor);
        let mut body = project.full_body();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("deletedEnvironments");
            fields.insert("kmsSecretManagerKeyId".to_owned(), Value::Null);
        }
        self.database.projects.push(project);
        Ok(Response::ok(&json!({ "project": body })))
    }

    pub(super) fn project_membership(&self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let (project_id, id) = (call.id(0), call.id(1));
        let project = self.project_of_id(project_id)?;
        project.role_of_member(&actor)?;
        let role = project.role(id).ok_or_else(|| {
            Response::missing(&format!(
                "Membership for identity {id} in project with ID {project_id} not found"
            ))
        })?;
        Ok(Response::ok(&json!({ "identityMembership": { "identityId": id, "roles": [{ "role": role }] } })))
    }

    pub(super) fn add_to_project(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let project_id = call.id(0);
        let id = self.identity(call.id(1))?.id.clone();
        let [role] = validate::texts(call.request, ["role"])?;
        let project = self.project_of_id(project_id)?;
        if project.role_of_member(&actor)? != "admin" {
            return Err(Response::not_allowed(("create", "identity")));
        }
        if !ROLES.contains(&role.as_str()) {
            return Err(Response::missing("One or more custom roles not found"));
        }
        if project.role(&id).is_some() {
            return Err(Response::refusal(400, "BadRequest", "Identity is already a member"));
        }
        let roles = vec![Role::permanent(self.id(), &role)];
        let membership = Membership::new(call.now, self.id(), &id, roles);
        self.project_mut(project_id)?.memberships.push(membership);
        Ok(Response::ok(&json!({ "identityMembership": { "identityId": id, "projectId": project_id } })))
    }

    pub(super) fn list_legacy_secrets(&self, call: &Call<'_>) -> Answer {
        let project = self.readable_project(call.now, call.request)?;
        let secrets: Vec<_> = of_request(project, call).into_iter().map(|it| body(it, call)).collect();
        Ok(Response::ok(&json!({ "secrets": secrets, "imports": [] })))
    }

    pub(super) fn legacy_secret(&self, call: &Call<'_>) -> Answer {
        let project = self.readable_project(call.now, call.request)?;
        let name = call.id(0);
        let missing = || Response::missing(&format!("Secret with name '{name}' not found"));
        let found = of_request(project, call).into_iter().find(|secret| secret.name == name);
        Ok(Response::ok(&json!({ "secret": body(found.ok_or_else(missing)?, call) })))
    }

    /// The project of a request, of which who asks is a member with a right to read.
    fn readable_project(&self, now: Timestamp, request: &Request) -> Result<&Project, Response> {
        let actor = self.actor_in_organization(now, request)?;
        let slug = request.text_query("workspaceSlug").unwrap_or_default();
        let project = self.project_of_slug(slug)?;
        if project.role_of_member(&actor)? == "no-access" {
            return Err(Response::refusal(403, "PermissionDenied", "You are not allowed to read secrets"));
        }
        Ok(project)
    }

    /// Writes a secret into an environment of a project, which is made if it is
    /// missing.
    pub fn put_secret(&mut self, project: &str, environment: &str, (name, value): (&str, &str)) {
        let now = Timestamp::UNIX_EPOCH;
        let Ok(project_id) = self.project_of_slug(project).map(|project| project.id.clone()) else { return };
        let made = self.new_environment(now, &project_id, (environment, environment), 0);
        let secret = Secret::new(now, self.id(), name, value);
        let Ok(project) = self.project_mut(&project_id) else { return };
        if project.environment(environment).is_none() {
            project.environments.push(made);
        }
        if let Some(root) = project.environment_mut(environment).and_then(|it| it.folder_at_mut("/")) {
            root.secrets.push(secret);
        }
    }

    /// The role of an identity in a project.
    #[must_use]
    pub fn role_in_project(&self, slug: &str, identity_id: &str) -> Option<&str> {
        self.database.projects.iter().find(|project| project.slug == slug)?.role(identity_id)
    }

    /// Takes all but its admins out of a project.
    pub fn remove_from_project(&mut self, slug: &str) {
        let is_admin = |membership: &Membership| membership.roles.iter().any(|role| role.slug == "admin");
        let projects = self.database.projects.iter_mut().filter(|project| project.slug == slug);
        projects.for_each(|project| project.memberships.retain(is_admin));
    }

    /// A project of which the instance admins' identities are admins, as one that
    /// they have made; nothing if it is there.
    pub fn add_project(&mut self, slug: &str) {
        if self.database.projects.iter().any(|project| project.slug == slug) {
            return;
        }
        let now = Timestamp::UNIX_EPOCH;
        let mut project = Project::new(now, self.id(), slug, slug, "");
        for id in self.identities_named(super::bootstrap::IDENTITY_NAME) {
            self.add_creator(now, &mut project, &Actor::Identity { id });
        }
        self.database.projects.push(project);
    }
}

impl Project {
    /// The first role of an identity.
    fn role(&self, identity_id: &str) -> Option<&str> {
        self.membership(identity_id)?.roles.first().map(|role| role.slug.as_str())
    }

    /// The role of who asks. A user of the organization's is let in here.
    fn role_of_member(&self, actor: &Actor) -> Result<&str, Response> {
        match actor {
            Actor::User { .. } => Ok("admin"),
            Actor::Identity { id } => self.role(id).ok_or_else(|| Response::not_a_member(&self.id)),
        }
    }
}

fn of_request<'a>(project: &'a Project, call: &Call<'_>) -> Vec<&'a Secret> {
    let environment = call.request.text_query("environment").unwrap_or_default();
    let root = project.environment(environment).and_then(|environment| environment.folder_at("/"));
    root.map(|folder| folder.secrets.iter().collect()).unwrap_or_default()
}

fn body(secret: &Secret, call: &Call<'_>) -> Value {
    let environment = call.request.text_query("environment").unwrap_or_default();
    json!({
        "secretKey": secret.name, "secretValue": secret.value, "environment": environment, "version": 1,
    })
}
