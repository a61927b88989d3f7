//! What is known of the secrets of folders, and what waits to be written there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use daemon::clock::Clock;
use infisical::{
    api::{Metadata, Secret, SecretContent},
    secret::{Fingerprint, SecretValue},
};

use super::{
    batch::{self, Batches},
    reads::Reads,
};
use crate::api::secret::SecretPlace;

/// A secret, as the list of its folder has it. Its value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What recognises its value; `None` where the login may not read it.
    pub value: Option<Fingerprint>,
    /// What is said of it.
    pub comment: String,
    /// Its metadata.
    pub metadata: Vec<Metadata>,
    /// The ids of its tags.
    pub tag_ids: Vec<String>,
    /// Whether a value of several lines is handed out as it is.
    pub skip_multiline_encoding: bool,
}

impl From<Secret> for Listed {
    fn from(secret: Secret) -> Self {
        Self {
            value: secret.value.as_ref().map(SecretValue::fingerprint),
            id: secret.id,
            name: secret.name,
            comment: secret.comment,
            metadata: secret.metadata,
            tag_ids: secret.tags.into_iter().map(|tag| tag.id).collect(),
            skip_multiline_encoding: secret.skip_multiline_encoding.unwrap_or_default(),
        }
    }
}

/// All secrets of a folder.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    by_name: BTreeMap<String, Arc<Listed>>,
    by_id: BTreeMap<String, Arc<Listed>>,
}

impl Listing {
    /// Of what the server listed.
    #[must_use]
    pub fn new(secrets: Vec<Secret>) -> Self {
        let mut listing = Self::default();
        for secret in secrets {
            let listed = Arc::new(Listed::from(secret));
            listing.by_name.insert(listed.name.clone(), Arc::clone(&listed));
            listing.by_id.insert(listed.id.clone(), listed);
        }
        listing
    }

    /// The secret of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Listed>> {
        self.by_name.get(name)
    }

    /// The secret of an id.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<&Arc<Listed>> {
        self.by_id.get(id)
    }
}

/// What is written of a secret: what there is a value for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Option<SecretValue>,
    /// What is said of it.
    pub comment: Option<String>,
    /// All of its metadata.
    pub metadata: Option<Vec<Metadata>>,
    /// The ids of all of its tags.
    pub tag_ids: Option<Vec<String>>,
    /// Whether a value of several lines is handed out as it is.
    pub skip_multiline_encoding: Option<bool>,
}

impl Write {
    /// As a request has it.
    pub fn content<'a>(&'a self, tag_ids: Option<&'a [&'a str]>) -> SecretContent<'a> {
        SecretContent {
            value: self.value.as_ref(),
            comment: self.comment.as_deref(),
            metadata: self.metadata.as_deref(),
            tag_ids,
            skip_multiline_encoding: self.skip_multiline_encoding,
        }
    }

    /// The ids of its tags, as a request has them.
    #[must_use]
    pub fn tags(&self) -> Option<Vec<&str>> {
        self.tag_ids.as_ref().map(|ids| ids.iter().map(String::as_str).collect())
    }
}

impl batch::Item for Write {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> usize {
        // Names of fields, commas and braces.
        const AROUND: usize = 200;
        // Exposed: only its length is looked at.
        let value = self.value.as_ref().map_or(0, |value| json_length(value.expose()));
        let metadata = self.metadata.iter().flatten();
        let metadata: usize = metadata.map(|it| json_length(&it.key) + json_length(&it.value) + 30).sum();
        let tags: usize = self.tag_ids.iter().flatten().map(|id| json_length(id) + 3).sum();
        let comment = self.comment.as_deref().map_or(0, json_length);
        AROUND + json_length(&self.name) + value + comment + metadata + tags
    }
}

/// How many bytes a text has in JSON, without its quotes.
#[must_use]
pub fn json_length(text: &str) -> usize {
    let length = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

/// What is done with secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// They are made.
    Create,
    /// They are changed.
    Update,
    /// They are deleted.
    Delete,
}

/// What is known of the folders of a login, and what waits to be written there.
pub struct Secrets {
    /// The list of each folder.
    pub(super) reads: Reads<SecretPlace, Option<Listing>>,
    /// What waits.
    pub(super) writes: Batches<(SecretPlace, Operation), Write>,
}

impl Secrets {
    /// Nothing is known yet.
    pub(super) fn new(clock: Arc<dyn Clock>, age: Duration) -> Self {
        Self { reads: Reads::new(clock, age), writes: Batches::default() }
    }
}

#[cfg(test)]
mod tests {
    use infisical::api::BatchSecret;

    use super::{batch::Item as _, *};

    #[test]
    fn a_write_is_counted_as_long_as_it_is_or_longer() {
        let texts = ["", "plain", "a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{7f}", "Grüße 🎉"];
        for text in texts {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(json_length(text), json.len() - 2, "{text:?}");
            let write = Write {
                name: text.to_owned(),
                value: Some(SecretValue::new(text)),
                comment: Some(text.to_owned()),
                metadata: Some(vec![Metadata { key: text.to_owned(), value: text.to_owned() }]),
                tag_ids: Some(vec![text.to_owned()]),
                skip_multiline_encoding: Some(false),
            };
            let tags = write.tags();
            let content = write.content(tags.as_deref());
            let sent = serde_json::to_vec(&BatchSecret { name: &write.name, content }).unwrap();
            assert!(write.size() >= sent.len(), "{} of {}", write.size(), sent.len());
        }
    }

    #[test]
    fn what_is_kept_of_a_secret_has_no_value() {
        let secret = serde_json::json!({
            "id": "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11",
            "secretKey": "KEY",
            "secretValue": "marker",
            "secretComment": "",
            "version": 1,
        });
        let listing = Listing::new(vec![serde_json::from_value(secret).unwrap()]);
        let listed = listing.named("KEY").unwrap();
        assert_eq!(listed.value, Some(SecretValue::new("marker").fingerprint()));
        assert_eq!(listing.of_id(&listed.id), Some(listed));
        assert!(!format!("{listing:?}").contains("marker"));
    }
}
