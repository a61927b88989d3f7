//! Machine identities of an organization: create, read, list, search, change, delete.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    environment::is_id,
    fields::{Fields, length},
    kubernetes_auth::KubernetesAuth,
    membership::merged,
    project::size,
    time,
    token_auth::TokenAuth,
    universal_auth::UniversalAuth,
};
use crate::Response;

/// The roles that every organization has; others need a licence.
const ROLES: [&str; 3] = ["admin", "member", "no-access"];

/// What the columns of the database take (recorded): one more is a 500.
const LONGEST_NAME: i64 = 255;
const LONGEST_KEY: i64 = 255;
const LONGEST_VALUE: i64 = 1020;

/// A machine identity with what is attached to it.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) id: String,
    /// The id of its place in the organization, which a read answers too.
    pub(super) membership_id: String,
    pub(super) name: String,
    pub(super) organization_id: String,
    /// The project that manages it, if one does.
    pub(super) project_id: Option<String>,
    /// The slug of its role in the organization.
    pub(super) role: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) has_delete_protection: bool,
    pub(super) metadata: Vec<Metadata>,
    /// How and when it last got a token.
    pub(super) last_login: Option<(&'static str, Timestamp)>,
    pub(super) universal_auth: Option<UniversalAuth>,
    pub(super) kubernetes_auth: Option<KubernetesAuth>,
    pub(super) token_auth: Option<TokenAuth>,
}

/// A key and a value that somebody put on an identity.
#[derive(Clone)]
pub(super) struct Metadata {
    id: String,
    key: String,
    value: String,
}

impl Identity {
    /// One without anything attached.
    pub(super) fn new(now: Timestamp, (id, membership_id): (String, String), name: &str) -> Self {
        Self {
            id,
            membership_id,
            name: name.to_owned(),
            organization_id: String::new(),
            project_id: None,
            role: "no-access".to_owned(),
            created_at: now,
            updated_at: now,
            has_delete_protection: false,
            metadata: Vec::new(),
            last_login: None,
            universal_auth: None,
            kubernetes_auth: None,
            token_auth: None,
        }
    }

    /// What is attached, in the order in which the server lists it.
    pub(super) fn auth_methods(&self) -> Vec<&'static str> {
        let attached = [
            ("universal-auth", self.universal_auth.is_some()),
            ("kubernetes-auth", self.kubernetes_auth.is_some()),
            ("token-auth", self.token_auth.is_some()),
        ];
        attached.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }

    pub(super) fn metadata_body(&self) -> Value {
        metadata_body(&self.metadata)
    }

    /// What a write answers.
    fn written_body(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "authMethod": null,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
            "hasDeleteProtection": self.has_delete_protection,
            "orgId": self.organization_id,
            "projectId": self.project_id,
        })
    }

    /// What reads and lists answer of its place in the organization.
    fn membership_body(&self) -> Value {
        json!({
            "id": self.membership_id,
            "role": self.role,
            "roleId": null,
            "orgId": self.organization_id,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.created_at),
            "identityId": self.id,
            "lastLoginAuthMethod": self.last_login.map(|(method, _)| method),
            "lastLoginTime": self.last_login.map(|(_, at)| time(at)),
        })
    }

    fn listed_body(&self) -> Value {
        let identity = json!({
            "name": self.name,
            "id": self.id,
            "hasDeleteProtection": self.has_delete_protection,
            "authMethods": self.auth_methods(),
        });
        merged(self.membership_body(), json!({ "identity": identity }))
    }

    fn found_body(&self) -> Value {
        let mut body = self.listed_body();
        if let Some(identity) = body.get_mut("identity").and_then(Value::as_object_mut) {
            identity.insert("orgId".to_owned(), Value::from(self.organization_id.as_str()));
            identity.insert("activeLockoutAuthMethods".to_owned(), json!([]));
        }
        body
    }
}

pub(super) fn metadata_body(metadata: &[Metadata]) -> Value {
    let list = metadata.iter().map(|it| json!({ "id": it.id, "key": it.key, "value": it.value }));
    list.collect()
}

/// The keys and values of a request.
pub(super) fn wanted_metadata(fields: &mut Fields) -> Option<Vec<(String, String)>> {
    let objects = fields.objects("metadata")?;
    let mut pairs = Vec::new();
    for mut object in objects {
        let pair = ["key", "value"].map(|name| {
            let text = object.required(name).trim().to_owned();
            if object.has(name) {
                object.not_empty(name, &text);
            }
            text
        });
        fields.adopt(object);
        let [key, value] = pair;
        pairs.push((key, value));
    }
    Some(pairs)
}

impl Instance {
    /// Makes metadata of what was asked for. Above what the columns take it is a 500.
    pub(super) fn new_metadata(&mut self, pairs: Vec<(String, String)>) -> Result<Vec<Metadata>, Response> {
        let is_long =
            |(key, value): &(String, String)| length(key) > LONGEST_KEY || length(value) > LONGEST_VALUE;
        if pairs.iter().any(is_long) {
            return Err(Response::failed("Create"));
        }
        Ok(pairs.into_iter().map(|(key, value)| Metadata { id: self.id(), key, value }).collect())
    }

    /// Whoever may do something with the organization's identities: its users, its
    /// admins and its members.
    pub(super) fn organization_permit(&self, actor: &Actor, action: &str) -> Result<(), Response> {
        let may = match actor {
            Actor::User { .. } => true,
            Actor::Identity { id } => self.identity(id)?.role != "no-access",
        };
        if may { Ok(()) } else { Err(Response::not_allowed((action, "identity"))) }
    }

    pub(super) fn organization_reader(&self, call: &Call<'_>) -> Result<Actor, Response> {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.organization_permit(&actor, "read")?;
        Ok(actor)
    }

    /// Users and identities that are admins of the organization.
    pub(super) fn organization_admin(&self, call: &Call<'_>) -> Result<Actor, Response> {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let is_admin = match &actor {
            Actor::User { .. } => true,
            Actor::Identity { id } => self.identity(id)?.role == "admin",
        };
        is_admin
            .then_some(actor)
            .ok_or_else(|| Response::not_allowed(("access-all-projects", "organization-admin-console")))
    }

    /// The organization of who asks.
    pub(super) fn organization_of(&self, actor: &Actor) -> Result<String, Response> {
        match actor {
            Actor::User { organization_id, .. } => Ok(organization_id.clone().unwrap_or_default()),
            Actor::Identity { id } => Ok(self.identity(id)?.organization_id.clone()),
        }
    }

    /// An identity of the organization; one that a project manages is none.
    fn organization_identity(&self, id: &str) -> Result<&Identity, Response> {
        let found = self.database.identities.iter().find(|it| it.id.eq_ignore_ascii_case(id));
        let missing = || Response::missing(&format!("Failed to find identity with id {id}"));
        found.filter(|it| it.project_id.is_none()).ok_or_else(missing)
    }

    /// The same for a write, which says of one that a project manages what it is.
    fn writable_identity(&self, id: &str) -> Result<&Identity, Response> {
        if self.identity(id).is_ok_and(|it| it.project_id.is_some()) {
            return Err(Response::refusal(400, "BadRequest", "Identity is managed by project"));
        }
        self.organization_identity(id)
    }

    fn known_role(role: &str, organization_id: &str) -> Result<(), Response> {
        if ROLES.contains(&role) {
            return Ok(());
        }
        let message =
            format!("Specified roles '{role}' was not found in the organization with ID '{organization_id}'");
        Err(Response::missing(&message))
    }

    pub(super) fn create_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.required("name").trim().to_owned();
        let organization_id = fields.required("organizationId");
        let role = fields.text("role").unwrap_or_else(|| "no-access".to_owned());
        fields.not_empty("role", &role);
        let metadata = wanted_metadata(&mut fields).unwrap_or_default();
        let has_delete_protection = fields.flag("hasDeleteProtection").unwrap_or_default();
        fields.finish()?;
        let own = self.organization_of(&actor)?;
        if own != organization_id {
            let message = format!(
                "Your token is scoped to organization with ID {own}, but this resource belongs to a different organization."
            );
            return Err(Response::refusal(403, "ForbiddenError", &message));
        }
        self.organization_permit(&actor, "create")?;
        Self::known_role(&role, &organization_id)?;
        if length(&name) > LONGEST_NAME {
            return Err(Response::failed("Create"));
        }
        let ids = (self.id(), self.id());
        let identity = Identity {
            organization_id,
            role,
            has_delete_protection,
            metadata: self.new_metadata(metadata)?,
            ..Identity::new(call.now, ids, &name)
        };
        let more = json!({ "authMethods": [], "metadata": identity.metadata_body() });
        let body = merged(identity.written_body(), more);
        self.database.identities.push(identity);
        Ok(Response::ok(&json!({ "identity": body })))
    }

    pub(super) fn read_identity(&self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        if !is_id(call.id(0)) {
            return Err(Response::failed("FindByOrgId"));
        }
        let found = self.organization_identity(call.id(0));
        self.organization_permit(&actor, "read")?;
        let identity = found?;
        let body = merged(identity.found_body(), json!({ "metadata": identity.metadata_body() }));
        Ok(Response::ok(&json!({ "identity": body })))
    }

    /// The organization's identities by name.
    fn identities_by_name(&self, organization_id: &str) -> Vec<&Identity> {
        let all = self.database.identities.iter().filter(|it| it.organization_id == organization_id);
        let mut own: Vec<_> = all.filter(|it| it.project_id.is_none()).collect();
        // Among equals the younger comes first (recorded).
        own.reverse();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        own
    }

    /// All of them, whatever limit was asked for; the count is of those that projects
    /// manage too (recorded).
    pub(super) fn list_identities(&self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let organization_id = query.required("orgId");
        query.finish()?;
        self.organization_permit(&actor, "read")?;
        let list = self.identities_by_name(&organization_id);
        let list: Vec<_> = list.into_iter().map(Identity::listed_body).collect();
        let all = self.database.identities.iter().filter(|it| it.organization_id == organization_id);
        Ok(Response::ok(&json!({ "totalCount": all.count(), "identities": list })))
    }

    pub(super) fn search_identities(&self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let limit = fields.number("limit", (1, 100)).unwrap_or(50);
        let offset = fields.number("offset", (0, i64::MAX)).unwrap_or_default();
        let search = fields.object("search").map(|mut search| {
            check_search(&mut search);
            let wanted = search.value();
            fields.adopt(search);
            wanted
        });
        fields.finish()?;
        self.organization_permit(&actor, "read")?;
        let mut found = self.identities_by_name(&self.organization_of(&actor)?);
        found.retain(|identity| search.as_ref().is_none_or(|search| matches(search, identity)));
        let page = found.iter().skip(size(offset)).take(size(limit));
        let list: Vec<_> = page.map(|identity| identity.found_body()).collect();
        Ok(Response::ok(&json!({ "identities": list, "totalCount": found.len() })))
    }

    pub(super) fn update_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let change = Change::of(call.fields()?)?;
        let id = call.id(0);
        self.may_touch(&actor, id)?;
        let identity = self.writable_identity(id)?.clone();
        self.organization_permit(&actor, "edit")?;
        if let Some(role) = &change.role {
            Self::known_role(role, &identity.organization_id)?;
        }
        let mut answered = Value::Array(Vec::new());
        let metadata = match change.metadata.clone() {
            None => None,
            Some(pairs) => {
                let metadata = self.new_metadata(pairs)?;
                answered = metadata_body(&metadata);
                Some(metadata)
            }
        };
        let identity = self.identity_mut(&identity.id)?;
        change.apply(call.now, identity)?;
        identity.role = change.role.unwrap_or_else(|| identity.role.clone());
        identity.metadata = metadata.unwrap_or_else(|| identity.metadata.clone());
        let body = merged(identity.written_body(), json!({ "metadata": answered }));
        Ok(Response::ok(&json!({ "identity": body })))
    }

    pub(super) fn delete_identity(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let id = call.id(0);
        self.may_touch(&actor, id)?;
        let identity = self.writable_identity(id)?.clone();
        self.organization_permit(&actor, "delete")?;
        if identity.has_delete_protection {
            return Err(Response::refusal(400, "BadRequest", "Identity has delete protection"));
        }
        self.remove_identity(&identity.id);
        Ok(Response::ok(&json!({ "identity": identity.written_body() })))
    }

    /// Takes an identity away with its tokens and memberships.
    pub(super) fn remove_identity(&mut self, id: &str) {
        self.database.identities.retain(|identity| identity.id != id);
        self.database.tokens.retain(|token| token.identity_id != id);
        self.database.instance_admins.retain(|admin| admin != id);
        self.database.deleted_identities.push(id.to_owned());
        for project in &mut self.database.projects {
            project.memberships.retain(|membership| membership.identity_id != id);
        }
    }

    pub(super) fn identity_mut(&mut self, id: &str) -> Result<&mut Identity, Response> {
        let found = self.database.identities.iter_mut().find(|identity| identity.id == id);
        found.ok_or_else(|| Response::missing(&format!("Failed to find identity with ID {id}")))
    }

    /// The identities of a name.
    #[must_use]
    pub fn identities_named(&self, name: &str) -> Vec<String> {
        let named = self.database.identities.iter().filter(|identity| identity.name == name);
        named.map(|identity| identity.id.clone()).collect()
    }

    /// Whether an identity is an instance admin.
    #[must_use]
    pub fn is_instance_admin(&self, identity_id: &str) -> bool {
        self.database.instance_admins.iter().any(|admin| admin == identity_id)
    }

    /// Whether the identity that bootstrap made is an instance admin.
    #[must_use]
    pub fn bootstrap_identity_is_instance_admin(&self) -> bool {
        let ids = self.identities_named(super::bootstrap::IDENTITY_NAME);
        ids.iter().any(|id| self.is_instance_admin(id))
    }
}

/// The fields of a PATCH.
pub(super) struct Change {
    name: Option<String>,
    role: Option<String>,
    pub(super) metadata: Option<Vec<(String, String)>>,
    has_delete_protection: Option<bool>,
}

impl Change {
    pub(super) fn of(mut fields: Fields) -> Result<Self, Response> {
        let name = fields.text("name").map(|name| name.trim().to_owned());
        let role = fields.text("role");
        if let Some(role) = &role {
            fields.not_empty("role", role);
        }
        let metadata = wanted_metadata(&mut fields);
        let has_delete_protection = fields.flag("hasDeleteProtection");
        fields.finish()?;
        Ok(Self { name, role, metadata, has_delete_protection })
    }

    /// Name and protection. That the protection is to go is dropped without a word
    /// where no name is beside it (recorded).
    pub(super) fn apply(&self, now: Timestamp, identity: &mut Identity) -> Result<(), Response> {
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        if name.is_none() && self.has_delete_protection != Some(true) {
            return Ok(());
        }
        if name.is_some_and(|name| length(name) > LONGEST_NAME) {
            return Err(Response::failed("Update by id"));
        }
        if let Some(name) = name {
            name.clone_into(&mut identity.name);
        }
        identity.has_delete_protection = self.has_delete_protection.unwrap_or(identity.has_delete_protection);
        identity.updated_at = now;
        Ok(())
    }
}

/// Refuses signs in a name that the search does not take.
fn check_search(search: &mut Fields) {
    let Some(mut name) = search.object("name") else { return };
    for operator in ["$eq", "$contains"] {
        if let Some(text) = name.text(operator) {
            let holds = text.chars().all(|c| c.is_ascii_alphanumeric() || " _-/".contains(c));
            let message = format!(
                "Name {operator} can only contain alpha-numeric,spaces,underscore,hyphen,forwardSlash"
            );
            name.custom(operator, holds, &message);
        }
    }
    search.adopt(name);
}

/// Whether an identity is searched for. What the search does not know, such as
/// metadata, narrows nothing (recorded).
fn matches(search: &Value, identity: &Identity) -> bool {
    let by = |field: &str, value: &str| search.get(field).is_none_or(|rule| text_matches(rule, value));
    let any = search.get("$or").and_then(Value::as_array);
    let any = any.is_none_or(|all| all.iter().any(|one| matches(one, identity)));
    by("name", &identity.name) && by("role", &identity.role) && any
}

fn text_matches(rule: &Value, value: &str) -> bool {
    let text = |operator: &str| rule.get(operator).and_then(Value::as_str);
    let is_equal = text("$eq").is_none_or(|wanted| wanted == value);
    let contains = text("$contains").is_none_or(|part| value.to_lowercase().contains(&part.to_lowercase()));
    let among = rule.get("$in").and_then(Value::as_array);
    is_equal && contains && among.is_none_or(|all| all.iter().any(|one| one == value))
}
