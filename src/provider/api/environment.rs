//! An environment of a project, such as production.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
};

/// The kind `ProjectEnvironment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectEnvironment {}

impl Named for ProjectEnvironment {
    const KIND: &'static str = "ProjectEnvironment";
    const PLURAL: &'static str = "projectenvironments";
}

impl Kind for ProjectEnvironment {
    const DESCRIPTION: &'static str = "An environment of a project, such as production.";
    const REQUIRED: &'static [Required] =
        &[Required::Referenced("projectId"), Required::Field("name"), Required::Field("slug")];
    const REFERENCES: &'static [Referenced] =
        &[Referenced { field: "projectId", kind: "Project", value: Value::Id }];
    type Parameters = ProjectEnvironmentParameters;
    type Observation = ProjectEnvironmentObservation;
}

/// What is to be true of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectEnvironmentParameters {
    /// The id of its project. The provider writes it where projectIdRef or
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
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub name: Option<String>,
    /// The name in addresses, unique in the project: lower case, digits, and single
    /// hyphens inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub slug: Option<String>,
    /// Where it stands among the environments, from 1. The server moves the others, so
    /// give all environments of a project a position, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub position: Option<i32>,
    /// Restorable: a deleted environment that held something can be restored for 14 days,
    /// and its slug is held for as long. Permanent: it is gone at once, with what it held.
    #[serde(default)]
    pub deletion: EnvironmentDeletion,
}

/// How an environment is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnvironmentDeletion {
    /// What it holds can be restored.
    #[default]
    Restorable,
    /// What it holds is gone.
    Permanent,
}

/// What is true of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectEnvironmentObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name in addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Where it stands among the environments, where spec.forProvider says a position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,
}
