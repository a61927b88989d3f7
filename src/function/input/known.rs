//! Inputs that were parsed before.
//!
//! The input of a step is part of its Composition, so it is the same for all of
//! its XRs and on every call; but Go writes the fields of an object in another
//! order each time. Inputs are therefore compared by what they say.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use prost::Message as _;
use prost_types::Struct;

use super::bootstrap::{Bootstrap, InputError, parse};
use crate::contract::manifest::Manifest;

/// How many are kept. Each Composition revision that has XRs is one; beyond
/// this an input is parsed again, which takes some microseconds.
const KEPT: usize = 16;

/// An input that is longer than this is parsed each time. One with a bundle of
/// a few certificates is shorter.
const LONGEST: usize = 32 << 10;

/// The inputs that were parsed last.
#[derive(Default)]
pub struct Inputs(Mutex<Vec<Known>>);

struct Known {
    /// Encoded from a map, so that each field is there once.
    encoded: Bytes,
    parsed: Arc<Bootstrap>,
}

impl Inputs {
    /// Parses an input, or recognises one that was parsed before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(&self, input: Option<&[u8]>) -> Result<Arc<Bootstrap>, InputError> {
        let encoded = input.ok_or(InputError::Missing)?;
        if let Some(parsed) = self.find(Manifest::new(encoded)) {
            return Ok(parsed);
        }
        let parsed = Arc::new(parse(input)?);
        if encoded.len() > LONGEST {
            return Ok(parsed);
        }
        let decoded = Struct::decode(encoded).map_err(|_| InputError::Undecodable)?;
        let known = Known { encoded: decoded.encode_to_vec().into(), parsed: Arc::clone(&parsed) };
        let mut inputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inputs.insert(0, known);
        inputs.truncate(KEPT);
        Ok(parsed)
    }

    fn find(&self, input: Manifest<'_>) -> Option<Arc<Bootstrap>> {
        let inputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = inputs.iter().find(|known| Manifest::new(&known.encoded).is_same_as(input))?;
        Some(Arc::clone(&known.parsed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::contract::manifest::testing::encode;

    fn input(email: &str) -> Value {
        json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1",
            "kind": "Bootstrap",
            "instance": {"endpoint": {"url": "http://infisical:8080"}},
            "admin": {"email": email},
        })
    }

    /// One with a list in it.
    fn allowing(hosts: usize) -> Value {
        let mut input = input("a@example.org");
        let hosts = vec!["infisical.example.org"; hosts];
        input["instance"]["endpoint"] = json!({"fromCompositeFieldPath": "spec.url", "allowedHosts": hosts});
        input
    }

    /// The fields of the outermost object in the reverse order.
    fn reversed(encoded: &[u8]) -> Vec<u8> {
        let entries = crate::contract::wire::fields(encoded).map(|field| field.unwrap().raw);
        let mut entries: Vec<&[u8]> = entries.collect();
        entries.reverse();
        entries.concat()
    }

    #[test]
    fn an_input_is_parsed_once_in_whatever_order_its_fields_are() {
        let inputs = Inputs::default();
        let encoded = encode(&input("a@example.org"));
        let first = inputs.parse(Some(&encoded)).unwrap();
        let again = inputs.parse(Some(&reversed(&encoded))).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(*first, parse(Some(&encoded)).unwrap());
    }

    #[test]
    fn another_input_is_another_and_a_wrong_one_stays_wrong() {
        let inputs = Inputs::default();
        let first = inputs.parse(Some(&encode(&input("a@example.org")))).unwrap();
        let other = inputs.parse(Some(&encode(&input("b@example.org")))).unwrap();
        assert_ne!(first, other);
        let mut more = input("a@example.org");
        more["organization"] = json!("Acme");
        assert_ne!(inputs.parse(Some(&encode(&more))).unwrap(), first);
        more["surplus"] = json!(1);
        for _ in 0..2 {
            assert!(inputs.parse(Some(&encode(&more))).is_err());
            assert!(inputs.parse(None).is_err());
        }
    }

    #[test]
    fn only_so_many_are_kept() {
        let inputs = Inputs::default();
        for number in 0..2 * KEPT {
            inputs.parse(Some(&encode(&input(&format!("{number}@example.org"))))).unwrap();
        }
        assert_eq!(inputs.0.lock().unwrap().len(), KEPT);
    }

    #[test]
    fn a_long_input_is_not_kept() {
        let inputs = Inputs::default();
        let encoded = encode(&allowing(LONGEST / 16));
        assert_eq!(*inputs.parse(Some(&encoded)).unwrap(), parse(Some(&encoded)).unwrap());
        assert!(inputs.0.lock().unwrap().is_empty());
    }

    #[test]
    fn what_is_malformed_is_no_known_input() {
        let inputs = Inputs::default();
        let encoded = encode(&allowing(1));
        inputs.parse(Some(&encoded)).unwrap();
        for place in 0..encoded.len() {
            for value in [0x00, 0x0a, 0xff] {
                let mut other = encoded.clone();
                other[place] = value;
                let expected = parse(Some(&other)).ok();
                assert_eq!(inputs.parse(Some(&other)).ok().as_deref(), expected.as_ref(), "{place} {value}");
            }
            let cut = &encoded[..place];
            let expected = parse(Some(cut)).ok();
            assert_eq!(inputs.parse(Some(cut)).ok().as_deref(), expected.as_ref(), "cut at {place}");
        }
    }
}
