//! The bootstrap: four transactions, and no lock around them.
//!
//! Both checks are made before the first transaction. Whoever starts before
//! another one has written passes them too, and two things can happen, both
//! recorded: with one email the loser's user is refused by the database, with
//! two emails there are two super admins.

use std::{cell::Cell, fmt};

use jiff::Timestamp;
use serde_json::json;

use super::{
    Instance, Organization, Token, User, Variant, identity::Identity, token_auth::TokenAuth, validate,
};
use crate::{Request, Response, jwt};

/// What the identity is called that bootstrap makes (recorded).
pub(super) const IDENTITY_NAME: &str = "Instance Admin Identity";

/// What a bootstrap writes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transaction {
    /// The super admin.
    User,
    /// The organization, with the user in it.
    Organization,
    /// The identity and its token.
    Identity,
    /// `initialized: true`, and which identity is the instance admin.
    Initialized,
}

/// A bootstrap under way.
#[derive(Clone)]
pub struct BootstrapRun {
    email: String,
    password: String,
    organization: String,
    next: Transaction,
    user_id: String,
    organization_id: String,
    identity_id: String,
    token: String,
}

impl fmt::Debug for BootstrapRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapRun").field("next", &self.next).finish_non_exhaustive()
    }
}

impl BootstrapRun {
    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Transaction {
        self.next
    }
}

impl Instance {
    pub(super) fn bootstrap(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let mut run = self.begin_bootstrap(request)?;
        loop {
            if let Some(response) = self.step_bootstrap(now, &mut run) {
                return Ok(response);
            }
        }
    }

    /// Checks a bootstrap and writes nothing.
    ///
    /// # Errors
    /// The refusal.
    pub fn begin_bootstrap(&self, request: &Request) -> Result<BootstrapRun, Response> {
        let [email, password, organization] =
            validate::texts(request, ["email", "password", "organization"])?;
        validate::email("email", &email)?;
        // Trimmed without a word (recorded for the password).
        let password = password.trim().to_owned();
        let organization = organization.trim().to_owned();
        validate::not_empty("password", &password)?;
        validate::not_empty("organization", &organization)?;
        if self.database.initialized {
            return Err(Response::refusal(400, "BadRequest", "Instance has already been set up"));
        }
        let email = email.to_lowercase();
        if self.database.users.iter().any(|user| user.email == email) {
            return Err(Response::refusal(400, "Instance initialization", "User already exists"));
        }
        let empty = String::new;
        Ok(BootstrapRun {
            email,
            password,
            organization,
            next: Transaction::User,
            user_id: empty(),
            organization_id: empty(),
            identity_id: empty(),
            token: empty(),
        })
    }

    /// Does the next transaction of a bootstrap. An answer ends it.
    pub fn step_bootstrap(&mut self, now: Timestamp, run: &mut BootstrapRun) -> Option<Response> {
        match run.next {
            Transaction::User => {
                if self.database.users.iter().any(|user| user.email == run.email) {
                    return Some(Response::refusal(500, "Create", "Something went wrong"));
                }
                self.create_admin(run);
                run.next = Transaction::Organization;
            }
            Transaction::Organization => {
                self.create_organization(now, run);
                run.next = Transaction::Identity;
            }
            Transaction::Identity => {
                self.create_admin_identity(now, run);
                run.next = Transaction::Initialized;
            }
            Transaction::Initialized => {
                self.database.initialized = true;
                // Of several at once, the last one's identity is the admin.
                self.database.instance_admins = vec![run.identity_id.clone()];
                self.database.successful_bootstraps += 1;
                return Some(self.bootstrapped(run));
            }
        }
        None
    }

    fn create_admin(&mut self, run: &mut BootstrapRun) {
        run.user_id = self.id();
        self.database.users.push(User {
            id: run.user_id.clone(),
            email: run.email.clone(),
            password: run.password.clone(),
            super_admin: true,
            failed_logins: 0,
        });
    }

    fn create_organization(&mut self, now: Timestamp, run: &mut BootstrapRun) {
        run.organization_id = self.id();
        let suffix: String = self.hex().chars().take(4).collect();
        let name = run.organization.to_lowercase();
        let word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.database.organizations.push(Organization {
            id: run.organization_id.clone(),
            name: run.organization.clone(),
            slug: format!("{word}-{suffix}"),
            created_at: now,
            members: vec![run.user_id.clone()],
        });
    }

    fn create_admin_identity(&mut self, now: Timestamp, run: &mut BootstrapRun) {
        run.identity_id = self.id();
        let token_id = self.id();
        let mut claims = json!({
            "identityId": run.identity_id,
            "identityAccessTokenId": token_id,
            "authTokenType": "identityAccessToken",
            "iat": now.as_second(),
        });
        let mut expires_at = None;
        if self.settings.variant == Variant::Fixed {
            let exp = now.as_second() + self.settings.max_token_ttl;
            jwt::set(&mut claims, "exp", exp);
            expires_at = Some(exp);
        }
        run.token = jwt::sign(&self.key, &claims);
        let membership_id = self.id();
        let mut identity = Identity::new(now, (run.identity_id.clone(), membership_id), IDENTITY_NAME);
        identity.organization_id.clone_from(&run.organization_id);
        "admin".clone_into(&mut identity.role);
        identity.token_auth = Some(TokenAuth::new(now, self.id(), self.settings.token_auth));
        self.database.identities.push(identity);
        self.database.tokens.push(Token {
            id: token_id,
            identity_id: run.identity_id.clone(),
            name: Some("Instance Admin Token".to_owned()),
            auth_method: "token-auth",
            created_at: now,
            updated_at: now,
            renewed_at: None,
            revoked: false,
            method_removed: false,
            ttl: 0,
            max_ttl: 0,
            period: 0,
            sub_organization_id: Some(run.organization_id.clone()),
            expires_at,
            uses_left: Cell::new(None),
        });
    }

    fn bootstrapped(&self, run: &BootstrapRun) -> Response {
        let organization = self.database.organizations.iter().find(|o| o.id == run.organization_id);
        Response::ok(&json!({
            "message": "Successfully bootstrapped instance",
            "user": {
                "username": run.email,
                "firstName": "Admin",
                "lastName": "User",
                "email": run.email,
                "id": run.user_id,
                "superAdmin": true,
            },
            "organization": {
                "id": run.organization_id,
                "name": run.organization,
                "slug": organization.map(|o| o.slug.clone()).unwrap_or_default(),
            },
            "identity": {
                "id": run.identity_id,
                "name": "Instance Admin Identity",
                "credentials": { "token": run.token },
            },
        }))
    }
}
