//! What a Secret says of a server: where it is and with what to log in. No I/O.

use std::collections::BTreeMap;

use infisical::{
    endpoint::{Endpoint, Origin, Tls},
    secret::{AccessToken, ClientSecret, Fingerprint, UniversalAuth},
};
use k8s_openapi::ByteString;
use serde::Deserialize;

use crate::managed::external::ExternalError;

/// With what to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A token, as it is.
    Token(AccessToken),
    /// The client secret of a machine identity.
    Universal(UniversalAuth),
}

impl Login {
    /// What recognises it without holding it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Token(token) => token.fingerprint(),
            Self::Universal(universal) => universal.fingerprint(),
        }
    }
}

/// A server and how to log in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where it is.
    pub endpoint: Endpoint,
    /// With what to log in.
    pub login: Login,
}

/// The data of a Secret.
pub type Data = BTreeMap<String, ByteString>;

/// The key with more certificates to trust; it may be absent.
const CA: &str = "ca.crt";

impl Access {
    /// Of a connection Secret as function-infisical writes it. `secret` is its name, for
    /// the message.
    ///
    /// # Errors
    /// Which key is missing or wrong.
    pub fn of_connection(secret: &str, data: &Data) -> Result<Self, ExternalError> {
        let host = text(secret, data, "host")?;
        let token = text(secret, data, "token")?;
        let login = Login::Token(AccessToken::new(token));
        Ok(Self { endpoint: endpoint(&format!("the key host of the Secret {secret}"), host, data)?, login })
    }

    /// Of a host that a configuration names, and a key of a Secret with credentials as
    /// Infisical's own provider reads them.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn of_credentials(host: &str, secret: &str, key: &str, data: &Data) -> Result<Self, ExternalError> {
        let json = text(secret, data, key)?;
        let refuse = |why: &str| refused(format!("the key {key} of the Secret {secret} {why}"));
        // What serde says may have a part of the value in it.
        let Credentials { auth } = serde_json::from_str(json)
            .map_err(|_| refuse("is not {\"auth\":{\"universal\":{…}}} or {\"auth\":{\"token\":\"…\"}}"))?;
        let login = match auth {
            Auth { token: Some(token), universal: None, .. } => Login::Token(AccessToken::new(token)),
            Auth { universal: Some(universal), token: None, .. } => Login::Universal(UniversalAuth {
                client_id: universal.client_id,
                client_secret: ClientSecret::new(universal.client_secret),
            }),
            Auth { kubernetes: Some(_), .. } => {
                return Err(refuse("has auth.kubernetes, which cannot be used yet: write auth.universal"));
            }
            _ => return Err(refuse("has to have one of auth.token and auth.universal")),
        };
        Ok(Self { endpoint: endpoint("spec.host", host, data)?, login })
    }
}

#[derive(Deserialize)]
struct Credentials {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    token: Option<String>,
    universal: Option<Universal>,
    kubernetes: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Universal {
    client_id: String,
    client_secret: String,
}

fn endpoint(field: &str, host: &str, data: &Data) -> Result<Endpoint, ExternalError> {
    let origin = Origin::parse(host).map_err(|why| refused(format!("{field} cannot be used: {why}")))?;
    let ca_bundle = data.get(CA).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
    Ok(Endpoint::new(origin, Tls { ca_bundle, ..Tls::default() }))
}

fn text<'a>(secret: &str, data: &'a Data, key: &str) -> Result<&'a str, ExternalError> {
    let missing = || refused(format!("the Secret {secret} has no key {key}"));
    let bytes = data.get(key).ok_or_else(missing)?;
    let text = std::str::from_utf8(&bytes.0).unwrap_or_default().trim();
    if text.is_empty() {
        Err(refused(format!("the key {key} of the Secret {secret} is empty")))
    } else {
        Ok(text)
    }
}

fn refused(message: String) -> ExternalError {
    ExternalError::refused(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|&(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    fn universal() -> Login {
        let client_secret = ClientSecret::new("marker-secret");
        Login::Universal(UniversalAuth { client_id: "id".to_owned(), client_secret })
    }

    #[test]
    fn the_connection_secret_of_the_function_works_as_it_is() {
        let data = data(&[
            ("host", "http://infisical:8080"),
            ("token", "marker-token"),
            ("organizationId", "o"),
            ("credentials", r#"{"auth":{"token":"marker-token"}}"#),
        ]);
        let access = Access::of_connection("team/infisical", &data).unwrap();
        assert_eq!(access.endpoint.origin().as_str(), "http://infisical:8080");
        assert_eq!(access.login, Login::Token(AccessToken::new("marker-token")));
        let again = Access::of_credentials("http://infisical:8080", "team/infisical", "credentials", &data);
        assert_eq!(again, Ok(access));
    }

    #[test]
    fn credentials_are_what_the_provider_of_infisical_reads() {
        let json = r#"{"auth":{"universal":{"client_id":"id","client_secret":"marker-secret"}}}"#;
        let access = Access::of_credentials("https://a.example.org", "s", "json", &data(&[("json", json)]));
        assert_eq!(access.unwrap().login, universal());
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_with_it() {
        let host = "https://infisical.example.org";
        let of = |json: &str| Access::of_credentials(host, "team/s", "json", &data(&[("json", json)]));
        let table = [
            (of("marker"), "the key json of the Secret team/s is not {"),
            (of(r#"{"auth":{"token":["marker"]}}"#), "the key json of the Secret team/s is not {"),
            (of(r#"{"auth":{}}"#), "has to have one of"),
            (
                of(r#"{"auth":{"token":"marker","universal":{"client_id":"a","client_secret":"marker"}}}"#),
                "has to have one of",
            ),
            (of(r#"{"auth":{"kubernetes":{"identity_id":"i"}}}"#), "cannot be used yet"),
            (of(" "), "the key json of the Secret team/s is empty"),
            (Access::of_credentials(host, "s", "x", &data(&[])), "the Secret s has no key x"),
            (Access::of_connection("s", &data(&[("host", host)])), "the Secret s has no key token"),
            (
                Access::of_connection("s", &data(&[("host", "http://169.254.169.254"), ("token", "marker")])),
                "no credentials are sent",
            ),
        ];
        for (answer, expected) in table {
            let error = answer.unwrap_err().message;
            assert!(error.contains(expected) && !error.contains("marker"), "{error}");
        }
    }
}
