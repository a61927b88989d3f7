//! Machine tokens of any method: signing, renewing, ending, and whose one is.

use std::cell::Cell;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance, Token,
    auth::{Actor, text},
    auth_method::Terms,
    identity::Identity,
    validate,
};
use crate::{Request, Response, jwt};

impl Instance {
    /// Only an instance admin may touch one.
    pub(super) fn may_touch(&self, actor: &Actor, identity_id: &str) -> Result<(), Response> {
        let is_admin = self.database.instance_admins.iter().any(|admin| admin == identity_id);
        if !is_admin || self.is_super_admin(actor) {
            return Ok(());
        }
        let message = "You are attempting to modify an instance admin identity. This requires elevated instance admin privileges";
        Err(Response::refusal(403, "ForbiddenError", message))
    }

    /// Seconds that a JWT lives: what is asked for, what is left of the maximum since the
    /// token was minted, and what the server lets any live, whichever is least (read in
    /// the source; the first and the last are recorded of minted tokens).
    fn issued_ttl(&self, now: Timestamp, asked: i64, (max_ttl, minted): (i64, i64)) -> i64 {
        let asked = if asked > 0 { asked } else { i64::MAX };
        let budget = if max_ttl > 0 { minted + max_ttl - now.as_second() } else { i64::MAX };
        asked.min(budget).min(self.settings.max_token_ttl)
    }

    /// A token of an identity by a method's terms, with its JWT. It never lives longer
    /// than the server lets any.
    pub(super) fn token_of(
        &mut self,
        now: Timestamp,
        identity: &Identity,
        terms: &Terms,
        (auth_method, client_secret_id): (&'static str, &str),
    ) -> (Token, String) {
        let (claimed, max_ttl) = terms.life();
        let ttl = self.issued_ttl(now, claimed, (max_ttl, now.as_second()));
        let token = Token {
            id: self.id(),
            identity_id: identity.id.clone(),
            name: None,
            auth_method,
            created_at: now,
            updated_at: now,
            renewed_at: None,
            revoked: false,
            method_removed: false,
            ttl,
            max_ttl,
            period: terms.period,
            sub_organization_id: None,
            expires_at: Some(now.as_second() + ttl),
            uses_left: Cell::new(u32::try_from(terms.uses_limit).ok().filter(|uses| *uses > 0)),
        };
        let jwt = self.sign_token(now, identity, &token, (claimed, client_secret_id));
        (token, jwt)
    }

    /// The JWT of a token; with the TTL and client secret that it claims.
    fn sign_token(
        &self,
        now: Timestamp,
        identity: &Identity,
        token: &Token,
        (claimed_ttl, client_secret_id): (i64, &str),
    ) -> String {
        let mut claims = json!({
                "identityId": identity.id,
                "identityName": identity.name,
                "authMethod": token.auth_method,
                "orgId": identity.organization_id,
                "rootOrgId": identity.organization_id,
                "parentOrgId": identity.organization_id,
                "clientSecretId": client_secret_id,
                "identityAccessTokenId": token.id,
                "ipRestrictionEnabled": true,
                "accessTokenTTL": claimed_ttl,
                "accessTokenMaxTTL": token.max_ttl,
                "accessTokenPeriod": token.period,
                "creationEpoch": now.as_second(),
                "authTokenType": "identityAccessToken",
                "identityAuth": {},
                "iat": now.as_second(),
                "exp": now.as_second() + token.ttl,
                "jti": token.id,
        });
        // Read in the source: only where there is a limit.
        if let Some(uses) = token.uses_left.get() {
            jwt::set(&mut claims, "numUsesLimit", uses);
        }
        jwt::sign(&self.key, &claims)
    }

    /// A token ends itself, whoever has it (not recorded).
    pub(super) fn revoke_own_token(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Response, Response> {
        let [given] = validate::texts(request, ["accessToken"])?;
        let claims = self.verify_identity_token(now, &given)?;
        Ok(self.revoke(now, text(&claims, "identityAccessTokenId")))
    }

    pub(super) fn revoke(&mut self, now: Timestamp, id: &str) -> Response {
        for token in self.database.tokens.iter_mut().filter(|token| token.id == id) {
            token.revoked = true;
            token.updated_at = now;
        }
        Response::ok(&json!({ "message": "Successfully revoked access token" }))
    }

    pub(super) fn renew_token(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let [given] = validate::texts(request, ["accessToken"])?;
        let claims = self.verify_identity_token(now, &given)?;
        let identity = self.identity(text(&claims, "identityId"))?.clone();
        let id = text(&claims, "identityAccessTokenId").to_owned();
        // What is read in the source of renewing is the maximum, that what is used up is
        // refused, and that it counts as no use.
        let unauthorized = |message| Err(Response::refusal(401, "UnauthorizedError", message));
        let found = self.database.tokens.iter().find(|token| token.id == id);
        if found.is_some_and(|token| token.uses_left.get() == Some(0)) {
            return unauthorized("Cannot renew exhausted access token");
        }
        let number = |name| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
        let (claimed, max_ttl) = (number("accessTokenTTL"), number("accessTokenMaxTTL"));
        let ttl = self.issued_ttl(now, claimed, (max_ttl, number("creationEpoch")));
        if ttl <= 0 {
            return unauthorized("Cannot renew: identity access token has reached its max TTL");
        }
        let exp = now.as_second() + ttl;
        let mut renewed = if claims.get("jti").is_some() { claims } else { completed(&claims, &identity) };
        jwt::set(&mut renewed, "iat", now.as_second());
        jwt::set(&mut renewed, "exp", exp);
        for token in self.database.tokens.iter_mut().filter(|token| token.id == id) {
            token.renewed_at = Some(now);
            token.expires_at = token.expires_at.max(Some(exp));
        }
        Ok(Response::ok(&json!({
            "accessToken": jwt::sign(&self.key, &renewed),
            "expiresIn": ttl,
            "accessTokenMaxTTL": max_ttl,
            "tokenType": "Bearer",
        })))
    }

    pub(super) fn identity_details(&self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let Actor::Identity { id } = self.actor(now, request)? else {
            let error = format!("Forbidden access to {}", request.path);
            return Err(Response::refusal(403, &error, "You are not allowed to access this resource"));
        };
        let identity = self.identity(&id)?;
        let organization = self.database.organizations.iter().find(|o| o.id == identity.organization_id);
        let Some(organization) = organization else {
            return Err(Response::refusal(404, "NotFound", "Organization not found"));
        };
        Ok(Response::ok(&json!({ "identityDetails": { "organization": {
            "id": organization.id,
            "name": organization.name,
            "slug": organization.slug,
        }}})))
    }
}

/// The claims of a renewed token that had few. They come from the database,
/// where numbers of this size are texts (recorded).
fn completed(claims: &Value, identity: &Identity) -> Value {
    let id = text(claims, "identityAccessTokenId");
    json!({
        "identityId": identity.id,
        "identityName": identity.name,
        "authMethod": "token-auth",
        "orgId": identity.organization_id,
        "rootOrgId": identity.organization_id,
        "parentOrgId": identity.organization_id,
        "clientSecretId": "",
        "identityAccessTokenId": id,
        "ipRestrictionEnabled": false,
        "accessTokenTTL": "0",
        "accessTokenMaxTTL": "0",
        "accessTokenPeriod": "0",
        "creationEpoch": claims.get("iat"),
        "authTokenType": "identityAccessToken",
        "identityAuth": {},
        "jti": id,
    })
}
