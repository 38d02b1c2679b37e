//! A batch: the events of one request, in each form that a measurement or a yardstick needs.
//!
//! The batch resembles real traffic: nearly all events are from yesterday and today, and two in a hundred are
//! up to four weeks late. Half of the ids are random (version 4), and half begin with the time (version 7).

use std::borrow::Cow;

use jiff::Timestamp;
use rollcall_shared::event::{Event, Text};
use serde::Serialize;
use uuid::Uuid;

use rollcall_example::{Config, Properties, SampleEvent, events};

/// Number of events in the request for which the targets are defined.
pub(crate) const REQUEST_EVENTS: u64 = 100_000;
/// Number of events that a worker stores in one transaction by default.
pub(crate) const TRANSACTION_EVENTS: usize = 20_000;

/// One event in this number is late.
const LATE_ONE_IN: u64 = 50;
/// Number of days, up to today, over which all other events are spread.
pub(crate) const RECENT_DAYS: u32 = 2;
/// Number of days over which late events are spread.
pub(crate) const LATE_DAYS: u32 = 28;

/// Events that were not sent before.
pub(crate) struct Batch {
    pub(crate) events: u64,
    /// The body of a request to any of the services.
    pub(crate) json: Vec<u8>,
    /// The lines of chunks, split into transactions.
    pub(crate) lines: Vec<Vec<u8>>,
    /// The id of the last event.
    pub(crate) last_id: Uuid,
}

/// An event in the form that every compared service accepts.
#[derive(Serialize)]
struct SentEvent<'a> {
    event_id: Uuid,
    occurred_at: Timestamp,
    user_id: u32,
    event_type: &'a str,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    properties: &'a Properties,
}

impl Batch {
    /// Generates a batch. The same seed gives the same batch.
    pub(crate) fn new(count: u64, users: u32, seed: u64) -> anyhow::Result<Self> {
        let config = |events, days, seed| {
            let mut config = Config::recent(events, days);
            (config.users, config.seed) = (users, seed);
            config
        };
        let late = count / LATE_ONE_IN;
        let recent = events(config(count - late, RECENT_DAYS, seed));
        let late = events(config(late, LATE_DAYS, !seed));
        let mut batch = Self { events: count, json: b"{\"events\":[".to_vec(), lines: Vec::new(), last_id: Uuid::nil() };
        let mut lines = Lines::default();
        for event in recent.chain(late) {
            batch.last_id = id(&event);
            serde_json::to_writer(&mut batch.json, &sent(&event))?;
            batch.json.push(b',');
            lines.push(&event)?;
            if lines.count == TRANSACTION_EVENTS {
                batch.lines.push(std::mem::take(&mut lines).bytes);
            }
        }
        batch.json.pop();
        batch.json.extend_from_slice(b"]}");
        batch.lines.extend(Some(lines.bytes).filter(|bytes| !bytes.is_empty()));
        Ok(batch)
    }
}

/// Events in the form of the lines of a chunk.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: usize,
}

impl Lines {
    /// Adds the line that the API would write for the event.
    pub(crate) fn push(&mut self, event: &SampleEvent) -> anyhow::Result<()> {
        let (id, user) = (id(event).to_string(), event.user.to_string());
        let properties = serde_json::to_string(&event.properties)?;
        let text = |text| Text(Cow::Borrowed(text));
        let line = Event {
            id: text(&id),
            event_type: text(event.event_type),
            user_id: Some(text(&user)),
            anonymous_id: None,
            session_id: Some(text(&event.session_id)),
            account_id: event.account_id.as_deref().map(text),
            occurred_at_us: event.occurred_at.as_microsecond(),
            received_at_us: event.occurred_at.as_microsecond() + 250_000,
            undated: false,
            properties: &properties,
        };
        line.write_line(&mut self.bytes);
        self.count += 1;
        Ok(())
    }
}

fn sent(event: &SampleEvent) -> SentEvent<'_> {
    SentEvent {
        event_id: id(event),
        occurred_at: event.occurred_at,
        // A number, because the plain Python service accepts nothing else.
        user_id: event.user,
        event_type: event.event_type,
        session_id: &event.session_id,
        account_id: event.account_id.as_deref(),
        properties: &event.properties,
    }
}

/// The event's own random id, or, for every other event, an id that begins with its time.
fn id(event: &SampleEvent) -> Uuid {
    let random = event.event_id.as_bytes();
    if random[15].is_multiple_of(2) {
        return event.event_id;
    }
    let mut rest = [0; 10];
    rest.copy_from_slice(&random[6..]);
    let millis = u64::try_from(event.occurred_at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rollcall_shared::queue::chunk;
    use serde_json::Value;

    use super::*;

    #[test]
    fn lines_and_body_hold_the_same_events_with_ids_of_their_own() {
        let batch = Batch::new(500, 50, 7).unwrap();
        let body: Value = serde_json::from_slice(&batch.json).unwrap();
        let sent: Vec<_> = body["events"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap()).collect();
        let stored: Vec<_> = chunk::events(&batch.lines[0]).map(|event| event.unwrap().id.0.into_owned()).collect();
        assert_eq!(sent, stored);
        assert_eq!(sent.iter().collect::<HashSet<_>>().len(), 500);
        assert_eq!(sent[499], batch.last_id.to_string());
    }
}
