//! Many secrets of one folder at once: all or nothing.

use serde_json::{Value, json};

use super::{
    Instance,
    auth::Actor,
    call::{Answer, Call},
    fields::Fields,
    secret::{Secret, Wanted, Where, check_name},
};
use crate::{Request, Response, Route};

/// Whether a request is for what makes secrets that are missing: of several at once for
/// one secret all but one are refused by the database (recorded).
pub(super) fn is_upsert(route: Route, request: &Request) -> bool {
    let body = request.value().unwrap_or_default();
    route == Route::UpdateSecrets && body.get("mode").and_then(Value::as_str) == Some("upsert")
}

/// What a batch update does with a name that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    FailOnNotFound,
    Ignore,
    Upsert,
}

/// The secrets of a batch. Of one key twice the last counts (recorded).
fn wanted(fields: &mut Fields, needs_value: bool) -> Vec<Wanted> {
    fields.require("array", "secrets");
    let objects = fields.objects("secrets");
    if let Some(objects) = &objects {
        fields.not_fewer("secrets", objects.len());
    }
    let mut all: Vec<Wanted> = Vec::new();
    for mut object in objects.unwrap_or_default() {
        let name = object.required("secretKey");
        check_name(&mut object, "secretKey", &name);
        if needs_value {
            object.require("string", "secretValue");
        }
        let wanted = Wanted::of(&mut object, &name);
        fields.adopt(object);
        all.retain(|other| other.name != wanted.name);
        all.push(wanted);
    }
    all
}

impl Instance {
    pub(super) fn create_secrets(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let place = Where::of(&mut fields);
        let wanted = wanted(&mut fields, true);
        fields.finish()?;
        self.permit_all(call, &actor, &place, ("create", &wanted))?;
        for one in &wanted {
            self.check_case(&place, &one.name)?;
        }
        self.check_tags(&place, &wanted)?;
        let folder = self.folder_of(&place).ok_or_else(|| place.no_folder("CreateManySecret"))?;
        let taken: Vec<&str> = names(&wanted, |name| folder.secrets.iter().any(|it| it.name == name));
        if !taken.is_empty() {
            let message = format!("Secret already exists: {}", taken.join(","));
            return Err(Response::refusal(400, "BadRequest", &message));
        }
        if wanted.iter().any(|one| one.name.chars().count() > 256) {
            return Err(Response::failed("Create"));
        }
        let made: Vec<Secret> = wanted.iter().map(|one| Secret::made(call.now, self.id(), one)).collect();
        let list: Vec<_> = made.iter().map(|secret| secret.created_body(&place)).collect();
        if let Some(folder) = self.folder_of_mut(&place) {
            folder.secrets.extend(made);
        }
        Ok(Response::ok(&json!({ "secrets": list })))
    }

    fn permit_all(
        &mut self,
        call: &Call<'_>,
        actor: &Actor,
        place: &Where,
        (action, wanted): (&str, &[Wanted]),
    ) -> Result<(), Response> {
        self.permit_secret(call.now, actor, place, (action, ""))?;
        for one in wanted {
            self.permit_secret(call.now, actor, place, (action, &one.name))?;
        }
        Ok(())
    }

    pub(super) fn update_secrets(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let place = Where::of(&mut fields);
        let mode = match fields.choice("mode", &["upsert", "ignore", "failOnNotFound"]).as_deref() {
            Some("upsert") => Mode::Upsert,
            Some("ignore") => Mode::Ignore,
            _ => Mode::FailOnNotFound,
        };
        let wanted = wanted(&mut fields, false);
        fields.finish()?;
        if mode == Mode::Upsert {
            self.permit_all(call, &actor, &place, ("create", &wanted))?;
        }
        self.permit_all(call, &actor, &place, ("edit", &wanted))?;
        let missing_folder = || {
            let (path, environment) = (&place.path, &place.environment);
            Response::missing(&format!("Folder with path '{path}' in environment '{environment}' not found"))
        };
        let folder = self.folder_of(&place).ok_or_else(missing_folder)?;
        let missing = names(&wanted, |name| !folder.secrets.iter().any(|it| it.name == name));
        if mode == Mode::FailOnNotFound && !missing.is_empty() {
            let message = format!("Secret does not exist: {} in path {}", missing.join(","), place.path);
            return Err(Response::missing(&message));
        }
        self.check_tags(&place, &wanted)?;
        let ids: Vec<String> = wanted.iter().map(|_| self.id()).collect();
        let folder = self.folder_of_mut(&place).ok_or_else(missing_folder)?;
        let (mut changed, mut created) = (Vec::new(), Vec::new());
        for (one, id) in wanted.iter().zip(ids) {
            if let Some(secret) = folder.secrets.iter_mut().find(|secret| secret.name == one.name) {
                secret.change(call.now, one);
                changed.push(secret.changed_body_of_batch(&place));
            } else if mode == Mode::Upsert {
                let new = Secret::made(call.now, id, one);
                created.push(new.upserted_body(&place));
                folder.secrets.push(new);
            }
        }
        changed.extend(created);
        Ok(Response::ok(&json!({ "secrets": changed })))
    }

    /// With one missing nothing is deleted, and the refusal names those that are
    /// there (recorded).
    pub(super) fn delete_secrets(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let place = Where::of(&mut fields);
        let wanted = wanted(&mut fields, false);
        fields.finish()?;
        self.permit_all(call, &actor, &place, ("delete", &wanted))?;
        let none = || place.no_folder("DeleteManySecret");
        let folder = self.folder_of_mut(&place).ok_or_else(none)?;
        let there = names(&wanted, |name| folder.secrets.iter().any(|it| it.name == name));
        if there.len() < wanted.len() {
            let message = format!("One or more secrets does not exist: {}", there.join(","));
            return Err(Response::missing(&message));
        }
        let is_doomed = |secret: &&Secret| there.contains(&secret.name.as_str());
        let list: Vec<_> =
            folder.secrets.iter().filter(is_doomed).map(|it| it.deleted_body(&place)).collect();
        folder.secrets.retain(|secret| !there.contains(&secret.name.as_str()));
        Ok(Response::ok(&json!({ "secrets": list })))
    }
}

/// The names of a batch of which something holds.
fn names(wanted: &[Wanted], holds: impl Fn(&str) -> bool) -> Vec<&str> {
    wanted.iter().map(|one| one.name.as_str()).filter(|name| holds(name)).collect()
}
