//! A secret: found by its name, of which a folder has one at most.
//!
//! All secrets of a folder are read in one list and written in one batch. The value is in
//! a Secret of Kubernetes, and what is compared is what the server makes of it.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::{
    api::{Metadata, UpdateSecret},
    secret::SecretValue,
};

use super::{missing, path::normal, refusal};
use crate::{
    api::secret::{
        Generate, Secret, SecretKeyReference, SecretMetadata, SecretObservation, SecretParameters,
        SecretPlace,
    },
    connect::{
        Served,
        batch::LARGEST,
        listing::{Listed, Operation, Write, json_length},
        secrets::route,
        session::Open,
    },
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Given, Made, ManagedKind, Mark, Read,
    },
};

/// A secret, and the folder that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    secret: Arc<Listed>,
    place: SecretPlace,
}

/// What of a secret is changed, by the name that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    write: Write,
    new_name: Option<String>,
}

impl ManagedKind for Secret {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Key;
    const IS_REFERRED_TO: bool = false;

    fn id(seen: &Seen) -> &str {
        &seen.secret.id
    }

    fn observation(seen: &Seen) -> SecretObservation {
        let Listed { id, name, comment, .. } = &*seen.secret;
        SecretObservation {
            id: Some(id.clone()),
            project_id: Some(seen.place.project_id.clone()),
            environment_slug: Some(seen.place.environment.clone()),
            folder_path: Some(seen.place.path.clone()),
            name: Some(name.clone()),
            comment: Some(comment.clone()).filter(|comment| !comment.is_empty()),
            metadata: words(&seen.secret.metadata),
            tag_ids: sorted(&seen.secret.tag_ids),
        }
    }

    fn observed_id(observation: &SecretObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &SecretParameters, seen: &Seen) -> Difference<Change> {
        let secret = &*seen.secret;
        if let Some(why) = moved(wanted, &seen.place) {
            return Difference::Fixed(why);
        }
        if wanted.value.is_some() && secret.value.is_none() {
            return Difference::Fixed(
                "the login may not read values of secrets here, so nobody knows whether this one is right: allow \
                 its role to read values"
                    .to_owned(),
            );
        }
        let is_other = |value: &SecretValue| Some(value.fingerprint()) != secret.value;
        let metadata = wanted.metadata.as_ref().map(|wanted| sorted(wanted));
        let tag_ids = wanted.tag_ids.as_ref().map(|wanted| sorted(wanted));
        let write = Write {
            name: String::new(),
            value: wanted.value.as_ref().map(SecretValue::as_stored).filter(is_other),
            comment: trimmed(wanted.comment.as_ref()).filter(|wanted| *wanted != secret.comment),
            metadata: metadata.filter(|wanted| *wanted != words(&secret.metadata)).map(metadata_of),
            tag_ids: tag_ids.filter(|wanted| *wanted != sorted(&secret.tag_ids)),
            skip_multiline_encoding: wanted
                .skip_multiline_encoding
                .filter(|wanted| *wanted != secret.skip_multiline_encoding),
        };
        let new_name = wanted.name.clone().filter(|wanted| *wanted != secret.name);
        let change = Change { write, new_name };
        if change == Change::default() {
            return Difference::None;
        }
        let write = Write { name: secret.name.clone(), ..change.write };
        Difference::Change(Change { write, ..change })
    }

    fn complete(wanted: &SecretParameters) -> Result<(), &'static str> {
        wanted.project_id.as_ref().ok_or("projectId")?;
        wanted.environment_slug.as_ref().ok_or("environmentSlug")?;
        wanted.name.as_ref().map(|_| ()).ok_or("name")
    }

    fn with_key(wanted: &SecretParameters, key: &str) -> Option<SecretParameters> {
        Some(SecretParameters { name: Some(key.to_owned()), ..wanted.clone() })
    }

    fn inputs(wanted: &SecretParameters) -> Vec<SecretKeyReference> {
        wanted.value_secret_ref.iter().cloned().collect()
    }

    fn generated(wanted: &SecretParameters) -> Option<&Generate> {
        wanted.generate.as_ref()
    }

    fn with(
        wanted: &SecretParameters,
        given: Given<'_, SecretObservation>,
    ) -> Result<SecretParameters, String> {
        let value = given.values.into_iter().next();
        if let Some(value) = &value {
            check(value, wanted)?;
        }
        let place = |seen: &SecretObservation| {
            Some(SecretPlace {
                project_id: seen.project_id.clone()?,
                environment: seen.environment_slug.clone()?,
                path: seen.folder_path.clone()?,
            })
        };
        Ok(SecretParameters { value, seen_in: given.observed.and_then(place), ..wanted.clone() })
    }
}

/// Says what the server would make of a value, before it does.
fn check(value: &SecretValue, wanted: &SecretParameters) -> Result<(), String> {
    let of = wanted.value_secret_ref.as_ref();
    let of = of.map_or_else(String::new, |it| format!(" in the key {} of the Secret {}", it.key, it.name));
    // Exposed: only its length is looked at.
    let length = json_length(value.expose());
    if length > LARGEST / 2 {
        return Err(format!(
            "the value{of} has {length} bytes, and a secret of Infisical has {} at most",
            LARGEST / 2
        ));
    }
    if wanted.trim_value != Some(true) && value.as_stored() != *value {
        return Err(format!(
            "the value{of} has white space at its ends, which Infisical cuts off but for one newline: take it away \
             there, or write spec.forProvider.trimValue: true"
        ));
    }
    Ok(())
}

/// Why a secret is not where it is meant to be; `None` where it is.
fn moved(wanted: &SecretParameters, seen: &SecretPlace) -> Option<String> {
    let fields = [
        ("projectId", wanted.project_id.clone(), &seen.project_id),
        ("environmentSlug", wanted.environment_slug.clone(), &seen.environment),
        ("folderPath", wanted.folder_path.as_deref().map(normal), &seen.path),
    ];
    let mut fields = fields.into_iter().filter_map(|(field, wanted, seen)| Some((field, wanted?, seen)));
    let (field, wanted, seen) = fields.find(|(_, wanted, seen)| wanted != *seen)?;
    Some(format!(
        "spec.forProvider.{field} is {wanted:?}, and the secret's is {seen:?}, which cannot be changed: make \
         another Secret"
    ))
}

fn trimmed(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
}

fn sorted<T: Ord + Clone>(all: &[T]) -> Vec<T> {
    let mut all = all.to_vec();
    all.sort();
    all.dedup();
    all
}

fn words(metadata: &[Metadata]) -> Vec<SecretMetadata> {
    let word = |Metadata { key, value }: &Metadata| SecretMetadata { key: key.clone(), value: value.clone() };
    sorted(&metadata.iter().map(word).collect::<Vec<_>>())
}

fn metadata_of(words: Vec<SecretMetadata>) -> Vec<Metadata> {
    words.into_iter().map(|SecretMetadata { key, value }| Metadata { key, value }).collect()
}

impl Served for Secret {
    // What waits together goes together.
    const AT_ONCE: u16 = 256;

    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Secrets(Arc::clone(open)))
    }
}

/// The routes of secrets.
struct Secrets(Arc<Open>);

#[async_trait]
impl External<Secret> for Secrets {
    async fn observe(
        &self,
        id: &str,
        wanted: &SecretParameters,
        read: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let place = place_of(wanted)?;
        // Where it is meant to be, and where it was: it may not move, and not be forgotten.
        let before = wanted.seen_in.as_ref().filter(|before| **before != place);
        for place in [Some(&place), before].into_iter().flatten() {
            let listing = self.0.secrets(place, read).await?;
            if let Some(secret) = listing.as_ref().as_ref().and_then(|listing| listing.of_id(id)) {
                return Ok(Some(Seen { secret: Arc::clone(secret), place: place.clone() }));
            }
        }
        Ok(None)
    }

    async fn find(
        &self,
        wanted: &SecretParameters,
        _: Mark<'_>,
        read: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let place = place_of(wanted)?;
        let name = wanted.name.as_deref().ok_or_else(|| missing("name"))?;
        let listing = self.0.secrets(&place, read).await?;
        let secret = listing.as_ref().as_ref().and_then(|listing| listing.named(name));
        Ok(secret.map(|secret| Seen { secret: Arc::clone(secret), place }).into_iter().collect())
    }

    async fn create(&self, wanted: &SecretParameters, mark: Mark<'_>) -> Result<Made, ExternalError> {
        let write = Write {
            name: wanted.name.clone().ok_or_else(|| missing("name"))?,
            value: Some(wanted.value.as_ref().ok_or_else(|| missing("valueSecretRef"))?.as_stored()),
            comment: trimmed(wanted.comment.as_ref()),
            metadata: wanted.metadata.clone().map(metadata_of),
            tag_ids: wanted.tag_ids.clone(),
            skip_multiline_encoding: wanted.skip_multiline_encoding,
        };
        self.0.write_secret(&place_of(wanted)?, Operation::Create, write).await?;
        // The answer to a batch is not read; its list is read once for all of it.
        let made = self.find(wanted, mark, Read::Shared).await.map_err(after_create)?;
        let made = made.first().ok_or_else(|| {
            ExternalError::unknown("cannot make the secret: it is not there although it was made")
        })?;
        Ok(Made { id: made.secret.id.clone(), details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        _: &str,
        wanted: &SecretParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        let place = place_of(wanted)?;
        let Change { write, new_name: Some(new_name) } = change else {
            self.0.write_secret(&place, Operation::Update, change.write.clone()).await?;
            return Ok(ConnectionDetails::default());
        };
        let tags = write.tags();
        let update = UpdateSecret {
            token: &self.0.token,
            place: route(&place),
            name: &write.name,
            content: write.content(tags.as_deref()),
            new_name: Some(new_name),
        };
        let _writing = self.0.writing(&place);
        self.0.send(&update).await.map_err(refusal)?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, wanted: &SecretParameters) -> Result<(), ExternalError> {
        // By the name that it has, and where it is.
        let Some(Seen { secret, place }) = self.observe(id, wanted, Read::Shared).await? else {
            return Ok(());
        };
        let write = Write { name: secret.name.clone(), ..Write::default() };
        self.0.write_secret(&place, Operation::Delete, write).await
    }
}

/// It is made, and what its id is is not known.
fn after_create(error: ExternalError) -> ExternalError {
    ExternalError::unknown(error.message)
}

fn place_of(wanted: &SecretParameters) -> Result<SecretPlace, ExternalError> {
    let given = |value: &Option<String>, field| {
        value.clone().filter(|value| !value.is_empty()).ok_or_else(|| missing(field))
    };
    Ok(SecretPlace {
        project_id: given(&wanted.project_id, "projectId")?,
        environment: given(&wanted.environment_slug, "environmentSlug")?,
        path: normal(wanted.folder_path.as_deref().unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> SecretParameters {
        SecretParameters {
            project_id: Some("p".to_owned()),
            environment_slug: Some("prod".to_owned()),
            name: Some("KEY".to_owned()),
            ..SecretParameters::default()
        }
    }

    fn word(key: &str, value: &str) -> SecretMetadata {
        SecretMetadata { key: key.to_owned(), value: value.to_owned() }
    }

    fn seen() -> Seen {
        let secret = Listed {
            id: "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11".to_owned(),
            name: "KEY".to_owned(),
            value: Some(SecretValue::new("one\n").fingerprint()),
            comment: "Ours".to_owned(),
            metadata: metadata_of(vec![word("team", "a"), word("tier", "1")]),
            tag_ids: vec!["t2".to_owned(), "t1".to_owned()],
            skip_multiline_encoding: false,
        };
        Seen { secret: Arc::new(secret), place: place_of(&wanted()).unwrap() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "all parameters are optional")]
    fn value(value: &str) -> Option<SecretValue> {
        Some(SecretValue::new(value))
    }

    #[test]
    fn only_what_the_author_wrote_is_compared_and_as_the_server_keeps_it() {
        let same = SecretParameters {
            value: value("one\n"),
            comment: Some(" Ours\n".to_owned()),
            metadata: Some(vec![word("tier", "1"), word("team", "a")]),
            tag_ids: Some(vec!["t1".to_owned(), "t2".to_owned()]),
            skip_multiline_encoding: Some(false),
            folder_path: Some("/".to_owned()),
            ..wanted()
        };
        let trimmed = SecretParameters { value: value(" one \n\n"), ..wanted() };
        for (reason, wanted) in [("nothing", wanted()), ("it is so already", same), ("trimmed", trimmed)] {
            assert_eq!(Secret::compare(&wanted, &seen()), Difference::None, "{reason}");
        }
    }

    #[test]
    fn each_field_that_differs_is_sent_alone() {
        let named = Write { name: "KEY".to_owned(), ..Write::default() };
        let comment = SecretParameters { comment: Some(String::new()), ..wanted() };
        let metadata = SecretParameters { metadata: Some(vec![word("team", "b")]), ..wanted() };
        let tags = SecretParameters { tag_ids: Some(Vec::new()), ..wanted() };
        let multiline = SecretParameters { skip_multiline_encoding: Some(true), ..wanted() };
        let table = [
            (
                "value",
                SecretParameters { value: value("one"), ..wanted() },
                Write { value: value("one"), ..named.clone() },
            ),
            ("comment", comment, Write { comment: Some(String::new()), ..named.clone() }),
            (
                "metadata",
                metadata,
                Write { metadata: Some(metadata_of(vec![word("team", "b")])), ..named.clone() },
            ),
            ("tags", tags, Write { tag_ids: Some(Vec::new()), ..named.clone() }),
            ("multiline", multiline, Write { skip_multiline_encoding: Some(true), ..named.clone() }),
        ];
        for (reason, wanted, write) in table {
            let expected = Difference::Change(Change { write, new_name: None });
            assert_eq!(Secret::compare(&wanted, &seen()), expected, "{reason}");
        }
        let renamed = SecretParameters { name: Some("OTHER".to_owned()), ..wanted() };
        let expected = Difference::Change(Change { write: named, new_name: Some("OTHER".to_owned()) });
        assert_eq!(Secret::compare(&renamed, &seen()), expected);
    }

    #[test]
    fn a_secret_does_not_move_and_a_value_that_is_hidden_is_not_guessed() {
        let moved = SecretParameters { folder_path: Some("/api".to_owned()), ..wanted() };
        let Difference::Fixed(why) = Secret::compare(&moved, &seen()) else { panic!("it is fixed") };
        assert!(why.contains("folderPath is \"/api\"") && why.ends_with("make another Secret"), "{why}");
        let hidden = Seen { secret: Arc::new(Listed { value: None, ..(*seen().secret).clone() }), ..seen() };
        let valued = SecretParameters { value: value("one"), ..wanted() };
        let Difference::Fixed(why) = Secret::compare(&valued, &hidden) else { panic!("it is hidden") };
        assert!(why.ends_with("allow its role to read values"), "{why}");
        assert_eq!(Secret::compare(&wanted(), &hidden), Difference::None);
    }

    #[test]
    fn a_value_that_the_server_would_change_is_refused_unless_the_author_allows_it() {
        let from = Some(SecretKeyReference { name: "db".to_owned(), key: "url".to_owned() });
        let strict = SecretParameters { value_secret_ref: from, ..wanted() };
        let table = [
            ("marker", true),
            ("marker\n", true),
            ("a marker\nof lines", true),
            ("", true),
            (" marker", false),
            ("marker\n\n", false),
            ("marker\r\n", false),
            ("marker\u{a0}", false),
        ];
        for (text, is_fine) in table {
            let given = || Given { values: value(text).into_iter().collect(), observed: None };
            let answer = Secret::with(&strict, given());
            assert_eq!(answer.is_ok(), is_fine, "{text:?}");
            if let Err(why) = answer {
                assert!(
                    why.starts_with("the value in the key url of the Secret db") && !why.contains("marker")
                );
            }
            let lenient = SecretParameters { trim_value: Some(true), ..strict.clone() };
            assert!(Secret::with(&lenient, given()).is_ok(), "{text:?}");
        }
        let long = Given { values: vec![SecretValue::new("x".repeat(LARGEST))], observed: None };
        assert!(Secret::with(&strict, long).unwrap_err().contains("at most"));
    }

    #[test]
    fn a_value_is_never_written_down() {
        let valued = SecretParameters { value: value("marker"), ..wanted() };
        assert!(!serde_json::to_string(&valued).unwrap().contains("marker"));
        assert!(!format!("{valued:?}").contains("marker"));
        let change = Secret::compare(&valued, &seen());
        assert!(!format!("{change:?}").contains("marker"));
    }
}
