//! Crossplane's field paths, such as `spec.ports[0].name`.
//!
//! They are read as crossplane-runtime's `fieldpath` package reads them, with
//! two differences: a wildcard is refused, because nothing here reads or writes
//! many fields at once, and so is a control character, because a path stands in
//! messages of one line. Following a path is in `crate::contract::manifest`.

use std::{fmt, str::FromStr};

/// A way to one field of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

/// One step of a way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The field of an object.
    Field(String),
    /// The element of a list, from zero.
    Index(u32),
}

/// Why a text is no field path. Positions count bytes from zero.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldPathError {
    /// Nothing was written.
    #[error("it is empty")]
    Empty,
    /// A period or a bracket where none may be.
    #[error("there is an unexpected \"{character}\" at position {position}")]
    Unexpected {
        /// What stands there.
        character: char,
        /// Where it stands.
        position: usize,
    },
    /// A bracket that nothing closes.
    #[error("the \"[\" at position {0} is not closed")]
    Unterminated(usize),
    /// `*`, which means every field or element.
    #[error("it has a wildcard, and it must lead to one field")]
    Wildcard,
    /// A line break or the like.
    #[error("it has a control character in it")]
    ControlCharacter,
}

impl FieldPath {
    /// Parses a path.
    ///
    /// # Errors
    /// What is wrong with the text and where, without repeating it.
    pub fn parse(text: &str) -> Result<Self, FieldPathError> {
        if text.is_empty() {
            return Err(FieldPathError::Empty);
        }
        if text.contains(char::is_control) {
            return Err(FieldPathError::ControlCharacter);
        }
        let segments = Parser { text, position: 0 }.segments()?;
        let is_wildcard = |segment: &Segment| matches!(segment, Segment::Field(name) if name == "*");
        if segments.iter().any(is_wildcard) { Err(FieldPathError::Wildcard) } else { Ok(Self(segments)) }
    }

    /// The steps of the way, of which there is at least one.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The way to a neighbour of the field at its end, for messages.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let mut segments = self.0.clone();
        segments.pop();
        segments.push(Segment::Field(name.to_owned()));
        Self(segments)
    }

    /// The way up to and including the step at `index`, for messages.
    pub(crate) fn up_to(&self, index: usize) -> Self {
        Self(self.0.iter().take(index + 1).cloned().collect())
    }
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if name.is_empty() || name.contains('.') => write!(f, "['{name}']")?,
                Segment::Field(name) if index == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Parser<'a> {
    fn segments(mut self) -> Result<Vec<Segment>, FieldPathError> {
        let mut segments = Vec::new();
        loop {
            let name = self.take_until(['.', '[', ']']);
            if !name.is_empty() {
                segments.push(field(name));
            }
            match self.peek() {
                None => return Ok(segments),
                Some('.') => self.period()?,
                Some('[') => segments.push(self.brackets()?),
                Some(character) => return Err(self.unexpected(character)),
            }
        }
    }

    /// A period stands between a segment and the name of a field.
    fn period(&mut self) -> Result<(), FieldPathError> {
        if self.position == 0 || self.position + 1 == self.text.len() {
            return Err(self.unexpected('.'));
        }
        self.position += 1;
        match self.peek() {
            Some(character @ ('.' | '[')) => Err(self.unexpected(character)),
            _ => Ok(()),
        }
    }

    /// Between brackets stands an index or a name, in which a period is nothing
    /// special.
    fn brackets(&mut self) -> Result<Segment, FieldPathError> {
        let opened = self.position;
        if !self.rest().contains(']') {
            return Err(FieldPathError::Unterminated(opened));
        }
        self.position += 1;
        let inside = self.take_until(['[', ']', ']']);
        match self.peek() {
            Some(']') if !inside.is_empty() => self.position += 1,
            Some(character) => return Err(self.unexpected(character)),
            None => return Err(FieldPathError::Unterminated(opened)),
        }
        Ok(field_or_index(inside))
    }

    fn take_until(&mut self, ends: [char; 3]) -> &'a str {
        let rest = self.rest();
        let taken = rest.split(ends).next().unwrap_or(rest);
        self.position += taken.len();
        taken
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn unexpected(&self, character: char) -> FieldPathError {
        FieldPathError::Unexpected { character, position: self.position }
    }
}

/// An index is what Go's `ParseUint` takes for one: digits without a sign.
fn field_or_index(text: &str) -> Segment {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(index) if digits => Segment::Index(index),
        _ => field(text),
    }
}

fn field(text: &str) -> Segment {
    Segment::Field(text.trim_matches(['\'', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn f(name: &str) -> Segment {
        Segment::Field(name.to_owned())
    }

    fn i(index: u32) -> Segment {
        Segment::Index(index)
    }

    #[test]
    fn paths_are_read_as_crossplane_reads_them() {
        let unexpected = |character, position| Err(FieldPathError::Unexpected { character, position });
        let table = [
            ("metadata.name", Ok(vec![f("metadata"), f("name")])),
            ("apiVersion", Ok(vec![f("apiVersion")])),
            ("spec.containers[0].name", Ok(vec![f("spec"), f("containers"), i(0), f("name")])),
            ("data[.config.yml]", Ok(vec![f("data"), f(".config.yml")])),
            ("a['b.c/d']", Ok(vec![f("a"), f("b.c/d")])),
            ("a[\"b.c\"].d", Ok(vec![f("a"), f("b.c"), f("d")])),
            ("spec.items[0][8]", Ok(vec![f("spec"), f("items"), i(0), i(8)])),
            ("[42]", Ok(vec![i(42)])),
            ("a.0", Ok(vec![f("a"), f("0")])),
            ("a[4294967296]", Ok(vec![f("a"), f("4294967296")])),
            ("a[+1]", Ok(vec![f("a"), f("+1")])),
            ("a[0]b", Ok(vec![f("a"), i(0), f("b")])),
            ("", Err(FieldPathError::Empty)),
            (".metadata.name", unexpected('.', 0)),
            ("metadata..name", unexpected('.', 9)),
            ("metadata.name.", unexpected('.', 13)),
            ("spec.containers[]", unexpected(']', 16)),
            ("spec.containers.[0]", unexpected('[', 16)),
            ("spec]", unexpected(']', 4)),
            ("spec[[0]]", unexpected('[', 5)),
            ("spec.containers[0", Err(FieldPathError::Unterminated(15))),
            ("spec.containers[*].name", Err(FieldPathError::Wildcard)),
            ("spec.*", Err(FieldPathError::Wildcard)),
            ("spec.a\nb", Err(FieldPathError::ControlCharacter)),
        ];
        for (text, expected) in table {
            assert_eq!(FieldPath::parse(text).map(|path| path.0), expected, "{text}");
        }
    }

    #[test]
    fn a_path_is_written_in_the_form_that_people_use() {
        let table = [
            ("metadata.annotations[a.b/c]", "metadata.annotations['a.b/c']"),
            ("spec['host'].ports[0].name", "spec.host.ports[0].name"),
            ("[0].a", "[0].a"),
        ];
        for (text, expected) in table {
            assert_eq!(FieldPath::parse(text).unwrap().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_a_path_survives_being_written(text in "[a-c0-9.*'\"\\[\\]é]{0,12}|.{0,12}") {
            if let Ok(path) = FieldPath::parse(&text) {
                prop_assert!(!path.segments().is_empty());
                prop_assert_eq!(FieldPath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
