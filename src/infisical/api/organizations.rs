//! Organizations, and sessions in one.

use std::convert::Infallible;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    error::ErrorKind,
    route::{self, Credential, Method, RefusalBody, Route},
    secret::UserToken,
};

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name, as it was given.
    pub name: String,
    /// Its name plus a random suffix.
    pub slug: String,
}

/// `GET /api/v1/organization`: those of a user.
#[derive(Clone, Copy, Debug)]
pub struct ListOrganizations<'a> {
    /// The user's session.
    pub session: &'a UserToken,
}

impl Route for ListOrganizations<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/organization";
    const WHAT: &'static str = "list the organizations";
    type Answer = Vec<Organization>;
    type Refusal = Infallible;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Session(self.session))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<Organization>> {
        #[derive(Deserialize)]
        struct Body {
            organizations: Vec<Organization>,
        }
        serde_json::from_slice(body).map(|Body { organizations }| organizations)
    }
}

/// `POST /api/v3/auth/select-organization`: a session in an organization, without
/// which admin routes are 401.
#[derive(Clone, Copy, Debug)]
pub struct SelectOrganization<'a> {
    /// The user's session.
    pub session: &'a UserToken,
    /// The organization.
    pub organization_id: &'a str,
}

/// The answer to [`SelectOrganization`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedOrganization {
    /// The session in that organization.
    pub token: UserToken,
    /// Whether a human with a second factor is needed before the session works.
    pub mfa_required: bool,
}

/// Why a user is not let in to an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectRefusal {
    /// The account is locked after repeated failures.
    #[error("the user is locked")]
    UserLocked,
    /// The organization enforces single sign-on.
    #[error("login with email and password is switched off")]
    PasswordLoginDisabled,
}

impl Route for SelectOrganization<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v3/auth/select-organization";
    const WHAT: &'static str = "select the organization";
    type Answer = SelectedOrganization;
    type Refusal = SelectRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Session(self.session))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            organization_id: &'a str,
        }
        route::json(&Body { organization_id: self.organization_id })
    }

    fn answer(body: &[u8]) -> serde_json::Result<SelectedOrganization> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            #[serde(deserialize_with = "route::user_token")]
            token: UserToken,
            is_mfa_enabled: bool,
        }
        let Body { token, is_mfa_enabled } = serde_json::from_slice(body)?;
        Ok(SelectedOrganization { token, mfa_required: is_mfa_enabled })
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<SelectRefusal>> {
        let refusal = match (body.status, body.error.as_str()) {
            // 403 in the source of 2026, 401 "User Locked" in that of 2024.
            (401 | 403, "UserLocked" | "User Locked") => SelectRefusal::UserLocked,
            // Read in the source.
            (400, _) if body.mentions("auth method required") => SelectRefusal::PasswordLoginDisabled,
            _ => return None,
        };
        Some(ErrorKind::Refused(refusal))
    }
}
