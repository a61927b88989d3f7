//! A user's login by email and password.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    error::ErrorKind,
    route::{self, Method, RefusalBody, Route},
    secret::{Credentials, UserToken},
};

/// `POST /api/v3/auth/login`: a session of the user, in no organization yet.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Email and password.
    pub admin: &'a Credentials,
}

/// Why a user is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    /// 400 `Invalid credentials`: wrong password or unknown user.
    #[error("the email or password is wrong")]
    InvalidCredentials,
    /// Asked for after repeated failures.
    #[error("the server asks for a captcha")]
    CaptchaRequired,
    /// Login by email and password is switched off.
    #[error("login with email and password is switched off")]
    PasswordLoginDisabled,
    /// The account is locked after repeated failures.
    #[error("the user is locked")]
    UserLocked,
}

impl Route for Login<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v3/auth/login";
    const WHAT: &'static str = "log in";
    type Answer = UserToken;
    type Refusal = LoginRefusal;

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            email: &'a str,
            password: &'a str,
        }
        let Credentials { email, password } = self.admin;
        // Exposed: this is what logging in is.
        route::json(&Body { email: email.as_str(), password: password.expose() })
    }

    fn answer(body: &[u8]) -> serde_json::Result<UserToken> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            #[serde(deserialize_with = "route::user_token")]
            access_token: UserToken,
        }
        serde_json::from_slice(body).map(|Body { access_token }| access_token)
    }

    /// Recorded is only `Invalid credentials`; the others were read in the server's
    /// source.
    fn refusal(body: &RefusalBody) -> Option<ErrorKind<LoginRefusal>> {
        let refusal = match (body.status, body.error.as_str()) {
            (400, "Captcha Required" | "Invalid Captcha") => LoginRefusal::CaptchaRequired,
            // 403 in the source of 2026, 401 "User Locked" in that of 2024.
            (401 | 403, "UserLocked" | "User Locked") => LoginRefusal::UserLocked,
            (400, _) if body.mentions("disabled by administrator") => LoginRefusal::PasswordLoginDisabled,
            (400, _) if body.mentions("locked") => LoginRefusal::UserLocked,
            (400, _) if body.mentions("captcha") => LoginRefusal::CaptchaRequired,
            (400, _) if body.mentions("Invalid credentials") => LoginRefusal::InvalidCredentials,
            _ => return None,
        };
        Some(ErrorKind::Refused(refusal))
    }
}
