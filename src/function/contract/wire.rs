//! The protobuf encoding, read field by field.
//!
//! Yields the fields of a message as slices of it, in the order in which they
//! were written, and knows nothing of what they mean. It never panics, never
//! recurses and allocates only to leave a group. What the fields of a manifest
//! mean is in `crate::contract::manifest`.

/// Bytes that are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no protobuf message")]
pub(crate) struct Malformed;

/// One field of a message. No `Debug`: it may hold a Secret.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    /// The field's number.
    pub(crate) number: u32,
    /// The field as it was written, its key included, to put a message together
    /// again without decoding it.
    pub(crate) raw: &'a [u8],
    /// What the field holds.
    pub(crate) value: Wire<'a>,
}

/// What a field holds, by wire type.
#[derive(Clone, Copy)]
pub(crate) enum Wire<'a> {
    /// An integer, a bool or an enum.
    Varint(u64),
    /// Eight bytes: a double or an integer of fixed size.
    Fixed64(u64),
    /// A string, bytes, a message or packed scalars.
    Len(&'a [u8]),
    /// The deprecated group, which is only ever skipped.
    Group,
    /// Four bytes, which nothing here reads.
    Fixed32,
}

/// Reads the fields of a message. Nothing follows the first `Malformed`.
pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

/// The iterator of [`fields`].
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = read_field(self.rest);
        self.rest = read.map_or(&[], |(_, rest)| rest);
        Some(read.map(|(field, _)| field).ok_or(Malformed))
    }
}

/// Reads what the fields of one number hold, each of which has a length. Nothing
/// that matters follows the first `Malformed`.
pub(crate) fn repeated(number: u32, message: &[u8]) -> Repeated<'_> {
    Repeated { number, fields: fields(message) }
}

/// The iterator of [`repeated`].
#[derive(Clone)]
pub(crate) struct Repeated<'a> {
    number: u32,
    fields: Fields<'a>,
}

impl<'a> Iterator for Repeated<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Nearly all of them, and most of what is read of a manifest.
        if let Some((content, rest)) = len(self.number, self.fields.rest) {
            self.fields.rest = rest;
            return Some(Ok(content));
        }
        if self.fields.rest.is_empty() { None } else { self.next_among_others() }
    }
}

impl<'a> Repeated<'a> {
    /// Apart, so that what is usual is small enough to be part of a loop.
    #[cold]
    fn next_among_others(&mut self) -> Option<Result<&'a [u8], Malformed>> {
        self.fields.by_ref().find_map(|field| match field {
            Ok(field) if field.number != self.number => None,
            Ok(Field { value: Wire::Len(content), .. }) => Some(Ok(content)),
            Ok(_) | Err(Malformed) => Some(Err(Malformed)),
        })
    }
}

/// Wire types, as the encoding numbers them.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LEN: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

#[inline]
fn read_field(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (number, wire_type, after_key) = read_key(bytes)?;
    let (value, rest) = match wire_type {
        GROUP_START => (Wire::Group, skip_group(number, after_key)?),
        _ => read_value(wire_type, after_key)?,
    };
    let field = Field { number, raw: bytes.get(..bytes.len().checked_sub(rest.len())?)?, value };
    Some((field, rest))
}

#[inline]
fn read_key(bytes: &[u8]) -> Option<(u32, u8, &[u8])> {
    let (key, rest) = read_varint(bytes)?;
    let key = u32::try_from(key).ok()?;
    let number = key >> 3;
    let wire_type = u8::try_from(key & 7).ok()?;
    (number != 0).then_some((number, wire_type, rest))
}

#[inline]
fn read_value(wire_type: u8, bytes: &[u8]) -> Option<(Wire<'_>, &[u8])> {
    match wire_type {
        VARINT => read_varint(bytes).map(|(value, rest)| (Wire::Varint(value), rest)),
        FIXED64 => {
            bytes.split_first_chunk().map(|(value, rest)| (Wire::Fixed64(u64::from_le_bytes(*value)), rest))
        }
        LEN => {
            let (length, rest) = read_varint(bytes)?;
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Wire::Len(value), rest))
        }
        FIXED32 => Some((Wire::Fixed32, bytes.get(4..)?)),
        _ => None,
    }
}

/// What a field with a length holds, and what follows it, if the bytes begin with
/// one of this number whose key is one byte.
#[inline]
pub(crate) fn len(number: u32, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = bytes.split_first()?;
    if *key >= 0x80 || u32::from(*key) != number << 3 | u32::from(LEN) {
        return None;
    }
    let (length, rest) = read_varint(rest)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[inline]
fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes {
        // Nearly all of them: keys, and lengths of what is short.
        [byte, rest @ ..] if *byte < 0x80 => Some((u64::from(*byte), rest)),
        // Lengths of what is around it.
        [low, high, rest @ ..] if *high < 0x80 => {
            Some((u64::from(*low & 0x7f) | u64::from(*high) << 7, rest))
        }
        _ => read_long_varint(bytes),
    }
}

#[cold]
fn read_long_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        // The tenth byte has room for the last of 64 bits only.
        if index == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Leaves a group, and whatever groups are in it, without recursion.
fn skip_group(number: u32, bytes: &[u8]) -> Option<&[u8]> {
    let mut open = vec![number];
    let mut rest = bytes;
    while let Some(&innermost) = open.last() {
        let (number, wire_type, after_key) = read_key(rest)?;
        rest = match wire_type {
            GROUP_START => {
                open.push(number);
                after_key
            }
            GROUP_END if number == innermost => {
                open.pop();
                after_key
            }
            _ => read_value(wire_type, after_key)?.1,
        };
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(message: &[u8]) -> Vec<Option<u32>> {
        fields(message).map(|field| field.ok().map(|field| field.number)).collect()
    }

    #[test]
    fn fields_are_read_until_the_first_that_is_malformed() {
        type Row = (&'static str, &'static [u8], &'static [Option<u32>]);
        let table: [Row; 14] = [
            ("nothing", &[], &[]),
            ("a varint", &[0x08, 0x96, 0x01], &[Some(1)]),
            ("fixed64", &[0x09, 0, 0, 0, 0, 0, 0, 0, 0], &[Some(1)]),
            ("fixed32 after a string", &[0x0a, 0x01, b'a', 0x15, 0, 0, 0, 0], &[Some(1), Some(2)]),
            ("a string that ends early", &[0x08, 0x01, 0x0a, 0x05, b'a'], &[Some(1), None]),
            ("a length of 2^64-1", &[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], &[None]),
            ("a varint of 65 bits", &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], &[None]),
            ("a varint that does not end", &[0x08, 0x80], &[None]),
            ("field number 0", &[0x00, 0x00], &[None]),
            ("wire type 7", &[0x0f, 0x00], &[None]),
            ("a group in a group", &[0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c, 0x10, 0x00], &[Some(1), Some(2)]),
            ("a group that another one ends", &[0x0b, 0x14], &[None]),
            ("a group that does not end", &[0x0b, 0x08, 0x01], &[None]),
            ("the end of no group", &[0x0c], &[None]),
        ];
        for (reason, message, expected) in table {
            assert_eq!(numbers(message), expected, "{reason}");
        }
    }

    #[test]
    fn groups_may_be_nested_as_deep_as_they_like() {
        let deep: Vec<u8> = [vec![0x0b; 100_000], vec![0x0c; 100_000]].concat();
        assert_eq!(numbers(&deep), [Some(1)]);
    }

    proptest! {
        #[test]
        fn the_fields_of_any_bytes_put_together_are_a_prefix_of_them(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut together = Vec::new();
            for field in fields(&bytes).map_while(Result::ok) {
                together.extend_from_slice(field.raw);
            }
            prop_assert!(bytes.starts_with(&together));
        }
    }
}
