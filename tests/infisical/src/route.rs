//! The routes that the fake has, in one table.

/// Makes the routes and the table that finds them.
macro_rules! routes {
    ($($name:ident $method:literal $path:literal,)*) => {
        /// A route, whatever the ids in its path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Route {
            $(#[doc = concat!("`", $method, " ", $path, "`")] $name,)*
            /// Any other.
            Unknown,
        }

        /// Method, path with the names of ids in braces, and route. Of two that fit,
        /// the first is taken.
        pub(crate) const TABLE: &[(&str, &str, Route)] = &[$(($method, $path, Route::$name),)*];
    };
}

routes! {
    Status "GET" "/api/status",
    Config "GET" "/api/v1/admin/config",
    Bootstrap "POST" "/api/v1/admin/bootstrap",
    Login "POST" "/api/v3/auth/login",
    Organizations "GET" "/api/v1/organization",
    SelectOrganization "POST" "/api/v3/auth/select-organization",
    AdminIdentities "GET" "/api/v1/admin/identity-management/identities",
    RevokeInstanceAdmin "DELETE" "/api/v1/admin/identity-management/identities/{id}/super-admin-access",
    ListUsers "GET" "/api/v1/admin/user-management/users",
    DeleteUser "DELETE" "/api/v1/admin/user-management/users/{id}",
    RenewToken "POST" "/api/v1/auth/token/renew",
    RevokeOwnToken "POST" "/api/v1/auth/token/revoke",
    MintToken "POST" "/api/v1/auth/token-auth/identities/{id}/tokens",
    ListTokens "GET" "/api/v1/auth/token-auth/identities/{id}/tokens",
    TokenById "GET" "/api/v1/auth/token-auth/tokens/{id}",
    Token "GET" "/api/v1/auth/token-auth/identities/{id}/tokens/{token}",
    RenameToken "PATCH" "/api/v1/auth/token-auth/tokens/{id}",
    RevokeToken "POST" "/api/v1/auth/token-auth/tokens/{id}/revoke",
    TokenAuth "GET" "/api/v1/auth/token-auth/identities/{id}",
    AttachTokenAuth "POST" "/api/v1/auth/token-auth/identities/{id}",
    UpdateTokenAuth "PATCH" "/api/v1/auth/token-auth/identities/{id}",
    RemoveTokenAuth "DELETE" "/api/v1/auth/token-auth/identities/{id}",
    UniversalAuthLogin "POST" "/api/v1/auth/universal-auth/login",
    UniversalAuth "GET" "/api/v1/auth/universal-auth/identities/{id}",
    AttachUniversalAuth "POST" "/api/v1/auth/universal-auth/identities/{id}",
    UpdateUniversalAuth "PATCH" "/api/v1/auth/universal-auth/identities/{id}",
    RemoveUniversalAuth "DELETE" "/api/v1/auth/universal-auth/identities/{id}",
    ClearLockouts "POST" "/api/v1/auth/universal-auth/identities/{id}/clear-lockouts",
    CreateClientSecret "POST" "/api/v1/auth/universal-auth/identities/{id}/client-secrets",
    ListClientSecrets "GET" "/api/v1/auth/universal-auth/identities/{id}/client-secrets",
    ClientSecret "GET" "/api/v1/auth/universal-auth/identities/{id}/client-secrets/{secret}",
    RevokeClientSecret "POST" "/api/v1/auth/universal-auth/identities/{id}/client-secrets/{secret}/revoke",
    KubernetesAuth "GET" "/api/v1/auth/kubernetes-auth/identities/{id}",
    AttachKubernetesAuth "POST" "/api/v1/auth/kubernetes-auth/identities/{id}",
    UpdateKubernetesAuth "PATCH" "/api/v1/auth/kubernetes-auth/identities/{id}",
    RemoveKubernetesAuth "DELETE" "/api/v1/auth/kubernetes-auth/identities/{id}",
    IdentityDetails "GET" "/api/v1/identities/details",
    SearchIdentities "POST" "/api/v1/identities/search",
    ListIdentities "GET" "/api/v1/identities",
    CreateIdentity "POST" "/api/v1/identities",
    Identity "GET" "/api/v1/identities/{id}",
    UpdateIdentity "PATCH" "/api/v1/identities/{id}",
    DeleteIdentity "DELETE" "/api/v1/identities/{id}",
    ProjectsOfIdentity "GET" "/api/v1/identities/{id}/identity-memberships",
    CreateWorkspace "POST" "/api/v2/workspace",
    CreateProject "POST" "/api/v1/projects",
    ListProjects "GET" "/api/v1/projects",
    SearchProjects "POST" "/api/v1/projects/search",
    Project "GET" "/api/v1/projects/slug/{slug}",
    ProjectById "GET" "/api/v1/projects/{id}",
    UpdateProject "PATCH" "/api/v1/projects/{id}",
    DeleteProject "DELETE" "/api/v1/projects/{id}",
    OrganizationIdentities "GET" "/api/v1/organization/identities",
    OrganizationProjects "GET" "/api/v1/organization-admin/projects",
    GrantAdminAccess "POST" "/api/v1/organization-admin/projects/{id}/grant-admin-access",
    ProjectMembership "GET" "/api/v1/projects/{id}/identity-memberships/{identity}",
    AddToProject "POST" "/api/v1/projects/{id}/identity-memberships/{identity}",
    ListMemberships "GET" "/api/v1/projects/{id}/memberships/identities",
    Membership "GET" "/api/v1/projects/{id}/memberships/identities/{identity}",
    CreateMembership "POST" "/api/v1/projects/{id}/memberships/identities/{identity}",
    UpdateMembership "PATCH" "/api/v1/projects/{id}/memberships/identities/{identity}",
    DeleteMembership "DELETE" "/api/v1/projects/{id}/memberships/identities/{identity}",
    ListProjectIdentities "GET" "/api/v1/projects/{id}/identities",
    CreateProjectIdentity "POST" "/api/v1/projects/{id}/identities",
    ProjectIdentity "GET" "/api/v1/projects/{id}/identities/{identity}",
    UpdateProjectIdentity "PATCH" "/api/v1/projects/{id}/identities/{identity}",
    DeleteProjectIdentity "DELETE" "/api/v1/projects/{id}/identities/{identity}",
    EnvironmentBySlug "GET" "/api/v1/projects/{id}/environments/slug/{slug}",
    CreateEnvironment "POST" "/api/v1/projects/{id}/environments",
    Environment "GET" "/api/v1/projects/{id}/environments/{environment}",
    UpdateEnvironment "PATCH" "/api/v1/projects/{id}/environments/{environment}",
    DeleteEnvironment "DELETE" "/api/v1/projects/{id}/environments/{environment}",
    RestoreEnvironment "POST" "/api/v1/projects/{id}/environments/{environment}/restore",
    TagBySlug "GET" "/api/v1/projects/{id}/tags/slug/{slug}",
    CreateTag "POST" "/api/v1/projects/{id}/tags",
    ListTags "GET" "/api/v1/projects/{id}/tags",
    Tag "GET" "/api/v1/projects/{id}/tags/{tag}",
    UpdateTag "PATCH" "/api/v1/projects/{id}/tags/{tag}",
    DeleteTag "DELETE" "/api/v1/projects/{id}/tags/{tag}",
    MoveFolder "POST" "/api/v2/folders/move",
    CreateFolder "POST" "/api/v2/folders",
    ListFolders "GET" "/api/v2/folders",
    Folder "GET" "/api/v2/folders/{folder}",
    UpdateFolder "PATCH" "/api/v2/folders/{folder}",
    DeleteFolder "DELETE" "/api/v2/folders/{folder}",
    CreatePrivilege "POST" "/api/v2/identity-project-additional-privilege",
    ListPrivileges "GET" "/api/v2/identity-project-additional-privilege",
    PrivilegeBySlug "GET" "/api/v2/identity-project-additional-privilege/slug/{slug}",
    Privilege "GET" "/api/v2/identity-project-additional-privilege/{privilege}",
    UpdatePrivilege "PATCH" "/api/v2/identity-project-additional-privilege/{privilege}",
    DeletePrivilege "DELETE" "/api/v2/identity-project-additional-privilege/{privilege}",
    CreateSecrets "POST" "/api/v4/secrets/batch",
    UpdateSecrets "PATCH" "/api/v4/secrets/batch",
    DeleteSecrets "DELETE" "/api/v4/secrets/batch",
    ListSecrets "GET" "/api/v4/secrets",
    SecretById "GET" "/api/v4/secrets/id/{id}",
    Secret "GET" "/api/v4/secrets/{name}",
    CreateSecret "POST" "/api/v4/secrets/{name}",
    UpdateSecret "PATCH" "/api/v4/secrets/{name}",
    DeleteSecret "DELETE" "/api/v4/secrets/{name}",
    ListLegacySecrets "GET" "/api/v3/secrets/raw",
    LegacySecret "GET" "/api/v3/secrets/raw/{name}",
}

impl Route {
    /// The route of a request, and the first id in its path.
    #[must_use]
    pub fn of<'a>(method: &str, path: &'a str) -> (Self, &'a str) {
        let (route, ids) = Self::with_ids(method, path);
        (route, ids.first().copied().unwrap_or_default())
    }

    /// The route of a request, and all the ids in its path, as they stand there.
    pub(crate) fn with_ids<'a>(method: &str, path: &'a str) -> (Self, Vec<&'a str>) {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |(of, pattern, route): &(&str, &str, Self)| {
            let ids = (*of == method).then(|| ids(pattern, path)).flatten()?;
            Some((*route, ids))
        };
        TABLE.iter().find_map(fits).unwrap_or((Self::Unknown, Vec::new()))
    }

    /// Whether a create of this route that loses a race is a 500 (recorded).
    pub(crate) fn loses_races(self) -> bool {
        matches!(self, Self::CreateMembership | Self::AttachUniversalAuth | Self::CreateSecret)
    }

    /// Whether a request of this route is to change something: what a test counts
    /// that wants to see no write. Log-ins and searches are none.
    #[must_use]
    pub fn is_write(self) -> bool {
        let reads = [
            Self::Login,
            Self::SelectOrganization,
            Self::UniversalAuthLogin,
            Self::RenewToken,
            Self::SearchIdentities,
            Self::SearchProjects,
        ];
        let of_table = TABLE.iter().find(|(_, _, route)| *route == self);
        of_table.is_some_and(|(method, _, _)| *method != "GET") && !reads.contains(&self)
    }
}

/// The ids of a path, if it fits the pattern.
fn ids<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    if pattern.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut ids = Vec::new();
    for (expected, given) in pattern.split('/').zip(path.split('/')) {
        if expected.starts_with('{') {
            ids.push(given);
        } else if expected != given {
            return None;
        }
    }
    Some(ids)
}
