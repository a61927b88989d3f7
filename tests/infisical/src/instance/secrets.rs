//! The secrets of a project, as those read them who were handed a client secret.
//! Nothing of this was recorded: it is what External Secrets Operator asks for and
//! reads of the answers, by its source.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Instance, Project, Secret};
use crate::{Request, Response};

impl Instance {
    pub(super) fn list_secrets(&self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let project = self.readable_project(now, request)?;
        let secrets: Vec<Value> = of_request(project, request).map(body).collect();
        Ok(Response::ok(&json!({ "secrets": secrets, "imports": [] })))
    }

    pub(super) fn secret(&self, now: Timestamp, request: &Request, name: &str) -> Result<Response, Response> {
        let project = self.readable_project(now, request)?;
        let missing = || Response::refusal(404, "NotFound", &format!("Secret with name '{name}' not found"));
        let secret = of_request(project, request).find(|secret| secret.name == name).ok_or_else(missing)?;
        Ok(Response::ok(&json!({ "secret": body(secret) })))
    }

    /// Writes a secret into an environment of a project.
    pub fn put_secret(&mut self, project: &str, environment: &str, (name, value): (&str, &str)) {
        let projects = self.database.projects.iter_mut().filter(|it| it.slug == project);
        let [environment, name, value] = [environment, name, value].map(str::to_owned);
        let secret = Secret { environment, name, value };
        projects.for_each(|project| project.secrets.push(secret.clone()));
    }

    /// The project of a request, of which who asks is a member with a right to read.
    fn readable_project(&self, now: Timestamp, request: &Request) -> Result<&Project, Response> {
        let actor = self.actor_in_organization(now, request)?;
        let slug = request.text_query("workspaceSlug").unwrap_or_default();
        let project = self.project_of_slug(slug)?;
        if project.of_member(&actor)? == "no-access" {
            return Err(Response::refusal(403, "PermissionDenied", "You are not allowed to read secrets"));
        }
        Ok(project)
    }
}

fn of_request<'a>(project: &'a Project, request: &'a Request) -> impl Iterator<Item = &'a Secret> {
    let environment = request.text_query("environment").unwrap_or_default();
    project.secrets.iter().filter(move |secret| secret.environment == environment)
}

fn body(secret: &Secret) -> Value {
    json!({
        "secretKey": secret.name, "secretValue": secret.value, "environment": secret.environment, "version": 1,
    })
}
