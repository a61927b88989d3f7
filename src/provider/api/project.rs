//! A project: what holds the environments, folders and secrets of a team.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    resource::{Kind, Required},
};

/// The kind `Project`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {}

impl Named for Project {
    const KIND: &'static str = "Project";
    const PLURAL: &'static str = "projects";
}

impl Kind for Project {
    const DESCRIPTION: &'static str =
        "A project of Infisical, which holds the environments, folders and secrets of a team.";
    const REQUIRED: &'static [Required] = &[Required::Field("name"), Required::Field("slug")];
    type Parameters = ProjectParameters;
    type Observation = ProjectObservation;
}

/// What is to be true of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectParameters {
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub name: Option<String>,
    /// The name in addresses, unique in the organization. A new one needs 5 to 36
    /// characters: lower case, digits, and single hyphens inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9]+([-_][a-z0-9]+)*$"))]
    pub slug: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it holds: secret-manager, which is what the server chooses, or another
    /// product of Infisical. It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = [{
        "rule": "self == oldSelf",
        "message": "type cannot be changed: make another Project",
    }]))]
    pub type_: Option<String>,
    /// Whether a new project gets the environments dev, staging and prod. The server
    /// makes them unless this is false. Later it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_create_default_envs: Option<bool>,
    /// Whether the server refuses to delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
    /// Protect: it is not deleted while it holds secrets that no managed resource owns.
    /// Force: it is deleted with all that it holds.
    #[serde(default)]
    pub deletion: Deletion,
}

/// What becomes of what a project holds when the project is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Deletion {
    /// It keeps the project from being deleted.
    #[default]
    Protect,
    /// It is deleted too.
    Force,
}

/// What is true of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The organization that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name in addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub type_: Option<String>,
    /// Whether the server refuses to delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_delete_protection: Option<bool>,
    /// Its environments, in the order of their slugs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<ProjectEnvironmentSummary>,
}

/// An environment of a project, as the project shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectEnvironmentSummary {
    /// Its id.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// The name in addresses.
    pub slug: String,
}
