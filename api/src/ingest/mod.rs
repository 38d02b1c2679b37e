//! Ingestion: `POST /events`.
//!
//! `payload` cuts the body into [`wire`] events, `validate` turns each into a line, `prepare` gathers
//! the lines, `compress` makes chunks of many, `publish` and a `lane` make them durable, and only then is 202 answered.
//! `body` reads and decompresses the body; `budget` bounds the memory of all requests together;
//! `resend` makes ids that a resend makes again; `wait` is for clients that want to know of the end.
//! Nothing here reads or writes PostgreSQL.

mod body;
mod deliver;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod parse;
mod prepare;
mod resend;
mod trace;

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use metrics::{counter, histogram};
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::{Access, Ingest};
use crate::error::{ApiError, Problem};
use crate::extract::{Parameters, RequestId};
use crate::ingest::body::BodyRules;
pub(crate) use crate::ingest::body::budget::Budget;
use crate::ingest::body::budget::Share;
pub(crate) use crate::ingest::deliver::lane::Lanes;
use crate::ingest::deliver::lane::SmallBatch;
use crate::ingest::deliver::wait::{Inbox, Stored};
use crate::ingest::parse::payload::Format;
use crate::ingest::parse::validate::Rules;
use crate::ingest::prepare::{Lines, MAX_LISTED_IDS, Prepared, prepare};
use crate::ingest::resend::BatchId;
use crate::queue::publish::{NotDurable, Origin};
use crate::state::AppState;

/// Bodies up to this size are parsed where they arrive; a thread of their own would cost more.
const INLINE_BYTES: usize = 32 * 1024;

/// An `Idempotency-Key` of ours may name a time this far ahead of our clock: that of another replica.
const MAX_CLOCK_SKEW_US: i64 = 60_000_000;

/// The answer to an accepted batch.
#[derive(Debug, Serialize)]
struct Accepted {
    status: &'static str,
    message: &'static str,
    events_count: usize,
    batch_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<Problem>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    stored: Option<Stored>,
}

/// `POST /events`: answers 202 once every event is durable in the queue; with `?wait=stored`, 200
/// once every event is stored or a dead letter, if that is so in time.
pub(crate) async fn post_events(
    State(app): State<AppState>,
    access: Access<Ingest>,
    RequestId(request_id): RequestId,
    mut parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let partial = parameters.flag("partial");
    let wait = wait_parameters(&mut parameters);
    parameters.finish()?;
    let format = format(&headers)?;
    let idempotency_key = idempotency_key(&headers)?;
    let limits = app.settings.limits;
    let rules = BodyRules {
        max_bytes: limits.max_body_bytes,
        min_bytes_per_second: app.settings.min_body_bytes_per_second,
        stop: app.stop.clone(),
    };
    let (body, share) = body::collect(body, &headers, &rules, app.budget.open_share(access.project.id)).await?;
    let received_at_us = Timestamp::now().as_microsecond();
    let latest_us = received_at_us + MAX_CLOCK_SKEW_US;
    let resent = idempotency_key.as_deref().and_then(|key| BatchId::of_key(key, latest_us));
    let batch_id = resent.unwrap_or_else(|| BatchId::new(received_at_us));
    let resend_key = idempotency_key.clone().unwrap_or_else(|| batch_id.key());
    let chosen_key = idempotency_key.filter(|_| resent.is_none());
    let wait_until = wait.map(|timeout| Instant::now() + timeout);

    let body_bytes = body.len();
    // Work on a body ends when this future is dropped: the client has gone, or the process ends.
    let cancel = CancellationToken::new();
    let _client_is_there = cancel.clone().drop_guard();
    let work = move || {
        let rules = Rules { received_at_us, batch: batch_id, idempotency_key: chosen_key.as_deref() };
        // The share goes where the bytes go, even if nobody waits for them any more.
        prepare(&body, format, limits, rules, &cancel).map(|prepared| (prepared, share))
    };
    let (prepared, mut share) =
        if body_bytes > INLINE_BYTES { tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?? } else { work()? };
    share.shrink_to(prepared.lines.bytes());
    counter!("rollcall_received_bytes_total").increment(body_bytes as u64);
    counter!("rollcall_events_rejected_total").increment(prepared.invalid_events as u64);
    if prepared.invalid_events > 0 && (!partial || prepared.events == 0) {
        return Err(ApiError::InvalidEvents { events: prepared.invalid_events, problems: prepared.problems });
    }
    let (lines, mut answer) = answer(prepared, partial, batch_id);
    let origin = Origin { request_ids: vec![request_id], traceparent: trace::parent(&headers), inbox: None };
    let batch = Batch { lines, events: u32::try_from(answer.events_count).unwrap_or(u32::MAX), origin, share };
    let published = match wait_until {
        None => publish(&app, access.project.id, batch).await.map(|()| None),
        Some(until) => publish_and_wait(&app, access.project.id, batch, until).await,
    };
    answer.stored = published.map_err(|error| error.refusal(resend_key))?;
    counter!("rollcall_events_accepted_total").increment(answer.events_count as u64);
    histogram!("rollcall_request_batch_events").record(answer.events_count as f64);
    if answer.stored.is_some() {
        (answer.status, answer.message) = ("stored", "Events stored");
        return Ok((StatusCode::OK, Json(answer)).into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// How long to wait for `stored`, if at all.
fn wait_parameters(parameters: &mut Parameters) -> Option<Duration> {
    let timeout_ms = parameters.number("timeout_ms", 5_000, 1..=30_000);
    let wait = parameters.text(&["wait"]);
    match wait.as_deref() {
        None => None,
        Some("stored") => Some(Duration::from_millis(timeout_ms.into())),
        Some(_) => {
            parameters.problem("wait", "invalid", "must be stored");
            None
        }
    }
}

/// Good events on their way out, and the memory that they take until they are gone.
struct Batch {
    lines: Lines,
    events: u32,
    origin: Origin,
    share: Share,
}

/// Why a batch is not known to be in the queue.
enum PublishError {
    /// It is not there for certain.
    NotBegun(ApiError),
    /// Some of it may be.
    NotDurable(NotDurable),
}

impl PublishError {
    /// What the client is told, who may send the batch again with this key.
    fn refusal(self, idempotency_key: String) -> ApiError {
        match self {
            Self::NotBegun(error) => error,
            Self::NotDurable(NotDurable::Full) => ApiError::NotConfirmed { is_full: true, idempotency_key },
            Self::NotDurable(NotDurable::Unconfirmed) => ApiError::NotConfirmed { is_full: false, idempotency_key },
            Self::NotDurable(NotDurable::Refused) => ApiError::internal(NotDurable::Refused),
        }
    }
}

async fn publish(app: &AppState, project: ProjectId, batch: Batch) -> Result<(), PublishError> {
    #[cfg(feature = "bench")]
    if !app.publishes {
        return Ok(());
    }
    let Batch { lines, events, origin, share } = batch;
    let published = match lines {
        Lines::Few(lines) => app.lanes.send(project, SmallBatch { lines, events, origin, share }).await,
        Lines::Chunks(chunks) => {
            let published = app.publisher.publish_all(project, chunks, &origin).await;
            drop(share);
            published
        }
    };
    published.map_err(PublishError::NotDurable)
}

/// The same in messages of its own, so that what workers report of them is about this request alone.
async fn publish_and_wait(
    app: &AppState,
    project: ProjectId,
    batch: Batch,
    until: Instant,
) -> Result<Option<Stored>, PublishError> {
    let Batch { lines, events, origin, share } = batch;
    let inbox = Inbox::open(&app.nats).await.map_err(PublishError::NotBegun)?;
    let chunks = lines.into_chunks(events).map_err(|error| PublishError::NotBegun(ApiError::internal(error)))?;
    let count = chunks.len();
    let origin = Origin { inbox: Some(inbox.subject().to_owned()), ..origin };
    app.publisher.publish_all(project, chunks, &origin).await.map_err(PublishError::NotDurable)?;
    // Who only waits takes no memory from others.
    drop(share);
    // An API that is asked to stop does not keep its clients waiting.
    Ok(app.stop.run_until_cancelled(inbox.wait(count, events.into(), until)).await.flatten())
}

/// What travels, and what is answered once it is durable.
fn answer(batch: Prepared, partial: bool, batch_id: BatchId) -> (Lines, Accepted) {
    let event_ids = Some(batch.event_ids).filter(|ids| ids.len() <= MAX_LISTED_IDS);
    let answer = Accepted {
        status: "accepted",
        message: "Events queued for processing",
        events_count: batch.events,
        batch_id: batch_id.0,
        event_id: event_ids.as_ref().filter(|ids| ids.len() == 1).map(|ids| ids[0].clone()),
        event_ids,
        rejected_count: partial.then_some(batch.invalid_events),
        rejected: partial.then_some(batch.problems),
        stored: None,
    };
    (batch.lines, answer)
}

fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let content_type = text_header(headers, header::CONTENT_TYPE.as_str());
    Format::of_content_type(content_type.as_deref()).ok_or_else(|| {
        let content_type = content_type.unwrap_or_default();
        ApiError::Unsupported(format!("Content-Type {content_type} is not read; send application/json or application/x-ndjson"))
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    const NAME: &str = "Idempotency-Key";
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=200).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::Parameters(vec![Problem::of_parameter(NAME, "wrong_length", "must be 1 to 200 bytes of ASCII")])),
    }
}

fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
