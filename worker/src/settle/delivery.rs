//! Deliveries: one arrival of a message at this worker, its headers, and the answer to the queue.

use async_nats::jetstream::{AckKind, Message};
use jiff::Timestamp;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::{EVENTS_HEADER, LINES_BYTES_HEADER, MAX_LINES_BYTES, REQUEST_HEADER, TRACE_HEADER};
use rollcall_shared::queue::dead_letter;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::subject::{priority_of, project_of};
use uuid::Uuid;

/// One delivery of a message.
#[derive(Debug)]
pub(crate) struct Delivery {
    message: Message,
    /// The id of this delivery; a redelivery of the same message has another.
    pub(crate) delivery_id: Uuid,
    /// Whether the message was delivered before. Its attempts are then counted in `troubled_messages`,
    /// and the count must be removed at the end.
    pub(crate) is_redelivered: bool,
}

/// Identifies a message across deliveries, even if its stream is created again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageId {
    pub(crate) sequence: u64,
    pub(crate) published: Timestamp,
}

impl Delivery {
    /// Takes a message that was just received. `None` if it did not come from the consumer.
    pub(crate) fn new(message: Message) -> Option<Self> {
        let is_redelivered = message.info().ok()?.delivered > 1;
        Some(Self { message, delivery_id: Uuid::now_v7(), is_redelivered })
    }

    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) fn id(&self) -> MessageId {
        // `new` has parsed it, so this does not fail.
        let info = self.message.info().ok();
        let nanoseconds = info.as_ref().map_or(0, |info| info.published.unix_timestamp_nanos());
        MessageId {
            sequence: info.map_or(0, |info| info.stream_sequence),
            published: Timestamp::from_nanosecond(nanoseconds).unwrap_or_default(),
        }
    }

    /// How many events it holds, by its headers.
    pub(crate) fn event_count(&self) -> usize {
        self.header(EVENTS_HEADER).and_then(|count| count.parse().ok()).unwrap_or(1)
    }

    /// How much memory its lines take, in bytes.
    pub(crate) fn lines_bytes(&self) -> usize {
        let header = self.header(LINES_BYTES_HEADER).and_then(|bytes| bytes.parse().ok());
        header.unwrap_or(MAX_LINES_BYTES)
    }

    /// The requests whose events it holds.
    pub(crate) fn requests(&self) -> &str {
        self.header(REQUEST_HEADER).unwrap_or_default()
    }

    /// How often its events were redriven.
    pub(crate) fn redrives(&self) -> u32 {
        dead_letter::redrives(self.message.headers.as_ref())
    }

    /// The project of its subject; `None` if the subject names no project.
    pub(crate) fn project(&self) -> Option<ProjectId> {
        project_of(&self.message.subject)
    }

    pub(crate) fn priority(&self) -> Priority {
        priority_of(&self.message.subject)
    }

    /// The trace that its first request belongs to, by the W3C header.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.header(TRACE_HEADER)?.split('-').nth(1)
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.message.headers.as_ref()?.get(name).map(|value| value.as_str())
    }

    /// Answers the queue. Correctness does not depend on it: if the answer is lost, the message is
    /// delivered again, and its events are recognised as duplicates.
    pub(crate) async fn answer(&self, kind: AckKind) {
        if let Err(error) = self.message.ack_with(kind).await {
            tracing::warn!(%error, sequence = self.id().sequence, "a message was not answered; it will come back");
        }
    }
}
