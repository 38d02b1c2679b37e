//! A letter: one dead letter, decoded, and how answers show it.

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;
use jiff::Timestamp;
use rollcall_shared::event::{Event, identity};
use rollcall_shared::queue::chunk::{self, EVENTS_HEADER, REQUEST_HEADER};
use rollcall_shared::queue::dead_letter::{Code, Verdict, headers_to_send_again};
use rollcall_shared::queue::stream::STREAM;
use rollcall_shared::queue::subject::is_message;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::shown::Shown;

/// A letter is shown with at most this many events: a message may hold thousands.
const MAX_SHOWN_EVENTS: usize = 1000;

/// A dead letter.
pub(crate) struct Letter {
    message: StreamMessage,
    verdict: Verdict,
    /// The lines of its events; empty if it cannot be decoded.
    lines: Vec<u8>,
}

impl Letter {
    pub(crate) fn read(message: StreamMessage) -> Self {
        let verdict = Verdict::read(&message.headers).unwrap_or_else(|| verdict_of_stranger(&message));
        let lines = chunk::decompress(Some(&message.headers), &message.payload).unwrap_or_default();
        Self { message, verdict, lines }
    }

    /// Its sequence in the stream. Clients use it as the id of the letter.
    pub(crate) fn sequence(&self) -> u64 {
        self.message.sequence
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Its events, without those that cannot be read.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        chunk::events(&self.lines).filter_map(Result::ok)
    }

    /// Whether it contains the event with this identity.
    pub(crate) fn has_event(&self, id: Uuid) -> bool {
        self.events().any(|event| identity(&event.id.0) == id)
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.message.payload.len() + self.lines.len()
    }

    pub(crate) fn events_count(&self) -> u64 {
        let header = self.message.headers.get(EVENTS_HEADER);
        header.and_then(|count| count.as_str().parse().ok()).unwrap_or(0)
    }

    /// The letter without its events, as in lists.
    pub(crate) fn summary(&self) -> Summary {
        let is_message = is_message(&self.message.subject);
        let event = self.events().next().filter(|_| !is_message);
        let verdict = &self.verdict;
        Summary {
            id: self.sequence().to_string(),
            kind: if is_message { Kind::Message } else { Kind::Event },
            code: verdict.code.into(),
            reason: verdict.reason.clone(),
            attempts: verdict.attempts,
            redrives: verdict.redrives,
            events_count: self.events_count(),
            first_seen: verdict.first_seen,
            failed_at: verdict.failed_at,
            origin: Origin { stream: STREAM, sequence: verdict.origin_sequence },
            request_ids: self.request_ids().into_iter().map(str::to_owned).collect(),
            event_id: event.as_ref().map(|event| event.id.0.to_string()),
            event_type: event.map(|event| event.event_type.0.into_owned()),
        }
    }

    /// The letter with its events.
    pub(crate) fn in_full(&self) -> InFull<'_> {
        let events = self.events().take(MAX_SHOWN_EVENTS).map(Shown::from).collect();
        InFull { summary: self.summary(), payload_bytes: self.message.payload.len(), events }
    }

    /// The payload and headers to publish in order to send its events again.
    pub(crate) fn to_send_again(&self) -> (Bytes, HeaderMap) {
        (self.message.payload.clone(), headers_to_send_again(&self.message.headers))
    }

    fn request_ids(&self) -> Vec<&str> {
        let header = self.message.headers.get(REQUEST_HEADER).map(|ids| ids.as_str()).unwrap_or_default();
        header.split(',').filter(|id| !id.is_empty()).collect()
    }
}

/// What a list shows of a dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct Summary {
    id: String,
    kind: Kind,
    /// Why it could not be stored, for programs: `refused`, `unknown_project`, `unknown_time_zone`, `event_type_limit`,
    /// `undecodable`, `kills_worker` or `expired`.
    code: &'static str,
    /// Why it could not be stored, for people.
    reason: String,
    /// The number of attempts to store it.
    attempts: u32,
    /// The number of redrives before this failure.
    redrives: u32,
    events_count: u64,
    /// When it was accepted.
    first_seen: Timestamp,
    /// When it became a dead letter.
    failed_at: Timestamp,
    origin: Origin,
    /// The ids of the requests that sent its events.
    request_ids: Vec<String>,
    /// Absent if the letter is a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// Absent if the letter is a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
}

/// What a dead letter holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// One event.
    Event,
    /// A whole message with all its events, or many events of one.
    Message,
}

/// The message that the dead letter comes from.
#[derive(Debug, Serialize, ToSchema)]
struct Origin {
    stream: &'static str,
    sequence: u64,
}

/// A letter with its events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterInFull)]
pub(crate) struct InFull<'l> {
    #[serde(flatten)]
    summary: Summary,
    payload_bytes: usize,
    /// At most 1,000.
    events: Vec<Shown<'l>>,
}

/// The verdict of a letter that no worker wrote.
fn verdict_of_stranger(message: &StreamMessage) -> Verdict {
    let at = Timestamp::from_nanosecond(message.time.unix_timestamp_nanos()).unwrap_or_default();
    Verdict {
        code: Code::Undecodable,
        reason: "its headers say nothing".to_owned(),
        attempts: 0,
        redrives: 0,
        origin_sequence: 0,
        first_seen: at,
        failed_at: at,
    }
}
