//! What a route of Infisical's API is: a struct with the values of one request.
//!
//! A route says how it is asked and how its answers are read, and does no I/O. The
//! routes are in `api`, a file for each noun; `client` sends them. To add one is to add
//! a struct.

use std::{convert::Infallible, fmt, io};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use zeroize::Zeroizing;

use crate::{
    error::{ErrorKind, TokenRefusal},
    secret::{AccessToken, ClientSecret, UserToken},
};

/// Items that are asked for per page of a list; the server's own default.
pub const PAGE: usize = 100;

/// Bytes of an answer that are read at most. The largest recorded one has three
/// kilobytes; a full page of tokens has fifty.
const LONGEST: usize = 1024 * 1024;

/// The same for a list that the server gives in one piece, whatever pages it is asked
/// for. Each of it has half a kilobyte (recorded), so that these are thirty thousand.
pub(crate) const LONGEST_WITHOUT_PAGES: usize = 16 * 1024 * 1024;

/// One route, with the values of one request.
pub trait Route: Sync {
    /// Its HTTP method.
    const METHOD: Method;
    /// Its path with a name in braces in place of each id: what logs and metrics say.
    const PATH: &'static str;
    /// What an error says was being done: `log in`. No two routes have the same.
    const WHAT: &'static str;
    /// Bytes of its answer that are read at most, compressed or not.
    const LONGEST_ANSWER: usize = LONGEST;
    /// Whether the server may take as long as bootstrap does.
    const TAKES_LONG: bool = false;

    /// What the server answers when it does what was asked.
    type Answer: Send;
    /// The refusals that this route has and others do not; `Infallible` where there are
    /// none.
    type Refusal: fmt::Display + Send;

    /// The ids in its path, in their order.
    fn ids(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Its query, in this order; `None` is a value that is wanted and empty.
    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        Vec::new()
    }

    /// The text in its path in the place of `{name}`, percent-encoded: unlike an id, one
    /// that people chose.
    fn name(&self) -> Option<&str> {
        None
    }

    /// What its query has after that: texts that people chose, percent-encoded.
    fn texts(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// What it is authorized with, where that is a header.
    fn credential(&self) -> Option<Credential<'_>> {
        None
    }

    /// Its body, made by [`json`].
    ///
    /// # Errors
    /// It cannot be written as JSON.
    fn body(&self) -> serde_json::Result<Option<Bytes>> {
        Ok(None)
    }

    /// Reads the body of an answer of 2xx.
    ///
    /// # Errors
    /// It is not what the route answers.
    fn answer(body: &[u8]) -> serde_json::Result<Self::Answer>;

    /// What a refusal means, where it is not what it means on any other route.
    #[must_use]
    fn refusal(_: &RefusalBody) -> Option<ErrorKind<Self::Refusal>> {
        None
    }
}

/// A list that is given in pages.
pub trait Paged: Route<Answer = Vec<Self::Item>> {
    /// One of the list.
    type Item: PartialEq + Send;

    /// The same route, for the page that begins at `offset`.
    #[must_use]
    fn beginning_at(&self, offset: usize) -> Self;
}

/// The HTTP methods that the routes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl Method {
    /// As it is written in a request, and what metrics say.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a request is authorized with.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// A user's session.
    Session(&'a UserToken),
    /// A machine identity's token.
    Token(&'a AccessToken),
}

/// The body of a refusal. All that were recorded have these fields, by which they
/// are told from the JSON of a gateway that stands in between: that is no word of
/// Infisical's about a token. `message` is a string or, for 422, a list of issues.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalBody {
    /// The status, once more.
    #[serde(rename = "statusCode")]
    pub status: u16,
    /// The kind of refusal, in a word or two of the server's.
    pub error: String,
    pub(crate) message: serde_json::Value,
}

impl RefusalBody {
    /// What the server would say of an id that it never gave out.
    pub(crate) fn not_found() -> Self {
        Self { status: 404, error: "NotFound".to_owned(), message: serde_json::Value::Null }
    }

    /// Whether the message has these words. Only where nothing else tells two cases
    /// apart; the recordings pin the wording.
    #[must_use]
    pub fn mentions(&self, words: &str) -> bool {
        self.message.as_str().is_some_and(|message| message.contains(words))
    }

    /// Why a token was refused. Two kinds of 401 and two of 403 differ in their message
    /// only.
    #[must_use]
    pub fn token_refusal(&self) -> TokenRefusal {
        match self.error.as_str() {
            "TokenError" if self.mentions("expired") => TokenRefusal::Expired,
            "TokenError" => TokenRefusal::Malformed,
            _ if self.mentions("exceeded max age") => TokenRefusal::ExceededMaxAge,
            _ if self.mentions("revoked") => TokenRefusal::Revoked,
            _ => TokenRefusal::Other,
        }
    }
}

/// Whether a text can be an id: Infisical's are UUIDs.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A body in JSON, whose memory is zeroed with the last handle to it.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json(body: &impl Serialize) -> serde_json::Result<Option<Bytes>> {
    // Room without growing, so that no half of a password stays behind in memory that was
    // given back.
    let mut length = Length(0);
    serde_json::to_writer(&mut length, body)?;
    let mut buffer = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *buffer, body)?;
    Ok(Some(Bytes::from_owner(buffer)))
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body `{}`, which some routes were recorded with.
#[derive(Serialize)]
pub(crate) struct NoFields {}

/// Reads an answer of which only the status counts.
pub(crate) fn done(body: &[u8]) -> serde_json::Result<()> {
    #[derive(Deserialize)]
    struct Done {}
    serde_json::from_slice(body).map(|Done {}| ())
}

/// Reads an answer of which only the token counts.
pub(crate) fn granted(body: &[u8]) -> serde_json::Result<AccessToken> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Granted {
        #[serde(deserialize_with = "access_token")]
        access_token: AccessToken,
    }
    serde_json::from_slice(body).map(|Granted { access_token }| access_token)
}

/// Characters of a text in a path, decoded; one more is a 414 (recorded).
const LONGEST_NAME: usize = 100;

/// Whether a text can be a segment of a path: a dot or two would be taken for another
/// path by what stands in between.
pub(crate) fn is_name(text: &str) -> bool {
    !["", ".", ".."].contains(&text) && text.chars().count() <= LONGEST_NAME
}

/// Writes a text so that it is one segment of a path, or one value of a query.
pub(crate) fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(byte));
            }
            _ => {
                let digit = |of: u8| char::from_digit(u32::from(of), 16).unwrap_or('0').to_ascii_uppercase();
                into.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

/// The refusal of a route that asks of nothing but a token: whatever it is that is
/// refused, it is the token.
pub(crate) fn of_the_token(body: &RefusalBody) -> Option<ErrorKind<Infallible>> {
    matches!(body.status, 401 | 403).then(|| ErrorKind::TokenRefused(body.token_refusal()))
}

/// A token goes straight into its secret type, and is none if it is empty.
pub(crate) fn access_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    token(deserializer).map(AccessToken::new)
}

pub(crate) fn user_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UserToken, D::Error> {
    token(deserializer).map(UserToken::new)
}

pub(crate) fn client_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientSecret, D::Error> {
    token(deserializer).map(ClientSecret::new)
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("an empty token")) } else { Ok(text) }
}

/// An id is checked, because it becomes part of a path.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_id(&text) { Ok(text) } else { Err(D::Error::custom("an id that is none")) }
}

pub(crate) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<jiff::Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
