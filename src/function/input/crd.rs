//! The CRD of the input, made from the types that read it.
//!
//! Crossplane installs it with the package, so that editors and `crossplane
//! beta validate` know the input; no object of this kind is ever made.

use schemars::{generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Value, json};

use super::bootstrap::{API_VERSION, BootstrapFields, GROUP, KIND, VERSION};

/// What the package's file with the CRD is called.
pub const FILE_NAME: &str = "infisical.fn.crossplane.io_bootstraps.yaml";

/// The manifest of the CRD.
#[must_use]
pub fn custom_resource_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("bootstraps.{GROUP}") },
        "spec": {
            "group": GROUP,
            "names": {
                "categories": ["crossplane"],
                "kind": KIND,
                "listKind": "BootstrapList",
                "plural": "bootstraps",
                "singular": "bootstrap",
            },
            "scope": "Namespaced",
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "schema": { "openAPIV3Schema": schema() },
            }],
        },
    })
}

fn schema() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings
        .with_transform(RecursiveTransform(make_structural))
        .into_generator()
        .into_root_schema_for::<BootstrapFields>()
        .to_value();
    // Kubernetes knows metadata, and refuses a schema that says more than this.
    if let Some(Value::Object(fields)) = schema.pointer_mut("/properties") {
        fields.insert("metadata".to_owned(), json!({ "type": "object" }));
    }
    for (field, only) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        if let Some(field) = schema.pointer_mut(&format!("/properties/{field}")) {
            field["enum"] = json!([only]);
        }
    }
    schema
}

/// Leaves what a structural schema of Kubernetes may have.
fn make_structural(schema: &mut schemars::Schema) {
    merge_words(schema);
    schema.remove("title");
    // Kubernetes prunes what a schema does not name; saying so as well is an error.
    schema.remove("additionalProperties");
    // Leaving a field out says the same. The descriptions say what that means.
    schema.remove("nullable");
    schema.remove("default");
}

/// Turns alternatives that are one documented word each into a list of words.
fn merge_words(schema: &mut schemars::Schema) {
    let Some(Value::Array(alternatives)) = schema.get("oneOf") else { return };
    let words: Option<Vec<Value>> = alternatives
        .iter()
        .map(|alternative| alternative.get("const").or_else(|| alternative.get("enum")?.get(0)).cloned())
        .collect();
    if let Some(words) = words {
        schema.remove("oneOf");
        schema.insert("type".to_owned(), json!("string"));
        schema.insert("enum".to_owned(), json!(words));
    }
}
