//! Machine identities of an organization, and their Universal Auth. What was not
//! recorded was read in the server's source, and says so.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ClientSecret, Identity, Instance, UniversalAuth, auth::Actor, time, validate};
use crate::{Request, Response};

/// Seconds that a token of universal auth lives by default (recorded).
const UNIVERSAL_AUTH_TTL: i64 = 30 * 24 * 60 * 60;

/// After so many failed logins in a row an identity is locked (recorded).
const LOCKOUT_THRESHOLD: u32 = 3;
/// For so many seconds (recorded).
const LOCKOUT_DURATION: i64 = 300;
/// And so many seconds after the last of fewer all is forgotten (recorded).
const LOCKOUT_RESET: i64 = 30;

/// The roles that every organization has (read in the source).
const ROLES: [&str; 3] = ["admin", "member", "no-access"];

impl Instance {
    /// Whoever may manage the organization's identities: its users and the
    /// machines that are admins of it. Read in the source, but for that the
    /// recorded ones may.
    fn manager(&self, now: Timestamp, request: &Request) -> Result<Actor, Response> {
        let actor = self.actor_in_organization(now, request)?;
        let may = match &actor {
            Actor::User { .. } => true,
            Actor::Identity { id } => self.identity(id)?.role == "admin",
        };
        let forbidden = || Response::refusal(403, "PermissionDenied", "You are not allowed to perform this");
        may.then_some(actor).ok_or_else(forbidden)
    }

    /// Read in the source.
    pub(super) fn list_identities(&self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        self.manager(now, request)?;
        let of = request.text_query("orgId").unwrap_or_default();
        let all = self.database.identities.iter().filter(|identity| identity.organization_id == of);
        let list: Vec<Value> = all
            .map(|identity| {
                json!({
                    "id": identity.id,
                    "role": identity.role,
                    "roleId": null,
                    "orgId": identity.organization_id,
                    "createdAt": time(identity.created_at),
                    "updatedAt": time(identity.created_at),
                    "identityId": identity.id,
                    "identity": {
                        "name": identity.name,
                        "id": identity.id,
                        "authMethods": identity.universal_auth.iter().map(|_| "universal-auth").collect::<Vec<_>>(),
                    },
                })
            })
            .collect();
        Ok(Response::ok(&json!({ "totalCount": list.len(), "identities": list })))
    }

    pub(super) fn create_identity(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Response, Response> {
        self.manager(now, request)?;
        let [name, organization_id] = validate::texts(request, ["name", "organizationId"])?;
        let body = request.value()?;
        let role = body.get("role").and_then(Value::as_str).unwrap_or("no-access").to_owned();
        if !ROLES.contains(&role.as_str()) {
            // Not recorded.
            return Err(Response::refusal(404, "NotFound", &format!("Role with slug {role} not found")));
        }
        let id = self.id();
        let body = json!({ "identity": {
            "id": id,
            "name": name,
            "authMethod": null,
            "createdAt": time(now),
            "updatedAt": time(now),
            "hasDeleteProtection": false,
            "orgId": organization_id,
            "projectId": null,
            "authMethods": [],
            "metadata": [],
        }});
        let identity = Identity {
            id,
            name,
            organization_id,
            role,
            created_at: now,
            universal_auth: None,
            has_no_token_auth: false,
        };
        self.database.identities.push(identity);
        Ok(Response::ok(&body))
    }

    /// Read in the source.
    pub(super) fn delete_identity(
        &mut self,
        now: Timestamp,
        request: &Request,
        id: &str,
    ) -> Result<Response, Response> {
        let actor = self.manager(now, request)?;
        self.may_touch(&actor, id)?;
        let identity = self.identity(id)?.clone();
        self.database.identities.retain(|identity| identity.id != id);
        self.database.tokens.retain(|token| token.identity_id != id);
        Ok(Response::ok(&json!({ "identity": { "id": identity.id, "name": identity.name } })))
    }

    /// Read in the source, in the shape of what attaching answers.
    pub(super) fn universal_auth(
        &self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        self.manager(now, request)?;
        let identity = self.identity(identity_id)?;
        let none = || {
            let message = format!("Failed to find universal auth for identity with ID {identity_id}");
            Response::refusal(404, "NotFound", &message)
        };
        Ok(Response::ok(&auth_body(identity, identity.universal_auth.as_ref().ok_or_else(none)?)))
    }

    pub(super) fn attach_universal_auth(
        &mut self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        let actor = self.manager(now, request)?;
        self.may_touch(&actor, identity_id)?;
        let auth = UniversalAuth::new(self.id(), self.id(), now);
        let identity = self.identity_mut(identity_id)?;
        if identity.universal_auth.is_some() {
            // Read in the source.
            let message = "Failed to add universal auth to already configured identity";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        let body = auth_body(identity, &auth);
        identity.universal_auth = Some(auth);
        Ok(Response::ok(&body))
    }

    pub(super) fn create_client_secret(
        &mut self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        self.manager(now, request)?;
        let [description] = validate::texts(request, ["description"])?;
        let (id, secret) = (self.id(), self.hex());
        let auth = auth_of(self.identity_mut(identity_id)?)?;
        let made = ClientSecret { id, secret, description, created_at: now, revoked: false };
        let body = json!({ "clientSecret": made.secret, "clientSecretData": secret_body(&auth.id, &made) });
        auth.secrets.push(made);
        Ok(Response::ok(&body))
    }

    /// Read in the source: those that were revoked are left out.
    pub(super) fn list_client_secrets(
        &mut self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        self.manager(now, request)?;
        let auth = auth_of(self.identity_mut(identity_id)?)?;
        let alive = auth.secrets.iter().filter(|secret| !secret.revoked);
        let list: Vec<Value> = alive.map(|secret| secret_body(&auth.id, secret)).collect();
        Ok(Response::ok(&json!({ "clientSecretData": list })))
    }

    /// Read in the source.
    pub(super) fn revoke_client_secret(
        &mut self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        self.manager(now, request)?;
        let id = request.path.split('/').rev().nth(1).unwrap_or_default();
        let auth = auth_of(self.identity_mut(identity_id)?)?;
        let auth_id = auth.id.clone();
        let Some(secret) = auth.secrets.iter_mut().find(|secret| secret.id == id) else {
            let message = format!("Failed to find identity with ID {identity_id}");
            return Err(Response::refusal(404, "NotFound", &message));
        };
        secret.revoked = true;
        Ok(Response::ok(&json!({ "clientSecretData": secret_body(&auth_id, secret) })))
    }

    pub(super) fn universal_auth_login(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Response, Response> {
        let [client_id, client_secret] = validate::texts(request, ["clientId", "clientSecret"])?;
        let (identity, secret_id) = self.log_in_with(now, &client_id, &client_secret)?;
        let ttl = UNIVERSAL_AUTH_TTL.min(self.settings.max_token_ttl);
        let token = self.new_token(now, &identity, None, "universal-auth", ttl);
        let jwt = self.sign_token(now, &identity, &token, (ttl, ttl, &secret_id));
        self.database.tokens.push(token);
        Ok(Response::ok(&json!({
            "accessToken": jwt,
            "expiresIn": ttl,
            "accessTokenMaxTTL": UNIVERSAL_AUTH_TTL,
            "tokenType": "Bearer",
        })))
    }

    /// Refusals and the lock were read in the source.
    fn log_in_with(
        &mut self,
        now: Timestamp,
        client_id: &str,
        client_secret: &str,
    ) -> Result<(Identity, String), Response> {
        let refused = |message| Response::refusal(401, "UnauthorizedError", message);
        let found = self.database.identities.iter_mut().find(|identity| {
            identity.universal_auth.as_ref().is_some_and(|auth| auth.client_id == client_id)
        });
        let identity = found.ok_or_else(|| refused("Invalid credentials"))?;
        let auth = auth_of(identity)?;
        let since_failure = now.as_second() - auth.failed_at.as_second();
        let is_over = since_failure >= LOCKOUT_RESET && auth.failures < LOCKOUT_THRESHOLD;
        if is_over || since_failure >= LOCKOUT_DURATION {
            auth.failures = 0;
        }
        if auth.failures >= LOCKOUT_THRESHOLD {
            return Err(refused("This identity auth method is temporarily locked, please try again later"));
        }
        let secret = auth.secrets.iter().find(|secret| !secret.revoked && secret.secret == client_secret);
        let Some(secret) = secret.map(|secret| secret.id.clone()) else {
            (auth.failures, auth.failed_at) = (auth.failures + 1, now);
            return Err(refused("Invalid credentials"));
        };
        auth.failures = 0;
        Ok((identity.clone(), secret))
    }

    fn identity_mut(&mut self, id: &str) -> Result<&mut Identity, Response> {
        let found = self.database.identities.iter_mut().find(|identity| identity.id == id);
        found.ok_or_else(|| Response::refusal(404, "NotFound", &format!("Identity with ID {id} not found")))
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

    /// How many client secrets of a description work.
    #[must_use]
    pub fn client_secrets_alive(&self, description: &str) -> usize {
        let auths = self.database.identities.iter().filter_map(|identity| identity.universal_auth.as_ref());
        let secrets = auths.flat_map(|auth| &auth.secrets);
        secrets.filter(|secret| !secret.revoked && secret.description == description).count()
    }

    /// Whether a client ID and secret would be let in, but for a lock.
    #[must_use]
    pub fn client_secret_works(&self, client_id: &str, client_secret: &str) -> bool {
        let auths = self.database.identities.iter().filter_map(|identity| identity.universal_auth.as_ref());
        let mut its = auths.filter(|auth| auth.client_id == client_id).flat_map(|auth| &auth.secrets);
        its.any(|secret| !secret.revoked && secret.secret == client_secret)
    }

    /// The id of a client secret, whether it works or not.
    #[must_use]
    pub fn client_secret_id(&self, client_secret: &str) -> Option<String> {
        let auths = self.database.identities.iter().filter_map(|identity| identity.universal_auth.as_ref());
        let mut secrets = auths.flat_map(|auth| &auth.secrets);
        secrets.find(|secret| secret.secret == client_secret).map(|secret| secret.id.clone())
    }

    /// Revokes every client secret.
    pub fn revoke_all_client_secrets(&mut self) {
        let auths = self.database.identities.iter_mut().filter_map(|it| it.universal_auth.as_mut());
        auths.flat_map(|auth| &mut auth.secrets).for_each(|secret| secret.revoked = true);
    }

    /// Whether the identity that bootstrap made is an instance admin.
    #[must_use]
    pub fn bootstrap_identity_is_instance_admin(&self) -> bool {
        let ids = self.identities_named(super::bootstrap::IDENTITY_NAME);
        ids.iter().any(|id| self.is_instance_admin(id))
    }
}

impl UniversalAuth {
    fn new(id: String, client_id: String, now: Timestamp) -> Self {
        Self { id, client_id, secrets: Vec::new(), failures: 0, failed_at: now, created_at: now }
    }
}

fn auth_of(identity: &mut Identity) -> Result<&mut UniversalAuth, Response> {
    let no_auth = || Response::refusal(400, "BadRequest", "The identity does not have universal auth");
    identity.universal_auth.as_mut().ok_or_else(no_auth)
}

fn auth_body(identity: &Identity, auth: &UniversalAuth) -> Value {
    let anywhere = json!([
        { "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" },
        { "type": "ipv6", "prefix": 0, "ipAddress": "::" },
    ]);
    json!({ "identityUniversalAuth": {
        "id": auth.id,
        "clientId": auth.client_id,
        "accessTokenTTL": UNIVERSAL_AUTH_TTL,
        "accessTokenMaxTTL": UNIVERSAL_AUTH_TTL,
        "accessTokenNumUsesLimit": 0,
        "clientSecretTrustedIps": anywhere,
        "accessTokenTrustedIps": anywhere,
        "createdAt": time(auth.created_at),
        "updatedAt": time(auth.created_at),
        "identityId": identity.id,
        "accessTokenPeriod": 0,
        "lockoutEnabled": true,
        "lockoutThreshold": LOCKOUT_THRESHOLD,
        "lockoutDurationSeconds": LOCKOUT_DURATION,
        "lockoutCounterResetSeconds": LOCKOUT_RESET,
    }})
}

fn secret_body(auth_id: &str, secret: &ClientSecret) -> Value {
    json!({
        "id": secret.id,
        "createdAt": time(secret.created_at),
        "updatedAt": time(secret.created_at),
        "description": secret.description,
        "clientSecretPrefix": secret.secret.get(..4),
        "clientSecretNumUses": 0,
        "clientSecretNumUsesLimit": 0,
        "clientSecretTTL": 0,
        "identityUAId": auth_id,
        "isClientSecretRevoked": secret.revoked,
    })
}
