//! Client secrets of universal auth. The secret itself is shown once.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth_method::LONGEST_TTL,
    call::{Answer, Call},
    fields::length,
    time,
    universal_auth::{UniversalAuth, auth_of},
};
use crate::Response;

#[derive(Clone)]
pub(super) struct ClientSecret {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) description: String,
    created_at: Timestamp,
    pub(super) revoked: bool,
    uses: i64,
    uses_limit: i64,
    ttl: i64,
}

impl ClientSecret {
    fn body(&self, auth_id: &str) -> Value {
        json!({
            "id": self.id,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.created_at),
            "description": self.description,
            "clientSecretPrefix": self.secret.get(..4),
            "clientSecretNumUses": self.uses,
            "clientSecretNumUsesLimit": self.uses_limit,
            "clientSecretTTL": self.ttl,
            "identityUAId": auth_id,
            "isClientSecretRevoked": self.revoked,
        })
    }

    fn is_spent(&self) -> bool {
        self.uses_limit > 0 && self.uses >= self.uses_limit
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.ttl > 0 && now.as_second() >= self.created_at.as_second() + self.ttl
    }

    /// Uses it once. One that is over is revoked only when somebody tries it; one
    /// whose uses are up says so, and is revoked too (recorded).
    pub(super) fn spend(&mut self, now: Timestamp) -> Result<(), &'static str> {
        if self.is_over(now) {
            self.revoked = true;
            return Err("Access denied due to expired client secret");
        }
        if self.is_spent() {
            self.revoked = true;
            return Err("Access denied due to client secret usage limit reached");
        }
        self.uses += 1;
        Ok(())
    }
}

impl Instance {
    pub(super) fn create_client_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let description = fields.text("description").unwrap_or_default().trim().to_owned();
        let uses_limit = fields.number("numUsesLimit", (0, i64::MAX)).unwrap_or_default();
        let ttl = fields.number("ttl", (0, LONGEST_TTL)).unwrap_or_default();
        fields.finish()?;
        let (id, secret) = (self.id(), self.hex());
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "create")?)?;
        if length(&description) > 255 {
            return Err(Response::failed("Create"));
        }
        let created_at = call.now;
        let made =
            ClientSecret { id, secret, description, created_at, revoked: false, uses: 0, uses_limit, ttl };
        let body = json!({ "clientSecret": made.secret, "clientSecretData": made.body(&auth.terms.id) });
        auth.secrets.push(made);
        Ok(Response::ok(&body))
    }

    /// Those that were revoked or are spent are left out; one that is over stays until
    /// somebody tries it (recorded).
    pub(super) fn list_client_secrets(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "read")?)?;
        let alive = auth.secrets.iter().filter(|secret| !secret.revoked);
        let list: Vec<_> = alive.map(|secret| secret.body(&auth.terms.id)).collect();
        Ok(Response::ok(&json!({ "clientSecretData": list })))
    }

    pub(super) fn client_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "read")?)?;
        let id = auth.terms.id.clone();
        let secret = its_secret(auth, call)?;
        Ok(Response::ok(&json!({ "clientSecretData": secret.body(&id) })))
    }

    /// One that was revoked can be revoked again (recorded).
    pub(super) fn revoke_client_secret(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "delete")?)?;
        let id = auth.terms.id.clone();
        let secret = its_secret(auth, call)?;
        secret.revoked = true;
        Ok(Response::ok(&json!({ "clientSecretData": secret.body(&id) })))
    }

    fn universal_auths(&self) -> impl Iterator<Item = &UniversalAuth> {
        self.database.identities.iter().filter_map(|identity| identity.universal_auth.as_ref())
    }

    /// How many client secrets of a description work.
    #[must_use]
    pub fn client_secrets_alive(&self, description: &str) -> usize {
        let secrets = self.universal_auths().flat_map(|auth| &auth.secrets);
        secrets.filter(|secret| !secret.revoked && secret.description == description).count()
    }

    /// Whether a client ID and secret would be let in, but for a lock.
    #[must_use]
    pub fn client_secret_works(&self, client_id: &str, client_secret: &str) -> bool {
        let its = self.universal_auths().filter(|auth| auth.client_id == client_id);
        its.flat_map(|auth| &auth.secrets).any(|secret| !secret.revoked && secret.secret == client_secret)
    }

    /// The id of a client secret, whether it works or not.
    #[must_use]
    pub fn client_secret_id(&self, client_secret: &str) -> Option<String> {
        let mut secrets = self.universal_auths().flat_map(|auth| &auth.secrets);
        secrets.find(|secret| secret.secret == client_secret).map(|secret| secret.id.clone())
    }

    /// Revokes every client secret.
    pub fn revoke_all_client_secrets(&mut self) {
        let auths = self.database.identities.iter_mut().filter_map(|it| it.universal_auth.as_mut());
        auths.flat_map(|auth| &mut auth.secrets).for_each(|secret| secret.revoked = true);
    }
}

/// The client secret of a path; the refusal names the identity (recorded).
fn its_secret<'a>(auth: &'a mut UniversalAuth, call: &Call<'_>) -> Result<&'a mut ClientSecret, Response> {
    let found = auth.secrets.iter_mut().find(|secret| secret.id == call.id(1));
    found.ok_or_else(|| Response::missing(&format!("Failed to find identity with ID {}", call.id(0))))
}
