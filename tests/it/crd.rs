//! The CRD in the package: fresh, and one that Kubernetes takes.

use function_infisical::input::crd::{FILE_NAME, custom_resource_definition};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

#[test]
fn the_crd_in_the_package_is_the_one_that_the_types_make() {
    let path = format!("{}/../../package/input/{FILE_NAME}", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(file, custom_resource_definition(), "{path}: run `cargo run --example crd -- --write`");
}

#[test]
fn kubernetes_reads_all_of_the_crd() {
    let made = custom_resource_definition();
    let read: CustomResourceDefinition = serde_json::from_value(made.clone()).unwrap();
    let again = serde_json::to_value(&read).unwrap();
    assert!(with_floats(&again) == with_floats(&made), "what it does not know is lost");
    let version = &read.spec.versions[0];
    let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    for field in ["apiVersion", "kind", "metadata", "instance", "admin", "status"] {
        assert!(schema.properties.as_ref().unwrap().contains_key(field), "{field}");
    }
    let metadata = &schema.properties.as_ref().unwrap()["metadata"];
    assert_eq!(serde_json::to_value(metadata).unwrap(), serde_json::json!({ "type": "object" }));
    assert_structural("", schema);
}

/// Bounds are floats to Kubernetes.
fn with_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(values) => values.iter().map(with_floats).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), with_floats(field))).collect()
        }
        other => other.clone(),
    }
}

/// Kubernetes refuses a schema in which a value has no type, or in which logic
/// defines fields.
fn assert_structural(path: &str, schema: &JSONSchemaProps) {
    let has_any_type = schema.x_kubernetes_preserve_unknown_fields == Some(true);
    assert!(schema.type_.is_some() || has_any_type, "{path} has no type");
    assert!(schema.one_of.is_none() && schema.any_of.is_none() && schema.all_of.is_none(), "{path}");
    assert!(schema.ref_path.is_none() && schema.additional_properties.is_none(), "{path}");
    assert!(
        schema.description.is_some() || path.ends_with("[]") || path == ".metadata",
        "{path} has no description"
    );
    for (name, field) in schema.properties.iter().flatten() {
        assert_structural(&format!("{path}.{name}"), field);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        assert_structural(&format!("{path}[]"), items);
    }
}
