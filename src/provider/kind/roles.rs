//! What holds for a while only: a role of a membership, a privilege.

use infisical::api::Temporary;
use jiff::Timestamp;

use crate::managed::external::ExternalError;

/// For how long, of the two parameters that say it; `None` for ever.
///
/// # Errors
/// `field` is the one that cannot be read.
pub(super) fn temporary(
    range: Option<&str>,
    start: Option<&str>,
    field: &str,
) -> Result<Option<Temporary>, ExternalError> {
    let (Some(range), Some(start)) = (range, start) else { return Ok(None) };
    let at = start.parse::<Timestamp>().map_err(|error| {
        ExternalError::refused(format!(
            "spec.forProvider.{field} is {start:?}, which is no time such as 2026-01-31T12:00:00Z: {error}"
        ))
    })?;
    Ok(Some(Temporary { range: range.to_owned(), start: in_milliseconds(at) }))
}

/// As a server keeps it.
fn in_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_the_server_keeps_it() {
        let read = temporary(Some("1h"), Some("2026-01-31T13:00:00.123456+01:00"), "x").unwrap().unwrap();
        assert_eq!(read.start.to_string(), "2026-01-31T12:00:00.123Z");
        assert_eq!(temporary(Some("1h"), None, "x"), Ok(None));
        let error = temporary(Some("1h"), Some("tomorrow"), "temporaryAccessStartTime").unwrap_err();
        assert!(
            error.message.starts_with("spec.forProvider.temporaryAccessStartTime is \"tomorrow\""),
            "{error}"
        );
    }
}
