//! How many XRs say what, and which token ends first.

use std::collections::BTreeMap;

use crate::model::{condition::ConditionType, reason::Reason};

/// What a scrape says of XRs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// How many XRs say each reason of each condition.
    pub reasons: BTreeMap<(ConditionType, Reason), i64>,
    /// When the first of their tokens ends, in seconds since 1970.
    pub first_token_ends: Option<i64>,
}
