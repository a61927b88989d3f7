//! An additional privilege: what one identity may do in a project beyond its roles, down to
//! an environment and a path.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
};

/// The kind `AdditionalPrivilege`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdditionalPrivilege {}

impl Named for AdditionalPrivilege {
    const KIND: &'static str = "AdditionalPrivilege";
    const PLURAL: &'static str = "additionalprivileges";
}

impl Kind for AdditionalPrivilege {
    const DESCRIPTION: &'static str = "What an identity may do in a project beyond its roles. With the role \
                                       no-access it gives exactly one folder; the identity has to be a member.";
    const REQUIRED: &'static [Required] = &[
        Required::Referenced("projectId"),
        Required::Referenced("identityId"),
        Required::Field("slug"),
        Required::Field("permissions"),
    ];
    const REFERENCES: &'static [Referenced] = &[
        Referenced { field: "projectId", kind: "Project", value: Value::Id },
        Referenced { field: "identityId", kind: "Identity", value: Value::Id },
    ];
    type Parameters = AdditionalPrivilegeParameters;
    type Observation = AdditionalPrivilegeObservation;
}

/// What is to be true of a privilege.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.temporaryRange) == has(self.temporaryAccessStartTime)",
        "message": "temporaryRange and temporaryAccessStartTime go together",
    },
]))]
pub struct AdditionalPrivilegeParameters {
    /// The id of the project. The provider writes it where projectIdRef or
    /// projectIdSelector says which project it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub project_id: Option<String>,
    /// The Project whose id is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id_ref: Option<Reference>,
    /// How to find the Project whose id is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id_selector: Option<Selector>,
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
    /// Its name, one of a kind for the identity in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60), regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub slug: Option<String>,
    /// All that it permits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub permissions: Option<Vec<Permission>>,
    /// How long it lasts, such as 1h or 7d. For ever, where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub temporary_range: Option<String>,
    /// When it begins, such as 2026-01-31T12:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub temporary_access_start_time: Option<String>,
}

/// One thing that is permitted, or with inverted forbidden.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// What it is about, such as secrets or secret-folders.
    #[schemars(length(min = 1, max = 64))]
    pub subject: String,
    /// What may be done, such as readValue and describeSecret.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 64)))]
    pub action: Vec<String>,
    /// Where it may be done, as Infisical writes it, such as environment: prod and
    /// secretPath: {$glob: /team/**}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub conditions: Option<serde_json::Value>,
    /// Whether it is forbidden instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverted: Option<bool>,
}

/// Whatever Infisical takes: it has operators of its own, and more with each release.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// What is true of a privilege.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalPrivilegeObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_range: Option<String>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_access_start_time: Option<String>,
}
