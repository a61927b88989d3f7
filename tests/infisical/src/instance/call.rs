//! One request on its way to the noun that answers it.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::Fields;
use crate::{Request, Response, Route};

/// An answer, or the refusal that ends the work early.
pub(super) type Answer = Result<Response, Response>;

/// A request with its time, and with the ids of its path decoded.
pub(super) struct Call<'a> {
    pub(super) now: Timestamp,
    pub(super) request: &'a Request,
    ids: Vec<String>,
}

impl<'a> Call<'a> {
    pub(super) fn new(now: Timestamp, request: &'a Request, ids: &[&str]) -> Self {
        let ids = ids.iter().map(|id| decoded(id)).collect();
        Self { now, request, ids }
    }

    /// The id at a place of the path.
    pub(super) fn id(&self, place: usize) -> &str {
        self.ids.get(place).map_or("", String::as_str)
    }

    /// The fields of the body.
    pub(super) fn fields(&self) -> Result<Fields, Response> {
        Fields::of_body(self.request)
    }

    /// The fields of the query; all of them texts.
    pub(super) fn query(&self) -> Fields {
        let pairs = self.request.path.split_once('?').map_or("", |(_, query)| query);
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), Value::from(decoded(&value.replace('+', " "))))
        };
        Fields::of_map(pairs.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }
}

/// The 414 of a path with an id that is longer than the router takes (recorded).
pub(super) fn too_long(ids: &[&str], request: &Request) -> Option<Response> {
    /// Characters that an id in a path may have (recorded).
    const LONGEST: usize = 100;
    let is_long = ids.iter().any(|id| decoded(id).chars().count() > LONGEST);
    is_long.then(|| Response::too_long_parameter(&request.path))
}

/// Whether a body of this route is above what the server takes (recorded).
pub(super) fn is_above_the_limit(request: &Request) -> bool {
    const LIMIT: usize = 1_048_576;
    request.body.len() > LIMIT
}

/// Whether who asks sent an authorization that is none. Also a public route refuses
/// that (recorded).
pub(super) fn is_public(route: Route) -> bool {
    matches!(route, Route::Config | Route::Bootstrap | Route::Login | Route::UniversalAuthLogin)
}

/// A text of a URL without its percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
