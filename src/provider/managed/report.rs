//! What is said of an object: its status, and an event where something is new.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    cluster::Event,
    conditions::{Statement, say},
    external::{ExternalError, ManagedKind},
    merge,
};
use crate::api::resource::{Condition, Managed};

/// When an object is looked at again, unless it changes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// When it changes.
    Never,
    /// At once.
    Now,
    /// Later and later, as long as it is so.
    Backoff,
    /// After this.
    After(Duration),
}

/// What came of a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is said of Ready; what was said before, where it is nothing.
    pub ready: Option<Statement>,
    /// What is said of Synced.
    pub synced: Statement,
    /// What is told if Synced says something new.
    pub event: Option<Event>,
    /// When it is looked at again.
    pub requeue: Requeue,
}

impl Report {
    /// Nothing has to be done.
    #[must_use]
    pub fn success(ready: Statement, requeue: Requeue) -> Self {
        Self { ready: Some(ready), synced: Statement::ReconcileSuccess, event: None, requeue }
    }

    /// Something failed. `step` is what crossplane-runtime says before the reason, such as
    /// `observe failed`; it is empty for what is no step of its own.
    #[must_use]
    pub fn failure(reason: &'static str, step: &str, message: &str) -> Self {
        let synced = if step.is_empty() { message.to_owned() } else { format!("{step}: {message}") };
        Self {
            ready: None,
            synced: Statement::ReconcileError(synced),
            event: Some(Event::warning(reason, message)),
            requeue: Requeue::Backoff,
        }
    }

    /// A call to the server failed.
    #[must_use]
    pub fn refusal(reason: &'static str, step: &str, error: &ExternalError) -> Self {
        let report = Self::failure(reason, step, &error.message);
        error.wait.map_or(report.clone(), |wait| report.again(Requeue::After(wait)))
    }

    /// The same, with what is said of Ready.
    #[must_use]
    pub fn with_ready(self, ready: Statement) -> Self {
        Self { ready: Some(ready), ..self }
    }

    /// The same, at another time.
    #[must_use]
    pub fn again(self, requeue: Requeue) -> Self {
        Self { requeue, ..self }
    }

    /// The same without an event.
    #[must_use]
    pub fn quietly(self) -> Self {
        Self { event: None, ..self }
    }
}

/// What is shown of the external resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown<O> {
    /// What was shown before.
    Unchanged,
    /// Nothing: it is not there.
    Nothing,
    /// This.
    Observed(O),
}

/// The patch of the status, if it says anything new; and whether Synced does.
#[must_use]
pub fn status<K: ManagedKind>(
    object: &Managed<K>,
    report: &Report,
    shown: Shown<K::Observation>,
    handled: Option<&str>,
    now: Timestamp,
) -> (Option<Value>, bool) {
    let before = object.status.clone().unwrap_or_default();
    let mut after = before.clone();
    match shown {
        Shown::Unchanged => {}
        Shown::Nothing => after.at_provider = None,
        Shown::Observed(observation) => after.at_provider = Some(observation),
    }
    let generation = object.metadata.generation;
    for statement in report.ready.iter().chain([&report.synced]) {
        say(&mut after.conditions, statement, generation, now);
    }
    if let Some(token) = handled {
        after.last_handled_reconcile_at = Some(token.to_owned());
    }
    let is_news = words(&before.conditions) != words(&after.conditions);
    let value = |status| serde_json::to_value(status).unwrap_or_default();
    let patch = merge::diff(&value(&before), &value(&after)).map(|mut status| {
        // What is not there is not taken for something that was taken away.
        if let Value::Object(fields) = &mut status
            && before.at_provider.is_none()
            && fields.get("atProvider").is_some_and(Value::is_null)
        {
            fields.remove("atProvider");
        }
        serde_json::json!({
            "metadata": { "resourceVersion": object.metadata.resource_version, "uid": object.metadata.uid },
            "status": status,
        })
    });
    (patch, is_news)
}

/// What Synced says, without when.
fn words(conditions: &[Condition]) -> Option<(&str, &str)> {
    let synced = conditions.iter().find(|condition| condition.type_ == "Synced")?;
    Some((&synced.reason, &synced.message))
}
