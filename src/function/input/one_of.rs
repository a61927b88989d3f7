//! Alternatives of which an author writes one.

use super::wrong::Wrong;
use crate::contract::fieldpath::FieldPath;

/// The one of some alternatives that is there.
pub(super) fn one_of<T, const N: usize>(alternatives: [(&str, Option<T>); N]) -> Result<Option<T>, Wrong> {
    let mut set = alternatives.into_iter().filter_map(|(field, value)| Some((field, value?)));
    match (set.next(), set.next()) {
        (Some((one, _)), Some((other, _))) => Err(Wrong::both(one, other)),
        (first, _) => Ok(first.map(|(_, value)| value)),
    }
}

/// A value, or the field of the XR that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<T> {
    /// It is in the input.
    Literal(T),
    /// A field of the XR holds it.
    FromCompositeFieldPath(FieldPath),
}

impl<T> Source<T> {
    /// The one of `name` and `nameFromCompositeFieldPath` that is there.
    pub(super) fn one_of(
        name: &str,
        literal: Option<impl Into<T>>,
        path: Option<impl Into<FieldPath>>,
    ) -> Result<Option<Self>, Wrong> {
        one_of([
            (name, literal.map(|literal| Self::Literal(literal.into()))),
            (
                &format!("{name}FromCompositeFieldPath"),
                path.map(|path| Self::FromCompositeFieldPath(path.into())),
            ),
        ])
    }

    /// As [`Self::one_of`], where one must be there.
    pub(super) fn needed(
        name: &str,
        literal: Option<impl Into<T>>,
        path: Option<impl Into<FieldPath>>,
    ) -> Result<Self, Wrong> {
        Self::one_of(name, literal, path)?
            .ok_or_else(|| Wrong::new(format!("has no {name}; write {name} or {name}FromCompositeFieldPath")))
    }
}
