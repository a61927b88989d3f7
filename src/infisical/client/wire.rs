//! The answers as they are on the wire, as far as this function reads them.
//!
//! Fields that are not named here are ignored: servers add some with every
//! release. A token goes straight into its secret type, and an id is checked,
//! because it becomes part of a path.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::request::is_id;
use crate::{
    self as domain,
    secret::{AccessToken, ClientSecret, UserToken},
};

#[derive(Deserialize)]
pub(super) struct Status {
    #[serde(default, rename = "maxIdentityAccessTokenTTL")]
    max_access_token_ttl: Option<u64>,
    date: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ConfigAnswer {
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    initialized: bool,
    #[serde(default)]
    enabled_login_methods: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct BootstrapAnswer {
    organization: Organization,
    identity: BootstrapIdentity,
}

#[derive(Deserialize)]
struct BootstrapIdentity {
    #[serde(deserialize_with = "id")]
    id: String,
    credentials: BootstrapCredentials,
}

#[derive(Deserialize)]
struct BootstrapCredentials {
    #[serde(deserialize_with = "access_token")]
    token: AccessToken,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginAnswer {
    #[serde(deserialize_with = "user_token")]
    pub(super) access_token: UserToken,
}

#[derive(Deserialize)]
struct Organization {
    #[serde(deserialize_with = "id")]
    id: String,
    name: String,
    slug: String,
}

#[derive(Deserialize)]
pub(super) struct Organizations {
    organizations: Vec<Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SelectAnswer {
    #[serde(deserialize_with = "user_token")]
    token: UserToken,
    is_mfa_enabled: bool,
}

#[derive(Deserialize)]
pub(super) struct AdminIdentities {
    identities: Vec<AdminIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdminIdentity {
    #[serde(deserialize_with = "id")]
    id: String,
    name: String,
    is_instance_admin: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MintAnswer {
    #[serde(deserialize_with = "access_token")]
    access_token: AccessToken,
    token_data: TokenData,
}

#[derive(Deserialize)]
struct TokenData {
    #[serde(deserialize_with = "id")]
    id: String,
}

#[derive(Deserialize)]
pub(super) struct Tokens {
    tokens: Vec<ListedToken>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedToken {
    #[serde(deserialize_with = "id")]
    id: String,
    /// Tokens of other auth methods have no name.
    #[serde(default)]
    name: Option<String>,
    #[serde(deserialize_with = "timestamp")]
    created_at: Timestamp,
    is_access_token_revoked: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RenewAnswer {
    #[serde(deserialize_with = "access_token")]
    pub(super) access_token: AccessToken,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DetailsAnswer {
    identity_details: Details,
}

#[derive(Deserialize)]
struct Details {
    organization: Organization,
}

/// An answer of which only the status counts.
#[derive(Deserialize)]
pub(super) struct Done {}

pub(super) fn access_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    token(deserializer).map(AccessToken::new)
}

fn user_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UserToken, D::Error> {
    token(deserializer).map(UserToken::new)
}

pub(super) fn client_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientSecret, D::Error> {
    token(deserializer).map(ClientSecret::new)
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("an empty token")) } else { Ok(text) }
}

pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_id(&text) { Ok(text) } else { Err(D::Error::custom("an id that is none")) }
}

pub(super) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

impl From<Status> for domain::Status {
    fn from(answer: Status) -> Self {
        Self {
            max_access_token_ttl: answer.max_access_token_ttl.map(Duration::from_secs),
            date: answer.date.and_then(|date| date.parse().ok()),
        }
    }
}

impl From<ConfigAnswer> for domain::Config {
    fn from(answer: ConfigAnswer) -> Self {
        let Config { initialized, enabled_login_methods } = answer.config;
        Self { initialized, enabled_login_methods }
    }
}

impl From<BootstrapAnswer> for domain::Bootstrapped {
    fn from(answer: BootstrapAnswer) -> Self {
        Self {
            organization: answer.organization.into(),
            identity_id: answer.identity.id,
            token: answer.identity.credentials.token,
        }
    }
}

impl From<Organization> for domain::Organization {
    fn from(Organization { id, name, slug }: Organization) -> Self {
        Self { id, name, slug }
    }
}

impl From<Organizations> for Vec<domain::Organization> {
    fn from(answer: Organizations) -> Self {
        answer.organizations.into_iter().map(Into::into).collect()
    }
}

impl From<SelectAnswer> for domain::SelectedOrganization {
    fn from(answer: SelectAnswer) -> Self {
        Self { token: answer.token, mfa_required: answer.is_mfa_enabled }
    }
}

impl From<AdminIdentities> for Vec<domain::AdminIdentity> {
    fn from(answer: AdminIdentities) -> Self {
        let to_identity = |AdminIdentity { id, name, is_instance_admin }| domain::AdminIdentity {
            id,
            name,
            is_instance_admin,
        };
        answer.identities.into_iter().map(to_identity).collect()
    }
}

impl From<MintAnswer> for domain::MintedToken {
    fn from(answer: MintAnswer) -> Self {
        Self { token: answer.access_token, id: answer.token_data.id }
    }
}

impl From<Tokens> for Vec<domain::ListedToken> {
    fn from(answer: Tokens) -> Self {
        let to_token = |token: ListedToken| domain::ListedToken {
            id: token.id,
            name: token.name.unwrap_or_default(),
            created_at: token.created_at,
            revoked: token.is_access_token_revoked,
        };
        answer.tokens.into_iter().map(to_token).collect()
    }
}

impl From<DetailsAnswer> for domain::Organization {
    fn from(answer: DetailsAnswer) -> Self {
        answer.identity_details.organization.into()
    }
}
