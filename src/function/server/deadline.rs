//! How long the caller will wait, out of the `grpc-timeout` header.
//!
//! The transport answers for itself when the time is over; the function is told
//! so that it can answer before.

use std::time::Duration;

use http::HeaderMap;

/// The header's name in the gRPC protocol.
const HEADER: &str = "grpc-timeout";

/// The protocol allows eight digits, which is also what keeps the arithmetic
/// below from overflowing.
const DIGITS: usize = 8;

/// The time that is left, or `None` when the caller set no limit or one that
/// cannot be read: the protocol has no answer for that case, and a call without
/// a limit is better than none.
pub(super) fn parse(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(value * 3600)),
        'M' => Some(Duration::from_secs(value * 60)),
        'S' => Some(Duration::from_secs(value)),
        'm' => Some(Duration::from_millis(value)),
        'u' => Some(Duration::from_micros(value)),
        'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_deadline_is_read_in_every_unit_and_an_unreadable_one_is_none() {
        let table = [
            ("2H", Some(Duration::from_hours(2))),
            ("3M", Some(Duration::from_mins(3))),
            ("119S", Some(Duration::from_secs(119))),
            ("119987m", Some(Duration::from_millis(119_987))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("", None),
            ("S", None),
            ("5", None),
            ("+5S", None),
            ("-5S", None),
            ("1.5S", None),
            ("123456789S", None),
            ("5s", None),
        ];
        for (text, expected) in table {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(HEADER),
                HeaderValue::from_static(text),
            )]);
            assert_eq!(parse(&headers), expected, "{text:?}");
        }
        assert_eq!(parse(&HeaderMap::new()), None);
    }
}
