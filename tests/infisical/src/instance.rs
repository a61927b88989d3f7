//! The server without I/O: what it holds, and how it answers.
//!
//! Time comes in with each request, ids come from a counter, so that a
//! simulation that runs twice runs alike. Bootstrap can be taken step by step:
//! the real one is several transactions without a lock.

use std::{cell::Cell, fmt};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Request, Response, Route};

mod admin;
mod auth;
pub(crate) mod bootstrap;
mod identities;
mod projects;
mod secrets;
mod session;
mod token;
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
struct Identity {
    id: String,
    name: String,
    organization_id: String,
    /// The slug of its role in the organization.
    role: String,
    created_at: Timestamp,
    universal_auth: Option<UniversalAuth>,
    /// What bootstrap attaches, and a human may have left out.
    has_no_token_auth: bool,
}

#[derive(Clone)]
struct UniversalAuth {
    id: String,
    client_id: String,
    secrets: Vec<ClientSecret>,
    /// Failed logins in a row, and when the last was.
    failures: u32,
    failed_at: Timestamp,
    created_at: Timestamp,
}

#[derive(Clone)]
struct ClientSecret {
    id: String,
    secret: String,
    description: String,
    created_at: Timestamp,
    revoked: bool,
}

#[derive(Clone)]
struct Project {
    id: String,
    slug: String,
    /// Ids of identities, with the slug of their role.
    members: Vec<(String, String)>,
    secrets: Vec<Secret>,
}

#[derive(Clone)]
struct Secret {
    environment: String,
    name: String,
    value: String,
}

#[derive(Clone)]
struct Token {
    id: String,
    identity_id: String,
    name: Option<String>,
    auth_method: &'static str,
    created_at: Timestamp,
    renewed_at: Option<Timestamp>,
    revoked: bool,
    ttl: i64,
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
        Self { settings, key, ids: 0, database: Database::default() }
    }

    /// Answers one request. A bootstrap is done in one go; to take it apart,
    /// see [`begin_bootstrap`](Self::begin_bootstrap).
    pub fn handle(&mut self, now: Timestamp, request: &Request) -> Response {
        let answer = self.answer(now, request);
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn answer(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        // Recorded for a DELETE.
        if request.declares_json() && request.body.is_empty() {
            return Err(Response::server_error());
        }
        let (route, id) = Route::of(&request.method, &request.path);
        match route {
            Route::Status => Ok(self.status(now)),
            Route::Config => Ok(self.config()),
            Route::Bootstrap => self.bootstrap(now, request),
            Route::Login => self.login(now, request),
            Route::Organizations => self.list_organizations(now, request),
            Route::SelectOrganization => self.select_organization(now, request),
            Route::AdminIdentities => self.admin_identities(now, request),
            Route::RevokeInstanceAdmin => self.delete_instance_admin(now, request, id),
            Route::MintToken => self.mint_token(now, request, id),
            Route::ListTokens => self.list_tokens(now, request, id),
            Route::RevokeToken => self.revoke_token(now, request, id),
            Route::RenewToken => self.renew_token(now, request),
            Route::IdentityDetails => self.identity_details(now, request),
            Route::ListUsers => self.list_users(now, request),
            Route::DeleteUser => self.delete_user(now, request, id),
            Route::ListIdentities => self.list_identities(now, request),
            Route::CreateIdentity => self.create_identity(now, request),
            Route::DeleteIdentity => self.delete_identity(now, request, id),
            Route::UniversalAuth => self.universal_auth(now, request, id),
            Route::AttachUniversalAuth => self.attach_universal_auth(now, request, id),
            Route::CreateClientSecret => self.create_client_secret(now, request, id),
            Route::ListClientSecrets => self.list_client_secrets(now, request, id),
            Route::RevokeClientSecret => self.revoke_client_secret(now, request, id),
            Route::UniversalAuthLogin => self.universal_auth_login(now, request),
            Route::CreateProject => self.create_project(now, request),
            Route::Project => self.project(now, request, id),
            Route::ProjectMembership => self.project_membership(now, request, id),
            Route::AddToProject => self.add_to_project(now, request, id),
            Route::ListSecrets => self.list_secrets(now, request),
            Route::Secret => self.secret(now, request, id),
            Route::RevokeOwnToken => self.revoke_own_token(now, request),
            Route::Unknown => Err(not_found(request)),
        }
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

    /// Gives that right to every identity.
    pub fn grant_instance_admin(&mut self) {
        let all = self.database.identities.iter().map(|identity| identity.id.clone());
        self.database.instance_admins = all.collect();
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

/// Fastify's own answer (read in its documentation, not recorded).
fn not_found(request: &Request) -> Response {
    let path = request.path.split('?').next().unwrap_or_default();
    let message = format!("Route {}:{path} not found", request.method);
    Response::refusal(404, "Not Found", &message)
}

#[cfg(test)]
mod tests;
