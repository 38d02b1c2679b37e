//! Archived events as a client would send them.

use jiff::Timestamp;
use rollcall_archive::Row;
use serde::Serialize;
use serde_json::value::RawValue;

/// An event with the names of the API. What an event does not have is absent.
#[derive(Serialize)]
struct Line<'a> {
    event_id: &'a str,
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymous_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    /// Byte for byte as in the archive.
    properties: &'a RawValue,
}

/// Appends the line of an event. An undated event gets no time.
///
/// # Errors
/// Its properties are no JSON, or its time is none.
pub(super) fn append(row: &Row<'_>, lines: &mut Vec<u8>) -> anyhow::Result<()> {
    let time = (!row.undated).then(|| Timestamp::from_microsecond(row.occurred_at_us)).transpose()?;
    let line = Line {
        event_id: row.event_id,
        event_type: row.event_type,
        user_id: row.user_id,
        anonymous_id: row.anonymous_id,
        session_id: row.session_id,
        account_id: row.account_id,
        occurred_at: time,
        properties: serde_json::from_str(row.properties)?,
    };
    serde_json::to_writer(&mut *lines, &line)?;
    lines.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row<'_> = Row {
        event_id: "e\"1",
        event_type: "login",
        user_id: Some("u"),
        anonymous_id: None,
        session_id: None,
        account_id: None,
        occurred_at_us: 1_772_323_200_000_001,
        received_at_us: 0,
        undated: false,
        properties: r#"{"n": 1.50, "n": 2}"#,
    };

    fn line(row: &Row<'_>) -> String {
        let mut lines = Vec::new();
        append(row, &mut lines).unwrap();
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn properties_stay_as_they_are_and_times_keep_their_microseconds() {
        let expected = r#"{"event_id":"e\"1","event_type":"login","user_id":"u","occurred_at":"2026-03-01T00:00:00.000001Z","properties":{"n": 1.50, "n": 2}}"#;
        assert_eq!(line(&ROW).trim_end(), expected);
    }

    #[test]
    fn an_undated_event_is_sent_without_a_time() {
        assert!(!line(&Row { undated: true, ..ROW }).contains("occurred_at"));
    }
}
