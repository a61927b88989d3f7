//! A check of a composed resource, as in function-patch-and-transform.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    text::{ConditionType, Path},
    wrong::Wrong,
};
use crate::contract::fieldpath::FieldPath;

/// A check of a composed resource.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "ReadinessCheckFields")]
#[schemars(with = "ReadinessCheckFields")]
pub enum ReadinessCheck {
    /// The field is this string.
    MatchString {
        /// The field.
        path: FieldPath,
        /// The string.
        value: String,
    },
    /// The field is this number.
    MatchInteger {
        /// The field.
        path: FieldPath,
        /// The number.
        value: i64,
    },
    /// The field is true.
    MatchTrue(FieldPath),
    /// The field is false.
    MatchFalse(FieldPath),
    /// The field is there.
    NonEmpty(FieldPath),
    /// The condition of this type has this status.
    MatchCondition {
        /// The condition's type.
        condition: String,
        /// The condition's status.
        status: ConditionStatus,
    },
    /// Nothing is checked.
    None,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

impl ConditionStatus {
    /// The status as a manifest has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads one of a manifest: what is neither `True` nor `False` is not known.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// A check as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReadinessCheckFields {
    /// What is checked.
    r#type: CheckType,
    /// The field of the resource that is checked.
    field_path: Option<Path>,
    /// What the field must be, for the type MatchString.
    match_string: Option<String>,
    /// What the field must be, for the type MatchInteger.
    match_integer: Option<i64>,
    /// The condition that must be there, for the type MatchCondition.
    match_condition: Option<MatchCondition>,
}

/// What is checked.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum CheckType {
    /// A condition has a status.
    MatchCondition,
    /// A field is a string.
    MatchString,
    /// A field is a number.
    MatchInteger,
    /// A field is true.
    MatchTrue,
    /// A field is false.
    MatchFalse,
    /// A field is there.
    NonEmpty,
    /// Nothing is checked.
    None,
}

/// `matchCondition` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MatchCondition {
    /// The condition's type.
    r#type: ConditionType,
    /// The condition's status.
    status: ConditionStatus,
}

impl TryFrom<ReadinessCheckFields> for ReadinessCheck {
    type Error = Wrong;

    fn try_from(mut fields: ReadinessCheckFields) -> Result<Self, Wrong> {
        let kind = fields.r#type;
        let missing = |field: &str| Wrong::new(format!("is missing; the type {kind:?} needs it")).at(field);
        let mut path = || fields.field_path.take().map(Into::into).ok_or_else(|| missing("fieldPath"));
        // What the type needs is taken out; what is left is of no use.
        let check = match kind {
            CheckType::None => Self::None,
            CheckType::NonEmpty => Self::NonEmpty(path()?),
            CheckType::MatchTrue => Self::MatchTrue(path()?),
            CheckType::MatchFalse => Self::MatchFalse(path()?),
            CheckType::MatchString => Self::MatchString {
                path: path()?,
                value: fields.match_string.take().ok_or_else(|| missing("matchString"))?,
            },
            CheckType::MatchInteger => Self::MatchInteger {
                path: path()?,
                value: fields.match_integer.take().ok_or_else(|| missing("matchInteger"))?,
            },
            CheckType::MatchCondition => {
                let MatchCondition { r#type, status } =
                    fields.match_condition.take().ok_or_else(|| missing("matchCondition"))?;
                Self::MatchCondition { condition: r#type.into(), status }
            }
        };
        let left = [
            ("fieldPath", fields.field_path.is_some()),
            ("matchString", fields.match_string.is_some()),
            ("matchInteger", fields.match_integer.is_some()),
            ("matchCondition", fields.match_condition.is_some()),
        ];
        match left.iter().find(|(_, is_set)| *is_set) {
            Some((field, _)) => Err(Wrong::useless(field, format!("the type {kind:?}"))),
            None => Ok(check),
        }
    }
}
