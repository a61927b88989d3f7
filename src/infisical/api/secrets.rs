//! Static secrets: one by its name, many of one folder at once, and the list of a folder.
//!
//! Values are stored trimmed, but for one newline at the end; see
//! [`SecretValue::as_stored`]. Each write makes a version, also of what is equal. The
//! answer to a write is not the state, so nothing of it is read.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{identities::Metadata, refusal::ResourceRefusal};
use crate::{
    error::ErrorKind,
    route::{self, Credential, LONGEST_WITHOUT_PAGES, Method, RefusalBody, Route},
    secret::{AccessToken, SecretValue},
};

/// The folder that secrets are in.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretPlace<'a> {
    /// The project.
    pub project_id: &'a str,
    /// The slug of the environment.
    pub environment: &'a str,
    /// The path of the folder: `/`, `/team/api`.
    #[serde(rename = "secretPath")]
    pub path: &'a str,
}

impl<'a> SecretPlace<'a> {
    fn texts(&self) -> Vec<(&'static str, &'a str)> {
        vec![("projectId", self.project_id), ("environment", self.environment), ("secretPath", self.path)]
    }
}

/// What is written of a secret: what there is a value for. The rest stays as it is.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(into = "WrittenContent<'a>")]
pub struct SecretContent<'a> {
    /// Its value, which a create needs.
    pub value: Option<&'a SecretValue>,
    /// Its comment, stored trimmed.
    pub comment: Option<&'a str>,
    /// All of its metadata: keys of up to 255 and values of up to 1020 characters.
    pub metadata: Option<&'a [Metadata]>,
    /// The ids of all of its tags.
    pub tag_ids: Option<&'a [&'a str]>,
    /// Whether a multi-line value is handed out as it is.
    pub skip_multiline_encoding: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenContent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_metadata: Option<&'a [Metadata]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_ids: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip_multiline_encoding: Option<bool>,
}

impl<'a> From<SecretContent<'a>> for WrittenContent<'a> {
    fn from(content: SecretContent<'a>) -> Self {
        Self {
            // Exposed: this is what writing a secret is.
            secret_value: content.value.map(SecretValue::expose),
            secret_comment: content.comment,
            secret_metadata: content.metadata,
            tag_ids: content.tag_ids,
            skip_multiline_encoding: content.skip_multiline_encoding,
        }
    }
}

/// A secret, as read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its name. Case counts.
    #[serde(rename = "secretKey")]
    pub name: String,
    /// Its value, without the references in it followed; none where it was not asked for
    /// or who asks may not see it.
    #[serde(flatten, deserialize_with = "shown")]
    pub value: Option<SecretValue>,
    /// Its comment.
    #[serde(rename = "secretComment")]
    pub comment: String,
    /// How often it was written.
    pub version: u64,
    /// Its metadata.
    #[serde(rename = "secretMetadata", default)]
    pub metadata: Vec<Metadata>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<AttachedTag>,
    /// Whether a multi-line value is handed out as it is.
    #[serde(default)]
    pub skip_multiline_encoding: Option<bool>,
}

/// A tag of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AttachedTag {
    /// Its id, a UUID.
    #[serde(deserialize_with = "route::id")]
    pub id: String,
    /// Its slug, unique in the project.
    pub slug: String,
}

/// A value that is shown.
fn shown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretValue>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown {
        secret_value: String,
        #[serde(default)]
        secret_value_hidden: bool,
    }
    let Shown { secret_value, secret_value_hidden } = Shown::deserialize(deserializer)?;
    Ok((!secret_value_hidden).then(|| SecretValue::new(secret_value)))
}

/// A secret by its name: up to 100 characters, and not `batch`, for which there are the
/// routes of many.
const SECRET: &str = "/api/v4/secrets/{name}";

/// Many secrets.
const SECRETS: &str = "/api/v4/secrets/batch";

/// Values as they are stored: references are not followed, and what is imported from
/// elsewhere is left out.
fn as_stored(has_values: bool) -> Vec<(&'static str, Option<String>)> {
    let flag = |name, value: bool| (name, Some(value.to_string()));
    vec![
        flag("viewSecretValue", has_values),
        flag("expandSecretReferences", false),
        flag("includeImports", false),
    ]
}

/// `POST /api/v4/secrets/{name}`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSecret<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder that it is in.
    #[serde(flatten)]
    pub place: SecretPlace<'a>,
    /// Its name.
    #[serde(skip)]
    pub name: &'a str,
    /// What is written.
    #[serde(flatten)]
    pub content: SecretContent<'a>,
}

impl Route for CreateSecret<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = SECRET;
    const WHAT: &'static str = "make the secret";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v4/secrets/{name}`: as it is stored, without references followed.
#[derive(Clone, Copy, Debug)]
pub struct ReadSecret<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The folder that it is in.
    pub place: SecretPlace<'a>,
    /// Its name.
    pub name: &'a str,
}

impl Route for ReadSecret<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = SECRET;
    const WHAT: &'static str = "read the secret";
    type Answer = Secret;
    type Refusal = ResourceRefusal;

    fn name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        as_stored(true)
    }

    fn texts(&self) -> Vec<(&'static str, &str)> {
        self.place.texts()
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Secret> {
        #[derive(Deserialize)]
        struct Body {
            secret: Secret,
        }
        serde_json::from_slice(body).map(|Body { secret }| secret)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `GET /api/v4/secrets`: all of a folder, as they are stored, and none of those below it. The
/// route has no pages.
#[derive(Clone, Copy, Debug)]
pub struct ListSecrets<'a> {
    /// The token of an identity that may do that.
    pub token: &'a AccessToken,
    /// The folder that it is in.
    pub place: SecretPlace<'a>,
    /// Whether their values are asked for.
    pub has_values: bool,
}

impl Route for ListSecrets<'_> {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v4/secrets";
    const WHAT: &'static str = "list the secrets";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = Vec<Secret>;
    type Refusal = ResourceRefusal;

    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        as_stored(self.has_values)
    }

    fn texts(&self) -> Vec<(&'static str, &str)> {
        self.place.texts()
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn answer(body: &[u8]) -> serde_json::Result<Vec<Secret>> {
        #[derive(Deserialize)]
        struct Body {
            secrets: Vec<Secret>,
        }
        serde_json::from_slice(body).map(|Body { secrets }| secrets)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v4/secrets/{name}`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSecret<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder that it is in.
    #[serde(flatten)]
    pub place: SecretPlace<'a>,
    /// Its name.
    #[serde(skip)]
    pub name: &'a str,
    /// What is written.
    #[serde(flatten)]
    pub content: SecretContent<'a>,
    /// What it is to be called.
    #[serde(rename = "newSecretName", skip_serializing_if = "Option::is_none")]
    pub new_name: Option<&'a str>,
}

impl Route for UpdateSecret<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = SECRET;
    const WHAT: &'static str = "change the secret";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v4/secrets/{name}`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteSecret<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder that it is in.
    #[serde(flatten)]
    pub place: SecretPlace<'a>,
    /// Its name.
    #[serde(skip)]
    pub name: &'a str,
}

impl Route for DeleteSecret<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = SECRET;
    const WHAT: &'static str = "delete the secret";
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// One of many that are written.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BatchSecret<'a> {
    /// Its name: up to 256 characters.
    #[serde(rename = "secretKey")]
    pub name: &'a str,
    /// What is written.
    #[serde(flatten)]
    pub content: SecretContent<'a>,
}

/// What becomes of a secret that is to be changed and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingSecrets {
    /// Nothing is changed, and the answer is 404.
    FailOnNotFound,
    /// It is left out.
    Ignore,
    /// It is made.
    Upsert,
}

/// `POST /api/v4/secrets/batch`: all or none.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSecrets<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder that they are in.
    #[serde(flatten)]
    pub place: SecretPlace<'a>,
    /// At least one. With more than a mebibyte the whole body is a 500.
    pub secrets: &'a [BatchSecret<'a>],
}

impl Route for CreateSecrets<'_> {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = SECRETS;
    const WHAT: &'static str = "make the secrets";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `PATCH /api/v4/secrets/batch`: all or none.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSecrets<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder that they are in.
    #[serde(flatten)]
    pub place: SecretPlace<'a>,
    /// What becomes of those that are not there.
    pub mode: MissingSecrets,
    /// At least one. With more than a mebibyte the whole body is a 500.
    pub secrets: &'a [BatchSecret<'a>],
}

impl Route for UpdateSecrets<'_> {
    const METHOD: Method = Method::Patch;
    const PATH: &'static str = SECRETS;
    const WHAT: &'static str = "change the secrets";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// `DELETE /api/v4/secrets/batch`: all or, where one is not there, none and a 404 that does not
/// say which.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteSecrets<'a> {
    /// The token of an identity that may do that.
    #[serde(skip)]
    pub token: &'a AccessToken,
    /// The folder that they are in.
    #[serde(flatten)]
    pub place: SecretPlace<'a>,
    /// At least one.
    #[serde(rename = "secrets", serialize_with = "keys")]
    pub names: &'a [&'a str],
}

impl Route for DeleteSecrets<'_> {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = SECRETS;
    const WHAT: &'static str = "delete the secrets";
    const LONGEST_ANSWER: usize = LONGEST_WITHOUT_PAGES;
    type Answer = ();
    type Refusal = ResourceRefusal;

    fn credential(&self) -> Option<Credential<'_>> {
        Some(Credential::Token(self.token))
    }

    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        route::json(self)
    }

    fn answer(body: &[u8]) -> serde_json::Result<()> {
        route::done(body)
    }

    fn refusal(body: &RefusalBody) -> Option<ErrorKind<ResourceRefusal>> {
        ResourceRefusal::of(body)
    }
}

/// Names, as a batch has them.
fn keys<S: Serializer>(names: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    let content = SecretContent::default();
    serializer.collect_seq(names.iter().map(|name| BatchSecret { name, content }))
}
