//! What the loop knows of a kind and of the server: a few pure functions, and five calls.
//!
//! A kind is a type that implements [`ManagedKind`]; whoever can ask the server for
//! resources of that kind implements [`External`]. The loop decides which call is due.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use infisical::{Error, ErrorKind, api::ResourceRefusal, secret::SecretValue};
use jiff::Timestamp;

use crate::api::{
    resource::Kind,
    secret::{Generate, SecretKeyReference},
};

/// A kind of managed resource, as the loop sees it. All of it is pure.
pub trait ManagedKind: Kind {
    /// What the server answers of one resource.
    type Seen: Clone + fmt::Debug + Send + Sync;
    /// What has to be sent so that the server has what the author wants.
    type Change: fmt::Debug + Send + Sync;

    /// By what a resource is found again of which only the intent to make it is known.
    const FOUND_BY: FoundBy;

    /// Whether others refer to it.
    const IS_REFERRED_TO: bool = true;

    /// Whether the server shows something of it only when it is made. That goes into the
    /// connection Secret; where it is not in there, another one is made in its place before
    /// this one is deleted. All that have our mark are looked for at every look.
    const SHOWN_ONCE: bool = false;

    /// The id that the server gave it: its external name.
    fn id(seen: &Self::Seen) -> &str;

    /// What is shown of it in `status.atProvider`: nothing that changes while nobody
    /// changes the resource, and no secret.
    fn observation(seen: &Self::Seen) -> Self::Observation;

    /// The slug or path that others write down that refer to it; `None` where they write
    /// down its id, or as long as it is not there.
    fn key(observation: &Self::Observation) -> Option<&str> {
        let _ = observation;
        None
    }

    /// The id in what is shown of it.
    fn observed_id(observation: &Self::Observation) -> Option<&str>;

    /// What differs from what the author wrote. Fields that he left out do not.
    fn compare(wanted: &Self::Parameters, seen: &Self::Seen) -> Difference<Self::Change>;

    /// Whether the parameters say enough to find or to make it.
    ///
    /// # Errors
    /// Which field is missing.
    fn complete(wanted: &Self::Parameters) -> Result<(), &'static str>;

    /// Whether an external name is an id of the server's, and no natural key.
    #[must_use]
    fn is_id(name: &str) -> bool {
        is_uuid(name)
    }

    /// The parameters by which a resource is found that an author imports by its natural
    /// key. `None` where it can be imported by its id only.
    fn with_key(wanted: &Self::Parameters, key: &str) -> Option<Self::Parameters> {
        let _ = (wanted, key);
        None
    }

    /// The parameters with what it was seen in before, such as a project, where that is not
    /// what they say by now: as long as it is there, it is not made elsewhere.
    fn seen_in(wanted: &Self::Parameters, shown: &Self::Observation) -> Option<Self::Parameters> {
        let _ = (wanted, shown);
        None
    }

    /// The keys of Secrets of its namespace without which it cannot be made or changed.
    fn inputs(wanted: &Self::Parameters) -> Vec<SecretKeyReference> {
        let _ = wanted;
        Vec::new()
    }

    /// How a value is drawn that is kept in its connection Secret.
    fn generated(wanted: &Self::Parameters) -> Option<&Generate> {
        let _ = wanted;
        None
    }

    /// The parameters with what is in no spec.
    ///
    /// # Errors
    /// Why nothing can be made of that, without a value.
    fn with(
        wanted: &Self::Parameters,
        given: Given<'_, Self::Observation>,
    ) -> Result<Self::Parameters, String> {
        let _ = given;
        Ok(wanted.clone())
    }

    /// Why it cannot be used although it is there; `None` where it can.
    fn unavailable(seen: &Self::Seen) -> Option<String> {
        let _ = seen;
        None
    }

    /// The parameters with what the author left out and the server chose, where that is
    /// to be written down in the spec. `None` where there is nothing to write.
    fn late_initialize(wanted: &Self::Parameters, seen: &Self::Seen) -> Option<Self::Parameters> {
        let _ = (wanted, seen);
        None
    }

    /// Whether the connection Secret holds what the server showed once of this one.
    fn is_held(seen: &Self::Seen, held: &ConnectionDetails) -> bool {
        let _ = (seen, held);
        true
    }

    /// Whether it is so old that another is to be made in its place.
    fn is_over(wanted: &Self::Parameters, seen: &Self::Seen, now: Timestamp) -> bool {
        let _ = (wanted, seen, now);
        false
    }

    /// Whether the one in whose place this one was made is still kept, for those who have
    /// not read the connection Secret since.
    fn keeps_old(wanted: &Self::Parameters, seen: &Self::Seen, now: Timestamp) -> bool {
        let _ = (wanted, seen, now);
        false
    }

    /// What is needed to connect to it, as far as it can be read from the server.
    fn connection_details(seen: &Self::Seen) -> ConnectionDetails {
        let _ = seen;
        ConnectionDetails::default()
    }
}

/// What a kind needs beyond its spec.
#[derive(Debug)]
pub struct Given<'a, O> {
    /// What was asked for: inputs, or else what was drawn. None where nothing may be made
    /// or changed.
    pub values: Vec<SecretValue>,
    /// What was shown of the resource when it was last seen.
    pub observed: Option<&'a O>,
}

/// By what a resource is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// By what its parameters say, of which the server has one at most: a slug, a path. Two
    /// creates make one.
    Key,
    /// By a mark that is written with the create, which the server does not look at. Two
    /// creates make two.
    Mark,
}

/// What differs between what is wanted and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference<C> {
    /// Nothing.
    None,
    /// This has to be sent.
    Change(C),
    /// A field that the server does not let be changed. Nothing is deleted to be made again.
    Fixed(String),
}

/// The mark by which a resource is ours: the uid of its object, which no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a>(pub &'a str);

/// How new an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// One that was read for others in this poll will do.
    Shared,
    /// Only one that is asked for now.
    Fresh,
}

/// What becomes of a create.
#[derive(Debug, Default)]
pub struct Made {
    /// The id that the server gave it.
    pub id: String,
    /// What the server shows only now.
    pub details: ConnectionDetails,
}

/// What is needed to connect to a resource: for its Secret, and for nothing else.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionDetails(pub BTreeMap<String, Vec<u8>>);

impl fmt::Debug for ConnectionDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The resources of one kind on one server.
///
/// An implementation asks once and does not retry: the loop does, and looks before.
#[async_trait]
pub trait External<K: ManagedKind>: Send + Sync {
    /// The resource of an id; `None` where there is none.
    async fn observe(
        &self,
        id: &str,
        wanted: &K::Parameters,
        read: Read,
    ) -> Result<Option<K::Seen>, ExternalError>;

    /// The resources of this natural key, or with this mark, the oldest first.
    async fn find(
        &self,
        wanted: &K::Parameters,
        mark: Mark<'_>,
        read: Read,
    ) -> Result<Vec<K::Seen>, ExternalError>;

    /// Makes one.
    async fn create(&self, wanted: &K::Parameters, mark: Mark<'_>) -> Result<Made, ExternalError>;

    /// Makes one in the place of one that is gone, whose id was this.
    async fn create_again(
        &self,
        before: &str,
        wanted: &K::Parameters,
        mark: Mark<'_>,
    ) -> Result<Made, ExternalError> {
        let _ = before;
        self.create(wanted, mark).await
    }

    /// Changes one.
    async fn update(
        &self,
        id: &str,
        wanted: &K::Parameters,
        change: &K::Change,
    ) -> Result<ConnectionDetails, ExternalError>;

    /// Deletes one. That it is not there is no error.
    async fn delete(&self, id: &str, wanted: &K::Parameters) -> Result<(), ExternalError>;
}

/// Why a call did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExternalError {
    /// In words, and without a secret.
    pub message: String,
    /// What is known of it.
    pub failure: Failure,
    /// For how long it makes no sense to try again.
    pub wait: Option<Duration>,
}

/// What is known of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server refused it: it had no effect.
    Refused,
    /// The server refused to make what exists already.
    Exists,
    /// The token does not work any more: it had no effect.
    TokenRefused,
    /// The token may not do this, or not yet: it had no effect.
    Forbidden,
    /// Nobody knows whether it had an effect.
    Unknown,
}

impl ExternalError {
    /// A refusal.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), failure: Failure::Refused, wait: None }
    }

    /// A refusal, because it exists already.
    #[must_use]
    pub fn exists(message: impl Into<String>) -> Self {
        Self { message: message.into(), failure: Failure::Exists, wait: None }
    }

    /// A failure of which nobody knows what it did.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self { message: message.into(), failure: Failure::Unknown, wait: None }
    }
}

impl ExternalError {
    /// Why a route of a resource failed.
    #[must_use]
    pub fn of_resource(error: Error<ResourceRefusal>) -> Self {
        match error.kind {
            ErrorKind::Refused(ResourceRefusal::AlreadyExists) => Self::exists(error.to_string()),
            _ => error.into(),
        }
    }
}

impl<R: fmt::Display> From<Error<R>> for ExternalError {
    fn from(error: Error<R>) -> Self {
        let (failure, wait) = match error.kind {
            _ if error.effect_is_unknown() => (Failure::Unknown, None),
            ErrorKind::RateLimited { retry_after } => (Failure::Refused, retry_after),
            ErrorKind::TokenRefused(_) => (Failure::TokenRefused, None),
            ErrorKind::Forbidden => (Failure::Forbidden, None),
            _ => (Failure::Refused, None),
        };
        Self { message: error.to_string(), failure, wait }
    }
}

/// Whether a text is a UUID, as all ids of the server are.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let is_of_it = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_of_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_is_an_id() {
        let table = [
            ("7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11", true),
            ("7FB194B6-BDC8-4A18-9D2B-4B5A7E0F6A11", true),
            ("payments", false),
            ("7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a1", false),
            ("7fb194b6xbdc8-4a18-9d2b-4b5a7e0f6a11", false),
            ("7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a1g", false),
            ("", false),
        ];
        for (text, expected) in table {
            assert_eq!(is_uuid(text), expected, "{text:?}");
        }
    }

    #[test]
    fn connection_details_are_never_printed() {
        let details = ConnectionDetails([("clientSecret".to_owned(), b"marker".to_vec())].into());
        let printed = format!("{:?}", Made { id: "i".to_owned(), details });
        assert!(printed.contains("clientSecret") && !printed.contains("marker"), "{printed}");
    }

    #[test]
    fn an_answer_that_did_not_come_is_no_refusal() {
        use infisical::error::{TokenRefusal, Transport};
        let error = |kind: ErrorKind| ExternalError::from(Error::new("create the project", kind));
        let table = [
            (ErrorKind::Unreachable(Transport::TimedOut), Failure::Unknown, None),
            (ErrorKind::ServerError { status: 500 }, Failure::Unknown, None),
            (ErrorKind::Forbidden, Failure::Forbidden, None),
            (ErrorKind::TokenRefused(TokenRefusal::Expired), Failure::TokenRefused, None),
            (ErrorKind::NotFound, Failure::Refused, None),
            (
                ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(7)) },
                Failure::Refused,
                Some(Duration::from_secs(7)),
            ),
        ];
        for (kind, failure, wait) in table {
            let error = error(kind);
            assert_eq!((error.failure, error.wait), (failure, wait), "{error}");
        }
    }
}
