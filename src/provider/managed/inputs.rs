//! What a kind needs of Secrets of its namespace, and what is drawn for it.
//!
//! Both are read with each reconcile and kept nowhere.

use infisical::secret::SecretValue;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rand::RngExt as _;

use super::{
    cluster::{Cluster, ClusterError, ObjectKey},
    halt::Halt,
    report::Report,
};
use crate::api::{
    resource::Kind,
    secret::{Generate, SecretKeyReference},
};

/// The key of the connection Secret in which a value is that was drawn.
pub(super) const GENERATED: &str = "value";

/// Characters of a value that was drawn, where the author says nothing.
const LENGTH: usize = 32;

/// Of which it is made.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The values of Secrets beside an object, in the order in which they are asked for.
pub(super) async fn read<K: Kind>(
    cluster: &dyn Cluster<K>,
    beside: &ObjectKey,
    wanted: &[SecretKeyReference],
) -> Result<Vec<SecretValue>, Halt> {
    let mut values = Vec::new();
    for SecretKeyReference { name, key } in wanted {
        let at = beside.beside(name);
        let secret = cluster.secret(&at).await.map_err(|error| cannot_read(&at, error))?;
        let secret = secret.ok_or_else(|| failed(&format!("there is no Secret {at}")))?;
        let value = value_of(&secret, key)
            .ok_or_else(|| failed(&format!("the Secret {at} has no key {key}")))?
            .map_err(|()| failed(&format!("the key {key} of the Secret {at} is no text in UTF-8")))?;
        values.push(value);
    }
    Ok(values)
}

/// The value of a key. An error where it is no text.
pub(super) fn value_of(secret: &Secret, key: &str) -> Option<Result<SecretValue, ()>> {
    let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
    Some(std::str::from_utf8(bytes).map(SecretValue::new).map_err(|_| ()))
}

/// Why a Secret cannot be read.
pub(super) fn cannot_read(at: &ObjectKey, error: ClusterError) -> Halt {
    match error {
        ClusterError::Other(why) => failed(&format!("cannot get the Secret {at}: {why}")),
        error => Halt::Cluster(error),
    }
}

/// That there is no value.
pub(super) fn failed(why: &str) -> Halt {
    Report::failure("CannotGetValue", "", &format!("cannot get the value: {why}")).into()
}

/// Draws a value, in which every character is equally likely.
pub(super) fn draw(generate: &Generate) -> SecretValue {
    let alphabet = generate.alphabet.as_deref().filter(|alphabet| !alphabet.is_empty()).unwrap_or(ALPHABET);
    let characters: Vec<char> = alphabet.chars().collect();
    let length = generate.length.and_then(|length| usize::try_from(length).ok()).unwrap_or(LENGTH);
    let mut rng = rand::rng();
    let draw = |_| characters.get(rng.random_range(..characters.len())).copied();
    // The allocator zeroes what it is copied from.
    SecretValue::new((0..length).filter_map(draw).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_value_is_as_long_as_wanted_and_of_the_characters_that_are_wanted() {
        let table = [
            (Generate::default(), 32, ALPHABET),
            (Generate { length: Some(5), alphabet: None }, 5, ALPHABET),
            (Generate { length: Some(400), alphabet: Some("abß".to_owned()) }, 400, "abß"),
        ];
        for (generate, length, alphabet) in table {
            let drawn = draw(&generate);
            assert_eq!(drawn.expose().chars().count(), length);
            assert!(drawn.expose().chars().all(|it| alphabet.contains(it)), "{generate:?}");
            assert_ne!(drawn, draw(&Generate { length: Some(64), ..generate }));
        }
        let all: BTreeSet<char> =
            draw(&Generate { length: Some(4096), alphabet: None }).expose().chars().collect();
        assert_eq!(all.len(), ALPHABET.len(), "each character is drawn");
    }
}
