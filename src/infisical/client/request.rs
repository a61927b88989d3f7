//! Makes the requests of routes, without sending them.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::answer::classify;
use crate::{
    error::{ErrorKind, TokenRefusal},
    route::{Credential, Method, RefusalBody, Route, encode, is_id, is_name},
};

/// A request that is ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// What it is for: [`Route::WHAT`].
    pub what: &'static str,
    /// Its method.
    pub method: Method,
    /// [`Route::PATH`], with names in place of ids.
    pub route: &'static str,
    /// Path and query.
    pub path: String,
    /// `Bearer …`, marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// The JSON body. Its memory is zeroed with the last handle to it.
    pub body: Option<Bytes>,
    /// Bytes of its answer that are read at most, compressed or not.
    pub longest_answer: usize,
    /// Whether the server may take as long as bootstrap does.
    pub takes_long: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("what", &self.what).finish_non_exhaustive()
    }
}

impl Request {
    /// Whether it is one of a route.
    #[must_use]
    pub fn is<R: Route>(&self) -> bool {
        self.what == R::WHAT
    }

    /// The request of a route.
    ///
    /// # Errors
    /// Its values are none that the server ever gave out; nothing has to be asked.
    pub fn of<R: Route>(route: &R) -> Result<Self, ErrorKind<R::Refusal>> {
        Ok(Self {
            what: R::WHAT,
            method: R::METHOD,
            route: R::PATH,
            authorization: route.credential().map(bearer).transpose().map_err(ErrorKind::of_route)?,
            path: path_of(route)?,
            body: route.body().map_err(|_| invalid("body"))?,
            longest_answer: R::LONGEST_ANSWER,
            takes_long: R::TAKES_LONG,
        })
    }
}

/// What no request can carry in a field of that name.
fn invalid<R>(field: &str) -> ErrorKind<R> {
    ErrorKind::InvalidRequest { fields: vec![field.to_owned()] }
}

/// The path with its ids, and the query.
fn path_of<R: Route>(route: &R) -> Result<String, ErrorKind<R::Refusal>> {
    // An id that is no plain word would change the route. No server gave it out, so
    // none has what it names.
    let not_found = || classify(route, &RefusalBody::not_found());
    let checked = |id: &str| if is_id(id) { Ok(()) } else { Err(not_found()) };
    let mut ids = route.ids().into_iter();
    let mut path = String::with_capacity(R::PATH.len() + 64);
    for segment in R::PATH.split('/').skip(1) {
        path.push('/');
        if segment == "{name}" {
            let name = route.name().filter(|name| is_name(name));
            encode(name.ok_or_else(|| invalid("name"))?, &mut path);
            continue;
        }
        let id = if segment.starts_with('{') { ids.next() } else { None };
        id.map(checked).transpose()?;
        path.push_str(id.unwrap_or(segment));
    }
    let mut separator = "?";
    for (name, value) in route.query() {
        value.as_deref().map(checked).transpose()?;
        path.extend([separator, name, "=", value.as_deref().unwrap_or_default()]);
        separator = "&";
    }
    for (name, text) in route.texts() {
        path.extend([separator, name, "="]);
        encode(text, &mut path);
        separator = "&";
    }
    Ok(path)
}

fn bearer(credential: Credential<'_>) -> Result<HeaderValue, ErrorKind> {
    // Exposed: the server gave it out for these routes, or is asked whether it accepts
    // it and what it may do.
    let token = match credential {
        Credential::Session(session) => session.expose(),
        Credential::Token(token) => token.expose(),
    };
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut header =
        HeaderValue::from_str(&text).map_err(|_| ErrorKind::TokenRefused(TokenRefusal::Malformed))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{
            AttachUniversalAuth, Bootstrap, CheckInstanceAdmin, ClientLogin, CreateClientSecret,
            CreateIdentity, FindProject, ListAdminIdentities, ListIdentities, ListOrganizations, ListTokens,
            Login, MintToken, NoSuchProject, ReadConfig, ReadSecret, ReadStatus, RenewToken,
            RevokeClientSecret, RevokeInstanceAdmin, RevokeToken, SecretPlace, SelectOrganization,
            VerifyToken,
        },
        secret::{AccessToken, ClientSecret, Credentials, Email, Password, UniversalAuth, UserToken},
    };

    fn request<R: Route>(route: &R) -> Request {
        Request::of(route).ok().unwrap()
    }

    fn session() -> UserToken {
        UserToken::new("marker-session")
    }

    fn token() -> AccessToken {
        AccessToken::new("marker-token")
    }

    #[test]
    fn an_id_that_would_change_the_route_is_never_sent() {
        for id in ["", "..", "a/b", "a?b", "a%2Fb", "a#b", "ä"] {
            let (session, token) = (&session(), &token());
            let requests = [
                Request::of(&RevokeToken { session, token_id: id }),
                Request::of(&RevokeClientSecret { token, identity_id: "a", client_secret_id: id }),
                Request::of(&ListIdentities { token, organization_id: id }),
            ];
            for request in requests {
                assert_eq!(request.map(|request| request.path), Err(ErrorKind::NotFound), "{id:?}");
            }
        }
    }

    #[test]
    fn a_slug_that_is_none_is_refused_as_the_server_would_refuse_it() {
        let kind = Request::of(&FindProject { token: &token(), slug: "a/b" }).map(|request| request.path);
        assert_eq!(kind, Err(ErrorKind::Refused(NoSuchProject)));
    }

    #[test]
    fn each_id_has_its_place_in_the_path() {
        let token = &token();
        let request = Request::of(&RevokeClientSecret { token, identity_id: "a-1", client_secret_id: "b-2" });
        let path = "/api/v1/auth/universal-auth/identities/a-1/client-secrets/b-2/revoke";
        assert_eq!(request.unwrap().path, path);
    }

    #[test]
    fn a_name_that_people_chose_is_one_segment_and_one_value() {
        let (token, project_id) = (&token(), "p");
        let place = SecretPlace { project_id, environment: "a&b", path: "/ä b" };
        let path = |name: &str| Request::of(&ReadSecret { token, place, name }).map(|request| request.path);
        let query = "viewSecretValue=true&expandSecretReferences=false&includeImports=false\
            &projectId=p&environment=a%26b&secretPath=%2F%C3%A4%20b";
        assert_eq!(path("A/..?b=%#"), Ok(format!("/api/v4/secrets/A%2F..%3Fb%3D%25%23?{query}")));
        let none = Err(ErrorKind::InvalidRequest { fields: vec!["name".to_owned()] });
        for name in ["", ".", "..", &"ä".repeat(101)] {
            assert_eq!(path(name), none, "{name:?}");
        }
        assert!(path(&"ä".repeat(100)).is_ok());
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_malformed_without_asking() {
        let kind = Request::of(&VerifyToken { token: &AccessToken::new("a\nb") }).map(|request| request.path);
        assert_eq!(kind, Err(ErrorKind::TokenRefused(TokenRefusal::Malformed)));
    }

    #[test]
    fn a_request_cannot_be_printed_with_what_it_carries() {
        let admin = Credentials {
            email: Email::parse("admin@example.org").unwrap(),
            password: Password::new("marker-password"),
        };
        let requests = [
            Request::of(&Bootstrap { admin: &admin, organization: "marker-organization" }).unwrap(),
            Request::of(&VerifyToken { token: &token() }).unwrap(),
            Request::of(&MintToken { session: &session(), identity_id: "marker-id", name: "marker-name" })
                .unwrap(),
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
        let (session, token, admin) = (&session(), &token(), &admin);
        let organization_id = "9c84fd60-6a8a-4a07-8a83-4dbff9db9ee6";
        let table = [
            ("status", request(&ReadStatus)),
            ("config-initialized", request(&ReadConfig)),
            ("bootstrap-again-same-body", request(&Bootstrap { admin, organization: "Acme" })),
            ("login-ok", request(&Login { admin })),
            ("list-organizations", request(&ListOrganizations { session })),
            ("select-organization", request(&SelectOrganization { session, organization_id })),
            ("admin-identities", request(&ListAdminIdentities { session, offset: 0 })),
            ("mint-token", request(&MintToken { session, identity_id: identity, name: "crossplane" })),
            ("list-tokens", request(&ListTokens { session, identity_id: identity, offset: 0 })),
            (
                "revoke-token",
                request(&RevokeToken { session, token_id: "3c3165d0-67ec-4929-b244-b83086bc215e" }),
            ),
            ("renew-minted-token", request(&RenewToken { token: &AccessToken::new(renewed) })),
            ("verify-minted-token", request(&VerifyToken { token })),
            ("admin-identities-with-minted-token", request(&CheckInstanceAdmin { token })),
            (
                "create-identity",
                request(&CreateIdentity { token, organization_id, name: "platform", role: "admin" }),
            ),
            ("attach-universal-auth", request(&AttachUniversalAuth { token, identity_id: platform })),
            (
                "create-client-secret",
                request(&CreateClientSecret { token, identity_id: platform, description: "crossplane" }),
            ),
            ("universal-auth-login", request(&ClientLogin { login: &universal })),
            ("revoke-instance-admin", request(&RevokeInstanceAdmin { token, identity_id: identity })),
        ];
        for (name, built) in table {
            let recorded = recorded(name);
            assert_eq!(recorded["method"], built.method.as_str(), "{name}");
            assert_eq!(recorded["path"], built.path, "{name}");
            assert_eq!(recorded.get("authorization").is_some(), built.authorization.is_some(), "{name}");
            let body = built.body.map(|body| serde_json::from_slice::<serde_json::Value>(&body).unwrap());
            assert_eq!(recorded.get("body"), body.as_ref(), "{name}");
        }
    }

    #[test]
    fn a_request_without_a_body_has_none_at_all() {
        let session = &session();
        assert!(Request::of(&ReadStatus).unwrap().body.is_none());
        assert!(Request::of(&ListOrganizations { session }).unwrap().body.is_none());
        let revoke = Request::of(&RevokeToken { session, token_id: "a-1" }).unwrap();
        assert_eq!(revoke.body.as_deref(), Some(b"{}".as_slice()));
    }
}
