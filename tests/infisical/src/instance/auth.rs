//! Who asks: a user's session or a machine's token, and whether it works.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Instance, User, Variant, identity::Identity};
use crate::{Request, Response, jwt};

/// Who asks.
pub(super) enum Actor {
    /// A person, perhaps with an organization selected.
    User { id: String, organization_id: Option<String> },
    /// A machine identity.
    Identity { id: String },
}

impl Instance {
    /// Who sent a request.
    pub(super) fn actor(&self, now: Timestamp, request: &Request) -> Result<Actor, Response> {
        let token = bearer(request)?;
        let claims = self.claims(now, token)?;
        if text(&claims, "authTokenType") == "identityAccessToken" {
            self.verify_identity_claims(now, &claims)?;
            self.count_a_use(text(&claims, "identityAccessTokenId"))?;
            return Ok(Actor::Identity { id: text(&claims, "identityId").to_owned() });
        }
        let user = self.user(text(&claims, "userId"))?;
        let organization_id = claims.get("organizationId").and_then(Value::as_str).map(str::to_owned);
        Ok(Actor::User { id: user.id.clone(), organization_id })
    }

    /// The same, for routes that need an organization: machines have one.
    pub(super) fn actor_in_organization(&self, now: Timestamp, request: &Request) -> Result<Actor, Response> {
        let actor = self.actor(now, request)?;
        if matches!(actor, Actor::User { organization_id: None, .. }) {
            let error = format!("{} Unauthorized Access, no organization found in request", request.path);
            return Err(Response::refusal(401, &error, "You are not allowed to access this resource"));
        }
        Ok(actor)
    }

    /// The same, for the admin API.
    pub(super) fn super_admin(&self, now: Timestamp, request: &Request) -> Result<Actor, Response> {
        let actor = self.actor_in_organization(now, request)?;
        if self.is_super_admin(&actor) {
            return Ok(actor);
        }
        Err(Response::refusal(403, "ForbiddenError", "Requires elevated super admin privileges"))
    }

    pub(super) fn is_super_admin(&self, actor: &Actor) -> bool {
        match actor {
            Actor::User { id, .. } => self.user(id).is_ok_and(|user| user.super_admin),
            Actor::Identity { id } => self.database.instance_admins.contains(id),
        }
    }

    /// Every request that a token with a limit of uses authenticates takes one of them,
    /// for all JWTs of one id together (read in the source).
    fn count_a_use(&self, id: &str) -> Result<(), Response> {
        let Some(token) = self.database.tokens.iter().find(|token| token.id == id) else { return Ok(()) };
        match token.uses_left.get() {
            None => Ok(()),
            Some(0) => {
                let message = "Failed to authorize: token usage limit reached";
                Err(Response::refusal(401, "UnauthorizedError", message))
            }
            Some(left) => {
                token.uses_left.set(Some(left - 1));
                Ok(())
            }
        }
    }

    /// A public route looks at a token too, if one is sent (recorded).
    pub(super) fn check_token_if_any(&self, now: Timestamp, request: &Request) -> Result<(), Response> {
        let is_sent = request.authorization.as_deref().is_some_and(|value| value.starts_with("Bearer "));
        if is_sent { self.claims(now, bearer(request)?).map(drop) } else { Ok(()) }
    }

    fn claims(&self, now: Timestamp, token: &str) -> Result<Value, Response> {
        let claims = jwt::verify(&self.key, token).map_err(|flaw| {
            Response::refusal(403, "TokenError", match flaw {
                jwt::Flaw::Malformed => {
                    "The provided access token is malformed. Please use a valid token or generate a new one and try again."
                }
                // The words of the library, which the server passes on (read
                // in its source, not recorded).
                jwt::Flaw::Signature => "invalid signature",
            })
        })?;
        if claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| now.as_second() >= exp) {
            let message = "Your token has expired. Please re-authenticate.";
            return Err(Response::refusal(403, "TokenError", message));
        }
        Ok(claims)
    }

    /// The claims of a machine token that works.
    pub(super) fn verify_identity_token(&self, now: Timestamp, token: &str) -> Result<Value, Response> {
        let claims = self.claims(now, token)?;
        self.verify_identity_claims(now, &claims)?;
        Ok(claims)
    }

    fn verify_identity_claims(&self, now: Timestamp, claims: &Value) -> Result<(), Response> {
        let unauthorized = |message| Err(Response::refusal(401, "UnauthorizedError", message));
        let issued_at = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
        // The age comes before the revocation (read in the source).
        if claims.get("exp").is_none() && self.is_too_old(now, issued_at) {
            return unauthorized("Identity access token exceeded max age, please re-authenticate");
        }
        let id = text(claims, "identityAccessTokenId");
        match self.database.tokens.iter().find(|token| token.id == id) {
            Some(token) if token.method_removed => {
                unauthorized("Failed to authorize: auth method has been revoked")
            }
            Some(token) if token.revoked => unauthorized("Failed to authorize: token has been revoked"),
            Some(_) => Ok(()),
            None if self.database.deleted_identities.iter().any(|id| id == text(claims, "identityId")) => {
                unauthorized("Identity is not a member of the organization")
            }
            // Not recorded: what a database that was emptied does.
            None => unauthorized("No identity access token found"),
        }
    }

    /// Whether a token without `exp` is refused for its age.
    pub(super) fn is_too_old(&self, now: Timestamp, issued_at: i64) -> bool {
        match self.settings.variant {
            Variant::Strict | Variant::Fixed => true,
            Variant::Lenient => now.as_second() > issued_at + self.settings.max_token_ttl,
        }
    }

    pub(super) fn user(&self, id: &str) -> Result<&User, Response> {
        let found = self.database.users.iter().find(|user| user.id == id);
        // Not recorded.
        found.ok_or_else(|| Response::refusal(401, "UnauthorizedError", "User session not found"))
    }

    pub(super) fn identity(&self, id: &str) -> Result<&Identity, Response> {
        let found = self.database.identities.iter().find(|identity| identity.id == id);
        found.ok_or_else(|| Response::missing(&format!("Failed to find identity with ID {id}")))
    }

    /// A user's session, of ten days (recorded).
    pub(super) fn session(&mut self, now: Timestamp, user_id: &str, organization_id: Option<&str>) -> String {
        let mut claims = json!({
            "authMethod": "email",
            "authTokenType": "accessToken",
            "userId": user_id,
            "tokenVersionId": self.id(),
            "accessVersion": 1,
            "iat": now.as_second(),
            "exp": now.as_second() + 10 * 24 * 60 * 60,
        });
        if let Some(id) = organization_id {
            jwt::set(&mut claims, "organizationId", id);
        }
        jwt::sign(&self.key, &claims)
    }
}

impl Actor {
    pub(super) fn is_identity(&self, identity_id: &str) -> bool {
        matches!(self, Self::Identity { id } if id == identity_id)
    }
}

fn bearer(request: &Request) -> Result<&str, Response> {
    let token = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    match token {
        None => Err(Response::refusal(401, "UnauthorizedError", "Token missing")),
        Some(token) if token.trim().is_empty() => {
            Err(Response::refusal(403, "TokenError", "jwt must be provided"))
        }
        Some(token) => Ok(token),
    }
}

pub(super) fn text<'a>(claims: &'a Value, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}
