//! Logging in and selecting an organization.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Instance, Organization, auth::Actor, time, validate};
use crate::{Request, Response};

impl Instance {
    pub(super) fn login(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let [email, password] = validate::texts(request, ["email", "password"])?;
        // Read in the source: it is thrown as an error without a class.
        if request.user_agent.is_none() {
            return Err(Response::server_error());
        }
        let email = email.to_lowercase();
        let settings = self.settings;
        let bad_request = |message| Response::refusal(400, "BadRequest", message);
        let user = self.database.users.iter_mut().find(|user| user.email == email);
        let user = user.ok_or_else(|| bad_request("Invalid credentials"))?;
        // These three answers were read in the server's source, not recorded.
        if !settings.password_login {
            return Err(bad_request("Login with email is disabled by administrator."));
        }
        if settings.captcha_after.is_some_and(|limit| user.failed_logins >= limit) {
            let message = "Accomplish the required captcha by logging in via Web";
            return Err(Response::refusal(400, "Captcha Required", message));
        }
        if settings.users_locked {
            let message = "User is locked due to multiple failed login attempts. An email has been sent to you in order to unlock your account. You can also reset your password to unlock your account.";
            return Err(Response::refusal(403, "UserLocked", message));
        }
        if user.password != password {
            user.failed_logins += 1;
            return Err(bad_request("Invalid credentials"));
        }
        user.failed_logins = 0;
        let id = user.id.clone();
        Ok(Response::ok(&json!({ "accessToken": self.session(now, &id, None) })))
    }

    pub(super) fn list_organizations(&self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let Actor::User { id, .. } = self.actor(now, request)? else {
            let error = format!("Forbidden access to {}", request.path);
            return Err(Response::refusal(403, &error, "You are not allowed to access this resource"));
        };
        let mine = self.database.organizations.iter().filter(|o| o.members.contains(&id));
        let list: Vec<Value> = mine.map(organization_body).collect();
        Ok(Response::ok(&json!({ "organizations": list })))
    }

    pub(super) fn select_organization(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Response, Response> {
        let Actor::User { id, .. } = self.actor(now, request)? else {
            return Err(Response::refusal(403, "Forbidden", "You are not allowed to access this resource"));
        };
        let [organization_id] = validate::texts(request, ["organizationId"])?;
        let is_member =
            self.database.organizations.iter().any(|o| o.id == organization_id && o.members.contains(&id));
        if !is_member {
            // Read in the source, not recorded.
            let message = format!("User does not have access to the organization with ID {organization_id}");
            return Err(Response::refusal(403, "Forbidden", &message));
        }
        if self.settings.second_factor {
            // Read in the source: the token is one for the second factor only.
            let token = self.session(now, &id, None);
            return Ok(Response::ok(&json!({ "token": token, "isMfaEnabled": true, "mfaMethod": "email" })));
        }
        let token = self.session(now, &id, Some(&organization_id));
        Ok(Response::ok(&json!({ "token": token, "isMfaEnabled": false })))
    }
}

fn organization_body(organization: &Organization) -> Value {
    let created_at = time(organization.created_at);
    json!({
        "id": organization.id,
        "name": organization.name,
        "customerId": null,
        "slug": organization.slug,
        "createdAt": created_at,
        "updatedAt": created_at,
        "authEnforced": false,
        "googleSsoAuthEnforced": false,
        "scimEnabled": false,
        "kmsDefaultKeyId": null,
        "defaultMembershipRole": "member",
        "enforceMfa": false,
        "selectedMfaMethod": null,
        "allowSecretSharingOutsideOrganization": true,
        "shouldUseNewPrivilegeSystem": true,
        "privilegeUpgradeInitiatedByUsername": null,
        "privilegeUpgradeInitiatedAt": null,
        "bypassOrgAuthEnabled": false,
        "userTokenExpiration": null,
        "secretsProductEnabled": true,
        "pkiProductEnabled": true,
        "kmsProductEnabled": true,
        "sshProductEnabled": true,
        "scannerProductEnabled": true,
        "shareSecretsProductEnabled": true,
        "maxSharedSecretLifetime": 2_592_000,
        "maxSharedSecretViewLimit": null,
        "blockDuplicateSecretSyncDestinations": false,
        "allowCrossProjectSecretSharing": false,
        "rootOrgId": null,
        "parentOrgId": null,
        "secretShareBrandConfig": null,
        "orgAuthMethod": "",
        "userRole": "admin",
        "userJoinedAt": created_at,
    })
}
