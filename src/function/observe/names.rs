//! The names in the pipeline of what this function composes.

/// The name in the pipeline of the Secret with the admin's email and password.
pub(crate) const ADMIN_RESOURCE: &str = "infisical-admin";

/// The name in the pipeline of the connection Secret.
pub(crate) const CONNECTION_RESOURCE: &str = "infisical-connection";

/// The name in the pipeline of the Secret with client ID and secret.
pub(crate) const IDENTITY_RESOURCE: &str = "infisical-identity";

/// The names in the pipeline of all that this function composes.
pub(super) const OUR_RESOURCES: [&str; 3] = [ADMIN_RESOURCE, CONNECTION_RESOURCE, IDENTITY_RESOURCE];
