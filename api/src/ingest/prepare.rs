//! Preparation: a body becomes validated lines, few to share a message or many cut into chunks.
//!
//! This is pure computation. A large body keeps a core busy for a while, so it is prepared on a thread
//! that may block.

use std::borrow::Cow;
use std::thread::{self, Scope};
use std::time::Duration;

use rollcall_shared::queue::chunk::{Chunk, ChunkWriter};
use tokio_util::sync::CancellationToken;

use crate::auth::Horizon;
use crate::error::ApiError;
use crate::ingest::body::budget::Share;
use crate::ingest::deliver::compress::Compressor;
use crate::ingest::parse::batch_id::BatchId;
use crate::ingest::parse::payload::{self, Format, PayloadError, Reading};
use crate::ingest::parse::validate::{Rules, validate};
use crate::ingest::parse::wire::WireEvent;
use crate::problem::{EventPlace, Problem};
use crate::settings::RequestLimits;

/// Bodies up to this size are parsed on the thread that received them, because handing them to another thread
/// would cost more.
const INLINE_BYTES: usize = 32 * 1024;

/// An `Idempotency-Key` made by another replica may name a time this far ahead of our clock.
const MAX_CLOCK_SKEW_US: i64 = 60_000_000;

/// The answer lists the ids of a batch with at most this many events.
pub(crate) const MAX_LISTED_IDS: usize = 100;
/// The answer lists the problems of at most this many invalid events.
const MAX_LISTED_EVENTS: usize = 100;
/// Lines up to this size share a message with other requests; a larger batch is published in separate chunks.
const MAX_SHARED_BYTES: usize = 64 * 1024;

/// The events of a request, ready to publish.
#[derive(Debug)]
pub(crate) enum Lines {
    /// Few enough to share a message with other requests.
    Few(Vec<u8>),
    /// Compressed into separate messages.
    Chunks(Vec<Chunk>),
}

impl Lines {
    /// Bytes held in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Few(lines) => lines.len(),
            Self::Chunks(chunks) => chunks.iter().map(|chunk| chunk.payload.len()).sum(),
        }
    }

    /// Compresses the lines into separate messages in any case.
    ///
    /// # Errors
    /// Only if the compressor has no memory.
    pub(crate) fn into_chunks(self, events: u32) -> std::io::Result<Vec<Chunk>> {
        match self {
            Self::Chunks(chunks) => Ok(chunks),
            Self::Few(lines) => {
                let mut writer = ChunkWriter::new()?;
                writer.push(&lines, events)?;
                Ok(vec![writer.finish()?])
            }
        }
    }
}

/// The events of a batch that can be published, and the problems of the others.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) lines: Lines,
    /// Number of valid events.
    pub(crate) events: usize,
    /// The ids of the valid events, if there are few.
    pub(crate) event_ids: Vec<String>,
    /// Number of invalid events.
    pub(crate) invalid_events: usize,
    /// The problems of the first invalid events.
    pub(crate) problems: Vec<Problem>,
}

/// Where the ids of a batch and of its events come from.
#[derive(Clone)]
pub(crate) struct BatchIdentity {
    received_at_us: i64,
    pub(crate) batch: BatchId,
    /// The client's own key; `None` if it sent no key or one that the API has made.
    chosen_key: Option<String>,
    /// The key with which the client can send the batch again.
    pub(crate) resend_key: String,
}

impl BatchIdentity {
    /// `received_at` is the time since 1970.
    pub(crate) fn new(idempotency_key: Option<String>, received_at: Duration) -> Self {
        let received_at_us = received_at.as_micros() as i64;
        let latest_us = received_at_us + MAX_CLOCK_SKEW_US;
        let resent = idempotency_key.as_deref().and_then(|key| BatchId::of_key(key, latest_us));
        let batch = resent.unwrap_or_else(|| BatchId::new(received_at));
        let resend_key = idempotency_key.clone().unwrap_or_else(|| batch.key());
        Self { received_at_us, batch, chosen_key: idempotency_key.filter(|_| resent.is_none()), resend_key }
    }
}

/// The rules for the events of a request that do not depend on the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchRules {
    pub(crate) limits: RequestLimits,
    /// The first day whose events the project keeps, if it does not keep all.
    pub(crate) horizon: Option<Horizon>,
}

/// Parses and validates a body. A large body gets its own thread, which stops when this future is dropped
/// because the client has disconnected or the process ends.
pub(crate) async fn prepare_body(
    body: Vec<u8>,
    format: Format,
    rules: BatchRules,
    identity: BatchIdentity,
    share: Share,
) -> Result<(Prepared, Share), ApiError> {
    let is_large = body.len() > INLINE_BYTES;
    let cancel = CancellationToken::new();
    let _cancel_on_drop = cancel.clone().drop_guard();
    let work = move || {
        let BatchIdentity { received_at_us, batch, chosen_key, .. } = &identity;
        let BatchRules { limits, horizon } = rules;
        let rules = Rules { received_at_us: *received_at_us, batch: *batch, idempotency_key: chosen_key.as_deref(), horizon };
        // The thread holds the share as long as it holds the bytes, even after the request has ended.
        prepare(&body, format, limits, rules, &cancel).map(|prepared| (prepared, share))
    };
    let (prepared, mut share) =
        if is_large { tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?? } else { work()? };
    share.shrink_to(prepared.lines.bytes());
    Ok((prepared, share))
}

/// Reads and validates a whole body, unless it is cancelled.
///
/// # Errors
/// Only if the body as a whole cannot be read; invalid events are counted in the result.
pub(crate) fn prepare(
    body: &[u8],
    format: Format,
    limits: RequestLimits,
    rules: Rules<'_>,
    cancel: &CancellationToken,
) -> Result<Prepared, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::Body(format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))?;
    let attempt = |one_by_one| {
        thread::scope(|scope| {
            let mut batch = Batch::new(rules, scope);
            let reading = Reading { format, max_events: limits.max_events, one_by_one, cancel };
            payload::read(text, reading, &mut |event| batch.take(event)).map(|()| batch.finish())
        })
    };
    let read = match attempt(false) {
        // The cause may be a single event.
        Err(PayloadError::Syntax(_)) if format == Format::Json => attempt(true),
        read => read,
    };
    read.map_err(|error| refusal(error, limits))?
}

/// Why a body cannot be read, for its client.
fn refusal(error: PayloadError, limits: RequestLimits) -> ApiError {
    match error {
        PayloadError::TooManyEvents => ApiError::TooManyEvents { limit: limits.max_events },
        PayloadError::Syntax(message) => ApiError::Body(format!("the body is not JSON: {message}")),
        PayloadError::EnvelopeNotArray => {
            ApiError::InvalidEnvelope(Problem::of_parameter("events", "wrong_type", "must be an array of events"))
        }
        PayloadError::EnvelopeField(field) => ApiError::InvalidEnvelope(Problem::of_parameter(
            &field,
            "unknown_field",
            "only events is allowed here; move this field into each event's properties",
        )),
        PayloadError::Cancelled => ApiError::Stopping,
    }
}

/// A batch while it is read.
struct Batch<'r, 'scope, 'env> {
    rules: Rules<'r>,
    scope: &'scope Scope<'scope, 'env>,
    index: usize,
    /// Lines of valid events that the compressor does not have yet.
    lines: Vec<u8>,
    /// The number of these lines.
    events: u32,
    /// Gets the lines once there are too many to share a message.
    compressor: Option<Compressor<'scope>>,
    prepared: Prepared,
}

impl<'r, 'scope, 'env> Batch<'r, 'scope, 'env> {
    fn new(rules: Rules<'r>, scope: &'scope Scope<'scope, 'env>) -> Self {
        let prepared =
            Prepared { lines: Lines::Few(Vec::new()), events: 0, event_ids: Vec::new(), invalid_events: 0, problems: Vec::new() };
        Self { rules, scope, index: 0, lines: Vec::new(), events: 0, compressor: None, prepared }
    }

    fn take(&mut self, event: Result<WireEvent<'_>, String>) {
        let index = self.index;
        self.index += 1;
        let judged = match event {
            Ok(wire) => validate(&wire, index, self.rules, &mut self.lines),
            Err(message) => Err(vec![Problem {
                event: Some(EventPlace { index, event_id: None }),
                field: String::new(),
                code: "invalid_json",
                message,
            }]),
        };
        match judged {
            Ok(id) => self.accept(id),
            Err(problems) => {
                self.prepared.invalid_events += 1;
                if self.prepared.invalid_events <= MAX_LISTED_EVENTS {
                    self.prepared.problems.extend(problems);
                }
            }
        }
    }

    fn accept(&mut self, id: Cow<'_, str>) {
        self.prepared.events += 1;
        // One more than the answer lists shows that there are too many.
        if self.prepared.event_ids.len() <= MAX_LISTED_IDS {
            self.prepared.event_ids.push(id.into_owned());
        }
        self.events += 1;
        if self.lines.len() > MAX_SHARED_BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let compressor = self.compressor.get_or_insert_with(|| Compressor::start(self.scope));
        let room = Vec::with_capacity(self.lines.capacity());
        compressor.push(std::mem::replace(&mut self.lines, room), std::mem::take(&mut self.events));
    }

    fn finish(mut self) -> Result<Prepared, ApiError> {
        if self.index == 0 {
            return Err(ApiError::EmptyBatch);
        }
        if self.compressor.is_some() && self.events > 0 {
            self.hand_over();
        }
        self.prepared.lines = match self.compressor {
            Some(compressor) => Lines::Chunks(compressor.finish().map_err(ApiError::internal)?),
            None => Lines::Few(self.lines),
        };
        Ok(self.prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-29T18:00:00Z.
    const NOW: Duration = Duration::from_secs(1_795_975_200);

    #[test]
    fn a_batch_that_is_sent_again_after_the_horizon_has_passed_it_is_too_old() {
        let limits = RequestLimits { max_body_bytes: 1_000, max_events: 10 };
        let horizon = Horizon::of_days(30, NOW.as_micros() as i64);
        for (days, expected) in [(31, vec![("occurred_at", "expired")]), (30, vec![])] {
            let first = BatchIdentity::new(None, NOW - Duration::from_secs(days * 86_400));
            let again = BatchIdentity::new(Some(first.resend_key), NOW);
            let rules = Rules { received_at_us: again.received_at_us, batch: again.batch, idempotency_key: None, horizon };
            let body = br#"[{"event_type":"t","user_id":"ada"}]"#;
            let prepared = prepare(body, Format::Json, limits, rules, &CancellationToken::new()).unwrap();
            let problems: Vec<_> = prepared.problems.iter().map(|problem| (problem.field.as_str(), problem.code)).collect();
            assert_eq!(problems, expected, "{days}");
        }
    }
}
