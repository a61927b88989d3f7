//! The composite resource: who it is, which kind it is of, and what its conditions say.

use std::{fmt, sync::Arc};

use infisical::{endpoint::Origin, secret::Email};
use jiff::Timestamp;

use super::{
    condition::{ConditionType, Status},
    reason::Reason,
};

/// A composite resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Xr {
    /// Its identity for as long as it exists.
    pub key: XrKey,
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub scope: Scope,
    /// What its conditions said when it was read.
    pub previous: PreviousConditions,
}

/// Which kind of XR it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A v2 XR in a namespace.
    Namespaced(String),
    /// A v2 XR without one.
    Cluster,
    /// An XR of a v1 XRD, which has connection details of its own.
    Legacy {
        /// `spec.claimRef`, which whoever may write the XR can make up.
        claim: Option<Claim>,
    },
}

/// The claim that a legacy XR names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub api_version: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// A namespaced XR as it is called in the messages of others of its namespace, and of
/// no other: who may read one of them may know the others' names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Neighbour {
    pub namespace: String,
    pub kind: String,
    pub name: String,
}

/// Identifies an XR: its UID, so that one that is deleted and made again under
/// its name is another. What `crossplane render` is given may have none, and
/// then it is kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct XrKey(Arc<str>);

/// What stands before a server in the message of a condition.
const SERVER: &str = "Infisical at ";

/// What this function's conditions on the observed XR say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PreviousConditions(Vec<PreviousCondition>);

/// One condition on the observed XR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PreviousCondition {
    pub condition_type: ConditionType,
    pub status: Status,
    /// `reason`; `None` where it is none of ours.
    pub reason: Option<Reason>,
    pub message: String,
    /// When any of these changed last: `lastTransitionTime`, in whole seconds, and by the
    /// clock here as soon as the memory has dated it.
    pub since: Option<Timestamp>,
    /// Whether it is about another server than the present one.
    pub(crate) is_elsewhere: bool,
}

impl PreviousCondition {
    /// Whether it changed after a moment. Both count in whole seconds.
    #[must_use]
    pub(crate) fn is_newer_than(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| at.as_second() < since.as_second())
    }

    /// Whether it changed before a moment. Both count in whole seconds.
    #[must_use]
    pub(crate) fn is_older_than(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| since.as_second() < at.as_second())
    }

    /// Whether the server that its message names is this one; `None` where it names
    /// none.
    #[must_use]
    pub(crate) fn names(&self, origin: &Origin) -> Option<bool> {
        let (_, rest) = self.message.split_once(SERVER)?;
        let named = rest.split_whitespace().next().unwrap_or_default();
        Some(named.trim_end_matches(['.', ',', ':', ';']) == origin.as_str())
    }

    /// Whether its message names no other email than this one.
    #[must_use]
    pub(crate) fn is_of_email(&self, email: Option<&Email>) -> bool {
        let words = self.message.split_whitespace().filter(|word| word.contains('@'));
        let mut named = words.map(|word| word.trim_end_matches(['.', ',', ':', ';']));
        email.is_none_or(|email| named.all(|named| named == email.as_str()))
    }
}

impl Xr {
    /// The XR's namespace.
    #[must_use]
    pub(crate) fn namespace(&self) -> Option<&str> {
        match &self.scope {
            Scope::Namespaced(namespace) => Some(namespace),
            Scope::Cluster | Scope::Legacy { .. } => None,
        }
    }

    /// How it is called in the messages of others. Who may read a cluster-scoped XR need
    /// not be allowed to read another, and where a claim is the author can make up.
    #[must_use]
    pub(crate) fn as_neighbour(&self) -> Option<Neighbour> {
        let namespace = self.namespace()?.to_owned();
        Some(Neighbour { namespace, kind: self.kind.clone(), name: self.name.clone() })
    }

    /// Whether it has connection details of its own.
    #[must_use]
    pub(crate) fn is_legacy(&self) -> bool {
        matches!(self.scope, Scope::Legacy { .. })
    }

    /// The claim that it names.
    #[must_use]
    pub(crate) fn claim(&self) -> Option<&Claim> {
        match &self.scope {
            Scope::Legacy { claim } => claim.as_ref(),
            Scope::Namespaced(_) | Scope::Cluster => None,
        }
    }
}

impl XrKey {
    /// The key of an XR.
    #[must_use]
    pub(crate) fn new(key: &str) -> Self {
        Self(key.into())
    }

    /// A key for tests.
    #[cfg(test)]
    pub(crate) fn test(key: &str) -> Self {
        Self(key.into())
    }

    /// The key as text: the UID, where there is one.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for XrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Neighbour {
    /// Whether the other one may be named in messages of this one.
    #[must_use]
    pub(crate) fn may_name(&self, other: &Self) -> bool {
        // One that was deleted and made again under its name is not another.
        self.namespace == other.namespace && self != other
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl PreviousConditions {
    /// Those that were read.
    #[must_use]
    pub(crate) fn new(conditions: Vec<PreviousCondition>) -> Self {
        Self(conditions)
    }

    /// One condition, for tests.
    #[cfg(test)]
    pub(crate) fn test(condition_type: ConditionType, status: &str, reason: &str) -> Self {
        let (message, since) = ("Infisical at http://infisical:8080 said so".to_owned(), None);
        let (status, reason) = (Status::parse(status), Reason::parse(reason));
        let is_elsewhere = false;
        Self(vec![PreviousCondition { condition_type, status, reason, message, since, is_elsewhere }])
    }

    /// The same, since then.
    #[cfg(test)]
    pub(crate) fn since(mut self, since: Timestamp) -> Self {
        self.0.iter_mut().for_each(|condition| condition.since = Some(since));
        self
    }

    /// The same, with this message.
    #[cfg(test)]
    pub(crate) fn saying(mut self, message: &str) -> Self {
        self.0.iter_mut().for_each(|condition| message.clone_into(&mut condition.message));
        self
    }

    /// Gives each change another moment, by its condition's type.
    pub(crate) fn date(&mut self, mut moment: impl FnMut(ConditionType, Timestamp) -> Timestamp) {
        for condition in &mut self.0 {
            let since = condition.since.map(|since| moment(condition.condition_type, since));
            condition.since = since;
        }
    }

    /// Notes which of them are about another server than the present one.
    pub(crate) fn at(&mut self, origin: &Origin) {
        for condition in &mut self.0 {
            condition.is_elsewhere = condition.names(origin) == Some(false);
        }
    }

    /// The condition of a type, unless it is about another server: what that has said
    /// is no reason for anything here.
    #[must_use]
    pub(crate) fn of_type(&self, condition_type: ConditionType) -> Option<&PreviousCondition> {
        self.of_any_server(condition_type).filter(|condition| !condition.is_elsewhere)
    }

    /// The condition of a type, to compare with what is said in its place.
    #[must_use]
    pub(crate) fn of_any_server(&self, condition_type: ConditionType) -> Option<&PreviousCondition> {
        self.0.iter().find(|condition| condition.condition_type == condition_type)
    }
}
