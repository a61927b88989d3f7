//! Why a server refuses what is asked of projects and of what is in them.
//!
//! It says so with 400 and a sentence that differs by kind, for much that HTTP has a
//! status for (all recorded). These sentences are read here and nowhere else.

use crate::{error::ErrorKind, route::RefusalBody};

/// Why a server refuses a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceRefusal {
    /// It is there already, made by whomever: a slug or name that is taken, an identity
    /// that is a member or has that way to log in.
    #[error("it exists already")]
    AlreadyExists,
    /// The slug is held by an environment that was deleted in the last fourteen days.
    #[error("the slug is held by a deleted environment; restore that one, or delete it for good")]
    HeldByDeleted,
    /// The server's licence does not include it.
    #[error("the server has no licence for it")]
    Licence,
    /// It is protected against deletion.
    #[error("it is protected against deletion; take its delete protection away first")]
    DeleteProtected,
    /// A folder has content.
    #[error("it is not empty")]
    NotEmpty,
    /// Who asks, or the identity that it is about, is no member of the project. A server
    /// says so ten seconds longer than it is true.
    #[error("not a member of the project")]
    NotAMember,
    /// There is no role of that slug.
    #[error("there is no such role")]
    NoSuchRole,
    /// All roles of a membership would be temporary.
    #[error("at least one role must be permanent")]
    NoPermanentRole,
    /// An identity's own place in a project stays.
    #[error("an identity cannot take itself out of a project")]
    OwnMembership,
    /// The identity is not one of the organization's.
    #[error("the identity is not in the organization")]
    NotInOrganization,
    /// The identity is a project's, and its routes are the project's.
    #[error("the identity is managed by a project")]
    ManagedByProject,
    /// Only an instance admin may touch an instance admin.
    #[error("the identity is an instance admin, which only another one may change")]
    InstanceAdmin,
    /// A token would live longer than the longest that is set.
    #[error("the TTL of its tokens is greater than their maximum TTL")]
    TtlAboveMaximum,
    /// The project takes names of secrets in upper case only.
    #[error("the project takes names in upper case only")]
    LowerCase,
    /// A name of a folder has other characters than a path may have.
    #[error("a path has letters, digits, \"-\" and \"_\" only")]
    InvalidPath,
    /// The server may not connect to private addresses.
    #[error(
        "the server connects to no private address; run it with ALLOW_INTERNAL_IP_CONNECTIONS=true if this is one of yours"
    )]
    PrivateAddress,
    /// The server does not reach the Kubernetes API server.
    #[error("the server cannot connect to the Kubernetes API server")]
    ClusterUnreachable,
    /// The Kubernetes API server refuses the token that is to review others.
    #[error("the Kubernetes API server refuses the token reviewer's token")]
    ReviewerRefused,
}

impl ResourceRefusal {
    /// What a refusal means on a route of a resource; none where it is what it is on
    /// every other. What is no longer there is [`ErrorKind::NotFound`], for which some
    /// routes have 400.
    pub(super) fn of(body: &RefusalBody) -> Option<ErrorKind<Self>> {
        let of_words = |table: &[(&str, Self)]| {
            let (_, refusal) = table.iter().find(|(words, _)| body.mentions(words))?;
            Some(ErrorKind::Refused(*refusal))
        };
        match body.status {
            400 if ABSENT.iter().any(|words| body.mentions(words)) => Some(ErrorKind::NotFound),
            400 if body.error.starts_with("KubernetesHost") => {
                Some(ErrorKind::Refused(Self::ClusterUnreachable))
            }
            400 => of_words(&BAD_REQUESTS),
            403 if body.error == "ProjectMembershipNotFound" => Some(ErrorKind::Refused(Self::NotAMember)),
            403 => of_words(&FORBIDDEN),
            404 if body.mentions("Specified roles") => Some(ErrorKind::Refused(Self::NoSuchRole)),
            _ => None,
        }
    }
}

/// What a server says with 400 of what is not there.
const ABSENT: [&str; 3] = ["doesn't have membership", "The identity does not have", "Actor doesn't have"];

/// What it says with 400; the first that fits counts.
const BAD_REQUESTS: [(&str, ResourceRefusal); 17] = [
    ("pending-deletion environment", ResourceRefusal::HeldByDeleted),
    ("already exist", ResourceRefusal::AlreadyExists),
    ("already a member", ResourceRefusal::AlreadyExists),
    ("already configured identity", ResourceRefusal::AlreadyExists),
    ("Additional privilege with name", ResourceRefusal::AlreadyExists),
    ("plan restriction", ResourceRefusal::Licence),
    ("delete protection", ResourceRefusal::DeleteProtected),
    ("contains resources", ResourceRefusal::NotEmpty),
    ("at least one permanent role", ResourceRefusal::NoPermanentRole),
    ("your own membership", ResourceRefusal::OwnMembership),
    ("missing organization membership", ResourceRefusal::NotInOrganization),
    ("managed by project", ResourceRefusal::ManagedByProject),
    ("cannot be greater than max TTL", ResourceRefusal::TtlAboveMaximum),
    ("must be in UPPERCASE", ResourceRefusal::LowerCase),
    ("Invalid secret path", ResourceRefusal::InvalidPath),
    ("Local IPs not allowed", ResourceRefusal::PrivateAddress),
    ("token reviewer JWT", ResourceRefusal::ReviewerRefused),
];

/// What it says with 403.
const FORBIDDEN: [(&str, ResourceRefusal); 2] = [
    ("delete protection is enabled", ResourceRefusal::DeleteProtected),
    ("instance admin identity", ResourceRefusal::InstanceAdmin),
];
