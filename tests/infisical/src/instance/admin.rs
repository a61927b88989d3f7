//! The admin API: identities, users, and giving up the instance admin right.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Instance, identity::Identity, token_auth::TokenAuth};
use crate::{Request, Response};

impl Instance {
    pub(super) fn admin_identities(&self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        self.super_admin(now, request)?;
        let all = &self.database.identities;
        let page =
            all.iter().skip(request.query("offset").unwrap_or(0)).take(request.query("limit").unwrap_or(20));
        let list: Vec<Value> = page
            .map(|identity| {
                let is_admin = self.database.instance_admins.contains(&identity.id);
                json!({ "name": identity.name, "id": identity.id, "isInstanceAdmin": is_admin })
            })
            .collect();
        Ok(Response::ok(&json!({ "identities": list, "total": all.len() })))
    }

    pub(super) fn delete_instance_admin(
        &mut self,
        now: Timestamp,
        request: &Request,
        id: &str,
    ) -> Result<Response, Response> {
        self.super_admin(now, request)?;
        let identity = self.identity(id)?;
        let body = json!({ "identity": { "name": identity.name, "id": identity.id } });
        if !self.database.instance_admins.iter().any(|admin| admin == id) {
            return Err(Response::refusal(400, "Identity", "Identity does not have super admin access"));
        }
        self.database.instance_admins.retain(|admin| admin != id);
        Ok(Response::ok(&body))
    }

    /// An instance admin that a human has made, without Token Auth; the first of the
    /// list, which the server sorts by name.
    pub fn add_instance_admin(&mut self, now: Timestamp, name: &str) {
        self.add_identity(now, name);
    }

    /// An instance admin that a human has made, and the token that the human has of it.
    pub fn add_token_of_another(&mut self, now: Timestamp, name: &str) -> Option<String> {
        let identity = self.add_identity(now, name)?;
        let auth = TokenAuth::new(now, self.id(), super::TokenAuth::default());
        let (mut token, jwt) = self.token_of(now, &identity, auth.terms(), ("token-auth", ""));
        token.name = Some("by hand".to_owned());
        self.database.tokens.push(token);
        self.identity_mut(&identity.id).ok()?.token_auth = Some(auth);
        Some(jwt)
    }

    fn add_identity(&mut self, now: Timestamp, name: &str) -> Option<Identity> {
        let (id, membership_id) = (self.id(), self.id());
        let first = self.database.identities.first()?;
        let made = Identity {
            organization_id: first.organization_id.clone(),
            role: first.role.clone(),
            ..Identity::new(now, (id.clone(), membership_id), name)
        };
        self.database.identities.insert(0, made.clone());
        self.database.instance_admins.push(id);
        Some(made)
    }

    pub(super) fn list_users(&self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        self.super_admin(now, request)?;
        let list: Vec<Value> = self
            .database
            .users
            .iter()
            .map(|user| {
                json!({
                    "username": user.email,
                    "email": user.email,
                    "isEmailVerified": true,
                    "firstName": "Admin",
                    "lastName": "User",
                    "authMethods": ["email"],
                    "id": user.id,
                    "superAdmin": user.super_admin,
                })
            })
            .collect();
        Ok(Response::ok(&json!({ "total": list.len(), "users": list })))
    }

    pub(super) fn delete_user(
        &mut self,
        now: Timestamp,
        request: &Request,
        id: &str,
    ) -> Result<Response, Response> {
        self.super_admin(now, request)?;
        let is_only_admin = !self.database.users.iter().any(|user| user.super_admin && user.id != id);
        if is_only_admin {
            let message = "Cannot delete the only server admin on this instance. Add another server admin to delete this user.";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        self.database.users.retain(|user| user.id != id);
        // Not recorded.
        Ok(Response::ok(&json!({ "user": { "id": id } })))
    }
}
