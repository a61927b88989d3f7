//! A secret of a folder, whose value is in a Secret of Kubernetes.

use infisical::secret::SecretValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    folder::PLACE,
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required},
};

/// The kind `Secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {}

impl Named for Secret {
    const KIND: &'static str = "Secret";
    const PLURAL: &'static str = "secrets";
}

impl Kind for Secret {
    const DESCRIPTION: &'static str =
        "A static secret in a folder. Its value comes from a Secret of this namespace, or is generated once.";
    const REQUIRED: &'static [Required] = &[
        Required::Referenced("projectId"),
        Required::Referenced("environmentSlug"),
        Required::Field("name"),
        Required::OneOf("valueSecretRef", "generate"),
    ];
    const REFERENCES: &'static [Referenced] = &PLACE;
    type Parameters = SecretParameters;
    type Observation = SecretObservation;
}

/// What is to be true of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.valueSecretRef) && has(self.generate))",
    "message": "a value is taken from a Secret or generated: leave out valueSecretRef or generate",
}]))]
pub struct SecretParameters {
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
    /// The path of the folder that it is in, / where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/?([A-Za-z0-9_-]+(/|$))*$"))]
    pub folder_path: Option<String>,
    /// The SecretFolder that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_path_ref: Option<Reference>,
    /// How to find the SecretFolder that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_path_selector: Option<Selector>,
    /// Its name, unique in the folder. Case counts. White space at its ends, colons and
    /// slashes are not possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\s:/]([^:/]*[^\s:/])?$"))]
    pub name: Option<String>,
    /// Where its value is. References to other secrets in it are kept as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_secret_ref: Option<SecretKeyReference>,
    /// That its value is drawn once, and is the key value of the Secret that
    /// spec.writeConnectionSecretToRef names. It is drawn again when that key is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// Whether white space around a value may be cut off. The server does that with every
    /// value, but for one newline at its end; unless this is true, the provider refuses
    /// values that the server would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_value: Option<bool>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub comment: Option<String>,
    /// All of its metadata, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub metadata: Option<Vec<SecretMetadata>>,
    /// The ids of all of its tags, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub tag_ids: Option<Vec<String>>,
    /// Whether a value of several lines is handed out as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_multiline_encoding: Option<bool>,
    /// Its value, once it was read. It is never written down.
    #[serde(skip)]
    pub value: Option<SecretValue>,
    /// Where it was seen last: a secret does not move.
    #[serde(skip)]
    pub seen_in: Option<SecretPlace>,
}

/// The folder that a secret is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretPlace {
    /// The id of the project.
    pub project_id: String,
    /// The slug of the environment.
    pub environment: String,
    /// The path of the folder.
    pub path: String,
}

/// A value of a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyReference {
    /// The name of the Secret.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1))]
    pub key: String,
}

/// How a value is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Generate {
    /// How many characters it has: 32 where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub length: Option<i32>,
    /// The characters of which it is made: letters and digits where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 256), regex(pattern = r"^\S+$"))]
    pub alphabet: Option<String>,
}

/// A word of metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SecretMetadata {
    /// What it says something of.
    #[schemars(length(min = 1, max = 255))]
    pub key: String,
    /// What it says.
    #[serde(default)]
    #[schemars(length(max = 1020))]
    pub value: String,
}

/// What is true of a secret: all but its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretObservation {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The slug of its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_slug: Option<String>,
    /// The path of the folder that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_path: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Its metadata.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<SecretMetadata>,
    /// The ids of its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_ids: Vec<String>,
}
