//! One event in the format for readers.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use bytes::Bytes;
use rollcall_shared::event::Event;

use crate::shown::Shown;

/// The text before the event in a frame.
const DATA: &str = "\ndata: ";

/// The position of an event in the stream of all accepted events. It is the same on every replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventId {
    /// The sequence that JetStream gave the message.
    pub(super) sequence: u64,
    /// The event's index in the message, counted from 0.
    pub(super) index: u32,
    /// The number of events in the message. It shows whether more events of the message follow.
    pub(super) of: u32,
}

impl EventId {
    /// The key by which events are ordered.
    pub(super) fn position(self) -> (u64, u32) {
        (self.sequence, self.index)
    }

    /// The number of events of the same message after this one.
    pub(super) fn rest(self) -> u64 {
        u64::from(self.of.saturating_sub(self.index).saturating_sub(1))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.sequence, self.index, self.of)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit())).ok_or(());
        let (sequence, index, of) = (part()?, part()?, part()?);
        let (Ok(sequence), Ok(index), Ok(of)) = (sequence.parse(), index.parse(), of.parse()) else { return Err(()) };
        Ok(Self { sequence, index, of })
    }
}

/// An event, ready to be sent to any number of readers.
#[derive(Debug)]
pub(super) struct LiveEvent {
    pub(super) id: EventId,
    pub(super) event_type: Box<str>,
    pub(super) actor: Box<str>,
    pub(super) session_id: Option<Box<str>>,
    /// The frame of the event stream, with the blank line that ends it.
    pub(super) frame: Bytes,
}

impl LiveEvent {
    pub(super) fn new(id: EventId, event: Event<'_>) -> Self {
        let (event_type, actor) = (event.event_type.0.as_ref().into(), event.actor().into());
        let session_id = event.session_id.as_ref().map(|text| text.0.as_ref().into());
        let mut frame = Vec::with_capacity(512 + event.properties.len());
        // Writing into memory cannot fail.
        let _ = write!(frame, "id: {id}\nevent: event{DATA}");
        // JSON has line breaks only between tokens, and the API has removed those of properties.
        let _ = serde_json::to_writer(&mut frame, &Shown::from(event));
        frame.extend_from_slice(b"\n\n");
        Self { id, event_type, actor, session_id, frame: frame.into() }
    }

    /// The event as JSON.
    pub(super) fn json(&self) -> &str {
        let frame = std::str::from_utf8(&self.frame).unwrap_or_default();
        frame.split_once(DATA).map_or("", |(_, data)| data.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = EventId { sequence: 1042, index: 3, of: 7 };
        assert_eq!(id.to_string(), "1042-3-7");
        assert_eq!("1042-3-7".parse(), Ok(id));
        assert_eq!(id.rest(), 3);
        for text in ["", "1042", "1042-3", "1042-3-7-1", "+1042-3-7", "1042-3-", "x-3-7", "99999999999999999999-0-1"] {
            assert_eq!(text.parse::<EventId>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_frame_is_three_lines_and_a_blank_one() {
        let line =
            r#"{"id":"e1","type":"login","anonymous":"a\nb","occurred_us":5,"received_us":6000000,"properties":{"a":1e400}}"#;
        let event: Event<'_> = serde_json::from_str(line).unwrap();
        let event = LiveEvent::new(EventId { sequence: 9, index: 0, of: 1 }, event);
        let frame = std::str::from_utf8(&event.frame).unwrap();
        assert_eq!(
            frame,
            "id: 9-0-1\nevent: event\ndata: {\"event_id\":\"e1\",\"event_type\":\"login\",\"user_id\":null,\
             \"anonymous_id\":\"a\\nb\",\"session_id\":null,\"account_id\":null,\"occurred_at\":\"1970-01-01T00:00:00.000005Z\",\
             \"received_at\":\"1970-01-01T00:00:06Z\",\"properties\":{\"a\":1e400}}\n\n"
        );
        assert_eq!(&*event.actor, "a\nb");
        assert!(event.json().starts_with("{\"event_id\":") && event.json().ends_with("{\"a\":1e400}}"));
    }
}
