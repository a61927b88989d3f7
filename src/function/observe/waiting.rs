//! What is waited for.

/// Something that is not there yet, and a sentence of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The instance is not ready.
    Instance(String),
    /// The endpoint, or the CA bundle to check it by, is not known yet.
    Endpoint(String),
    /// The organization's name is not known yet.
    Organization(String),
    /// The admin's email or password is not there yet.
    Admin(String),
    /// The token of an instance that is adopted is not there yet.
    AdoptedToken(String),
    /// It is not known whether the claim that a legacy XR names is that XR's.
    Claim(String),
    /// Where a Secret is to be composed there is one that is somebody else's.
    SecretTaken(String),
    /// Where a Secret is to be composed there is one that will go away.
    SecretLeaving(String),
}
