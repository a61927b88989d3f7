//! Routes that the function does not use, as far as the recordings go: what a
//! platform team composes beside it does use them.

use jiff::Timestamp;
use serde_json::json;

use super::{Identity, Instance, UniversalAuth, auth::Actor, time, validate};
use crate::{Request, Response};

/// Seconds that a token of universal auth lives by default (recorded).
const UNIVERSAL_AUTH_TTL: i64 = 30 * 24 * 60 * 60;

impl Instance {
    pub(super) fn create_identity(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Response, Response> {
        self.actor_in_organization(now, request)?;
        let [name, organization_id] = validate::texts(request, ["name", "organizationId"])?;
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
        self.database.identities.push(Identity { id, name, organization_id, universal_auth: None });
        Ok(Response::ok(&body))
    }

    pub(super) fn attach_universal_auth(
        &mut self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        self.actor_in_organization(now, request)?;
        let auth = UniversalAuth { id: self.id(), client_id: self.id(), secrets: Vec::new() };
        let anywhere = json!([
            { "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" },
            { "type": "ipv6", "prefix": 0, "ipAddress": "::" },
        ]);
        let body = json!({ "identityUniversalAuth": {
            "id": auth.id,
            "clientId": auth.client_id,
            "accessTokenTTL": UNIVERSAL_AUTH_TTL,
            "accessTokenMaxTTL": UNIVERSAL_AUTH_TTL,
            "accessTokenNumUsesLimit": 0,
            "clientSecretTrustedIps": anywhere,
            "accessTokenTrustedIps": anywhere,
            "createdAt": time(now),
            "updatedAt": time(now),
            "identityId": identity_id,
            "accessTokenPeriod": 0,
            "lockoutEnabled": true,
            "lockoutThreshold": 3,
            "lockoutDurationSeconds": 300,
            "lockoutCounterResetSeconds": 30,
        }});
        self.identity_mut(identity_id)?.universal_auth = Some(auth);
        Ok(Response::ok(&body))
    }

    pub(super) fn create_client_secret(
        &mut self,
        now: Timestamp,
        request: &Request,
        identity_id: &str,
    ) -> Result<Response, Response> {
        self.actor_in_organization(now, request)?;
        let [description] = validate::texts(request, ["description"])?;
        let (id, secret) = (self.id(), self.hex());
        let no_auth = || Response::refusal(400, "BadRequest", "The identity does not have universal auth");
        let auth = self.identity_mut(identity_id)?.universal_auth.as_mut().ok_or_else(no_auth)?;
        auth.secrets.push((id.clone(), secret.clone()));
        Ok(Response::ok(&json!({
            "clientSecret": secret,
            "clientSecretData": {
                "id": id,
                "createdAt": time(now),
                "updatedAt": time(now),
                "description": description,
                "clientSecretPrefix": secret.get(..4),
                "clientSecretNumUses": 0,
                "clientSecretNumUsesLimit": 0,
                "clientSecretTTL": 0,
                "identityUAId": auth.id,
                "isClientSecretRevoked": false,
            },
        })))
    }

    pub(super) fn universal_auth_login(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Response, Response> {
        let [client_id, client_secret] = validate::texts(request, ["clientId", "clientSecret"])?;
        let found = self.database.identities.iter().find_map(|identity| {
            let auth = identity.universal_auth.as_ref().filter(|auth| auth.client_id == client_id)?;
            let (id, _) = auth.secrets.iter().find(|(_, secret)| *secret == client_secret)?;
            Some((identity.clone(), id.clone()))
        });
        // Not recorded.
        let refused = || Response::refusal(401, "UnauthorizedError", "Invalid credentials");
        let (identity, secret_id) = found.ok_or_else(refused)?;
        let ttl = UNIVERSAL_AUTH_TTL.min(self.settings.max_token_ttl);
        let token = self.new_token(now, &identity, None, "universal-auth", ttl);
        let jwt = self.sign_token(now, &identity, &token, (ttl, &secret_id));
        self.database.tokens.push(token);
        Ok(Response::ok(&json!({
            "accessToken": jwt,
            "expiresIn": ttl,
            "accessTokenMaxTTL": UNIVERSAL_AUTH_TTL,
            "tokenType": "Bearer",
        })))
    }

    pub(super) fn create_project(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let organization_id = match self.actor_in_organization(now, request)? {
            Actor::Identity { id } => self.identity(&id)?.organization_id.clone(),
            Actor::User { organization_id, .. } => organization_id.unwrap_or_default(),
        };
        let [name] = validate::texts(request, ["projectName"])?;
        let id = self.id();
        let suffix: String = self.hex().chars().take(4).collect();
        let environments = [("Development", "dev"), ("Staging", "staging"), ("Production", "prod")]
            .map(|(name, slug)| json!({ "name": name, "slug": slug, "id": self.id() }));
        Ok(Response::ok(&json!({ "project": {
            "id": id,
            "name": name,
            "description": null,
            "type": "secret-manager",
            "defaultProduct": null,
            "slug": format!("{name}-{suffix}"),
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

    fn identity_mut(&mut self, id: &str) -> Result<&mut Identity, Response> {
        let found = self.database.identities.iter_mut().find(|identity| identity.id == id);
        found.ok_or_else(|| Response::refusal(404, "NotFound", &format!("Identity with ID {id} not found")))
    }
}
