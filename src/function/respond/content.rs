//! What a condition says, as it is set on the XR and told by an event.
//!
//! Rule 10 is kept here.

use crate::{
    contract::proto::v1::{
        Condition, Result as Told, RunFunctionResponse, Severity, Status as WireStatus, Target,
    },
    model::{
        condition::{ConditionType, Status},
        reason::{Event, Reason},
        xr::{PreviousCondition, PreviousConditions},
    },
};

/// Bytes of a message: the API server takes no more in an event's `note`.
pub(super) const MESSAGE_LONGEST: usize = 1024;

/// One condition's content.
pub(super) struct Content {
    pub(super) status: Status,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Content {
    /// What the XR says already. `None` where this function says no such thing.
    pub(super) fn of(said: &PreviousCondition) -> Option<Self> {
        let PreviousCondition { condition_type, status, reason, message, .. } = said;
        let reason = reason.filter(|reason| reason.is_of(*condition_type, *status))?;
        Some(Self { status: *status, reason, message: message.clone() })
    }

    /// As the XR has it.
    pub(super) fn condition(self, condition_type: ConditionType) -> Condition {
        let Self { status, reason, message } = self;
        debug_assert!(reason.is_of(condition_type, status), "{condition_type:?} {status:?} {reason:?}");
        let status = match status {
            Status::True => WireStatus::ConditionTrue,
            Status::False => WireStatus::ConditionFalse,
            Status::Unknown => WireStatus::ConditionUnknown,
        };
        Condition {
            r#type: condition_type.as_str().to_owned(),
            status: status.into(),
            reason: reason.as_str().to_owned(),
            message: Some(bounded(message)),
            target: Some(Target::CompositeAndClaim.into()),
        }
    }
}

/// The reason of each condition of a response, by its type.
pub(crate) fn said(response: &RunFunctionResponse) -> impl Iterator<Item = (ConditionType, Reason)> + Clone {
    response.conditions.iter().filter_map(|condition| {
        Some((ConditionType::parse(&condition.r#type)?, Reason::parse(&condition.reason)?))
    })
}

/// Events at transitions only: when a condition gets another reason than the XR has, and an
/// event tells of that one.
pub(super) fn events<'a>(
    conditions: &'a [Condition],
    previous: &'a PreviousConditions,
) -> impl Iterator<Item = Told> + 'a {
    conditions.iter().filter_map(|condition| {
        let reason = Reason::parse(&condition.reason)?;
        let before = previous.of_any_server(ConditionType::parse(&condition.r#type)?);
        let is_new = before.is_none_or(|before| before.reason != Some(reason));
        is_new.then(|| event(reason, condition.message.clone().unwrap_or_default()))?
    })
}

/// The event that tells of a reason, if one does.
pub(super) fn event(reason: Reason, message: String) -> Option<Told> {
    let severity = match reason.event() {
        Event::None => return None,
        Event::Normal => Severity::Normal,
        Event::Warning => Severity::Warning,
    };
    Some(Told {
        severity: severity.into(),
        message,
        reason: Some(reason.as_str().to_owned()),
        target: Some(Target::CompositeAndClaim.into()),
    })
}

/// Cuts a message to what an event can have. Names and values out of the cluster
/// are in some, and may be of any length.
#[must_use]
pub(crate) fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_LONGEST {
        let end = message.floor_char_boundary(MESSAGE_LONGEST - "…".len());
        message.truncate(end);
        message.push('…');
    }
    message
}
