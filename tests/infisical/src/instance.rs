//! The server without I/O: what it holds, and how it answers.
//!
//! Time comes in with each request, ids come from a counter, so that a
//! simulation that runs twice runs alike. Bootstrap can be taken step by step:
//! the real one is several transactions without a lock.

use std::{cell::Cell, collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Request, Response, Route};

use self::{identity::Identity, permission::Memory, project::Project};

mod admin;
mod auth;
mod auth_method;
pub(crate) mod bootstrap;
mod call;
mod client_secret;
mod dispatch;
mod environment;
mod fields;
mod folder;
mod identity;
mod kubernetes_auth;
mod legacy;
mod membership;
mod permission;
mod privilege;
mod project;
mod project_identity;
mod reference;
mod secret;
mod secret_batch;
mod session;
mod tag;
mod token;
mod token_auth;
mod universal_auth;
mod validate;

/// Seconds of the longest life of a token, by default: 90 days (recorded).
const NINETY_DAYS: i64 = 90 * 24 * 60 * 60;

/// Which server this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The default since August 2026: a token without `exp` is refused, the
    /// one of bootstrap too.
    #[default]
    Strict,
    /// Before: the token of bootstrap works and has no `exp`.
    Lenient,
    /// After upstream change #7716: the token of bootstrap works and has an
    /// `exp`. Not recorded.
    Fixed,
}

/// How the server is set up; may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a test server")]
pub struct Settings {
    /// Which server this is.
    pub variant: Variant,
    /// Seconds that a token lives at most.
    pub max_token_ttl: i64,
    /// After how many failed logins of a user a captcha is asked for; `None`
    /// is a server without captcha. The real one asks after ten.
    pub captcha_after: Option<u32>,
    /// Whether email and password will do to log in.
    pub password_login: bool,
    /// Whether users are locked.
    pub users_locked: bool,
    /// Whether a second factor is asked for when an organization is selected.
    pub second_factor: bool,
    /// Whether `GET /api/status` names `max_token_ttl`; old servers do not.
    pub publishes_max_token_ttl: bool,
    /// The Token Auth of the identity that bootstrap makes.
    pub token_auth: TokenAuth,
    /// Milliseconds for which the server remembers what somebody may do in a
    /// project: ten seconds (recorded).
    pub permission_lag: i64,
    /// Whether it connects to private addresses, which every cluster of its own needs.
    pub allow_internal_ip_connections: bool,
    /// What it finds when it asks a Kubernetes cluster.
    pub clusters: Clusters,
}

/// What an identity's Token Auth says of the tokens that are minted by it; zero where it
/// says nothing, as of the one that bootstrap makes (recorded).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenAuth {
    /// `accessTokenTTL`: seconds that a token lives until it is renewed.
    pub ttl: i64,
    /// `accessTokenMaxTTL`: seconds after its minting beyond which it is not renewed.
    pub max_ttl: i64,
    /// `accessTokenNumUsesLimit`: how often it may be used.
    pub uses: u32,
}

/// What the server finds when it asks a Kubernetes cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Whether names resolve; addresses need not.
    pub known_names: bool,
    /// Whether anybody answers. Nobody does on the ports 1 and 9.
    pub answer: bool,
    /// Whether a token reviewer's token is refused.
    pub refuse_reviewers: bool,
}

impl Default for Clusters {
    fn default() -> Self {
        Self { known_names: true, answer: true, refuse_reviewers: false }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            variant: Variant::default(),
            max_token_ttl: NINETY_DAYS,
            captcha_after: None,
            password_login: true,
            users_locked: false,
            second_factor: false,
            publishes_max_token_ttl: true,
            token_auth: TokenAuth::default(),
            permission_lag: 10_000,
            allow_internal_ip_connections: false,
            clusters: Clusters::default(),
        }
    }
}

#[derive(Clone)]
struct User {
    id: String,
    email: String,
    password: String,
    super_admin: bool,
    failed_logins: u32,
}

#[derive(Clone)]
struct Organization {
    id: String,
    name: String,
    slug: String,
    created_at: Timestamp,
    members: Vec<String>,
}

#[derive(Clone)]
struct Token {
    id: String,
    identity_id: String,
    name: Option<String>,
    auth_method: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    renewed_at: Option<Timestamp>,
    revoked: bool,
    /// Its method was taken from the identity.
    method_removed: bool,
    ttl: i64,
    max_ttl: i64,
    period: i64,
    sub_organization_id: Option<String>,
    /// The latest `exp` of the JWTs with this id; `None`: none has one.
    expires_at: Option<i64>,
    /// How often it may be used yet; `None`: without a limit.
    uses_left: Cell<Option<u32>>,
}

/// What a database dump would have in it.
#[derive(Clone, Default)]
struct Database {
    initialized: bool,
    users: Vec<User>,
    organizations: Vec<Organization>,
    identities: Vec<Identity>,
    /// Ids of those that are gone: their tokens are told so.
    deleted_identities: Vec<String>,
    projects: Vec<Project>,
    instance_admins: Vec<String>,
    tokens: Vec<Token>,
    successful_bootstraps: usize,
}

/// The contents of the database at some time.
#[derive(Clone)]
pub struct Snapshot(Database);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot(..)")
    }
}

/// A token that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingToken {
    /// Its id, the `jti` of its JWTs.
    pub id: String,
    /// The name it was minted under.
    pub name: String,
    /// Whose it is.
    pub identity_id: String,
}

/// One server.
#[derive(Clone)]
pub struct Instance {
    /// How it is set up.
    pub settings: Settings,
    key: [u8; 32],
    ids: u64,
    database: Database,
    memory: Memory,
    /// How often each route was asked.
    asked: BTreeMap<Route, usize>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("settings", &self.settings)
            .field("initialized", &self.database.initialized)
            .field("users", &self.database.users.len())
            .field("tokens", &self.database.tokens.len())
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// An empty server. Ids and signatures follow from the seed.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let key = Sha256::digest(seed.to_be_bytes()).into();
        Self {
            settings,
            key,
            ids: 0,
            database: Database::default(),
            memory: Memory::default(),
            asked: BTreeMap::new(),
        }
    }

    /// Answers one request. A bootstrap is done in one go; to take it apart,
    /// see [`begin_bootstrap`](Self::begin_bootstrap).
    pub fn handle(&mut self, now: Timestamp, request: &Request) -> Response {
        let answer = self.answer(now, request);
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// The same, for a request whose checks were made before another one of its kind
    /// was through. The database refuses it then, and the answer is 500 `Create` where
    /// the server does not look again (recorded).
    pub fn handle_late(&mut self, now: Timestamp, request: &Request) -> Response {
        let (route, _) = Route::with_ids(&request.method, &request.path);
        if secret_batch::is_upsert(route, request) {
            return Response::failed("Create");
        }
        let answer = self.handle(now, request);
        let is_refused = answer.status == 400 && route.loses_races();
        if is_refused { Response::failed("Create") } else { answer }
    }

    fn status(&self, now: Timestamp) -> Response {
        let mut body = json!({
            "date": time(now),
            "message": "Ok",
            "emailConfigured": false,
            "inviteOnlySignup": true,
            "redisConfigured": true,
            "secretScanningConfigured": false,
            "auditLogStorageDisabled": false,
            "maxIdentityAccessTokenTTL": self.settings.max_token_ttl,
        });
        if !self.settings.publishes_max_token_ttl
            && let Some(fields) = body.as_object_mut()
        {
            fields.remove("maxIdentityAccessTokenTTL");
        }
        Response::ok(&body)
    }

    fn config(&self) -> Response {
        let methods = if self.settings.password_login { Value::Null } else { json!(["saml"]) };
        Response::ok(&json!({ "config": {
            "id": "00000000-0000-0000-0000-000000000000",
            "initialized": self.database.initialized,
            "allowSignUp": true,
            "allowedSignUpDomain": null,
            "defaultAuthOrgId": null,
            "enabledLoginMethods": methods,
            "authConsentContent": null,
            "pageFrameContent": null,
            "isPublicSecretSharingDisabled": false,
            "licenseServerV2Enabled": false,
            "isCrossProjectSecretSharingEnabled": false,
            "defaultAuthOrgSlug": null,
            "defaultAuthOrgAuthEnforced": null,
            "defaultAuthOrgAuthMethod": null,
        }}))
    }

    /// A new UUID. Never one that was given out before, not even after the
    /// database was emptied.
    fn id(&mut self) -> String {
        let hex = self.hex();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
    }

    /// 64 hexadecimal digits that follow from seed and counter.
    fn hex(&mut self) -> String {
        self.ids += 1;
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(self.ids.to_be_bytes());
        hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// How often a route was asked.
    #[must_use]
    pub fn count(&self, route: Route) -> usize {
        self.asked.get(&route).copied().unwrap_or_default()
    }

    /// How many requests were to change something, log-ins not counted.
    #[must_use]
    pub fn writes(&self) -> usize {
        let writes = self.asked.iter().filter(|(route, _)| route.is_write());
        writes.map(|(_, count)| count).sum()
    }

    /// Whether somebody set it up.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.database.initialized
    }

    /// How many bootstraps went through to the end.
    #[must_use]
    pub fn successful_bootstraps(&self) -> usize {
        self.database.successful_bootstraps
    }

    /// The emails of the server admins.
    #[must_use]
    pub fn super_admins(&self) -> Vec<String> {
        let admins = self.database.users.iter().filter(|user| user.super_admin);
        admins.map(|user| user.email.clone()).collect()
    }

    /// The names of the organizations.
    #[must_use]
    pub fn organization_names(&self) -> Vec<String> {
        self.database.organizations.iter().map(|organization| organization.name.clone()).collect()
    }

    /// Whether a user is in an organization.
    #[must_use]
    pub fn is_in_an_organization(&self, email: &str) -> bool {
        let user = self.database.users.iter().find(|user| user.email == email);
        user.is_some_and(|user| {
            self.database.organizations.iter().any(|organization| organization.members.contains(&user.id))
        })
    }

    /// Whether the server accepts this machine token now.
    #[must_use]
    pub fn token_works(&self, now: Timestamp, token: &str) -> bool {
        self.verify_identity_token(now, token).is_ok()
    }

    /// The machine tokens of which a JWT works now.
    #[must_use]
    pub fn tokens_alive(&self, now: Timestamp) -> Vec<LivingToken> {
        let alive = self.database.tokens.iter().filter(|token| !token.revoked && self.lives(now, token));
        alive
            .map(|token| LivingToken {
                id: token.id.clone(),
                name: token.name.clone().unwrap_or_default(),
                identity_id: token.identity_id.clone(),
            })
            .collect()
    }

    fn lives(&self, now: Timestamp, token: &Token) -> bool {
        match token.expires_at {
            Some(exp) => now.as_second() < exp,
            None => !self.is_too_old(now, token.created_at.as_second()),
        }
    }

    /// Revokes every machine token.
    pub fn revoke_all_tokens(&mut self) {
        for token in &mut self.database.tokens {
            token.revoked = true;
        }
    }

    /// Empties the database. The key stays: it is configuration.
    pub fn reset_database(&mut self) {
        self.database = Database::default();
    }

    /// What the database holds.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.database.clone())
    }

    /// Puts the database back.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.database = snapshot.0.clone();
    }

    /// Takes the instance admin right from every identity.
    pub fn revoke_instance_admin(&mut self) {
        self.database.instance_admins.clear();
    }

    /// Gives that right to every identity that is an admin of the organization. An identity
    /// that has it is out of reach for those who have it not.
    pub fn grant_instance_admin(&mut self) {
        let admins = self.database.identities.iter().filter(|identity| identity.role == "admin");
        self.database.instance_admins = admins.map(|identity| identity.id.clone()).collect();
    }

    /// The identities that have it.
    #[must_use]
    pub fn instance_admins(&self) -> &[String] {
        &self.database.instance_admins
    }

    /// Gives every user this password, as an admin who changes it by hand.
    pub fn change_passwords(&mut self, password: &str) {
        for user in &mut self.database.users {
            password.clone_into(&mut user.password);
        }
    }
}

/// A time as Infisical writes it, in milliseconds.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The router's own answer, of another shape than the rest (recorded).
fn not_found(request: &Request) -> Response {
    let path = request.path.split('?').next().unwrap_or_default();
    Response::no_route(&format!("Route {}:{path} not found", request.method))
}

#[cfg(test)]
mod tests;
