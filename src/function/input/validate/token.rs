//! When the token is verified and renewed.

use std::time::Duration;

use super::{
    super::{TokenPolicy, raw, raw::Fraction},
    At, InputError,
};

/// Below this a server would be asked all the time.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// Beyond this a revoked token would go unnoticed for days.
const LONGEST_INTERVAL: Duration = Duration::from_hours(24);

pub(super) fn policy(at: &At, raw: Option<raw::Token>) -> Result<TokenPolicy, InputError> {
    let default = TokenPolicy::default();
    let Some(raw::Token { verify_interval, renew_at }) = raw else { return Ok(default) };
    Ok(TokenPolicy {
        verify_interval: verify_interval
            .map_or(Ok(default.verify_interval), |text| interval(&at.field("verifyInterval"), &text))?,
        renew_at: renew_at.map_or(Ok(default.renew_at), |raw| fraction(&at.field("renewAt"), &raw))?,
    })
}

fn interval(at: &At, text: &str) -> Result<Duration, InputError> {
    let interval = go_duration(text)
        .ok_or_else(|| at.problem("is no duration; write one such as \"90s\", \"10m\" or \"1h30m\""))?;
    if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
        Ok(interval)
    } else {
        Err(at.problem("is out of bounds; write a duration between \"10s\" and \"24h\""))
    }
}

fn fraction(at: &At, raw: &Fraction) -> Result<f64, InputError> {
    let number = match raw {
        Fraction::Number(number) => Some(*number),
        Fraction::Text(text) => match text.split_once('/') {
            Some((over, under)) => decimal(over).zip(decimal(under)).map(|(over, under)| over / under),
            None => decimal(text),
        },
    };
    number
        .filter(|number| *number > 0.0 && *number < 1.0)
        .ok_or_else(|| at.problem("is no fraction between 0 and 1; write one such as 0.25 or \"1/3\""))
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
            let at = At::input();
            if let Ok(number) = fraction(&at, &Fraction::Text(text)) {
                prop_assert!(number > 0.0 && number < 1.0);
            }
        }
    }
}
