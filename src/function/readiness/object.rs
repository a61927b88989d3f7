//! What the kinds have in common: generations, conditions, replicas.

use crate::contract::manifest::{Manifest, Value};

/// Nothing, or why a resource is not ready: a predicate such as `has 0 of 1
/// replicas available`, whose subject is the resource.
pub(super) type Verdict = Result<(), String>;

/// A Kubernetes object.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) manifest: Manifest<'a>,
    pub(super) spec: Manifest<'a>,
    pub(super) status: Manifest<'a>,
}

/// A condition of an object.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a> {
    pub(super) status: &'a str,
    pub(super) reason: Option<&'a str>,
    pub(super) observed_generation: Option<i64>,
}

impl<'a> Object<'a> {
    pub(super) fn new(manifest: Manifest<'a>) -> Self {
        // Absent and empty are the same here.
        let object = |name| manifest.object(name).unwrap_or(Manifest::new(&[]));
        Self { manifest, spec: object("spec"), status: object("status") }
    }

    /// The API group, which is empty for the core group.
    pub(super) fn group(self) -> &'a str {
        let api_version = self.manifest.api_version().unwrap_or_default();
        api_version.split_once('/').map_or("", |(group, _)| group)
    }

    pub(super) fn kind(self) -> &'a str {
        self.manifest.kind().unwrap_or_default()
    }

    /// What a reason calls the object.
    pub(super) fn subject(self) -> String {
        let kind = if is_word(self.kind()) { self.kind() } else { "resource" };
        format!("{kind} {:?}", self.manifest.name().unwrap_or_default())
    }

    pub(super) fn is_not_being_deleted(self) -> Verdict {
        let metadata = self.manifest.object("metadata");
        match metadata.and_then(|metadata| metadata.string("deletionTimestamp")) {
            Some(_) => Err("is being deleted".to_owned()),
            None => Ok(()),
        }
    }

    /// Whether `status` is about the newest spec and not about an older one.
    pub(super) fn newest_generation_is_observed(self) -> Verdict {
        let observed = self.status.integer("observedGeneration").unwrap_or(0);
        if observed >= self.generation() { Ok(()) } else { Err(not_observed()) }
    }

    pub(super) fn generation(self) -> i64 {
        self.manifest.object("metadata").and_then(|metadata| metadata.integer("generation")).unwrap_or(0)
    }

    /// A number of `status`, where zero is left out.
    pub(super) fn count(self, name: &str) -> i64 {
        self.status.integer(name).unwrap_or(0)
    }

    /// `spec.replicas`, of which there must be some: what runs nowhere does not
    /// answer.
    pub(super) fn wanted_replicas(self) -> Result<i64, String> {
        match self.spec.integer("replicas").unwrap_or(1) {
            0 => Err("is scaled to 0 replicas".to_owned()),
            replicas => Ok(replicas),
        }
    }

    /// The strategy by which a `DaemonSet` or a `StatefulSet` replaces its Pods.
    pub(super) fn updates_on_delete(self) -> bool {
        let strategy = self.spec.object("updateStrategy");
        strategy.and_then(|strategy| strategy.string("type")) == Some("OnDelete")
    }

    pub(super) fn condition(self, name: &str) -> Option<Condition<'a>> {
        let conditions = self.status.list("conditions")?;
        let condition = conditions
            .iter()
            .filter_map(Value::as_object)
            .find(|condition| condition.string("type") == Some(name))?;
        Some(Condition {
            status: condition.string("status").unwrap_or("Unknown"),
            reason: condition.string("reason"),
            observed_generation: condition.integer("observedGeneration"),
        })
    }
}

impl Condition<'_> {
    pub(super) fn is_true(self) -> bool {
        self.status == "True"
    }

    /// The reason in parentheses after a space, if it is one word as it has to be.
    pub(super) fn reason_after_space(self) -> String {
        match self.reason.filter(|reason| is_word(reason)) {
            Some(reason) => format!(" ({reason})"),
            None => String::new(),
        }
    }
}

pub(super) fn not_observed() -> String {
    "has a newer spec than its controller has observed".to_owned()
}

pub(super) fn at_least(count: i64, wanted: i64, what: &str) -> Verdict {
    if count >= wanted { Ok(()) } else { Err(format!("has {count} of {wanted} {what}")) }
}

/// Whether a text is short and has nothing but letters and digits in it.
fn is_word(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
