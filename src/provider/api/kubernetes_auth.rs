//! Kubernetes Auth: the login of a machine identity with the token of a service account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    object::Named,
    reference::{Reference, Selector},
    resource::{Kind, Referenced, Required, Value},
    token_terms::TrustedIp,
};

/// The kind `KubernetesAuth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesAuth {}

impl Named for KubernetesAuth {
    const KIND: &'static str = "KubernetesAuth";
    const PLURAL: &'static str = "kubernetesauths";
}

impl Kind for KubernetesAuth {
    const DESCRIPTION: &'static str = "Kubernetes Auth of a machine identity: its login with the token of a service account, without a stored \
         secret. An identity has one at most.";
    const REQUIRED: &'static [Required] =
        &[Required::Referenced("identityId"), Required::Field("kubernetesHost")];
    const REFERENCES: &'static [Referenced] =
        &[Referenced { field: "identityId", kind: "Identity", value: Value::Id }];
    type Parameters = KubernetesAuthParameters;
    type Observation = KubernetesAuthObservation;
}

/// What is to be true of Kubernetes Auth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.accessTokenTtl) || !has(self.accessTokenMaxTtl) || self.accessTokenMaxTtl == 0 || \
                 self.accessTokenTtl <= self.accessTokenMaxTtl",
        "message": "accessTokenTtl is greater than accessTokenMaxTtl: make it smaller",
    },
    {
        "rule": "!has(self.verifyTlsCertificate) || !self.verifyTlsCertificate || \
                 (has(self.kubernetesCaCertificate) && self.kubernetesCaCertificate != '')",
        "message": "verifyTlsCertificate needs kubernetesCaCertificate: write the CA of the API server there",
    },
]))]
pub struct KubernetesAuthParameters {
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
    /// The address of the Kubernetes API server, such as `https://kubernetes.default.svc`.
    /// Infisical connects to it when it is set; a private address needs a server that
    /// runs with ALLOW_INTERNAL_IP_CONNECTIONS=true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^[a-zA-Z0-9:./-]+$"))]
    pub kubernetes_host: Option<String>,
    /// The certificate of the CA of the API server, in PEM; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536))]
    pub kubernetes_ca_certificate: Option<String>,
    /// Whether the certificate of the API server is verified. The server does so where
    /// there is a CA certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_tls_certificate: Option<bool>,
    /// Who asks the API server whether a token is good: api, which the server chooses, is
    /// Infisical itself, with the token that logs in, whose service account needs the
    /// ClusterRole system:auth-delegator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_reviewer_mode: Option<TokenReviewerMode>,
    /// The namespaces of the service accounts that may log in; empty or left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253), regex(pattern = "^[^,\\s]+$")))]
    pub allowed_namespaces: Option<Vec<String>>,
    /// The names of the service accounts that may log in; empty or left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253), regex(pattern = "^[^,\\s]+$")))]
    pub allowed_service_account_names: Option<Vec<String>>,
    /// The audience that the tokens of service accounts need; empty or left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub allowed_audience: Option<String>,
    /// How many seconds a token of Infisical lives until it is renewed. The server chooses
    /// 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub access_token_ttl: Option<u64>,
    /// How many seconds it lives, however often it is renewed. The server chooses 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub access_token_max_ttl: Option<u64>,
    /// How often it may be used. 0, which the server chooses: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub access_token_num_uses_limit: Option<u64>,
    /// From where it may be used. All but everywhere needs a licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub access_token_trusted_ips: Option<Vec<TrustedIp>>,
}

/// Who asks the Kubernetes API server whether a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenReviewerMode {
    /// Infisical itself.
    Api,
}

/// What is true of Kubernetes Auth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesAuthObservation {
    /// The id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// The address of the Kubernetes API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_host: Option<String>,
    /// The certificate of its CA, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_ca_certificate: Option<String>,
    /// Whether its certificate is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_tls_certificate: Option<bool>,
    /// Who asks it whether a token is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_reviewer_mode: Option<String>,
    /// The namespaces of the service accounts that may log in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_namespaces: Vec<String>,
    /// The names of the service accounts that may log in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_service_account_names: Vec<String>,
    /// The audience that the tokens of service accounts need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_audience: Option<String>,
    /// How many seconds a token of Infisical lives until it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_ttl: Option<u64>,
    /// How many seconds it lives, however often it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_max_ttl: Option<u64>,
    /// How often it may be used; 0: without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_num_uses_limit: Option<u64>,
    /// From where it may be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_token_trusted_ips: Vec<TrustedIp>,
}
