//! Where a configuration says that a server and its credentials are. No I/O.

use super::login::{Access, Data};
use crate::{
    api::config::{ClusterProviderConfigSpec, ProviderConfigSpec},
    managed::{cluster::ObjectKey, external::ExternalError},
};

/// Where a server and its credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The Secret.
    pub(super) secret: ObjectKey,
    /// The host and the key of the credentials; all is in the Secret where there are none.
    host: Option<(String, String)>,
}

impl Place {
    /// Of a configuration of a namespace: the Secret is beside it.
    pub(super) fn of_local(at: &ObjectKey, spec: &ProviderConfigSpec) -> Result<Self, ExternalError> {
        match (&spec.connection_secret_ref, &spec.host, &spec.credentials) {
            (Some(secret), None, None) => Ok(Self { secret: at.beside(&secret.name), host: None }),
            (None, Some(host), Some(credentials)) => Ok(Self {
                secret: at.beside(&credentials.secret_ref.name),
                host: Some((host.clone(), credentials.secret_ref.key.clone())),
            }),
            _ => Err(neither(&format!("ProviderConfig {at}"))),
        }
    }

    /// Of a configuration of the cluster.
    pub(super) fn of_cluster(name: &str, spec: &ClusterProviderConfigSpec) -> Result<Self, ExternalError> {
        let key = |namespace: &str, name: &str| ObjectKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        match (&spec.connection_secret_ref, &spec.host, &spec.credentials) {
            (Some(secret), None, None) => {
                Ok(Self { secret: key(&secret.namespace, &secret.name), host: None })
            }
            (None, Some(host), Some(credentials)) => Ok(Self {
                secret: key(&credentials.secret_ref.namespace, &credentials.secret_ref.name),
                host: Some((host.clone(), credentials.secret_ref.key.clone())),
            }),
            _ => Err(neither(&format!("ClusterProviderConfig {name}"))),
        }
    }

    /// What the Secret's data says.
    pub(super) fn access(&self, data: &Data) -> Result<Access, ExternalError> {
        let secret = self.secret.to_string();
        match &self.host {
            None => Access::of_connection(&secret, data),
            Some((host, key)) => Access::of_credentials(host, &secret, key, data),
        }
    }
}

/// The rules of the CRD forbid it.
fn neither(config: &str) -> ExternalError {
    ExternalError::refused(format!(
        "the {config} has to have either spec.connectionSecretRef, or spec.host and spec.credentials"
    ))
}
