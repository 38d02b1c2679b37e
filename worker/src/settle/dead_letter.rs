//! Dead letters: an event that cannot be stored becomes a dead letter before its message leaves the queue.
//!
//! The order matters: a dead letter is written and confirmed before its message is acknowledged. After a
//! crash in between, the message is delivered again, and the stream refuses its second letter, because it
//! keeps one letter per subject.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use metrics::counter;
use rollcall_shared::queue::chunk::{ChunkWriter, REQUEST_HEADER};
use rollcall_shared::queue::dead_letter::{Code, Verdict};
use rollcall_shared::queue::stream::{DLQ_STREAM, LIMIT_REACHED};
use rollcall_shared::queue::subject::{event_subject, message_subject};

use crate::settle::delivery::Delivery;
use crate::store::Refused;

/// Dead letters that are published at the same time.
const IN_FLIGHT: usize = 32;
/// If more events of a message than this are beyond their project's limit of event types, they share a letter. A client
/// that invents a type for each event would otherwise fill the stream, and keep the worker busy with a letter for each.
const MAX_SEPARATE: usize = 100;

/// Why a dead letter could not be written. The message stays in the queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadLetterError {
    /// The queue did not confirm the dead letter.
    #[error("the dead letter was not taken")]
    Publish(#[from] PublishError),
    /// The compressor has no memory.
    #[error("the dead letter could not be compressed")]
    Compress(#[from] std::io::Error),
}

/// Writes dead letters.
pub(crate) struct DeadLetters {
    context: Context,
}

impl DeadLetters {
    pub(crate) fn new(client: async_nats::Client) -> Self {
        let mut context = jetstream::new(client);
        context.set_timeout(Duration::from_secs(3));
        Self { context }
    }

    /// Writes single events of a message, each as a separate dead letter, except many that are beyond their project's limit
    /// of event types.
    pub(crate) async fn write_events(
        &self,
        delivery: &Delivery,
        refused: &[&Refused],
        attempts: u32,
    ) -> Result<(), DeadLetterError> {
        let is_of_limit = |event: &&Refused| event.code == Code::EventTypeLimit;
        let is_shared = refused.iter().copied().filter(is_of_limit).count() > MAX_SEPARATE;
        let (together, separate): (Vec<_>, Vec<_>) = refused.iter().partition(|event| is_shared && is_of_limit(event));
        self.write_together(delivery, &together, attempts).await?;
        let letters: Vec<_> = separate.into_iter().map(|refused| self.write_event(delivery, refused, attempts)).collect();
        stream::iter(letters).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    /// Writes events in as few letters as they fit in, which is one: they come from one message.
    async fn write_together(&self, delivery: &Delivery, refused: &[&Refused], attempts: u32) -> Result<(), DeadLetterError> {
        let mut rest = refused;
        while let Some(first) = rest.first() {
            let mut writer = ChunkWriter::new()?;
            while let Some((event, others)) = rest.split_first().filter(|_| !writer.is_full()) {
                writer.push(&event.line, 1)?;
                rest = others;
            }
            let chunk = writer.finish()?;
            let mut headers = chunk.headers();
            headers.insert(REQUEST_HEADER, delivery.requests());
            let subject = message_subject(delivery.project(), &chunk.payload, delivery.redrives());
            let verdict = verdict(delivery, first.code, &first.reason, attempts);
            self.publish(subject, chunk.payload, headers, &verdict).await?;
        }
        Ok(())
    }

    async fn write_event(&self, delivery: &Delivery, refused: &Refused, attempts: u32) -> Result<(), DeadLetterError> {
        let mut writer = ChunkWriter::new()?;
        writer.push(&refused.line, 1)?;
        let chunk = writer.finish()?;
        let mut headers = chunk.headers();
        headers.insert(REQUEST_HEADER, delivery.requests());
        let identity = refused.identity;
        let subject = event_subject(identity.project, identity.id, identity.day, delivery.redrives());
        let verdict = verdict(delivery, refused.code, &refused.reason, attempts);
        self.publish(subject, chunk.payload, headers, &verdict).await
    }

    /// Writes a whole message, unchanged, as a dead letter.
    pub(crate) async fn write_message(
        &self,
        delivery: &Delivery,
        code: Code,
        reason: &str,
        attempts: u32,
    ) -> Result<(), DeadLetterError> {
        let message = delivery.message();
        let subject = message_subject(delivery.project(), &message.payload, delivery.redrives());
        let headers = message.headers.clone().unwrap_or_default();
        self.publish(subject, message.payload.clone(), headers, &verdict(delivery, code, reason, attempts)).await
    }

    async fn publish(
        &self,
        subject: String,
        payload: Bytes,
        mut headers: HeaderMap,
        verdict: &Verdict,
    ) -> Result<(), DeadLetterError> {
        verdict.write(&mut headers);
        let message = PublishMessage::build().payload(payload).headers(headers).expected_stream(DLQ_STREAM);
        let confirmed = match self.context.send_publish(subject, message).await {
            Ok(confirmation) => confirmation.await.map(drop),
            Err(error) => Err(error),
        };
        match confirmed {
            Err(error) if !is_there_already(&error) => Err(error.into()),
            _ => {
                counter!("rollcall_dead_letters_total", "code" => verdict.code.name()).increment(1);
                Ok(())
            }
        }
    }
}

fn verdict(delivery: &Delivery, code: Code, reason: &str, attempts: u32) -> Verdict {
    let id = delivery.id();
    Verdict {
        code,
        reason: reason.to_owned(),
        attempts,
        redrives: delivery.redrives(),
        origin_sequence: id.sequence,
        first_seen: id.published,
        failed_at: Timestamp::now(),
    }
}

/// Whether the stream already has a letter on this subject. A full stream has the same error code, so the
/// text decides. If the text ever changes, messages wait in the queue, and none is lost.
fn is_there_already(error: &PublishError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    matches!(error.kind(), PublishErrorKind::Other)
        && source.is_some_and(|error| error.error_code().0 == LIMIT_REACHED && error.to_string().contains("per subject"))
}
