//! Builds the requests, without sending them.
//!
//! This is one of the two places where secrets are exposed: what is written
//! here goes to the server that they belong to, and nowhere else.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    ErrorKind,
    error::TokenRefusal,
    secret::{AccessToken, Credentials, UserToken},
};

/// Items asked for per page of a list; the server's own default.
pub(super) const PAGE: usize = 100;

/// Bytes of an answer that are read at most. The largest recorded one has three
/// kilobytes; a full page of tokens has fifty.
const LONGEST: usize = 1024 * 1024;

/// The same for a list that the server gives in one piece, whatever pages it is asked
/// for. Each of it has half a kilobyte (recorded), so that these are thirty thousand.
const LONGEST_WITHOUT_PAGES: usize = 16 * 1024 * 1024;

/// Room for a body without growing, so that no half of a password stays behind
/// in memory that was given back. Emails, passwords and tokens are shorter.
const BODY_ROOM: usize = 8 * 1024;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// The health check.
    Status,
    /// Whether the instance was set up.
    Config,
    /// Sets the instance up.
    Bootstrap,
    /// A user's session for email and password.
    Login,
    /// The user's organizations.
    Organizations,
    /// A session in an organization.
    SelectOrganization,
    /// All machine identities of the instance.
    AdminIdentities,
    /// A new token of an identity.
    MintToken,
    /// An identity's tokens.
    ListTokens,
    /// Ends a token.
    RevokeToken,
    /// Prolongs a token.
    RenewToken,
    /// Whether a token works.
    IdentityDetails,
    /// Whether a token that works is an instance admin's.
    InstanceAdmin,
    /// The machine identities of an organization.
    Identities,
    /// A new machine identity.
    CreateIdentity,
    /// Ends a machine identity.
    DeleteIdentity,
    /// The client ID of an identity.
    UniversalAuth,
    /// Gives an identity a client ID.
    AttachUniversalAuth,
    /// A new client secret of an identity.
    CreateClientSecret,
    /// An identity's client secrets.
    ListClientSecrets,
    /// Ends a client secret.
    RevokeClientSecret,
    /// A project of the organization.
    Project,
    /// An identity's membership of a project.
    ProjectMembership,
    /// Makes an identity a member of a project.
    AddToProject,
    /// An identity's token for client ID and secret.
    UniversalAuthLogin,
    /// Ends that token.
    EndToken,
    /// Takes the instance admin right from an identity.
    RevokeInstanceAdmin,
}

impl Operation {
    /// What an error says was being done.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Status => "ask for the status",
            Self::Config => "ask whether the instance is set up",
            Self::Bootstrap => "bootstrap the instance",
            Self::Login => "log in",
            Self::Organizations => "list the organizations",
            Self::SelectOrganization => "select the organization",
            Self::AdminIdentities => "list the identities",
            Self::MintToken => "mint a token",
            Self::ListTokens => "list the tokens",
            Self::RevokeToken => "revoke a token",
            Self::RenewToken => "renew the token",
            Self::IdentityDetails => "verify the token",
            Self::InstanceAdmin => "ask for the token's rights",
            Self::Identities => "list the organization's identities",
            Self::CreateIdentity => "make the identity",
            Self::DeleteIdentity => "delete an identity",
            Self::UniversalAuth => "ask for the client ID",
            Self::AttachUniversalAuth => "attach Universal Auth",
            Self::CreateClientSecret => "make a client secret",
            Self::ListClientSecrets => "list the client secrets",
            Self::RevokeClientSecret => "revoke a client secret",
            Self::Project => "look for the project",
            Self::ProjectMembership => "ask for the membership of the project",
            Self::AddToProject => "add the identity to the project",
            Self::UniversalAuthLogin => "log in with the client secret",
            Self::EndToken => "end the token of that login",
            Self::RevokeInstanceAdmin => "revoke the instance admin right",
        }
    }

    /// Bytes of its answer that are read at most, compressed or not.
    #[must_use]
    pub fn longest_answer(self) -> usize {
        match self {
            Self::Identities | Self::ListClientSecrets => LONGEST_WITHOUT_PAGES,
            _ => LONGEST,
        }
    }

    /// The route with names in place of ids: what logs say.
    #[must_use]
    pub fn template(self) -> &'static str {
        match self {
            Self::Status => "/api/status",
            Self::Config => "/api/v1/admin/config",
            Self::Bootstrap => "/api/v1/admin/bootstrap",
            Self::Login => "/api/v3/auth/login",
            Self::Organizations => "/api/v1/organization",
            Self::SelectOrganization => "/api/v3/auth/select-organization",
            Self::AdminIdentities | Self::InstanceAdmin => "/api/v1/admin/identity-management/identities",
            Self::MintToken | Self::ListTokens => "/api/v1/auth/token-auth/identities/{id}/tokens",
            Self::RevokeToken => "/api/v1/auth/token-auth/tokens/{id}/revoke",
            Self::RenewToken => "/api/v1/auth/token/renew",
            Self::IdentityDetails => "/api/v1/identities/details",
            Self::Identities | Self::CreateIdentity => "/api/v1/identities",
            Self::DeleteIdentity => "/api/v1/identities/{id}",
            Self::UniversalAuth | Self::AttachUniversalAuth => "/api/v1/auth/universal-auth/identities/{id}",
            Self::CreateClientSecret | Self::ListClientSecrets => {
                "/api/v1/auth/universal-auth/identities/{id}/client-secrets"
            }
            Self::RevokeClientSecret => {
                "/api/v1/auth/universal-auth/identities/{id}/client-secrets/{second}/revoke"
            }
            Self::Project => "/api/v1/projects/slug/{id}",
            Self::ProjectMembership | Self::AddToProject => {
                "/api/v1/projects/{id}/identity-memberships/{second}"
            }
            Self::UniversalAuthLogin => "/api/v1/auth/universal-auth/login",
            Self::EndToken => "/api/v1/auth/token/revoke",
            Self::RevokeInstanceAdmin => {
                "/api/v1/admin/identity-management/identities/{id}/super-admin-access"
            }
        }
    }

    /// Its HTTP method.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::Status
            | Self::Config
            | Self::Organizations
            | Self::AdminIdentities
            | Self::ListTokens
            | Self::IdentityDetails
            | Self::InstanceAdmin
            | Self::Identities
            | Self::UniversalAuth
            | Self::ListClientSecrets
            | Self::Project
            | Self::ProjectMembership => Method::GET,
            Self::Bootstrap
            | Self::Login
            | Self::SelectOrganization
            | Self::MintToken
            | Self::RevokeToken
            | Self::RenewToken
            | Self::CreateIdentity
            | Self::AttachUniversalAuth
            | Self::CreateClientSecret
            | Self::RevokeClientSecret
            | Self::AddToProject
            | Self::UniversalAuthLogin
            | Self::EndToken => Method::POST,
            Self::DeleteIdentity | Self::RevokeInstanceAdmin => Method::DELETE,
        }
    }
}

impl Operation {
    /// The same as text: what metrics say.
    #[must_use]
    pub fn method_name(self) -> &'static str {
        match self.method() {
            Method::GET => "GET",
            Method::DELETE => "DELETE",
            _ => "POST",
        }
    }
}

/// A request that is ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// What it is for.
    pub operation: Operation,
    /// Path and query.
    pub path: String,
    /// `Bearer …`, marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// The JSON body. Its memory is zeroed with the last handle to it.
    pub body: Option<Bytes>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Request {
    pub(super) fn new(operation: Operation) -> Self {
        Self { operation, path: operation.template().to_owned(), authorization: None, body: None }
    }

    pub(super) fn with_id(self, id: &str) -> Result<Self, ErrorKind> {
        self.with_id_at("{id}", id)
    }

    /// The id of what belongs to what the first is of.
    pub(super) fn with_second_id(self, id: &str) -> Result<Self, ErrorKind> {
        self.with_id_at("{second}", id)
    }

    fn with_id_at(mut self, place: &str, id: &str) -> Result<Self, ErrorKind> {
        // An id that is no plain word would change the route. No server gave it
        // out, so none has what it names.
        if !is_id(id) {
            return Err(ErrorKind::NotFound);
        }
        self.path = self.path.replace(place, id);
        Ok(self)
    }

    pub(super) fn with_query(mut self, query: &str) -> Self {
        self.path.push('?');
        self.path.push_str(query);
        self
    }

    pub(super) fn with_token(mut self, token: &str) -> Result<Self, ErrorKind> {
        let text = Zeroizing::new(format!("Bearer {token}"));
        let mut header =
            HeaderValue::from_str(&text).map_err(|_| ErrorKind::TokenRefused(TokenRefusal::Malformed))?;
        header.set_sensitive(true);
        self.authorization = Some(header);
        Ok(self)
    }

    pub(super) fn with_body(mut self, body: &impl Serialize) -> Result<Self, ErrorKind> {
        let mut buffer = Zeroizing::new(Vec::with_capacity(BODY_ROOM));
        serde_json::to_writer(&mut *buffer, body)
            .map_err(|_| ErrorKind::InvalidRequest { fields: vec!["body".to_owned()] })?;
        self.body = Some(Bytes::from_owner(buffer));
        Ok(self)
    }
}

/// Whether a text can be an id: Infisical's are UUIDs.
pub(super) fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[derive(Serialize)]
struct BootstrapBody<'a> {
    email: &'a str,
    password: &'a str,
    organization: &'a str,
}

#[derive(Serialize)]
struct LoginBody<'a> {
    email: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SelectBody<'a> {
    organization_id: &'a str,
}

#[derive(Serialize)]
struct MintBody<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfToken<'a> {
    access_token: &'a str,
}

/// The body `{}`, which some routes were recorded with.
#[derive(Serialize)]
pub(super) struct NoFields {}

pub(super) fn status() -> Request {
    Request::new(Operation::Status)
}

pub(super) fn config() -> Request {
    Request::new(Operation::Config)
}

pub(super) fn bootstrap(admin: &Credentials, organization: &str) -> Result<Request, ErrorKind> {
    // Exposed: the server has to learn the password that it sets.
    let body = BootstrapBody { email: admin.email.as_str(), password: admin.password.expose(), organization };
    Request::new(Operation::Bootstrap).with_body(&body)
}

pub(super) fn login(admin: &Credentials) -> Result<Request, ErrorKind> {
    // Exposed: this is what logging in is.
    let body = LoginBody { email: admin.email.as_str(), password: admin.password.expose() };
    Request::new(Operation::Login).with_body(&body)
}

pub(super) fn organizations(session: &UserToken) -> Result<Request, ErrorKind> {
    as_user(Operation::Organizations, session)
}

pub(super) fn select_organization(session: &UserToken, organization_id: &str) -> Result<Request, ErrorKind> {
    as_user(Operation::SelectOrganization, session)?.with_body(&SelectBody { organization_id })
}

pub(super) fn admin_identities(session: &UserToken, offset: usize) -> Result<Request, ErrorKind> {
    let request = as_user(Operation::AdminIdentities, session)?;
    Ok(request.with_query(&identities_from(offset)))
}

/// The route wants the search term, though it is empty.
fn identities_from(offset: usize) -> String {
    format!("offset={offset}&limit={PAGE}&searchTerm=")
}

pub(super) fn mint_token(session: &UserToken, identity_id: &str, name: &str) -> Result<Request, ErrorKind> {
    as_user(Operation::MintToken, session)?.with_id(identity_id)?.with_body(&MintBody { name })
}

pub(super) fn list_tokens(
    session: &UserToken,
    identity_id: &str,
    offset: usize,
) -> Result<Request, ErrorKind> {
    let request = as_user(Operation::ListTokens, session)?.with_id(identity_id)?;
    Ok(request.with_query(&format!("offset={offset}&limit={PAGE}")))
}

pub(super) fn revoke_token(session: &UserToken, token_id: &str) -> Result<Request, ErrorKind> {
    as_user(Operation::RevokeToken, session)?.with_id(token_id)?.with_body(&NoFields {})
}

pub(super) fn renew_token(token: &AccessToken) -> Result<Request, ErrorKind> {
    // Exposed: the token itself is the credential, and goes into the body.
    Request::new(Operation::RenewToken).with_body(&OfToken { access_token: token.expose() })
}

pub(super) fn end_token(token: &AccessToken) -> Result<Request, ErrorKind> {
    // Exposed: the token itself is the credential, and goes into the body.
    Request::new(Operation::EndToken).with_body(&OfToken { access_token: token.expose() })
}

pub(super) fn identity_details(token: &AccessToken) -> Result<Request, ErrorKind> {
    // Exposed: the question is whether this token is accepted.
    Request::new(Operation::IdentityDetails).with_token(token.expose())
}

pub(super) fn is_instance_admin(token: &AccessToken) -> Result<Request, ErrorKind> {
    // Exposed: the question is what this token may do.
    let request = Request::new(Operation::InstanceAdmin).with_token(token.expose())?;
    Ok(request.with_query(&identities_from(0)))
}

fn as_user(operation: Operation, session: &UserToken) -> Result<Request, ErrorKind> {
    // Exposed: the session that the server gave out for these routes.
    Request::new(operation).with_token(session.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::identities,
        secret::{ClientSecret, Email, Password, UniversalAuth},
    };

    fn session() -> UserToken {
        UserToken::new("marker-session")
    }

    #[test]
    fn an_id_that_would_change_the_route_is_never_sent() {
        for id in ["", "..", "a/b", "a?b", "a%2Fb", "a#b", "ä"] {
            let kind = revoke_token(&session(), id).map(|request| request.path);
            assert_eq!(kind, Err(ErrorKind::NotFound), "{id:?}");
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_malformed_without_asking() {
        let kind = identity_details(&AccessToken::new("a\nb")).map(|request| request.path);
        assert_eq!(kind, Err(ErrorKind::TokenRefused(TokenRefusal::Malformed)));
    }

    #[test]
    fn a_request_cannot_be_printed_with_what_it_carries() {
        let admin = Credentials {
            email: Email::parse("admin@example.org").unwrap(),
            password: Password::new("marker-password"),
        };
        let requests = [
            bootstrap(&admin, "marker-organization").unwrap(),
            identity_details(&AccessToken::new("marker-token")).unwrap(),
            mint_token(&session(), "marker-id", "marker-name").unwrap(),
        ];
        for request in requests {
            assert!(!format!("{request:?} {:?}", request.authorization).contains("marker"), "{request:?}");
        }
    }

    #[test]
    fn requests_are_those_that_were_recorded() {
        let recordings: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../tests/fixtures/exchanges/strict.json")).unwrap();
        let admin = Credentials {
            email: Email::parse("admin@example.com").unwrap(),
            password: Password::new("correct horse battery"),
        };
        let recorded = |name: &str| {
            let exchange = recordings.iter().find(|exchange| exchange["name"] == name).unwrap();
            exchange["request"].clone()
        };
        let renewed = recorded("renew-minted-token")["body"]["accessToken"].as_str().unwrap().to_owned();
        let identity = "87266607-1f58-44e4-86bc-c39f76c96dbe";
        let platform = "9f91da01-5c78-49b1-9949-73354737126c";
        let sent = &recorded("universal-auth-login")["body"];
        let universal = UniversalAuth {
            client_id: sent["clientId"].as_str().unwrap().to_owned(),
            client_secret: ClientSecret::new(sent["clientSecret"].as_str().unwrap()),
        };
        let table = [
            ("status", Ok(status())),
            ("config-initialized", Ok(config())),
            ("bootstrap-again-same-body", bootstrap(&admin, "Acme")),
            ("login-ok", login(&admin)),
            ("list-organizations", organizations(&session())),
            ("select-organization", select_organization(&session(), "9c84fd60-6a8a-4a07-8a83-4dbff9db9ee6")),
            ("admin-identities", admin_identities(&session(), 0)),
            ("mint-token", mint_token(&session(), identity, "crossplane")),
            ("list-tokens", list_tokens(&session(), identity, 0)),
            ("revoke-token", revoke_token(&session(), "3c3165d0-67ec-4929-b244-b83086bc215e")),
            ("renew-minted-token", renew_token(&AccessToken::new(renewed))),
            ("verify-minted-token", identity_details(&AccessToken::new("marker"))),
            ("admin-identities-with-minted-token", is_instance_admin(&AccessToken::new("marker"))),
            (
                "create-identity",
                identities::create_identity(
                    &AccessToken::new("marker"),
                    "9c84fd60-6a8a-4a07-8a83-4dbff9db9ee6",
                    "platform",
                    "admin",
                ),
            ),
            (
                "attach-universal-auth",
                identities::attach_universal_auth(&AccessToken::new("marker"), platform),
            ),
            (
                "create-client-secret",
                identities::create_client_secret(&AccessToken::new("marker"), platform, "crossplane"),
            ),
            ("universal-auth-login", identities::universal_auth_login(&universal)),
            (
                "revoke-instance-admin",
                identities::revoke_instance_admin(&AccessToken::new("marker"), identity),
            ),
        ];
        for (name, built) in table {
            let (recorded, built) = (recorded(name), built.unwrap());
            assert_eq!(recorded["method"], built.operation.method().as_str(), "{name}");
            assert_eq!(recorded["path"], built.path, "{name}");
            assert_eq!(recorded.get("authorization").is_some(), built.authorization.is_some(), "{name}");
            let body = built.body.map(|body| serde_json::from_slice::<serde_json::Value>(&body).unwrap());
            assert_eq!(recorded.get("body"), body.as_ref(), "{name}");
        }
    }

    #[test]
    fn a_request_without_a_body_has_none_at_all() {
        assert!(status().body.is_none() && organizations(&session()).unwrap().body.is_none());
        assert_eq!(revoke_token(&session(), "a-1").unwrap().body.as_deref(), Some(b"{}".as_slice()));
    }
}
