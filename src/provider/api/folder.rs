//! A folder of an environment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    project::Deletion,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
};

/// The kind `SecretFolder`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFolder {}

impl Named for SecretFolder {
    const KIND: &'static str = "SecretFolder";
    const PLURAL: &'static str = "secretfolders";
}

impl Kind for SecretFolder {
    const DESCRIPTION: &'static str = "A folder of an environment, which holds secrets and other folders.";
    const REQUIRED: &'static [Required] = &[
        Required::Referenced("projectId"),
        Required::Referenced("environmentSlug"),
        Required::Field("name"),
    ];
    const REFERENCES: &'static [Referenced] = &PLACE;
    type Parameters = SecretFolderParameters;
    type Observation = SecretFolderObservation;
}

/// The parameters that say in which folder something is.
pub(super) const PLACE: [Referenced; 3] = [
    Referenced { field: "projectId", kind: "Project", value: Value::Id },
    Referenced { field: "environmentSlug", kind: "ProjectEnvironment", value: Value::Key },
    Referenced { field: "folderPath", kind: "SecretFolder", value: Value::Key },
];

/// What is to be true of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretFolderParameters {
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
    /// The slug of its environment. The provider writes it where environmentSlugRef or
    /// environmentSlugSelector says which environment it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub environment_slug: Option<String>,
    /// The ProjectEnvironment whose slug is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_slug_ref: Option<Reference>,
    /// How to find the ProjectEnvironment whose slug is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_slug_selector: Option<Selector>,
    /// The path of the folder that it is in, / where this is left out. Folders on the way
    /// that are missing are made by the server, and stay there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/?([A-Za-z0-9_-]+(/|$))*$"))]
    pub folder_path: Option<String>,
    /// The SecretFolder that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_path_ref: Option<Reference>,
    /// How to find the SecretFolder that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_path_selector: Option<Selector>,
    /// Its name: letters, digits, - and _. Case counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,
    /// Protect: it is not deleted while there is something in it. Force: it is deleted with
    /// all that is in it.
    #[serde(default)]
    pub deletion: Deletion,
}

/// What is true of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretFolderObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The slug of its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_slug: Option<String>,
    /// Its path, with its own name at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
