//! A membership: what an identity may do in a project.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
};

/// The kind `ProjectIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectIdentity {}

impl Named for ProjectIdentity {
    const KIND: &'static str = "ProjectIdentity";
    const PLURAL: &'static str = "projectidentities";
}

impl Kind for ProjectIdentity {
    const DESCRIPTION: &'static str = "The membership of an identity in a project, with its roles.";
    const REQUIRED: &'static [Required] =
        &[Required::Referenced("projectId"), Required::Referenced("identityId"), Required::Field("roles")];
    const REFERENCES: &'static [Referenced] = &[
        Referenced { field: "projectId", kind: "Project", value: Value::Id },
        Referenced { field: "identityId", kind: "Identity", value: Value::Id },
    ];
    type Parameters = ProjectIdentityParameters;
    type Observation = ProjectIdentityObservation;
}

/// What is to be true of a membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectIdentityParameters {
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
    /// All roles that it has in the project. At least one is not temporary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["roleSlug"],
        "x-kubernetes-validations" = [{
            "rule": "self.exists(role, !has(role.isTemporary) || !role.isTemporary)",
            "message": "at least one role must not be temporary: the server refuses others",
        }]
    ))]
    pub roles: Option<Vec<MemberRole>>,
}

/// A role of a member, for good or for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.isTemporary) || !self.isTemporary || \
                 (has(self.temporaryRange) && has(self.temporaryAccessStartTime))",
        "message": "a temporary role needs temporaryRange and temporaryAccessStartTime",
    },
    {
        "rule": "(has(self.isTemporary) && self.isTemporary) || \
                 !(has(self.temporaryRange) || has(self.temporaryAccessStartTime))",
        "message": "temporaryRange and temporaryAccessStartTime are for a role with isTemporary: true",
    },
]))]
pub struct MemberRole {
    /// The role: admin, member, viewer, no-access, or the slug of a custom one.
    #[schemars(length(min = 1, max = 64))]
    pub role_slug: String,
    /// Whether it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_temporary: Option<bool>,
    /// How long it lasts, such as 1h or 7d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub temporary_range: Option<String>,
    /// When it begins, such as 2026-01-31T12:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub temporary_access_start_time: Option<String>,
}

/// What is true of a membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectIdentityObservation {
    /// The id of the membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// The roles that it has, in the order of their slugs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<MemberRole>,
}
