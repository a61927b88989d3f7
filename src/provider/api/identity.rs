//! A machine identity: who a workload is to Infisical.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
};

/// The key of the metadata by which an identity is found again: the uid of its object.
pub const MARK: &str = "crossplane.io/uid";

/// The kind `Identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {}

impl Named for Identity {
    const KIND: &'static str = "Identity";
    const PLURAL: &'static str = "identities";
}

impl Kind for Identity {
    const DESCRIPTION: &'static str =
        "A machine identity of the organization, or of one project: who a workload is to Infisical.";
    const REQUIRED: &'static [Required] = &[Required::Field("name")];
    const REFERENCES: &'static [Referenced] =
        &[Referenced { field: "projectId", kind: "Project", value: Value::Id }];
    type Parameters = IdentityParameters;
    type Observation = IdentityObservation;
}

/// What is to be true of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.organizationId) || !(has(self.projectId) || has(self.projectIdRef) || \
                 has(self.projectIdSelector))",
        "message": "an identity is of an organization or of a project: leave out organizationId or projectId",
    },
    {
        "rule": "!has(self.role) || !(has(self.projectId) || has(self.projectIdRef) || \
                 has(self.projectIdSelector))",
        "message": "role is of the organization: the roles of an identity of a project are in a ProjectIdentity",
    },
    {
        "rule": "(has(self.projectId) || has(self.projectIdRef) || has(self.projectIdSelector)) == \
                 (has(oldSelf.projectId) || has(oldSelf.projectIdRef) || has(oldSelf.projectIdSelector))",
        "message": "an identity does not move between organization and project: make another Identity",
    },
]))]
pub struct IdentityParameters {
    /// The name that people see. The server takes one name for several identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// The id of the organization that it is of. The one that the ProviderConfig logs in
    /// to, where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = [{
        "rule": "self == oldSelf",
        "message": "organizationId cannot be changed: make another Identity",
    }]))]
    pub organization_id: Option<String>,
    /// The id of the project that it is of. The provider writes it where projectIdRef or
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
    /// The slug of its role in the organization. A new identity has no-access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub role: Option<String>,
    /// What else is known of it, as pairs that the server keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["key"]
    ))]
    pub metadata: Option<Vec<IdentityMetadata>>,
    /// Whether the server refuses to delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
}

/// A pair that the server keeps with an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.key.size() + self.value.size() <= 1000",
        "message": "key and value may have 1000 characters together",
    },
    {
        "rule": "self.key != 'crossplane.io/uid'",
        "message": "the key crossplane.io/uid is the provider's own: choose another",
    },
]))]
pub struct IdentityMetadata {
    /// What is known.
    #[schemars(length(min = 1, max = 255))]
    pub key: String,
    /// What it is.
    #[schemars(length(min = 1, max = 999))]
    pub value: String,
}

/// What is true of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The organization that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The project that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The slug of its role in the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether the server refuses to delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
    /// How it can log in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auth_methods: Vec<String>,
    /// What else is known of it, in the order of the keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<IdentityMetadata>,
}
