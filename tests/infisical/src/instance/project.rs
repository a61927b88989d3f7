//! Projects: create, read, list, search, change, delete.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    environment::Environment,
    fields::Fields,
    membership::{Membership, Role},
    tag::Tag,
    time,
};
use crate::Response;

/// The kinds of project (recorded).
const TYPES: [&str; 7] = ["secret-manager", "cert-manager", "kms", "ssh", "secret-scanning", "pam", "ai"];

/// Environments that a project gets unless it says otherwise (recorded).
const DEFAULT_ENVIRONMENTS: [(&str, &str); 3] =
    [("Development", "dev"), ("Staging", "staging"), ("Production", "prod")];

/// A project and all that is in it, but for its identities.
#[derive(Clone)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) kind: String,
    pub(super) organization_id: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) has_delete_protection: bool,
    /// Refuses names of secrets in lower case.
    pub(super) auto_capitalization: bool,
    secret_sharing: bool,
    pit_version_limit: i64,
    secret_detection_ignore_values: Value,
    pub(super) environments: Vec<Environment>,
    pub(super) memberships: Vec<Membership>,
    pub(super) tags: Vec<Tag>,
    /// Users that are members.
    pub(super) users: Vec<String>,
}

impl Project {
    /// An empty one with what the server puts in by itself.
    pub(super) fn new(now: Timestamp, id: String, name: &str, slug: &str, organization_id: &str) -> Self {
        Self {
            id,
            slug: slug.to_owned(),
            name: name.to_owned(),
            description: None,
            kind: "secret-manager".to_owned(),
            organization_id: organization_id.to_owned(),
            created_at: now,
            updated_at: now,
            has_delete_protection: false,
            auto_capitalization: false,
            secret_sharing: true,
            pit_version_limit: 10,
            secret_detection_ignore_values: Value::Null,
            environments: Vec::new(),
            memberships: Vec::new(),
            tags: Vec::new(),
            users: Vec::new(),
        }
    }

    /// What every answer has; some have no more.
    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "type": self.kind,
            "defaultProduct": null,
            "slug": self.slug,
            "autoCapitalization": self.auto_capitalization,
            "orgId": self.organization_id,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
            "version": 3,
            "upgradeStatus": null,
            "pitVersionLimit": self.pit_version_limit,
            "kmsCertificateKeyId": null,
            "auditLogsRetentionDays": null,
            "hasDeleteProtection": self.has_delete_protection,
            "secretSharing": self.secret_sharing,
            "showSnapshotsLegacy": false,
            "secretDetectionIgnoreValues": self.secret_detection_ignore_values,
            "enforceEncryptedSecretManagerSecretMetadata": null,
        })
    }

    /// The same with its environments, in the order of their positions.
    pub(super) fn full_body(&self) -> Value {
        let mut alive: Vec<_> = self.environments.iter().filter(|it| it.deleted.is_none()).collect();
        alive.sort_by_key(|environment| environment.position);
        let alive: Vec<_> = alive.into_iter().map(Environment::short_body).collect();
        let deleted: Vec<_> = self
            .environments
            .iter()
            .filter(|it| it.deleted.is_some())
            .map(Environment::deleted_body)
            .collect();
        let mut body = self.body();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("_id".to_owned(), Value::from(self.id.as_str()));
            fields.insert("environments".to_owned(), Value::from(alive));
            fields.insert("deletedEnvironments".to_owned(), Value::from(deleted));
        }
        body
    }
}

/// The fields of a create.
struct Wanted {
    name: String,
    slug: Option<String>,
    kind: String,
    description: Option<String>,
    has_environments: bool,
    has_delete_protection: bool,
    template: String,
}

impl Wanted {
    fn of(mut fields: Fields) -> Result<Self, Response> {
        let name = fields.required("projectName").trim().to_owned();
        fields.at_most("projectName", &name, 64, Some("Name must be 64 or fewer characters"));
        let description = fields.text("projectDescription").map(|text| text.trim().to_owned());
        if let Some(text) = &description {
            let message = "Description must be 1024 or fewer characters";
            fields.at_most("projectDescription", text, 1024, Some(message));
        }
        let slug = fields.text("slug");
        if let Some(slug) = &slug {
            fields.slug("slug", slug, (5, 36));
        }
        let wanted = Self {
            name,
            slug,
            description,
            kind: fields.choice("type", &TYPES).unwrap_or_else(|| "secret-manager".to_owned()),
            has_environments: fields.flag("shouldCreateDefaultEnvs").unwrap_or(true),
            has_delete_protection: fields.flag("hasDeleteProtection").unwrap_or_default(),
            template: fields.text("template").unwrap_or_else(|| "default".to_owned()),
        };
        fields.finish()?;
        Ok(wanted)
    }
}

impl Instance {
    pub(super) fn create_project(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?)?;
        let organization_id = self.may_create_project(&actor)?;
        if wanted.template != "default" {
            let message = "Failed to access project template due to plan restriction. Upgrade plan to access project templates.";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        let slug = wanted.slug.clone().unwrap_or_else(|| self.slug_of(&wanted.name));
        if self.database.projects.iter().any(|project| project.slug == slug) {
            let message = format!(
                "A project with the slug \"{slug}\" already exists in your organization. Please choose a different name or slug."
            );
            return Err(Response::refusal(400, "BadRequest", &message));
        }
        let mut project = Project::new(call.now, self.id(), &wanted.name, &slug, &organization_id);
        project.kind = wanted.kind;
        project.description = wanted.description;
        project.has_delete_protection = wanted.has_delete_protection;
        if wanted.has_environments {
            self.add_default_environments(call.now, &mut project);
        }
        self.add_creator(call.now, &mut project, &actor);
        let body = project.full_body();
        self.database.projects.push(project);
        Ok(Response::ok(&json!({ "project": body })))
    }

    /// The organization of who may create a project: an identity without a role in it
    /// may not (recorded).
    pub(super) fn may_create_project(&self, actor: &Actor) -> Result<String, Response> {
        match actor {
            Actor::User { organization_id, .. } => Ok(organization_id.clone().unwrap_or_default()),
            Actor::Identity { id } => {
                let identity = self.identity(id)?;
                if identity.role == "no-access" {
                    let message = "You don't have permission to create a project";
                    return Err(Response::refusal(403, "ForbiddenError", message));
                }
                Ok(identity.organization_id.clone())
            }
        }
    }

    pub(super) fn add_default_environments(&mut self, now: Timestamp, project: &mut Project) {
        for (position, (name, slug)) in (1..).zip(DEFAULT_ENVIRONMENTS) {
            let environment = self.new_environment(now, &project.id, (name, slug), position);
            project.environments.push(environment);
        }
    }

    pub(super) fn add_creator(&mut self, now: Timestamp, project: &mut Project, actor: &Actor) {
        match actor {
            Actor::User { id, .. } => project.users.push(id.clone()),
            Actor::Identity { id } => {
                let roles = vec![Role::permanent(self.id(), "admin")];
                project.memberships.push(Membership::new(now, self.id(), id, roles));
            }
        }
    }

    /// A name in lower case and a suffix, new at each try (recorded: letters lose
    /// their accents; the suffix is two and two letters or digits).
    fn slug_of(&mut self, name: &str) -> String {
        let hex = self.hex();
        let (one, two) = (hex.get(..2).unwrap_or_default(), hex.get(2..4).unwrap_or_default());
        let plain = |c: char| match c.to_ascii_lowercase() {
            'é' | 'è' | 'ê' => 'e',
            'ø' | 'ö' | 'ó' => 'o',
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        };
        let word: String = name.to_lowercase().chars().map(plain).collect();
        format!("{word}-{one}-{two}")
    }

    pub(super) fn project_by_id(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.project_of_id(call.id(0))?;
        self.member(call.now, &actor, call.id(0))?;
        Ok(Response::ok(&json!({ "project": self.project_of_id(call.id(0))?.full_body() })))
    }

    pub(super) fn project_by_slug(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = Fields::of_map(serde_json::Map::new());
        // Slugs of any length are read; an underscore is not (recorded).
        fields.slug("slug", call.id(0), (1, 64));
        fields.finish()?;
        let id = self.project_of_slug(call.id(0))?.id.clone();
        self.member(call.now, &actor, &id)?;
        Ok(Response::ok(&self.project_of_id(&id)?.full_body()))
    }

    /// Those where who asks is a member, by name.
    fn projects_of(&self, actor: &Actor) -> Vec<&Project> {
        let is_member = |project: &&Project| match actor {
            Actor::User { id, .. } => project.users.contains(id),
            Actor::Identity { id } => project.memberships.iter().any(|it| it.identity_id == *id),
        };
        let mut mine: Vec<_> = self.database.projects.iter().filter(is_member).collect();
        mine.sort_by(|a, b| (&a.name, a.created_at).cmp(&(&b.name, b.created_at)));
        mine
    }

    pub(super) fn list_projects(&self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let kind = call.query().text("type");
        let mine = self.projects_of(&actor).into_iter();
        let list: Vec<_> = mine
            .filter(|project| kind.as_ref().is_none_or(|kind| *kind == "all" || project.kind == *kind))
            .map(Project::full_body)
            .collect();
        Ok(Response::ok(&json!({ "projects": list })))
    }

    pub(super) fn search_projects(&self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.text("name").unwrap_or_default().to_lowercase();
        let limit = fields.number("limit", (1, 1000)).unwrap_or(100);
        let offset = fields.number("offset", (0, i64::MAX)).unwrap_or_default();
        fields.finish()?;
        let mine: Vec<_> = self.projects_of(&actor).iter().map(|project| project.id.clone()).collect();
        let mut found: Vec<_> =
            self.database.projects.iter().filter(|it| it.name.to_lowercase().contains(&name)).collect();
        found.sort_by_key(|project| (project.name.clone(), project.created_at));
        let page = found.iter().skip(size(offset)).take(size(limit)).map(|project| {
            let mut body = project.body();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("isMember".to_owned(), Value::from(mine.contains(&project.id)));
            }
            body
        });
        let page: Vec<_> = page.collect();
        Ok(Response::ok(&json!({ "projects": page, "totalCount": found.len() })))
    }

    pub(super) fn update_project(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let change = Change::of(call.fields()?)?;
        let id = call.id(0);
        self.project_of_id(id)?;
        self.permit(call.now, &actor, id, ("edit", "settings"))?;
        if let Some(slug) = &change.slug
            && self.database.projects.iter().any(|project| project.slug == *slug && project.id != id)
        {
            let message = format!(
                "Failed to update project. A project with the slug \"{slug}\" already exists in your organization. Please choose a different slug."
            );
            return Err(Response::refusal(400, "BadRequest", &message));
        }
        if change.is_nothing() {
            return Err(Response::failed("Update by id"));
        }
        let project = self.project_mut(id)?;
        change.apply(project);
        project.updated_at = call.now;
        Ok(Response::ok(&json!({ "project": project.body() })))
    }

    pub(super) fn delete_project(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let id = call.id(0);
        let project = self.project_of_id(id)?.clone();
        self.permit(call.now, &actor, id, ("delete", "workspace"))?;
        if project.has_delete_protection {
            let message = "Project delete protection is enabled";
            return Err(Response::refusal(403, "ForbiddenError", message));
        }
        self.database.projects.retain(|project| project.id != id);
        // Its identities go with it, protected ones too (recorded).
        self.database.identities.retain(|identity| identity.project_id.as_deref() != Some(id));
        Ok(Response::ok(&json!({ "project": project.body() })))
    }

    /// What an admin of the organization sees without being a member.
    pub(super) fn organization_projects(&self, call: &Call<'_>) -> Answer {
        self.organization_admin(call)?;
        let mut query = call.query();
        let search = query.text("search").unwrap_or_default().to_lowercase();
        let limit = query.number("limit", (1, 100)).unwrap_or(50);
        let offset = query.number("offset", (0, i64::MAX)).unwrap_or_default();
        query.finish()?;
        let found: Vec<_> =
            self.database.projects.iter().filter(|it| it.name.to_lowercase().contains(&search)).collect();
        let page: Vec<_> = found.iter().skip(size(offset)).take(size(limit)).map(|it| it.body()).collect();
        Ok(Response::ok(&json!({ "projects": page, "count": found.len() })))
    }

    /// For users only.
    pub(super) fn grant_admin_access(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let Actor::User { id: user_id, .. } = actor else {
            return Err(Response::for_users_only(&call.request.path));
        };
        let id = self.id();
        let project = self.project_mut(call.id(0))?;
        if !project.users.contains(&user_id) {
            project.users.push(user_id.clone());
        }
        Ok(Response::ok(&json!({ "membership": {
            "id": id,
            "createdAt": time(call.now),
            "updatedAt": time(call.now),
            "userId": user_id,
            "projectId": project.id,
        }})))
    }

    pub(super) fn project_of_slug(&self, slug: &str) -> Result<&Project, Response> {
        let found = self.database.projects.iter().find(|project| project.slug == slug);
        found.ok_or_else(|| Response::missing(&format!("Project with slug '{slug}' not found")))
    }

    pub(super) fn project_of_id(&self, id: &str) -> Result<&Project, Response> {
        let found = self.database.projects.iter().find(|project| project.id == id);
        found.ok_or_else(|| Response::missing(&format!("Project with ID '{id}' not found")))
    }

    pub(super) fn project_mut(&mut self, id: &str) -> Result<&mut Project, Response> {
        let found = self.database.projects.iter_mut().find(|project| project.id == id);
        found.ok_or_else(|| Response::missing(&format!("Project with ID '{id}' not found")))
    }
}

/// A number of a request as a count.
pub(super) fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// The fields of a PATCH; those of a create have other names.
struct Change {
    name: Option<String>,
    description: Option<Option<String>>,
    slug: Option<String>,
    has_delete_protection: Option<bool>,
    auto_capitalization: Option<bool>,
    secret_sharing: Option<bool>,
    pit_version_limit: Option<i64>,
    ignore_values: Option<Value>,
}

impl Change {
    fn of(mut fields: Fields) -> Result<Self, Response> {
        let name = fields.text("name").map(|text| text.trim().to_owned());
        if let Some(name) = &name {
            fields.at_most("name", name, 64, Some("Name must be 64 or fewer characters"));
        }
        let description = fields.nullable("description").map(|it| it.map(|text| text.trim().to_owned()));
        if let Some(Some(text)) = &description {
            let message = "Description must be 1024 or fewer characters";
            fields.at_most("description", text, 1024, Some(message));
        }
        let slug = fields.text("slug");
        if let Some(slug) = &slug {
            fields.at_most("slug", slug, 64, Some("Slug must be 64 characters or fewer"));
        }
        let change = Self {
            name,
            description,
            slug,
            has_delete_protection: fields.flag("hasDeleteProtection"),
            auto_capitalization: fields.flag("autoCapitalization"),
            secret_sharing: fields.flag("secretSharing"),
            pit_version_limit: fields.number("pitVersionLimit", (1, 100)),
            ignore_values: fields.raw("secretDetectionIgnoreValues").cloned(),
        };
        fields.finish()?;
        Ok(change)
    }

    fn is_nothing(&self) -> bool {
        let texts = self.name.is_none() && self.description.is_none() && self.slug.is_none();
        let flags = [self.has_delete_protection, self.auto_capitalization, self.secret_sharing];
        texts
            && flags.iter().all(Option::is_none)
            && self.pit_version_limit.is_none()
            && self.ignore_values.is_none()
    }

    fn apply(self, project: &mut Project) {
        project.name = self.name.unwrap_or_else(|| project.name.clone());
        project.slug = self.slug.unwrap_or_else(|| project.slug.clone());
        project.description = self.description.unwrap_or_else(|| project.description.clone());
        project.has_delete_protection = self.has_delete_protection.unwrap_or(project.has_delete_protection);
        project.auto_capitalization = self.auto_capitalization.unwrap_or(project.auto_capitalization);
        project.secret_sharing = self.secret_sharing.unwrap_or(project.secret_sharing);
        project.pit_version_limit = self.pit_version_limit.unwrap_or(project.pit_version_limit);
        if let Some(values) = self.ignore_values {
            project.secret_detection_ignore_values = values;
        }
    }
}
