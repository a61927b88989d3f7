//! Where in the input something is, and what is wrong there.

use super::InputError;
use crate::contract::fieldpath::FieldPath;

/// A field of the input.
pub(super) struct At(String);

impl At {
    pub(super) fn input() -> Self {
        Self("input".to_owned())
    }

    pub(super) fn field(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    pub(super) fn problem(&self, problem: impl Into<String>) -> InputError {
        InputError::Field { path: self.0.clone(), problem: problem.into() }
    }

    pub(super) fn both(&self, one: &str, other: &str) -> InputError {
        self.problem(format!("both {one} and {other} are set; keep one of them"))
    }

    /// A field that makes no sense beside another one.
    pub(super) fn useless(&self, name: &str, with: &str) -> InputError {
        self.field(name).problem(format!("is of no use with {with}; leave it out"))
    }

    /// Reads a field path. It is repeated in the error, because what is wrong
    /// with one is hard to see otherwise; nothing of it is secret.
    pub(super) fn field_path(&self, text: &str) -> Result<FieldPath, InputError> {
        FieldPath::parse(text).map_err(|error| {
            self.problem(format!("{text:?} is no field path: {error}; write one such as \"spec.host\""))
        })
    }

    /// Reads a field path that stands where a secret may have been pasted, and
    /// does not repeat it.
    pub(super) fn unrepeated_field_path(&self, text: &str) -> Result<FieldPath, InputError> {
        FieldPath::parse(text).map_err(|error| {
            self.problem(format!("is no field path: {error}; write one such as \"spec.admin\""))
        })
    }

    /// Refuses two alternatives at once.
    pub(super) fn at_most_one<const N: usize>(
        &self,
        alternatives: [(&str, bool); N],
    ) -> Result<(), InputError> {
        let mut set = alternatives.iter().filter(|(_, is_set)| *is_set);
        match (set.next(), set.next()) {
            (Some((one, _)), Some((other, _))) => Err(self.both(one, other)),
            _ => Ok(()),
        }
    }
}
