//! Preparation: a body becomes validated lines, few to share a message or many cut into chunks.
//!
//! This is pure computation. A large body keeps a core busy for a while, so it is prepared on a thread
//! that may block, which begins before the body has arrived (`arriving`). `batch` collects the valid events and the problems
//! of the others.

pub(crate) mod arriving;
mod batch;

use std::thread;
use std::time::Duration;

use rollcall_shared::queue::chunk::{Chunk, ChunkWriter};
use tokio_util::sync::CancellationToken;

use crate::auth::Horizon;
use crate::error::ApiError;
use crate::event_rules::{Check, Checking, EventRules, Violations};
use crate::ingest::body::budget::Share;
use crate::ingest::parse::batch_id::BatchId;
use crate::ingest::parse::payload::{self, Format, How, PayloadError, Reading};
use crate::ingest::parse::validate::Rules;
use crate::ingest::prepare::batch::Batch;
use crate::problem::Problem;
use crate::settings::RequestLimits;

/// Bodies up to this size are parsed on the thread that received them, because handing them to another thread
/// would cost more.
const INLINE_BYTES: usize = 32 * 1024;

/// An `Idempotency-Key` made by another replica may name a time this far ahead of our clock.
const MAX_CLOCK_SKEW_US: i64 = 60_000_000;

/// The answer lists the ids of a batch with at most this many events.
pub(crate) const MAX_LISTED_IDS: usize = 100;

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
    /// The events that did not match the schema of their type.
    pub(crate) violations: Violations,
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

/// How to read a body.
pub(crate) struct Preparation {
    pub(crate) format: Format,
    pub(crate) limits: RequestLimits,
    pub(crate) identity: BatchIdentity,
    /// The first day whose events the project keeps, if it does not keep all.
    pub(crate) horizon: Option<Horizon>,
    /// What the project demands of its events, if it demands anything.
    pub(crate) event_rules: Option<EventRules>,
}

impl Preparation {
    fn rules(&self) -> Rules<'_> {
        let BatchIdentity { received_at_us, batch, ref chosen_key, .. } = self.identity;
        Rules { received_at_us, batch, idempotency_key: chosen_key.as_deref(), horizon: self.horizon }
    }
}

/// Parses and validates a body. A large body gets its own thread, which stops when this future is dropped
/// because the client has disconnected or the process ends.
///
/// # Errors
/// Only if the body as a whole cannot be read or takes too long to check; invalid events are counted in the result.
pub(crate) async fn prepare_body(body: Vec<u8>, preparation: Preparation, share: Share) -> Result<(Prepared, Share), ApiError> {
    let event_rules = preparation.event_rules.as_ref();
    let is_large = body.len() > INLINE_BYTES || event_rules.is_some_and(|rules| rules.take_long(body.len()));
    let turn = match event_rules {
        Some(rules) if is_large => rules.turn().await?,
        _ => None,
    };
    let cancel = CancellationToken::new();
    let _cancel_on_drop = cancel.clone().drop_guard();
    // Checking the events takes most of the time then, and should not have to be repeated.
    let first = if event_rules.is_some() { How::Whole } else { How::Quick };
    let work = move || {
        let prepared = prepare_from(first, &body, &preparation, &cancel);
        drop(turn);
        // The thread holds the share as long as it holds the bytes, even after the request has ended.
        prepared.map(|prepared| (prepared, share))
    };
    if is_large { tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)? } else { work() }
}

/// Reads and validates a whole body, unless it is cancelled. What is read in one way in vain is read in the next one.
pub(crate) fn prepare_from(
    first: How,
    body: &[u8],
    preparation: &Preparation,
    cancel: &CancellationToken,
) -> Result<Prepared, ApiError> {
    let Preparation { format, limits, event_rules, .. } = preparation;
    let text = text_of(body)?;
    let attempt = |how| {
        let reading = Reading { format: *format, max_events: limits.max_events, how, cancel };
        match event_rules {
            None => read(text, reading, preparation.rules(), &mut ()),
            Some(event_rules) => read_and_check(text, reading, preparation.rules(), event_rules),
        }
    };
    let mut read = attempt(first);
    if let Err(PayloadError::Unusual) = read {
        read = attempt(How::Whole);
    }
    // The cause may be a single event.
    if let Err(PayloadError::Syntax(_)) = read {
        read = attempt(How::OneByOne);
    }
    read.map_err(|error| refusal(error, *limits))?
}

fn text_of(body: &[u8]) -> Result<&str, ApiError> {
    std::str::from_utf8(body)
        .map_err(|error| ApiError::Body(format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))
}

/// Reads a body whose events must meet rules.
fn read_and_check(
    text: &str,
    reading: Reading<'_>,
    rules: Rules<'_>,
    event_rules: &EventRules,
) -> Result<Result<Prepared, ApiError>, PayloadError> {
    let stop = reading.cancel.child_token();
    let mut checking = Checking::new(event_rules, &stop);
    let read = read(text, Reading { cancel: &stop, ..reading }, rules, &mut checking);
    if checking.took_too_long() {
        return Ok(Err(ApiError::CheckTooSlow));
    }
    let violations = checking.into_violations();
    Ok(read?.map(|prepared| Prepared { violations, ..prepared }))
}

/// Reads a body, and passes every valid event to `check`.
fn read<C: Check>(
    text: &str,
    reading: Reading<'_>,
    rules: Rules<'_>,
    check: &mut C,
) -> Result<Result<Prepared, ApiError>, PayloadError> {
    thread::scope(|scope| {
        let mut batch = Batch::new(rules, check, scope);
        payload::read(text, reading, &mut |event| batch.take(event)).map(|()| batch.finish())
    })
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
        PayloadError::Unusual => ApiError::internal("a body was read quickly only"),
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
            let body = br#"[{"event_type":"t","user_id":"ada"}]"#;
            let preparation = Preparation { format: Format::Json, limits, identity: again, horizon, event_rules: None };
            let prepared = prepare_from(How::Quick, body, &preparation, &CancellationToken::new()).unwrap();
            let problems: Vec<_> = prepared.problems.iter().map(|problem| (problem.field.as_str(), problem.code)).collect();
            assert_eq!(problems, expected, "{days}");
        }
    }
}
