//! Which noun answers a route, after the checks that come before any route.

use jiff::Timestamp;

use super::{
    Instance,
    call::{Answer, Call, is_above_the_limit, is_public, too_long},
    not_found,
};
use crate::{Request, Response, Route};

impl Instance {
    pub(super) fn answer(&mut self, now: Timestamp, request: &Request) -> Answer {
        let (route, ids) = Route::with_ids(&request.method, &request.path);
        *self.asked.entry(route).or_default() += 1;
        // Recorded for a DELETE; a GET has no body anyway.
        if request.declares_json() && request.body.is_empty() && request.method != "GET" {
            return Err(Response::server_error());
        }
        if let Some(refusal) = too_long(&ids, request) {
            return Err(refusal);
        }
        if is_above_the_limit(request) {
            return Err(Response::server_error());
        }
        if is_public(route) {
            self.check_token_if_any(now, request)?;
        }
        let call = Call::new(now, request, &ids);
        let answer = self.instance_route(route, &call)?;
        if request.method == "GET" && answer.status == 200 {
            return Ok(answer.with_etag(request.if_none_match.as_deref()));
        }
        Ok(answer)
    }

    fn instance_route(&mut self, route: Route, call: &Call<'_>) -> Answer {
        let (now, request, id) = (call.now, call.request, call.id(0));
        match route {
            Route::Status => Ok(self.status(now)),
            Route::Config => Ok(self.config()),
            Route::Bootstrap => self.bootstrap(now, request),
            Route::Login => self.login(now, request),
            Route::Organizations => self.list_organizations(now, request),
            Route::SelectOrganization => self.select_organization(now, request),
            Route::AdminIdentities => self.admin_identities(now, request),
            Route::RevokeInstanceAdmin => self.delete_instance_admin(now, request, id),
            Route::ListUsers => self.list_users(now, request),
            Route::DeleteUser => self.delete_user(now, request, id),
            Route::RenewToken => self.renew_token(now, request),
            Route::RevokeOwnToken => self.revoke_own_token(now, request),
            Route::IdentityDetails => self.identity_details(now, request),
            Route::CreateWorkspace => self.create_workspace(call),
            Route::ProjectMembership => self.project_membership(call),
            Route::AddToProject => self.add_to_project(call),
            Route::ListLegacySecrets => self.list_legacy_secrets(call),
            Route::LegacySecret => self.legacy_secret(call),
            Route::Unknown => Err(not_found(request)),
            _ => self.identity_route(route, call),
        }
    }

    fn identity_route(&mut self, route: Route, call: &Call<'_>) -> Answer {
        match route {
            Route::SearchIdentities => self.search_identities(call),
            Route::ListIdentities => self.list_identities(call),
            Route::CreateIdentity => self.create_identity(call),
            Route::Identity => self.read_identity(call),
            Route::UpdateIdentity => self.update_identity(call),
            Route::DeleteIdentity => self.delete_identity(call),
            Route::ProjectsOfIdentity => self.projects_of_identity(call),
            Route::UniversalAuthLogin => self.universal_auth_login(call),
            Route::UniversalAuth => self.universal_auth(call),
            Route::AttachUniversalAuth => self.attach_universal_auth(call),
            Route::UpdateUniversalAuth => self.update_universal_auth(call),
            Route::RemoveUniversalAuth => self.remove_universal_auth(call),
            Route::ClearLockouts => self.clear_lockouts(call),
            Route::CreateClientSecret => self.create_client_secret(call),
            Route::ListClientSecrets => self.list_client_secrets(call),
            Route::ClientSecret => self.client_secret(call),
            Route::RevokeClientSecret => self.revoke_client_secret(call),
            Route::KubernetesAuth => self.kubernetes_auth(call),
            Route::AttachKubernetesAuth => self.attach_kubernetes_auth(call),
            Route::UpdateKubernetesAuth => self.update_kubernetes_auth(call),
            Route::RemoveKubernetesAuth => self.remove_kubernetes_auth(call),
            Route::TokenAuth => self.token_auth(call),
            Route::AttachTokenAuth => self.attach_token_auth(call),
            Route::UpdateTokenAuth => self.update_token_auth(call),
            Route::RemoveTokenAuth => self.remove_token_auth(call),
            Route::MintToken => self.mint_token(call),
            Route::ListTokens => self.list_tokens(call),
            Route::Token => self.token(call),
            Route::TokenById => self.token_by_id(call),
            Route::RenameToken => self.rename_token(call),
            Route::RevokeToken => self.revoke_token(call),
            _ => self.project_route(route, call),
        }
    }

    fn project_route(&mut self, route: Route, call: &Call<'_>) -> Answer {
        match route {
            Route::CreateProject => self.create_project(call),
            Route::ListProjects => self.list_projects(call),
            Route::SearchProjects => self.search_projects(call),
            Route::Project => self.project_by_slug(call),
            Route::ProjectById => self.project_by_id(call),
            Route::UpdateProject => self.update_project(call),
            Route::DeleteProject => self.delete_project(call),
            // It is for users; what those get was not recorded.
            Route::OrganizationIdentities => Err(Response::for_users_only(&call.request.path)),
            Route::OrganizationProjects => self.organization_projects(call),
            Route::GrantAdminAccess => self.grant_admin_access(call),
            Route::ListMemberships => self.list_memberships(call),
            Route::Membership => self.membership(call),
            Route::CreateMembership => self.create_membership(call),
            Route::UpdateMembership => self.update_membership(call),
            Route::DeleteMembership => self.delete_membership(call),
            Route::ListProjectIdentities => self.list_project_identities(call),
            Route::CreateProjectIdentity => self.create_project_identity(call),
            Route::ProjectIdentity => self.read_project_identity(call),
            Route::UpdateProjectIdentity => self.update_project_identity(call),
            Route::DeleteProjectIdentity => self.delete_project_identity(call),
            Route::CreateEnvironment => self.create_environment(call),
            Route::Environment => self.environment_by_id(call),
            Route::EnvironmentBySlug => self.environment_by_slug(call),
            Route::UpdateEnvironment => self.update_environment(call),
            Route::DeleteEnvironment => self.delete_environment(call),
            Route::RestoreEnvironment => self.restore_environment(call),
            Route::CreatePrivilege => self.create_privilege(call),
            Route::ListPrivileges => self.list_privileges(call),
            Route::PrivilegeBySlug => self.privilege_by_slug(call),
            Route::Privilege => self.read_privilege(call),
            Route::UpdatePrivilege => self.update_privilege(call),
            Route::DeletePrivilege => self.delete_privilege(call),
            _ => self.content_route(route, call),
        }
    }

    fn content_route(&mut self, route: Route, call: &Call<'_>) -> Answer {
        match route {
            Route::CreateTag => self.create_tag(call),
            Route::ListTags => self.list_tags(call),
            Route::Tag => self.read_tag(call),
            Route::TagBySlug => self.tag_by_slug(call),
            Route::UpdateTag => self.update_tag(call),
            Route::DeleteTag => self.delete_tag(call),
            Route::CreateFolder => self.create_folder(call),
            Route::ListFolders => self.list_folders(call),
            Route::Folder => self.read_folder(call),
            Route::UpdateFolder => self.update_folder(call),
            Route::DeleteFolder => self.delete_folder(call),
            Route::MoveFolder => self.move_folder(call),
            Route::CreateSecrets => self.create_secrets(call),
            Route::UpdateSecrets => self.update_secrets(call),
            Route::DeleteSecrets => self.delete_secrets(call),
            Route::ListSecrets => self.list_secrets(call),
            Route::SecretById => self.secret_by_id(call),
            Route::Secret => self.read_secret(call),
            Route::CreateSecret => self.create_secret(call),
            Route::UpdateSecret => self.update_secret(call),
            Route::DeleteSecret => self.delete_secret(call),
            _ => Err(not_found(call.request)),
        }
    }
}
