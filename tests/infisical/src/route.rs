//! The routes that the fake has.

/// A route, whatever the ids in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// `GET /api/status`
    Status,
    /// `GET /api/v1/admin/config`
    Config,
    /// `POST /api/v1/admin/bootstrap`
    Bootstrap,
    /// `POST /api/v3/auth/login`
    Login,
    /// `GET /api/v1/organization`
    Organizations,
    /// `POST /api/v3/auth/select-organization`
    SelectOrganization,
    /// `GET /api/v1/admin/identity-management/identities`
    AdminIdentities,
    /// `DELETE /api/v1/admin/identity-management/identities/{id}/super-admin-access`
    RevokeInstanceAdmin,
    /// `POST /api/v1/auth/token-auth/identities/{id}/tokens`
    MintToken,
    /// `GET /api/v1/auth/token-auth/identities/{id}/tokens`
    ListTokens,
    /// `POST /api/v1/auth/token-auth/tokens/{id}/revoke`
    RevokeToken,
    /// `POST /api/v1/auth/token/renew`
    RenewToken,
    /// `GET /api/v1/identities/details`
    IdentityDetails,
    /// `GET /api/v1/admin/user-management/users`
    ListUsers,
    /// `DELETE /api/v1/admin/user-management/users/{id}`
    DeleteUser,
    /// `GET /api/v1/identities`
    ListIdentities,
    /// `POST /api/v1/identities`
    CreateIdentity,
    /// `DELETE /api/v1/identities/{id}`
    DeleteIdentity,
    /// `GET /api/v1/auth/universal-auth/identities/{id}`
    UniversalAuth,
    /// `POST /api/v1/auth/universal-auth/identities/{id}`
    AttachUniversalAuth,
    /// `POST /api/v1/auth/universal-auth/identities/{id}/client-secrets`
    CreateClientSecret,
    /// `GET /api/v1/auth/universal-auth/identities/{id}/client-secrets`
    ListClientSecrets,
    /// `POST /api/v1/auth/universal-auth/identities/{id}/client-secrets/{id}/revoke`
    RevokeClientSecret,
    /// `POST /api/v1/auth/universal-auth/login`
    UniversalAuthLogin,
    /// `POST /api/v2/workspace`
    CreateProject,
    /// `GET /api/v1/projects/slug/{slug}`
    Project,
    /// `GET /api/v1/projects/{id}/identity-memberships/{id}`
    ProjectMembership,
    /// `POST /api/v1/projects/{id}/identity-memberships/{id}`
    AddToProject,
    /// `GET /api/v3/secrets/raw`
    ListSecrets,
    /// `GET /api/v3/secrets/raw/{name}`
    Secret,
    /// `POST /api/v1/auth/token/revoke`
    RevokeOwnToken,
    /// Any other.
    Unknown,
}

impl Route {
    /// The route of a request, and the id in its path.
    #[must_use]
    pub fn of<'a>(method: &str, path: &'a str) -> (Self, &'a str) {
        let path = path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (method, segments.as_slice()) {
            ("GET", ["api", "status"]) => (Self::Status, ""),
            ("GET", ["api", "v1", "admin", "config"]) => (Self::Config, ""),
            ("POST", ["api", "v1", "admin", "bootstrap"]) => (Self::Bootstrap, ""),
            ("POST", ["api", "v3", "auth", "login"]) => (Self::Login, ""),
            ("GET", ["api", "v1", "organization"]) => (Self::Organizations, ""),
            ("POST", ["api", "v3", "auth", "select-organization"]) => (Self::SelectOrganization, ""),
            ("GET", ["api", "v1", "identities", "details"]) => (Self::IdentityDetails, ""),
            ("GET", ["api", "v1", "identities"]) => (Self::ListIdentities, ""),
            ("POST", ["api", "v1", "identities"]) => (Self::CreateIdentity, ""),
            ("DELETE", ["api", "v1", "identities", id]) => (Self::DeleteIdentity, id),
            ("POST", ["api", "v2", "workspace"]) => (Self::CreateProject, ""),
            ("GET", ["api", "v1", "projects", "slug", slug]) => (Self::Project, slug),
            ("GET", ["api", "v1", "projects", id, "identity-memberships", _]) => {
                (Self::ProjectMembership, id)
            }
            ("POST", ["api", "v1", "projects", id, "identity-memberships", _]) => (Self::AddToProject, id),
            ("GET", ["api", "v3", "secrets", "raw"]) => (Self::ListSecrets, ""),
            ("GET", ["api", "v3", "secrets", "raw", name]) => (Self::Secret, name),
            ("POST", ["api", "v1", "auth", "token", "renew"]) => (Self::RenewToken, ""),
            ("POST", ["api", "v1", "auth", "token", "revoke"]) => (Self::RevokeOwnToken, ""),
            (method, ["api", "v1", "admin", rest @ ..]) => Self::of_admin(method, rest),
            (method, ["api", "v1", "auth", rest @ ..]) => Self::of_auth(method, rest),
            _ => (Self::Unknown, ""),
        }
    }

    fn of_admin<'a>(method: &str, rest: &[&'a str]) -> (Self, &'a str) {
        match (method, rest) {
            ("GET", ["identity-management", "identities"]) => (Self::AdminIdentities, ""),
            ("DELETE", ["identity-management", "identities", id, "super-admin-access"]) => {
                (Self::RevokeInstanceAdmin, id)
            }
            ("GET", ["user-management", "users"]) => (Self::ListUsers, ""),
            ("DELETE", ["user-management", "users", id]) => (Self::DeleteUser, id),
            _ => (Self::Unknown, ""),
        }
    }

    fn of_auth<'a>(method: &str, rest: &[&'a str]) -> (Self, &'a str) {
        match (method, rest) {
            ("POST", ["token-auth", "identities", id, "tokens"]) => (Self::MintToken, id),
            ("GET", ["token-auth", "identities", id, "tokens"]) => (Self::ListTokens, id),
            ("POST", ["token-auth", "tokens", id, "revoke"]) => (Self::RevokeToken, id),
            ("POST", ["universal-auth", "login"]) => (Self::UniversalAuthLogin, ""),
            ("GET", ["universal-auth", "identities", id]) => (Self::UniversalAuth, id),
            ("POST", ["universal-auth", "identities", id]) => (Self::AttachUniversalAuth, id),
            ("POST", ["universal-auth", "identities", id, "client-secrets"]) => {
                (Self::CreateClientSecret, id)
            }
            ("GET", ["universal-auth", "identities", id, "client-secrets"]) => (Self::ListClientSecrets, id),
            ("POST", ["universal-auth", "identities", id, "client-secrets", _, "revoke"]) => {
                (Self::RevokeClientSecret, id)
            }
            _ => (Self::Unknown, ""),
        }
    }
}
