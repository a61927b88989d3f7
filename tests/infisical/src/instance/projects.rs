//! Projects: made by what a platform team composes beside the function, which was
//! recorded, and joined by the identity that the function hands off, which was read
//! in the server's source.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Instance, Project, auth::Actor, time, validate};
use crate::{Request, Response};

/// The roles that every project has (read in the source).
const ROLES: [&str; 4] = ["admin", "member", "viewer", "no-access"];

impl Instance {
    pub(super) fn create_project(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let (organization_id, creator) = match self.actor_in_organization(now, request)? {
            Actor::Identity { id } => (self.identity(&id)?.organization_id.clone(), Some(id)),
            Actor::User { organization_id, .. } => (organization_id.unwrap_or_default(), None),
        };
        let [name] = validate::texts(request, ["projectName"])?;
        let id = self.id();
        let suffix: String = self.hex().chars().take(4).collect();
        let slug = match request.value()?.get("slug").and_then(Value::as_str) {
            Some(slug) => slug.to_owned(),
            None => format!("{name}-{suffix}"),
        };
        let members = creator.map(|id| (id, "admin".to_owned())).into_iter().collect();
        self.database.projects.push(Project {
            id: id.clone(),
            slug: slug.clone(),
            members,
            secrets: Vec::new(),
        });
        let environments = [("Development", "dev"), ("Staging", "staging"), ("Production", "prod")]
            .map(|(name, slug)| json!({ "name": name, "slug": slug, "id": self.id() }));
        Ok(Response::ok(&json!({ "project": {
            "id": id,
            "name": name,
            "description": null,
            "type": "secret-manager",
            "defaultProduct": null,
            "slug": slug,
            "autoCapitalization": false,
            "orgId": organization_id,
            "createdAt": time(now),
            "updatedAt": time(now),
            "version": 3,
            "upgradeStatus": null,
            "pitVersionLimit": 10,
            "kmsCertificateKeyId": null,
            "auditLogsRetentionDays": null,
            "hasDeleteProtection": false,
            "secretSharing": true,
            "showSnapshotsLegacy": false,
            "secretDetectionIgnoreValues": null,
            "enforceEncryptedSecretManagerSecretMetadata": null,
            "_id": id,
            "environments": environments,
            "kmsSecretManagerKeyId": null,
        }})))
    }

    pub(super) fn project(
        &self,
        now: Timestamp,
        request: &Request,
        slug: &str,
    ) -> Result<Response, Response> {
        let actor = self.actor_in_organization(now, request)?;
        let project = self.project_of_slug(slug)?;
        project.of_member(&actor)?;
        Ok(Response::ok(&json!({ "id": project.id, "slug": project.slug })))
    }

    pub(super) fn project_membership(
        &self,
        now: Timestamp,
        request: &Request,
        project_id: &str,
    ) -> Result<Response, Response> {
        let actor = self.actor_in_organization(now, request)?;
        let project = self.project_of_id(project_id)?;
        project.of_member(&actor)?;
        let id = identity_id(request);
        let role = project.role(id).ok_or_else(|| {
            let message = format!("Membership for identity {id} in project with ID {project_id} not found");
            Response::refusal(404, "NotFound", &message)
        })?;
        Ok(Response::ok(&json!({ "identityMembership": { "identityId": id, "roles": [{ "role": role }] } })))
    }

    pub(super) fn add_to_project(
        &mut self,
        now: Timestamp,
        request: &Request,
        project_id: &str,
    ) -> Result<Response, Response> {
        let actor = self.actor_in_organization(now, request)?;
        let id = self.identity(identity_id(request))?.id.clone();
        let [role] = validate::texts(request, ["role"])?;
        let project = self.project_of_id(project_id)?;
        if project.of_member(&actor)? != "admin" {
            return Err(Response::refusal(
                403,
                "PermissionDenied",
                "You are not allowed to create on identity",
            ));
        }
        if !ROLES.contains(&role.as_str()) {
            return Err(Response::refusal(404, "NotFound", "One or more custom roles not found"));
        }
        if project.role(&id).is_some() {
            return Err(Response::refusal(400, "BadRequest", "Identity is already a member"));
        }
        let body = json!({ "identityMembership": { "identityId": id, "projectId": project_id } });
        let projects = self.database.projects.iter_mut().filter(|project| project.id == project_id);
        projects.for_each(|project| project.members.push((id.clone(), role.clone())));
        Ok(Response::ok(&body))
    }

    pub(super) fn project_of_slug(&self, slug: &str) -> Result<&Project, Response> {
        let found = self.database.projects.iter().find(|project| project.slug == slug);
        found.ok_or_else(|| {
            Response::refusal(404, "NotFound", &format!("Project with slug '{slug}' not found"))
        })
    }

    fn project_of_id(&self, id: &str) -> Result<&Project, Response> {
        let found = self.database.projects.iter().find(|project| project.id == id);
        found.ok_or_else(|| Response::refusal(404, "NotFound", &format!("Project with ID '{id}' not found")))
    }

    /// The role of an identity in a project.
    #[must_use]
    pub fn role_in_project(&self, slug: &str, identity_id: &str) -> Option<&str> {
        self.database.projects.iter().find(|project| project.slug == slug)?.role(identity_id)
    }

    /// Takes all but its admins out of a project.
    pub fn remove_from_project(&mut self, slug: &str) {
        let projects = self.database.projects.iter_mut().filter(|project| project.slug == slug);
        projects.for_each(|project| project.members.retain(|(_, role)| role == "admin"));
    }

    /// A project of which the instance admins' identities are admins, as one that
    /// they have made; nothing if it is there.
    pub fn add_project(&mut self, slug: &str) {
        if self.database.projects.iter().all(|project| project.slug != slug) {
            let id = self.id();
            let admins = self.identities_named(super::bootstrap::IDENTITY_NAME).into_iter();
            let members = admins.map(|id| (id, "admin".to_owned())).collect();
            self.database.projects.push(Project { id, slug: slug.to_owned(), members, secrets: Vec::new() });
        }
    }
}

impl Project {
    fn role(&self, identity_id: &str) -> Option<&str> {
        self.members.iter().find(|(id, _)| id == identity_id).map(|(_, role)| role.as_str())
    }

    /// The role of who asks. A user of the organization's is let in here.
    pub(super) fn of_member(&self, actor: &Actor) -> Result<&str, Response> {
        match actor {
            Actor::User { .. } => Ok("admin"),
            Actor::Identity { id } => self.role(id).ok_or_else(|| {
                Response::refusal(403, "PermissionDenied", "You are not a member of this project")
            }),
        }
    }
}

fn identity_id(request: &Request) -> &str {
    request.path.rsplit('/').next().unwrap_or_default()
}
