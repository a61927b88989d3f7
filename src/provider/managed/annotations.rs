//! The annotations `crossplane.io/…` by which authors and the provider talk.
//!
//! Keys and what a value means are those of crossplane-runtime's `pkg/meta`.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The name of the resource on the server.
pub const EXTERNAL_NAME: &str = "crossplane.io/external-name";

/// When the resource was last about to be made.
pub const CREATE_PENDING: &str = "crossplane.io/external-create-pending";

/// When the resource was last made.
pub const CREATE_SUCCEEDED: &str = "crossplane.io/external-create-succeeded";

/// When it last failed to be made.
pub const CREATE_FAILED: &str = "crossplane.io/external-create-failed";

/// Whether nothing is to be done.
pub const PAUSED: &str = "crossplane.io/paused";

/// How often it is looked at.
pub const POLL_INTERVAL: &str = "crossplane.io/poll-interval";

/// That it is to be looked at once, at another value.
pub const RECONCILE_REQUESTED_AT: &str = "crossplane.io/reconcile-requested-at";

/// The annotations of an object.
#[derive(Clone, Copy, Debug)]
pub struct Annotations<'a>(pub &'a BTreeMap<String, String>);

static NONE: BTreeMap<String, String> = BTreeMap::new();

impl<'a> Annotations<'a> {
    /// Those of an object.
    #[must_use]
    pub fn of(metadata: &'a ObjectMeta) -> Self {
        Self(metadata.annotations.as_ref().unwrap_or(&NONE))
    }

    /// The name of the resource on the server, where there is one: an empty one is none,
    /// and nothing is ever asked for by it.
    #[must_use]
    pub fn external_name(self) -> Option<&'a str> {
        self.text(EXTERNAL_NAME)
    }

    /// Whether the author paused it. Only `true` does.
    #[must_use]
    pub fn is_paused(self) -> bool {
        self.text(PAUSED) == Some("true")
    }

    /// What the author last asked a reconcile with, unless it was handled.
    #[must_use]
    pub fn reconcile_request(self, last_handled: Option<&str>) -> Option<&'a str> {
        self.text(RECONCILE_REQUESTED_AT).filter(|&token| Some(token) != last_handled)
    }

    /// Since when a create is open: it was begun, and nobody wrote down how it ended. The
    /// resource may be there. It is looked for by what is deterministic, and never waits
    /// for a human.
    #[must_use]
    pub fn open_create(self) -> Option<Timestamp> {
        let ended = self.time(CREATE_SUCCEEDED).max(self.time(CREATE_FAILED));
        self.time(CREATE_PENDING).filter(|&pending| Some(pending) > ended)
    }

    /// How often it is looked at: what the author says, but not more often than
    /// `shortest`, and `usual` where that is nothing or no duration.
    #[must_use]
    pub fn poll_interval(self, usual: Duration, shortest: Duration) -> Duration {
        let written = self.text(POLL_INTERVAL).and_then(duration).filter(|interval| !interval.is_zero());
        written.map_or(usual, |interval| interval.max(shortest))
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn time(self, key: &str) -> Option<Timestamp> {
        self.text(key)?.parse().ok()
    }
}

/// A duration as Go's `time.ParseDuration` reads it, such as `1h30m` or `1.5s`; what is
/// negative or below a nanosecond is nothing.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut sum = Duration::ZERO;
    loop {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let part = number.parse::<f64>().ok()? * seconds_of(unit)?;
        sum = sum.checked_add(Duration::try_from_secs_f64(part).ok()?)?;
        if tail.is_empty() {
            return Some(sum);
        }
        rest = tail;
    }
}

fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" | "μs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3_600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn an_empty_external_name_is_none() {
        assert_eq!(Annotations(&with(&[])).external_name(), None);
        assert_eq!(Annotations(&with(&[(EXTERNAL_NAME, "")])).external_name(), None);
        assert_eq!(Annotations(&with(&[(EXTERNAL_NAME, "7fb194b6")])).external_name(), Some("7fb194b6"));
    }

    #[test]
    fn only_true_pauses() {
        for (value, expected) in [("true", true), ("True", false), ("false", false), ("", false)] {
            assert_eq!(Annotations(&with(&[(PAUSED, value)])).is_paused(), expected, "{value:?}");
        }
    }

    #[test]
    fn a_reconcile_is_requested_once_for_each_value() {
        let asked = with(&[(RECONCILE_REQUESTED_AT, "b")]);
        assert_eq!(Annotations(&asked).reconcile_request(None), Some("b"));
        assert_eq!(Annotations(&asked).reconcile_request(Some("a")), Some("b"));
        assert_eq!(Annotations(&asked).reconcile_request(Some("b")), None);
        assert_eq!(Annotations(&with(&[(RECONCILE_REQUESTED_AT, "")])).reconcile_request(None), None);
    }

    #[test]
    fn a_create_is_open_when_pending_is_the_newest() {
        const EARLY: &str = "2026-01-01T00:00:00Z";
        const LATE: &str = "2026-01-01T00:00:01Z";
        type Row = (&'static str, &'static [(&'static str, &'static str)], bool);
        let table: &[Row] = &[
            ("never begun", &[], false),
            ("begun", &[(CREATE_PENDING, EARLY)], true),
            ("succeeded", &[(CREATE_PENDING, EARLY), (CREATE_SUCCEEDED, LATE)], false),
            ("succeeded in the same second", &[(CREATE_PENDING, EARLY), (CREATE_SUCCEEDED, EARLY)], false),
            ("failed", &[(CREATE_PENDING, EARLY), (CREATE_FAILED, LATE)], false),
            ("begun again", &[(CREATE_PENDING, LATE), (CREATE_FAILED, EARLY)], true),
            (
                "the later of the two counts",
                &[(CREATE_PENDING, EARLY), (CREATE_FAILED, EARLY), (CREATE_SUCCEEDED, LATE)],
                false,
            ),
            ("no time", &[(CREATE_PENDING, "soon")], false),
        ];
        for &(reason, pairs, expected) in table {
            assert_eq!(Annotations(&with(pairs)).open_create().is_some(), expected, "{reason}");
        }
    }

    #[test]
    fn the_poll_interval_is_what_the_author_says_if_it_is_a_duration() {
        let (usual, shortest) = (Duration::from_mins(1), Duration::from_secs(5));
        let table = [
            ("10m", Duration::from_mins(10)),
            ("1h30m", Duration::from_mins(90)),
            ("1.5h", Duration::from_mins(90)),
            ("+7500ms", Duration::from_millis(7_500)),
            ("1s", shortest),
            ("0", usual),
            ("0s", usual),
            ("-10m", usual),
            ("10", usual),
            ("m", usual),
            ("ten minutes", usual),
            ("1h30", usual),
            ("999999999999999999999h", usual),
            ("", usual),
        ];
        for (text, expected) in table {
            let annotations = with(&[(POLL_INTERVAL, text)]);
            assert_eq!(Annotations(&annotations).poll_interval(usual, shortest), expected, "{text:?}");
        }
        assert_eq!(Annotations(&with(&[])).poll_interval(usual, shortest), usual);
    }
}
