//! The CRDs in the package, made from the types that read their objects.

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::Resource;
use schemars::{
    JsonSchema,
    generate::{SchemaGenerator, SchemaSettings},
    transform::RecursiveTransform,
};
use serde_json::{Map, Value, json};

use super::{
    additional_privilege::AdditionalPrivilege,
    client_secret::ClientSecret,
    config::{
        ClusterProviderConfig, ClusterProviderConfigSpec, ConfigStatus, ProviderConfig, ProviderConfigSpec,
        ProviderConfigUsage, TypedReference,
    },
    environment::ProjectEnvironment,
    folder::SecretFolder,
    identity::Identity,
    kubernetes_auth::KubernetesAuth,
    object::{GROUP, Named, VERSION},
    project::Project,
    project_identity::ProjectIdentity,
    resource::{ConfigReference, Kind, Managed, ManagedSpec, ManagedStatus, rules_of},
    secret::Secret,
    universal_auth::UniversalAuth,
};

/// A manifest and what its file in the package is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Crd {
    /// The name of the file.
    pub file: String,
    /// The manifest.
    pub manifest: Value,
}

/// All CRDs, in the order of their files' names.
#[must_use]
pub fn all() -> Vec<Crd> {
    let mut all = vec![
        provider_config(),
        cluster_provider_config(),
        provider_config_usage(),
        managed::<Project>(),
        managed::<ProjectEnvironment>(),
        managed::<SecretFolder>(),
        managed::<Secret>(),
        managed::<Identity>(),
        managed::<ProjectIdentity>(),
        managed::<UniversalAuth>(),
        managed::<ClientSecret>(),
        managed::<KubernetesAuth>(),
        managed::<AdditionalPrivilege>(),
    ];
    all.sort_by(|one, other| one.file.cmp(&other.file));
    all
}

fn managed<K: Kind>() -> Crd {
    let mut spec = schema_of::<ManagedSpec<K::Parameters>>();
    let rules = rules_of(K::REQUIRED);
    if let Value::Object(fields) = &mut spec {
        fields.insert("x-kubernetes-validations".to_owned(), rules.into());
    }
    crd::<Managed<K>>(Shape {
        description: K::DESCRIPTION,
        categories: &["crossplane", "managed", "infisical"],
        columns: json!([
            { "name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status" },
            { "name": "SYNCED", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Synced')].status" },
            {
                "name": "EXTERNAL-NAME",
                "type": "string",
                "jsonPath": r".metadata.annotations.crossplane\.io/external-name",
            },
            { "name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        ]),
        fields: vec![("spec", spec)],
        required: &["spec"],
        status: Some(schema_of::<ManagedStatus<K::Observation>>()),
    })
}

fn provider_config() -> Crd {
    crd::<ProviderConfig>(Shape {
        description: "Which Infisical the managed resources of this namespace are on, and with what to log in.",
        fields: vec![("spec", schema_of::<ProviderConfigSpec>())],
        ..Shape::config()
    })
}

fn cluster_provider_config() -> Crd {
    crd::<ClusterProviderConfig>(Shape {
        description: "Which Infisical managed resources are on, with what to log in, and for which namespaces.",
        fields: vec![("spec", schema_of::<ClusterProviderConfigSpec>())],
        ..Shape::config()
    })
}

fn provider_config_usage() -> Crd {
    let column = |name: &str, path: &str| json!({ "name": name, "type": "string", "jsonPath": path });
    crd::<ProviderConfigUsage>(Shape {
        description: "That a managed resource uses a ProviderConfig or ClusterProviderConfig.",
        categories: &["crossplane", "provider", "infisical"],
        columns: json!([
            column("CONFIG-KIND", ".providerConfigRef.kind"),
            column("CONFIG-NAME", ".providerConfigRef.name"),
            column("RESOURCE-KIND", ".resourceRef.kind"),
            column("RESOURCE-NAME", ".resourceRef.name"),
            { "name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        ]),
        fields: vec![
            ("providerConfigRef", described::<ConfigReference>("The configuration that is used.")),
            ("resourceRef", described::<TypedReference>("The managed resource that uses it.")),
        ],
        required: &["providerConfigRef", "resourceRef"],
        status: None,
    })
}

/// What one CRD has that others have not.
struct Shape {
    description: &'static str,
    categories: &'static [&'static str],
    columns: Value,
    fields: Vec<(&'static str, Value)>,
    required: &'static [&'static str],
    status: Option<Value>,
}

impl Shape {
    fn config() -> Self {
        Self {
            description: "",
            categories: &["crossplane", "provider", "infisical"],
            columns: json!([
                { "name": "USERS", "type": "integer", "jsonPath": ".status.users" },
                { "name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
            ]),
            fields: Vec::new(),
            required: &["spec"],
            status: Some(schema_of::<ConfigStatus>()),
        }
    }
}

/// Where the objects of a type are kept, in the word of a CRD.
trait Scoped {
    const SCOPE: &'static str;
}

impl Scoped for NamespaceResourceScope {
    const SCOPE: &'static str = "Namespaced";
}

impl Scoped for ClusterResourceScope {
    const SCOPE: &'static str = "Cluster";
}

fn crd<T>(shape: Shape) -> Crd
where
    T: Resource<DynamicType = ()> + Named,
    T::Scope: Scoped,
{
    let Shape { description, categories, columns, fields, required, status } = shape;
    let text = |description: &str| json!({ "type": "string", "description": description });
    let mut properties = Map::new();
    properties.insert("apiVersion".to_owned(), text("The version of the API."));
    properties.insert("kind".to_owned(), text("The kind of the object."));
    // Kubernetes knows metadata, and refuses a schema that says more than this.
    properties.insert("metadata".to_owned(), json!({ "type": "object" }));
    properties.extend(fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    let mut version = Map::new();
    if let Some(status) = status {
        properties.insert("status".to_owned(), status);
        version.insert("subresources".to_owned(), json!({ "status": {} }));
    }
    let schema = json!({ "openAPIV3Schema": {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
    } });
    let fields = [
        ("name", json!(VERSION)),
        ("served", json!(true)),
        ("storage", json!(true)),
        ("additionalPrinterColumns", columns),
        ("schema", schema),
    ];
    version.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    let manifest = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{GROUP}", T::PLURAL) },
        "spec": {
            "group": GROUP,
            "names": {
                "categories": categories,
                "kind": T::KIND,
                "listKind": format!("{}List", T::KIND),
                "plural": T::PLURAL,
                "singular": T::KIND.to_lowercase(),
            },
            "scope": T::Scope::SCOPE,
            "versions": [version],
        },
    });
    Crd { file: format!("{GROUP}_{}.yaml", T::PLURAL), manifest }
}

fn described<T: JsonSchema>(description: &str) -> Value {
    let mut schema = schema_of::<T>();
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), description.into());
    }
    schema
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let generator: SchemaGenerator =
        settings.with_transform(RecursiveTransform(make_structural)).into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// Leaves what a structural schema of Kubernetes may have.
fn make_structural(schema: &mut schemars::Schema) {
    merge_null(schema);
    merge_words(schema);
    schema.remove("title");
    // Leaving a field out says the same.
    schema.remove("nullable");
}

/// Turns "this, or null" into this.
fn merge_null(schema: &mut schemars::Schema) {
    let Some(Value::Array(alternatives)) = schema.get("anyOf") else { return };
    if let [Value::Object(what), null] = alternatives.as_slice()
        && null.get("enum") == Some(&json!([Value::Null]))
    {
        let what = what.clone();
        schema.remove("anyOf");
        let described = schema.get("description").is_some();
        for (key, value) in what.into_iter().filter(|(key, _)| !(described && key == "description")) {
            schema.insert(key, value);
        }
    }
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
