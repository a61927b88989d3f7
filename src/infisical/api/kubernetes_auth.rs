//! Kubernetes Auth: a machine identity's login with the token of a service account.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{refusal::ResourceRefusal, token_terms::TokenTerms};
use crate::{
    error::ErrorKind,
    route::{self, Credential, Method, RefusalBody, Route},
    secret::{AccessToken, ReviewerToken},
};

/// What Kubernetes Auth is set to. A value that is none is the server's to choose, or
/// stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesAuthSettings {
    /// Of the tokens.
    #[serde(flatten)]
    pub terms: TokenTerms,
    /// The Kubernetes API server, which the server asks when it is set. An attach needs
    /// it.
    #[serde(rename = "kubernetesHost", skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its CA certificate in PEM; empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<String>,
    /// Whether its certificate is verified; by default where there is a CA certificate.
    #[serde(rename = "verifyTlsCertificate", skip_serializing_if = "Option::is_none")]
    pub verifies_certificate: Option<bool>,
    /// The token with which tokens are reviewed; empty: each reviews itself.
    #[serde(
        default,
        rename = "tokenReviewerJwt",
        skip_serializing_if = "Option::is_none",
        serialize_with = "exposed",
        deserialize_with = "reviewer_token"
    )]
    pub reviewer_token: Option<ReviewerToken>,
    /// Who reviews tokens: `api`, which the server chooses, or `gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_review_mode: Option<String>,
    /// Namespaces of the service accounts that are let in, with commas; empty: all. An
    /// attach needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<String>,
    /// Names of the service accounts that are let in, with commas; empty: all. An attach
    /// needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_names: Option<String>,
    /// The audience that their tokens need; empty: any. An attach needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_audience: Option<String>,
}

/// Exposed: the server is given what it reviews tokens with. An empty one is null.
#[expect(clippy::ref_option, reason = "it is what serde calls")]
fn exposed<S: Serializer>(token: &Option<ReviewerToken>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(ReviewerToken::expose).filter(|token| !token.is_empty()).serialize(serializer)
}

/// The server reads it back in clear.
fn reviewer_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReviewerToken>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(ReviewerToken::new))
}

fn kubernetes_auth(body: &[u8]) -> serde_json::Result<KubernetesAuthSettings> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        identity_kubernetes_auth: KubernetesAuthSettings,
    }
    serde_json::from_slice(body).map(|Body { identity_kubernetes_auth }| identity_kubernetes_auth)
}

/// Kubernetes Auth of an identity.
const OF_IDENTITY: &str = "/api/v1/auth/kubernetes-auth/identities/{id}";

/// `POST /api/v1/auth/kubernetes-auth/identities/{id}`: the server connects to the Kubernetes API
/// server first.
#[derive(Clone, Copy, Debug)]
pub struct AttachKubernetesAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// What it is set to.
    pub settings: &'a KubernetesAuthSettings,
}

impl Route for AttachKubernetesAuth<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "attach Kubernetes Auth";
    type Answer = KubernetesAuthSettings;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self.settings)
    }

    fn answer(body: &[u8]) -> serde_json::Result<KubernetesAuthSettings> {
        kubernetes_auth(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v1/auth/kubernetes-auth/identities/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct ReadKubernetesAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for ReadKubernetesAuth<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "read Kubernetes Auth";
    type Answer = KubernetesAuthSettings;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<KubernetesAuthSettings> {
        kubernetes_auth(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v1/auth/kubernetes-auth/identities/{id}`: what there is a value for. Without any
/// the server fails.
#[derive(Clone, Copy, Debug)]
pub struct UpdateKubernetesAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
    /// What it is set to.
    pub settings: &'a KubernetesAuthSettings,
}

impl Route for UpdateKubernetesAuth<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "change Kubernetes Auth";
    type Answer = KubernetesAuthSettings;
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self.settings)
    }

    fn answer(body: &[u8]) -> serde_json::Result<KubernetesAuthSettings> {
        kubernetes_auth(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v1/auth/kubernetes-auth/identities/{id}`: its tokens end at once.
#[derive(Clone, Copy, Debug)]
pub struct RemoveKubernetesAuth<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The identity.
    pub identity_id: &'a str,
}

impl Route for RemoveKubernetesAuth<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = OF_IDENTITY;
    const WHAT: &'static str = "remove Kubernetes Auth";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn ids(&self) -> Vec<&str> {
        vec![self.identity_id]
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}
