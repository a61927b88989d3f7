//! The instance: whether it is set up, setting it up, and who administers it.

use std::convert::Infallible;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::organizations::Organization;
use crate::{
    error::ErrorKind,
    route::{self, Credential, Method, PAGE, Paged, RefusalBody, Route},
    secret::{AccessToken, Credentials, UserToken},
};

/// `GET /api/v1/admin/config`.
#[derive(Clone, Copy, Debug)]
pub struct ReadConfig;

/// What is known of an instance without logging in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Whether the instance was set up, by anyone.
    pub initialized: bool,
    /// `None` means that all are.
    #[serde(default)]
    pub enabled_login_methods: Option<Vec<String>>,
}

impl Route for ReadConfig {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/admin/config";
    const WHAT: &'static str = "ask whether the instance is set up";
    type Answer = Config;
    type Refusal = Infallible;

    fn answer(body: &[u8]) -> serde_json::Result<Config> {
        #[derive(Deserialize)]
        struct Body {
            config: Config,
        }
        serde_json::from_slice(body).map(|Body { config }| config)
    }
}

/// `POST /api/v1/admin/bootstrap`: works once.
#[derive(Clone, Copy, Debug)]
pub struct Bootstrap<'a> {
    /// The server admin that is made.
    pub admin: &'a Credentials,
    /// What the organization that is made is called.
    pub organization: &'a str,
}

/// The answer to [`Bootstrap`], given once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The organization that was made.
    pub organization: Organization,
    /// The instance admin identity that was made.
    pub identity_id: String,
    /// Its token. A strict server refuses it from birth.
    pub token: AccessToken,
}

/// Why an instance is not bootstrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapRefusal {
    /// 400 `Instance has already been set up`.
    #[error("the instance has already been set up")]
    AlreadySetUp,
    /// 400 `User already exists`, on an instance that says it is not set up: another
    /// bootstrap is under way, or one was interrupted.
    #[error("the user already exists")]
    UserAlreadyExists,
}

#[derive(Deserialize)]
struct BootstrapAnswer {
    organization: Organization,
    identity: BootstrapIdentity,
}

#[derive(Deserialize)]
struct BootstrapIdentity {
    #[serde(deserialize_with = "route::id")]
    id: String,
    credentials: BootstrapCredentials,
}

#[derive(Deserialize)]
struct BootstrapCredentials {
    #[serde(deserialize_with = "route::access_token")]
    token: AccessToken,
}

impl Route for Bootstrap<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/admin/bootstrap";
    const WHAT: &'static str = "bootstrap the instance";
    const TAKES_LONG: bool = true;
    type Answer = Bootstrapped;
    type Refusal = BootstrapRefusal;

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            email: &'a str,
            password: &'a str,
            organization: &'a str,
        }
        let Self { admin: Credentials { email, password }, organization } = self;
        // Exposed: the server has to learn the password that it sets.
        route::json(&Body { email: email.as_str(), password: password.expose(), organization })
    }

    fn answer(body: &[u8]) -> serde_json::Result<Bootstrapped> {
        let BootstrapAnswer { organization, identity } = serde_json::from_slice(body)?;
        let BootstrapIdentity { id: identity_id, credentials } = identity;
        Ok(Bootstrapped { organization, identity_id, token: credentials.token })
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<BootstrapRefusal>> {
        let refusal = match (body.status, body.error.as_str()) {
            (400, "Instance initialization") => BootstrapRefusal::UserAlreadyExists,
            // A recorded "BadRequest"; bootstrap has no other.
            (400, "BadRequest") => BootstrapRefusal::AlreadySetUp,
            _ => return None,
        };
        Some(ErrorKind::Refused(refusal))
    }
}

/// The machine identities of the instance.
const IDENTITIES: &str = "/api/v1/admin/identity-management/identities";

/// A page of them. The route wants the search term, though it is empty.
fn page(offset: usize) -> Vec<(&'static str, Option<String>)> {
    vec![("offset", Some(offset.to_string())), ("limit", Some(PAGE.to_string())), ("searchTerm", None)]
}

/// `GET /api/v1/admin/identity-management/identities`: all of the instance, for a
/// server admin. Forbidden to others.
#[derive(Clone, Copy, Debug)]
pub struct ListAdminIdentities<'a> {
    /// A session in an organization.
    pub session: &'a UserToken,
    /// Where the page begins.
    pub offset: usize,
}

/// A machine identity of the instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminIdentity {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it may use the admin API.
    pub is_instance_admin: bool,
}

impl Route for ListAdminIdentities<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = IDENTITIES;
    const WHAT: &'static str = "list the identities";
    type Answer = Vec<AdminIdentity>;
    type Refusal = Infallible;

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        page(self.offset)
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Session(self.session))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<AdminIdentity>> {
        #[derive(Deserialize)]
        struct Body {
            identities: Vec<AdminIdentity>,
        }
        serde_json::from_slice(body).map(|Body { identities }| identities)
    }
}

impl Paged for ListAdminIdentities<'_> {
    type Item = AdminIdentity;

    fn beginning_at(&self, offset: usize) -> Self {
        Self { offset, ..*self }
    }
}

/// The same route, one page, with a token that works: whether its identity is an
/// instance admin. Forbidden to others.
#[derive(Clone, Copy, Debug)]
pub struct CheckInstanceAdmin<'a> {
    /// The token.
    pub token: &'a AccessToken,
}

impl Route for CheckInstanceAdmin<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = IDENTITIES;
    const WHAT: &'static str = "ask for the token's rights";
    type Answer = ();
    type Refusal = Infallible;

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        page(0)
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        serde_json::from_slice(body).map(|IgnoredAny| ())
    }
}

/// `DELETE /api/v1/admin/identity-management/identities/{id}/super-admin-access`:
/// takes the instance admin right from an identity.
#[derive(Clone, Copy, Debug)]
pub struct RevokeInstanceAdmin<'a> {
    /// An instance admin's token.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

/// 400 `Identity`: the identity does not have the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity is not an instance admin")]
pub struct NotInstanceAdmin;

impl Route for RevokeInstanceAdmin<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/api/v1/admin/identity-management/identities/{id}/super-admin-access";
    const WHAT: &'static str = "revoke the instance admin right";
    type Answer = ();
    type Refusal = NotInstanceAdmin;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<NotInstanceAdmin>> {
        (body.status == 400 && body.error == "Identity").then_some(ErrorKind::Refused(NotInstanceAdmin))
    }
}
