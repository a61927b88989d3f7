//! The conditions of a managed resource: `Ready` and `Synced`, with their reasons.
//!
//! Types, reasons and when one replaces another are those of Crossplane's
//! `apis/core/v2/condition.go`. A condition that says the same again keeps its time, so
//! that a steady resource has a steady status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::resource::{Condition, ConditionStatus};

/// What is said of a managed resource, without when it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// It is there and can be used.
    Available,
    /// It is there and cannot be used.
    Unavailable(String),
    /// It is being made.
    Creating,
    /// It is being deleted.
    Deleting,
    /// The last reconcile succeeded.
    ReconcileSuccess,
    /// The last reconcile failed, and why.
    ReconcileError(String),
    /// Nothing is done, as the author asks.
    ReconcilePaused,
}

impl Statement {
    /// The type of the condition.
    #[must_use]
    pub const fn type_(&self) -> &'static str {
        match self {
            Self::Available | Self::Unavailable(_) | Self::Creating | Self::Deleting => "Ready",
            Self::ReconcileSuccess | Self::ReconcileError(_) | Self::ReconcilePaused => "Synced",
        }
    }

    /// Whether it is so.
    #[must_use]
    pub const fn status(&self) -> ConditionStatus {
        match self {
            Self::Available | Self::ReconcileSuccess => ConditionStatus::True,
            Self::Unavailable(_)
            | Self::Creating
            | Self::Deleting
            | Self::ReconcileError(_)
            | Self::ReconcilePaused => ConditionStatus::False,
        }
    }

    /// Why, in one word.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Unavailable(_) => "Unavailable",
            Self::Creating => "Creating",
            Self::Deleting => "Deleting",
            Self::ReconcileSuccess => "ReconcileSuccess",
            Self::ReconcileError(_) => "ReconcileError",
            Self::ReconcilePaused => "ReconcilePaused",
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Unavailable(message) | Self::ReconcileError(message) => message,
            Self::Available
            | Self::Creating
            | Self::Deleting
            | Self::ReconcileSuccess
            | Self::ReconcilePaused => "",
        }
    }

    fn is_said_by(&self, condition: &Condition, generation: Option<i64>) -> bool {
        condition.status == self.status()
            && condition.reason == self.reason()
            && condition.message == self.message()
            && match (condition.observed_generation, generation) {
                (Some(observed), Some(generation)) => observed == generation,
                // As there: where one of the two is not known, it is not compared.
                _ => true,
            }
    }
}

/// Says something of an object of a generation. Conditions of other types stay as they
/// are, and so does one that says the same already.
pub fn say(conditions: &mut Vec<Condition>, statement: &Statement, generation: Option<i64>, now: Timestamp) {
    let existing = conditions.iter_mut().find(|condition| condition.type_ == statement.type_());
    if existing.as_ref().is_some_and(|condition| statement.is_said_by(condition, generation)) {
        return;
    }
    let condition = Condition {
        type_: statement.type_().to_owned(),
        status: statement.status(),
        last_transition_time: Time(whole_seconds(now)),
        reason: statement.reason().to_owned(),
        message: statement.message().to_owned(),
        observed_generation: generation,
    };
    match existing {
        Some(existing) => *existing = condition,
        None => conditions.push(condition),
    }
}

/// Kubernetes keeps no fractions of a second, so what is written reads back the same. Its
/// crate has times of another release of jiff.
fn whole_seconds(time: Timestamp) -> k8s_openapi::jiff::Timestamp {
    k8s_openapi::jiff::Timestamp::from_second(time.as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn said(statements: &[(Statement, i64, i64)]) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (statement, generation, second) in statements {
            say(&mut conditions, statement, Some(*generation), at(*second));
        }
        conditions
    }

    #[test]
    fn ready_and_synced_stand_beside_each_other() {
        let conditions = said(&[(Statement::Creating, 1, 10), (Statement::ReconcileSuccess, 1, 10)]);
        let seen: Vec<_> = conditions
            .iter()
            .map(|condition| (&*condition.type_, condition.status, &*condition.reason))
            .collect();
        assert_eq!(
            seen,
            [
                ("Ready", ConditionStatus::False, "Creating"),
                ("Synced", ConditionStatus::True, "ReconcileSuccess"),
            ]
        );
    }

    #[test]
    fn what_is_said_again_keeps_its_time() {
        let once = said(&[(Statement::Available, 3, 10)]);
        assert_eq!(said(&[(Statement::Available, 3, 10), (Statement::Available, 3, 99)]), once);
    }

    #[test]
    fn another_message_reason_or_generation_replaces_it() {
        let error = |message: &str| Statement::ReconcileError(message.to_owned());
        let table = [
            ("another message", (error("a"), 1, 10), (error("b"), 1, 20)),
            ("another reason", (error("a"), 1, 10), (Statement::ReconcilePaused, 1, 20)),
            ("another generation", (error("a"), 1, 10), (error("a"), 2, 20)),
        ];
        for (reason, before, after) in table {
            let conditions = said(&[before, after.clone()]);
            assert_eq!(conditions, said(&[after]), "{reason}");
        }
    }

    #[test]
    fn conditions_of_others_stay() {
        let other = Condition {
            type_: "Audited".to_owned(),
            status: ConditionStatus::Unknown,
            last_transition_time: Time(whole_seconds(at(1))),
            reason: "Waiting".to_owned(),
            message: String::new(),
            observed_generation: None,
        };
        let mut conditions = vec![other.clone()];
        say(&mut conditions, &Statement::Available, Some(1), at(2));
        assert_eq!(conditions.len(), 2);
        assert_eq!(conditions[0], other);
    }

    #[test]
    fn a_time_reads_back_as_it_was_written() {
        let mut conditions = Vec::new();
        let now = Timestamp::from_millisecond(1_500).unwrap();
        say(&mut conditions, &Statement::Available, Some(1), now);
        let text = serde_json::to_string(&conditions).unwrap();
        let read: Vec<Condition> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, conditions);
    }
}
