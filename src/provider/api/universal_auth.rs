//! Universal Auth: the login of a machine identity with a client ID and client secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
    token_terms::TrustedIp,
};

/// The kind `UniversalAuth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UniversalAuth {}

impl Named for UniversalAuth {
    const KIND: &'static str = "UniversalAuth";
    const PLURAL: &'static str = "universalauths";
}

impl Kind for UniversalAuth {
    const DESCRIPTION: &'static str = "Universal Auth of a machine identity: its login with a client ID and client secrets. An identity has one \
         at most.";
    const REQUIRED: &'static [Required] = &[Required::Referenced("identityId")];
    const REFERENCES: &'static [Referenced] =
        &[Referenced { field: "identityId", kind: "Identity", value: Value::Id }];
    type Parameters = UniversalAuthParameters;
    type Observation = UniversalAuthObservation;
}

/// What is to be true of Universal Auth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.accessTokenTtl) || !has(self.accessTokenMaxTtl) || self.accessTokenMaxTtl == 0 || \
             self.accessTokenTtl <= self.accessTokenMaxTtl",
    "message": "accessTokenTtl is greater than accessTokenMaxTtl: make it smaller",
}]))]
pub struct UniversalAuthParameters {
    /// The id of the identity. The provider writes it where identityIdRef or
    /// identityIdSelector says which identity it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub identity_id: Option<String>,
    /// The Identity whose id is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id_ref: Option<Reference>,
    /// How to find the Identity whose id is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id_selector: Option<Selector>,
    /// How many seconds a token lives until it is renewed. The server chooses 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub access_token_ttl: Option<u64>,
    /// How many seconds a token lives, however often it is renewed. The server chooses 30
    /// days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub access_token_max_ttl: Option<u64>,
    /// How often a token may be used. 0, which the server chooses: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub access_token_num_uses_limit: Option<u64>,
    /// Within how many seconds a token has to be renewed, time and again, in place of both
    /// TTLs. 0, which the server chooses: the TTLs count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub access_token_period: Option<u64>,
    /// From where a token may be used. All but everywhere needs a licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub access_token_trusted_ips: Option<Vec<TrustedIp>>,
    /// From where a client secret may be used. All but everywhere needs a licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub client_secret_trusted_ips: Option<Vec<TrustedIp>>,
    /// Whether wrong log-ins lock the identity, for right ones too. The server chooses
    /// true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout_enabled: Option<bool>,
    /// How many wrong log-ins lock it. The server chooses 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 30))]
    pub lockout_threshold: Option<u64>,
    /// For how many seconds it is locked. The server chooses 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 30, max = 86_400))]
    pub lockout_duration_seconds: Option<u64>,
    /// After how many seconds wrong log-ins are forgotten. The server chooses 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 3600))]
    pub lockout_counter_reset_seconds: Option<u64>,
}

/// What is true of Universal Auth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UniversalAuthObservation {
    /// The id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// The client ID, with which and a client secret the identity logs in. It is another
    /// one when Universal Auth was taken away and attached again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// How many seconds a token lives until it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_ttl: Option<u64>,
    /// How many seconds a token lives, however often it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_max_ttl: Option<u64>,
    /// How often a token may be used; 0: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_num_uses_limit: Option<u64>,
    /// Within how many seconds a token has to be renewed, time and again; 0: the TTLs
    /// count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_period: Option<u64>,
    /// From where a token may be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_token_trusted_ips: Vec<TrustedIp>,
    /// From where a client secret may be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_secret_trusted_ips: Vec<TrustedIp>,
    /// Whether wrong log-ins lock the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout_enabled: Option<bool>,
    /// How many wrong log-ins lock it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout_threshold: Option<u64>,
    /// For how many seconds it is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout_duration_seconds: Option<u64>,
    /// After how many seconds wrong log-ins are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout_counter_reset_seconds: Option<u64>,
}
