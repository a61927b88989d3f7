//! A client secret: with it and the client ID of Universal Auth a machine identity logs in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
};

/// The kind `ClientSecret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSecret {}

impl Named for ClientSecret {
    const KIND: &'static str = "ClientSecret";
    const PLURAL: &'static str = "clientsecrets";
}

impl Kind for ClientSecret {
    const DESCRIPTION: &'static str = "A client secret of the Universal Auth of a machine identity. The server shows it once: it is written into \
         the connection Secret with the client ID, as clientSecret, clientSecretId, clientId and host.";
    const REQUIRED: &'static [Required] = &[Required::Referenced("identityId"), Required::ConnectionSecret];
    const REFERENCES: &'static [Referenced] =
        &[Referenced { field: "identityId", kind: "Identity", value: Value::Id }];
    type Parameters = ClientSecretParameters;
    type Observation = ClientSecretObservation;
}

/// What is to be true of a client secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.keepOldFor) || !has(self.rotateAfter) || \
             duration(self.keepOldFor) < duration(self.rotateAfter)",
    "message": "keepOldFor is not less than rotateAfter: make it shorter",
}]))]
pub struct ClientSecretParameters {
    /// The id of the identity, which needs a UniversalAuth. The provider writes it where
    /// identityIdRef or identityIdSelector says which identity it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub identity_id: Option<String>,
    /// The Identity whose id is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id_ref: Option<Reference>,
    /// How to find the Identity whose id is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id_selector: Option<Selector>,
    /// What it is for. The provider adds a mark of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 180))]
    pub description: Option<String>,
    /// For how many seconds it can be used. 0, the default: without a limit. When they are
    /// over, another one is made in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub ttl: Option<u64>,
    /// How often it can be used. 0, the default: without a limit. When it is used up,
    /// another one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub num_uses_limit: Option<u64>,
    /// After how long another one is made in its place, such as 720h: it is written into
    /// the connection Secret, and then the old one is revoked. At least 10m, and less than
    /// ttl where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = "^([0-9]+(h|m|s))+$"), extend(
        "x-kubernetes-validations" = [{
            "rule": "duration(self) >= duration('10m')",
            "message": "rotateAfter is less than 10m: make it longer",
        }]
    ))]
    pub rotate_after: Option<String>,
    /// For how long the old one is kept after another was made in its place, such as 10m,
    /// for those who have not read the connection Secret since. Left out: it is revoked
    /// once the new one is in the connection Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = "^([0-9]+(h|m|s))+$"))]
    pub keep_old_for: Option<String>,
}

/// What is true of a client secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecretObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub created_at: Option<String>,
    /// For how many seconds it can be used; 0: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// How often it can be used; 0: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_uses_limit: Option<u64>,
}
