//! When the token is verified and renewed.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::{
    text::{checked, texts},
    wrong::Wrong,
};

/// Below this a server would be asked all the time.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// Beyond this a revoked token would go unnoticed for days.
const LONGEST_INTERVAL: Duration = Duration::from_hours(24);

/// When the token is verified and renewed.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenPolicy {
    /// How often the instance is asked whether the token works, such as 90s, 10m
    /// or 1h30m; between 10s and 24h. Default: 10m.
    #[serde(deserialize_with = "checked::<Interval, _, _>")]
    #[schemars(with = "Interval")]
    pub verify_interval: Duration,
    /// The fraction of the token's life that is left when it is renewed: a number
    /// between 0 and 1, or a fraction such as 1/3. Default: 1/3.
    #[serde(deserialize_with = "fraction")]
    // A structural schema has no type that is a number or a string.
    #[schemars(with = "serde_json::Value", extend("x-kubernetes-preserve-unknown-fields" = true))]
    pub renew_at: f64,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self { verify_interval: Duration::from_mins(10), renew_at: 1.0 / 3.0 }
    }
}

texts! {
    Interval(Duration) = interval;
}

fn interval(text: &str) -> Result<Duration, Wrong> {
    let interval = go_duration(text)
        .ok_or_else(|| Wrong::new("is no duration; write one such as \"90s\", \"10m\" or \"1h30m\""))?;
    if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
        Ok(interval)
    } else {
        Err(Wrong::new("is out of bounds; write a duration between \"10s\" and \"24h\""))
    }
}

fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(Fraction)
}

/// A number, or a text such as `1/3`.
struct Fraction;

impl Visitor<'_> for Fraction {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a fraction such as \"1/3\"")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        if number > 0.0 && number < 1.0 {
            Ok(number)
        } else {
            Err(E::custom(Wrong::new("is no fraction between 0 and 1; write one such as 0.25 or \"1/3\"")))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        let number = match text.split_once('/') {
            Some((over, under)) => decimal(over).zip(decimal(under)).map(|(over, under)| over / under),
            None => decimal(text),
        };
        self.visit_f64(number.unwrap_or(f64::NAN))
    }
}

/// A duration in the notation of Go: numbers, each with its unit.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_where(after, |c| c.is_ascii_digit() || c == '.');
        let seconds = decimal(number)? * seconds_of(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

/// Digits with at most one period, and nothing else that a float may be.
fn decimal(text: &str) -> Option<f64> {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then(|| text.parse().ok())?
}

fn split_where(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at_checked(text.find(end).unwrap_or(text.len())).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let table = [
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("90s500ms", Some(90_500)),
            ("1000000us", Some(1000)),
            ("10", None),
            ("m", None),
            ("", None),
            ("-10m", None),
            ("1..5s", None),
            ("10 m", None),
            ("1d", None),
            ("99999999999999999999999h", None),
        ];
        for (text, milliseconds) in table {
            assert_eq!(go_duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[0-9.hmsuµn/]{0,40}|.{0,20}") {
            let _ = go_duration(&text);
            if let Ok(number) = Fraction.visit_str::<Wrong>(&text) {
                prop_assert!(number > 0.0 && number < 1.0);
            }
        }
    }
}
