//! What every managed resource has: Crossplane's shape, around what a kind adds.
//!
//! Field by field this is `ManagedResourceSpec` and `ManagedResourceStatus` of
//! Crossplane's `apis/core/v2`, so that whoever knows one provider knows this one.

use std::fmt::Debug;

use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use super::object::{ApiVersion, KindName, Named, object};

/// A kind of managed resource: what an author may say of it, and what is observed.
pub trait Kind: Named + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// What it is, for `kubectl explain`.
    const DESCRIPTION: &'static str;
    /// The parameters without which nothing can be made or changed.
    const REQUIRED: &'static [Required];
    /// The parameters that may be given by reference.
    const REFERENCES: &'static [Referenced] = &[];
    /// `spec.forProvider`. Every field may be absent: what is only observed needs none.
    type Parameters: Fields;
    /// `status.atProvider`.
    type Observation: Fields;
}

/// What parameters and observations have to be.
pub trait Fields:
    Clone + Debug + Default + PartialEq + Send + Sync + Serialize + DeserializeOwned + JsonSchema + 'static
{
}

impl<T> Fields for T where
    T: Clone
        + Debug
        + Default
        + PartialEq
        + Send
        + Sync
        + Serialize
        + DeserializeOwned
        + JsonSchema
        + 'static
{
}

/// A parameter that has to be there: a value, or a reference that leads to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// The field of this name.
    Field(&'static str),
    /// The field of this name, or the same with `Ref` or `Selector`.
    Referenced(&'static str),
    /// The Secret for what is needed to connect: what is shown once must have a place.
    ConnectionSecret,
    /// One of the fields of these names.
    OneOf(&'static str, &'static str),
}

/// A parameter that may be given by `…Ref` or `…Selector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referenced {
    /// Its name in `spec.forProvider`.
    pub field: &'static str,
    /// The kind of what is named.
    pub kind: &'static str,
    /// What of it is written there.
    pub value: Value,
}

/// What of a managed resource others write down that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Its id on the server.
    Id,
    /// The slug or the path by which the server knows it within its project.
    Key,
}

/// A managed resource of kind `K`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound = "")]
pub struct Managed<K: Kind> {
    #[serde(skip_deserializing)]
    api_version: ApiVersion,
    #[serde(skip_deserializing)]
    kind: KindName<K>,
    /// The name and what else every object has.
    pub metadata: ObjectMeta,
    /// What the author wants.
    pub spec: ManagedSpec<K::Parameters>,
    /// What is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ManagedStatus<K::Observation>>,
}

impl<K: Kind> Managed<K> {
    /// One that was never observed.
    pub fn new(metadata: ObjectMeta, spec: ManagedSpec<K::Parameters>) -> Self {
        Self { api_version: ApiVersion, kind: KindName::default(), metadata, spec, status: None }
    }
}

impl<K: Kind> Named for Managed<K> {
    const KIND: &'static str = K::KIND;
    const PLURAL: &'static str = K::PLURAL;
}

object!([K: Kind] Managed<K>, NamespaceResourceScope);

/// What the author wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedSpec<P> {
    /// What is to be true on the server. A field that is left out is the server's to
    /// choose, and is shown in status.atProvider.
    pub for_provider: P,
    /// What the provider may do. Only Observe never changes anything on the server,
    /// without Delete the resource stays there when this object is deleted, and an empty
    /// list pauses.
    #[serde(default = "everything")]
    #[schemars(length(max = 6))]
    pub management_policies: Vec<ManagementAction>,
    /// Which server, and with what to log in.
    #[serde(default)]
    pub provider_config_ref: ConfigReference,
    /// The Secret, in this namespace, for what is needed to connect to the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_connection_secret_to_ref: Option<LocalSecretReference>,
}

fn everything() -> Vec<ManagementAction> {
    vec![ManagementAction::All]
}

/// Something that the provider may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ManagementAction {
    /// Look, and say what is there.
    Observe,
    /// Make what is absent.
    Create,
    /// Change what differs.
    Update,
    /// Delete on the server when the object is deleted.
    Delete,
    /// Fill in parameters that the author left out.
    LateInitialize,
    /// All of these.
    #[serde(rename = "*")]
    All,
}

/// Which configuration is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ConfigReference {
    /// A ProviderConfig of this namespace, or a ClusterProviderConfig.
    pub kind: ConfigKind,
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
}

impl Default for ConfigReference {
    fn default() -> Self {
        Self { kind: ConfigKind::ClusterProviderConfig, name: "default".to_owned() }
    }
}

/// A kind of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConfigKind {
    /// Of the same namespace.
    ProviderConfig,
    /// Of the cluster.
    ClusterProviderConfig,
}

impl ConfigKind {
    /// As in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProviderConfig => "ProviderConfig",
            Self::ClusterProviderConfig => "ClusterProviderConfig",
        }
    }
}

/// A Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalSecretReference {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
}

/// What is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedStatus<O> {
    /// What the server answered when it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_provider: Option<O>,
    /// Ready: whether it can be used. Synced: whether the last reconcile succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
    /// The last value of the annotation crossplane.io/reconcile-requested-at that was
    /// acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

impl<O> Default for ManagedStatus<O> {
    fn default() -> Self {
        Self { at_provider: None, conditions: Vec::new(), last_handled_reconcile_at: None }
    }
}

/// One thing that is said of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is said.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// When the status, the reason or the message was last another.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Time,
    /// Why, in one word.
    pub reason: String,
    /// What is the case, and what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The generation of the object that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody knows.
    Unknown,
}

/// The rules of `spec`: what must be there before anything is made or changed.
pub(super) fn rules_of(required: &[Required]) -> Vec<serde_json::Value> {
    let one = |required: &Required| {
        let (present, message) = match *required {
            Required::Field(name) => {
                (format!("has(self.forProvider.{name})"), format!("spec.forProvider.{name} is required"))
            }
            Required::Referenced(name) => (
                format!(
                    "has(self.forProvider.{name}) || has(self.forProvider.{name}Ref) || \
                     has(self.forProvider.{name}Selector)"
                ),
                format!("one of spec.forProvider.{name}, {name}Ref and {name}Selector is required"),
            ),
            Required::ConnectionSecret => (
                "has(self.writeConnectionSecretToRef)".to_owned(),
                "spec.writeConnectionSecretToRef is required".to_owned(),
            ),
            Required::OneOf(one, other) => (
                format!("has(self.forProvider.{one}) || has(self.forProvider.{other})"),
                format!("one of spec.forProvider.{one} and {other} is required"),
            ),
        };
        json!({
            "rule": format!(
                "!('*' in self.managementPolicies || 'Create' in self.managementPolicies || \
                 'Update' in self.managementPolicies) || {present}"
            ),
            "message": format!("{message}, unless managementPolicies allow neither Create nor Update"),
        })
    };
    required.iter().map(one).collect()
}
