//! The configuration of the provider: where a server is, and with what to log in.
//!
//! The platform team writes it. What is in a `ProviderConfig` reads Secrets of its own
//! namespace only, and the host never comes from a managed resource.

use k8s_openapi::{
    ClusterResourceScope, NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::{ApiVersion, KindName, Named, object},
    resource::{Condition, ConfigReference, LocalSecretReference},
};

/// A configuration for one namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderConfig {
    #[serde(skip_deserializing)]
    api_version: ApiVersion,
    #[serde(skip_deserializing)]
    kind: KindName<Self>,
    /// The name and what else every object has.
    pub metadata: ObjectMeta,
    /// What the platform team wants.
    pub spec: ProviderConfigSpec,
    /// What is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ConfigStatus>,
}

object!([] ProviderConfig, NamespaceResourceScope);

impl Named for ProviderConfig {
    const KIND: &'static str = "ProviderConfig";
    const PLURAL: &'static str = "providerconfigs";
}

impl ProviderConfig {
    /// One that nobody uses yet.
    #[must_use]
    pub fn new(metadata: ObjectMeta, spec: ProviderConfigSpec) -> Self {
        Self { api_version: ApiVersion, kind: KindName::default(), metadata, spec, status: None }
    }
}

/// A configuration for all namespaces, or for those that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterProviderConfig {
    #[serde(skip_deserializing)]
    api_version: ApiVersion,
    #[serde(skip_deserializing)]
    kind: KindName<Self>,
    /// The name and what else every object has.
    pub metadata: ObjectMeta,
    /// What the platform team wants.
    pub spec: ClusterProviderConfigSpec,
    /// What is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ConfigStatus>,
}

object!([] ClusterProviderConfig, ClusterResourceScope);

impl Named for ClusterProviderConfig {
    const KIND: &'static str = "ClusterProviderConfig";
    const PLURAL: &'static str = "clusterproviderconfigs";
}

impl ClusterProviderConfig {
    /// One that nobody uses yet.
    #[must_use]
    pub fn new(metadata: ObjectMeta, spec: ClusterProviderConfigSpec) -> Self {
        Self { api_version: ApiVersion, kind: KindName::default(), metadata, spec, status: None }
    }
}

/// Where a server is and with what to log in, from Secrets of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = source_rules()))]
pub struct ProviderConfigSpec {
    /// A connection Secret as function-infisical writes it, with the host and a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_secret_ref: Option<LocalSecretReference>,
    /// The address of the server, such as `https://infisical.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = "^https?://"))]
    pub host: Option<String>,
    /// With what to log in at host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials<LocalSecretKey>>,
}

/// Where a server is and with what to log in, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = source_rules()))]
pub struct ClusterProviderConfigSpec {
    /// A connection Secret as function-infisical writes it, with the host and a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_secret_ref: Option<SecretReference>,
    /// The address of the server, such as `https://infisical.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = "^https?://"))]
    pub host: Option<String>,
    /// With what to log in at host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials<SecretKey>>,
    /// Whose managed resources may use it. All of the cluster, where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
}

fn source_rules() -> serde_json::Value {
    serde_json::json!([
        {
            "rule": "has(self.connectionSecretRef) != has(self.host)",
            "message": "give either connectionSecretRef, or host and credentials",
        },
        {
            "rule": "has(self.host) == has(self.credentials)",
            "message": "host and credentials go together",
        },
    ])
}

/// The namespaces whose managed resources may use a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowedNamespaces {
    /// Their names. One that ends in * is the beginning of names, as in team-*.
    #[schemars(
        length(max = 512),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]?[a-z0-9-]*\*?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub names: Vec<String>,
}

impl AllowedNamespaces {
    /// Whether a namespace is among them.
    #[must_use]
    pub fn contain(&self, namespace: &str) -> bool {
        self.names.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => namespace.starts_with(beginning),
            None => namespace == name,
        })
    }
}

impl ClusterProviderConfigSpec {
    /// Whether managed resources of a namespace may use it.
    #[must_use]
    pub fn allows(&self, namespace: &str) -> bool {
        self.allowed_namespaces.as_ref().is_none_or(|allowed| allowed.contain(namespace))
    }
}

/// With what to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials<K> {
    /// Where they are: in a Secret.
    pub source: CredentialsSource,
    /// The key of a Secret with JSON as Infisical's own provider reads it.
    pub secret_ref: K,
}

/// Where credentials are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialsSource {
    /// In a Secret.
    Secret,
}

/// A Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretReference {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its namespace.
    #[schemars(length(min = 1))]
    pub namespace: String,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKey {
    /// The Secret's name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The Secret's namespace.
    #[schemars(length(min = 1))]
    pub namespace: String,
    /// The key.
    #[schemars(length(min = 1))]
    pub key: String,
}

/// A key of a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalSecretKey {
    /// The Secret's name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The key.
    #[schemars(length(min = 1))]
    pub key: String,
}

/// What is true of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigStatus {
    /// What is said of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
    /// How many managed resources use it. It is not deleted before that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<i64>,
}

/// That one managed resource uses one configuration. The provider keeps it, and the
/// configuration is not deleted while one of these names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderConfigUsage {
    #[serde(skip_deserializing)]
    api_version: ApiVersion,
    #[serde(skip_deserializing)]
    kind: KindName<Self>,
    /// The name and what else every object has.
    pub metadata: ObjectMeta,
    /// The configuration that is used.
    pub provider_config_ref: ConfigReference,
    /// The managed resource that uses it.
    pub resource_ref: TypedReference,
}

object!([] ProviderConfigUsage, NamespaceResourceScope);

impl Named for ProviderConfigUsage {
    const KIND: &'static str = "ProviderConfigUsage";
    const PLURAL: &'static str = "providerconfigusages";
}

impl ProviderConfigUsage {
    /// That a managed resource uses a configuration.
    #[must_use]
    pub fn new(
        metadata: ObjectMeta,
        provider_config_ref: ConfigReference,
        resource_ref: TypedReference,
    ) -> Self {
        Self {
            api_version: ApiVersion,
            kind: KindName::default(),
            metadata,
            provider_config_ref,
            resource_ref,
        }
    }
}

/// An object of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypedReference {
    /// Its apiVersion.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_provider_config_is_for_the_namespaces_that_it_names() {
        let table: &[(&str, Option<&[&str]>, &str, bool)] = &[
            ("nothing is said", None, "team-a", true),
            ("an empty list is nobody", Some(&[]), "team-a", false),
            ("its name", Some(&["team-a"]), "team-a", true),
            ("only the whole name", Some(&["team-a"]), "team-ab", false),
            ("one of several", Some(&["team-b", "team-a"]), "team-a", true),
            ("the beginning of its name", Some(&["team-*"]), "team-a", true),
            ("another beginning", Some(&["team-*"]), "platform", false),
            ("the beginning is the whole name", Some(&["team-*"]), "team-", true),
            ("a star alone is everybody", Some(&["*"]), "anybody", true),
        ];
        for &(reason, names, namespace, expected) in table {
            let allowed_namespaces = names.map(|names| AllowedNamespaces {
                names: names.iter().map(|&name| name.to_owned()).collect(),
            });
            let spec = ClusterProviderConfigSpec { allowed_namespaces, ..Default::default() };
            assert_eq!(spec.allows(namespace), expected, "{reason}");
        }
    }
}
