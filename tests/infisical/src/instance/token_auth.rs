//! Token auth of an identity: attach, read, change, remove; and the tokens under it,
//! which have a name, not a unique one.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance, Token,
    auth_method::{Terms, WantedTerms},
    call::{Answer, Call},
    identity::Identity,
    membership::merged,
    project::size,
    time,
};
use crate::Response;

#[derive(Clone)]
pub(super) struct TokenAuth {
    terms: Terms,
}

impl TokenAuth {
    /// One with these lives of its tokens.
    pub(super) fn new(now: Timestamp, id: String, lives: super::TokenAuth) -> Self {
        let mut terms = Terms::new(now, id);
        (terms.ttl, terms.max_ttl) = (lives.ttl, lives.max_ttl);
        terms.uses_limit = i64::from(lives.uses);
        Self { terms }
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    fn answer(&self, identity_id: &str) -> Response {
        let own = json!({ "accessTokenPeriod": self.terms.period });
        Response::ok(&json!({ "identityTokenAuth": merged(self.terms.body(identity_id), own) }))
    }
}

/// The token auth of an identity, or the refusal of a write that needs it.
fn auth_of(identity: &mut Identity) -> Result<&mut TokenAuth, Response> {
    let none = || Response::refusal(400, "BadRequest", "The identity does not have Token Auth");
    identity.token_auth.as_mut().ok_or_else(none)
}

/// A token as reads and lists answer it.
fn token_body(token: &Token) -> Value {
    json!({
        "id": token.id,
        "accessTokenTTL": token.ttl,
        "accessTokenMaxTTL": token.max_ttl,
        "accessTokenNumUses": 0,
        "accessTokenNumUsesLimit": 0,
        "accessTokenLastUsedAt": null,
        "accessTokenLastRenewedAt": token.renewed_at.map(time),
        "isAccessTokenRevoked": token.revoked,
        "identityUAClientSecretId": null,
        "identityId": token.identity_id,
        "createdAt": time(token.created_at),
        "updatedAt": time(token.updated_at),
        "name": token.name,
        "authMethod": token.auth_method,
        "accessTokenPeriod": token.period,
        "subOrganizationId": token.sub_organization_id,
    })
}

impl Instance {
    pub(super) fn token_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "read")?;
        let none = || Response::missing("Token Auth configuration not found for identity");
        Ok(identity.token_auth.as_ref().ok_or_else(none)?.answer(call.id(0)))
    }

    pub(super) fn attach_token_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let wanted = WantedTerms::of(&mut fields);
        wanted.check(&mut fields);
        fields.finish()?;
        let mut auth = TokenAuth { terms: Terms::new(call.now, self.id()) };
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "create")?;
        if identity.token_auth.is_some() {
            let message = "Failed to add Token Auth to already configured identity";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        wanted.apply(call.now, &mut auth.terms)?;
        let answer = auth.answer(call.id(0));
        identity.token_auth = Some(auth);
        Ok(answer)
    }

    pub(super) fn update_token_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let wanted = WantedTerms::of(&mut fields);
        wanted.check(&mut fields);
        fields.finish()?;
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "edit")?)?;
        if wanted.is_nothing() {
            return Err(Response::failed("Update by id"));
        }
        wanted.apply(call.now, &mut auth.terms)?;
        Ok(auth.answer(call.id(0)))
    }

    pub(super) fn remove_token_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "delete")?;
        let answer = auth_of(identity)?.answer(call.id(0));
        identity.token_auth = None;
        self.end_tokens_of_method(call.id(0), "token-auth");
        Ok(answer)
    }

    pub(super) fn mint_token(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.text("name");
        fields.finish()?;
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "edit")?;
        let terms = auth_of(identity)?.terms.clone();
        identity.last_login = Some(("token-auth", call.now));
        let identity = identity.clone();
        let (mut token, jwt) = self.token_of(call.now, &identity, &terms, ("token-auth", ""));
        token.name = name;
        let body = json!({
            "accessToken": jwt,
            "expiresIn": terms.ttl,
            "accessTokenMaxTTL": terms.max_ttl,
            "tokenType": "Bearer",
            "tokenData": token_body(&token),
        });
        self.database.tokens.push(token);
        Ok(Response::ok(&body))
    }

    /// The one that changed last comes first (recorded); 20 at most without a limit,
    /// and no count.
    pub(super) fn list_tokens(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut query = call.query();
        let limit = query.number("limit", (1, 100)).unwrap_or(20);
        let offset = query.number("offset", (0, i64::MAX)).unwrap_or_default();
        query.finish()?;
        self.may_touch(&actor, call.id(0))?;
        auth_of(self.identity_of_method(call.now, &actor, call.id(0), "read")?)?;
        let mut its: Vec<_> = self.tokens_of(call.id(0)).collect();
        its.reverse();
        its.sort_by_key(|token| Reverse(token.updated_at));
        let list: Vec<_> = its.into_iter().skip(size(offset)).take(size(limit)).map(token_body).collect();
        Ok(Response::ok(&json!({ "tokens": list })))
    }

    fn tokens_of<'a>(&'a self, identity_id: &'a str) -> impl Iterator<Item = &'a Token> {
        let all = self.database.tokens.iter();
        all.filter(move |it| {
            it.identity_id == identity_id && it.auth_method == "token-auth" && !it.method_removed
        })
    }

    pub(super) fn token(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        self.may_touch(&actor, call.id(0))?;
        self.identity_of_method(call.now, &actor, call.id(0), "read")?;
        let token = self.tokens_of(call.id(0)).find(|token| token.id == call.id(1));
        let missing = || Response::missing(&format!("Token with ID {} not found", call.id(1)));
        Ok(Response::ok(&json!({ "token": token_body(token.ok_or_else(missing)?) })))
    }

    pub(super) fn token_by_id(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let found = self.database.tokens.iter().find(|it| it.id == call.id(0) && !it.method_removed);
        let missing = || Response::missing(&format!("Token with ID {} not found", call.id(0)));
        let token = found.ok_or_else(missing)?.clone();
        self.identity_of_method(call.now, &actor, &token.identity_id, "read")?;
        Ok(Response::ok(&json!({ "token": token_body(&token) })))
    }

    pub(super) fn rename_token(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let mut fields = call.fields()?;
        let name = fields.text("name");
        fields.finish()?;
        let identity_id = self.identity_of_token(call.id(0), "not found")?;
        self.identity_of_method(call.now, &actor, &identity_id, "edit")?;
        let mut body = Value::Null;
        for token in self.database.tokens.iter_mut().filter(|token| token.id == call.id(0)) {
            token.name = name.clone().or_else(|| token.name.clone());
            token.updated_at = call.now;
            body = token_body(token);
        }
        Ok(Response::ok(&json!({ "token": body })))
    }

    pub(super) fn revoke_token(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let identity_id = self.identity_of_token(call.id(0), "not found or already revoked")?;
        self.identity_of_method(call.now, &actor, &identity_id, "edit")?;
        Ok(self.revoke(call.now, call.id(0)))
    }

    /// Whose token one is that was not revoked.
    fn identity_of_token(&self, id: &str, otherwise: &str) -> Result<String, Response> {
        let found = self.database.tokens.iter().find(|it| it.id == id && !it.revoked && !it.method_removed);
        let missing = || Response::missing(&format!("Token with ID {id} {otherwise}"));
        Ok(found.ok_or_else(missing)?.identity_id.clone())
    }
}
