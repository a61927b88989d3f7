//! Universal auth of an identity: attach, read, change, remove, and log in.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth_method::{Terms, WantedTerms, addresses, anywhere, wanted_addresses},
    call::{Answer, Call},
    client_secret::ClientSecret,
    fields::Fields,
    identity::Identity,
    membership::merged,
};
use crate::Response;

/// After so many failed logins in a row an identity is locked (recorded).
const LOCKOUT_THRESHOLD: i64 = 3;
/// For so many seconds (recorded).
const LOCKOUT_DURATION: i64 = 300;
/// And so many seconds after the last of fewer all is forgotten (recorded).
const LOCKOUT_RESET: i64 = 30;

#[derive(Clone)]
pub(super) struct UniversalAuth {
    pub(super) terms: Terms,
    pub(super) client_id: String,
    trusted: Value,
    pub(super) secrets: Vec<ClientSecret>,
    lockout: Lockout,
    /// Failed logins in a row, and when the last was.
    failures: i64,
    failed_at: Timestamp,
}

/// When an identity is locked.
#[derive(Clone)]
struct Lockout {
    is_on: bool,
    threshold: i64,
    duration: i64,
    reset: i64,
}

impl UniversalAuth {
    fn new(now: Timestamp, id: String, client_id: String) -> Self {
        let (threshold, duration, reset) = (LOCKOUT_THRESHOLD, LOCKOUT_DURATION, LOCKOUT_RESET);
        Self {
            terms: Terms::new(now, id),
            client_id,
            trusted: anywhere(),
            secrets: Vec::new(),
            lockout: Lockout { is_on: true, threshold, duration, reset },
            failures: 0,
            failed_at: now,
        }
    }

    fn answer(&self, identity_id: &str) -> Response {
        let own = json!({
            "clientId": self.client_id,
            "clientSecretTrustedIps": self.trusted,
            "accessTokenPeriod": self.terms.period,
            "lockoutEnabled": self.lockout.is_on,
            "lockoutThreshold": self.lockout.threshold,
            "lockoutDurationSeconds": self.lockout.duration,
            "lockoutCounterResetSeconds": self.lockout.reset,
        });
        Response::ok(&json!({ "identityUniversalAuth": merged(self.terms.body(identity_id), own) }))
    }

    /// Forgets failures that are long ago.
    fn forgive(&mut self, now: Timestamp) {
        let since = now.as_second() - self.failed_at.as_second();
        let is_locked = self.failures >= self.lockout.threshold;
        if since >= self.lockout.duration || (since >= self.lockout.reset && !is_locked) {
            self.failures = 0;
        }
    }

    fn is_locked(&self) -> bool {
        self.lockout.is_on && self.failures >= self.lockout.threshold
    }
}

/// The fields of a request.
struct Wanted {
    terms: WantedTerms,
    trusted: Option<Vec<String>>,
    lockout: [Option<i64>; 3],
    has_lockout: Option<bool>,
}

impl Wanted {
    fn of(mut fields: Fields) -> Result<Self, Response> {
        let trusted = wanted_addresses(&mut fields, "clientSecretTrustedIps");
        let terms = WantedTerms::of(&mut fields);
        let has_lockout = fields.flag("lockoutEnabled");
        let lockout = [
            fields.number("lockoutThreshold", (1, 30)),
            fields.number("lockoutDurationSeconds", (30, 86_400)),
            fields.number("lockoutCounterResetSeconds", (5, 3600)),
        ];
        terms.check(&mut fields);
        fields.finish()?;
        Ok(Self { terms, trusted, lockout, has_lockout })
    }

    fn is_nothing(&self) -> bool {
        self.terms.is_nothing()
            && self.trusted.is_none()
            && self.has_lockout.is_none()
            && self.lockout.iter().all(Option::is_none)
    }

    fn apply(&self, now: Timestamp, auth: &mut UniversalAuth) -> Result<(), Response> {
        let trusted = self.trusted.as_ref().map(|wanted| addresses(wanted)).transpose()?;
        self.terms.apply(now, &mut auth.terms)?;
        auth.trusted = trusted.unwrap_or_else(|| auth.trusted.clone());
        auth.lockout.is_on = self.has_lockout.unwrap_or(auth.lockout.is_on);
        let [threshold, duration, reset] = self.lockout;
        auth.lockout.threshold = threshold.unwrap_or(auth.lockout.threshold);
        auth.lockout.duration = duration.unwrap_or(auth.lockout.duration);
        auth.lockout.reset = reset.unwrap_or(auth.lockout.reset);
        Ok(())
    }
}

/// The universal auth of an identity, or the refusal of a write that needs it.
pub(super) fn auth_of(identity: &mut Identity) -> Result<&mut UniversalAuth, Response> {
    let none = || Response::refusal(400, "BadRequest", "The identity does not have universal auth");
    identity.universal_auth.as_mut().ok_or_else(none)
}

impl Instance {
    pub(super) fn universal_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let id = call.id(0);
        let identity = self.identity_of_method(call.now, &actor, id, "read")?;
        let none = || Response::missing(&format!("Failed to find universal auth for identity with ID {id}"));
        Ok(identity.universal_auth.as_ref().ok_or_else(none)?.answer(id))
    }

    pub(super) fn attach_universal_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?)?;
        let id = call.id(0);
        let mut auth = UniversalAuth::new(call.now, self.id(), self.id());
        let identity = self.identity_of_method(call.now, &actor, id, "create")?;
        if identity.universal_auth.is_some() {
            let message = "Failed to add universal auth to already configured identity";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        wanted.apply(call.now, &mut auth)?;
        let answer = auth.answer(id);
        identity.universal_auth = Some(auth);
        Ok(answer)
    }

    pub(super) fn update_universal_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?)?;
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "edit")?)?;
        if wanted.is_nothing() {
            return Err(Response::failed("Update by id"));
        }
        wanted.apply(call.now, auth)?;
        Ok(auth.answer(call.id(0)))
    }

    /// Takes it away with its client secrets; its tokens end at once.
    pub(super) fn remove_universal_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "delete")?;
        let answer = auth_of(identity)?.answer(call.id(0));
        identity.universal_auth = None;
        self.end_tokens_of_method(call.id(0), "universal-auth");
        Ok(answer)
    }

    /// Ends the tokens of a method that was removed.
    pub(super) fn end_tokens_of_method(&mut self, identity_id: &str, method: &str) {
        let all = self.database.tokens.iter_mut();
        for token in all.filter(|it| it.identity_id == identity_id && it.auth_method == method) {
            token.method_removed = true;
        }
    }

    pub(super) fn clear_lockouts(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let auth = auth_of(self.identity_of_method(call.now, &actor, call.id(0), "edit")?)?;
        let cleared = i32::from(auth.is_locked());
        auth.failures = 0;
        Ok(Response::ok(&json!({ "deleted": cleared })))
    }

    pub(super) fn universal_auth_login(&mut self, call: &Call<'_>) -> Answer {
        let mut fields = call.fields()?;
        let (client_id, client_secret) = (fields.required("clientId"), fields.required("clientSecret"));
        fields.finish()?;
        let (identity, secret_id) = self.log_in_with(call.now, client_id.trim(), client_secret.trim())?;
        let terms = identity.universal_auth.as_ref().map(|auth| auth.terms.clone());
        let terms = terms.ok_or_else(Response::server_error)?;
        let (token, jwt) = self.token_of(call.now, &identity, &terms, ("universal-auth", &secret_id));
        let (_, max_ttl) = terms.life();
        let body = json!({
            "accessToken": jwt,
            "expiresIn": token.ttl,
            "accessTokenMaxTTL": max_ttl,
            "tokenType": "Bearer",
        });
        self.database.tokens.push(token);
        self.identity_mut(&identity.id)?.last_login = Some(("universal-auth", call.now));
        Ok(Response::ok(&body))
    }

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
        auth.forgive(now);
        if auth.is_locked() {
            return Err(refused("This identity auth method is temporarily locked, please try again later"));
        }
        let secret = auth.secrets.iter_mut().find(|it| !it.revoked && it.secret == client_secret);
        let Some(secret) = secret else {
            (auth.failures, auth.failed_at) = (auth.failures + 1, now);
            return Err(refused("Invalid credentials"));
        };
        secret.spend(now).map_err(refused)?;
        let id = secret.id.clone();
        auth.failures = 0;
        Ok((identity.clone(), id))
    }
}
