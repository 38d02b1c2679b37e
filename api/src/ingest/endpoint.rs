//! The endpoint `POST /events`: its headers, its parameters and its answer.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::{counter, histogram};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::{Access, Ingest};
use crate::error::ApiError;
use crate::extract::RequestId;
use crate::ingest::accept::{Batch, BatchPublisher};
use crate::ingest::body::budget::{Budget, Share};
use crate::ingest::body::{self, BodyRules};
use crate::ingest::deliver::trace;
use crate::ingest::deliver::wait::Stored;
use crate::ingest::parse::batch_id::BatchId;
use crate::ingest::parse::payload::Format;
use crate::ingest::parse::validate::Rules;
use crate::ingest::prepare::{Lines, MAX_LISTED_IDS, Prepared, prepare};
use crate::parameters::{Param, Parameters};
use crate::problem::Problem;
use crate::queue::publish::Origin;
use crate::settings::{ApiSettings, RequestLimits};

const PARTIAL: Param =
    Param::new(&["partial"], "Accept the valid events of a batch and list the others, instead of refusing all.");
const WAIT: Param = Param::new(&["wait"], "`stored`: answer once every event is stored or a dead letter.");
const TIMEOUT_MS: Param =
    Param::new(&["timeout_ms"], "How long to wait for `stored`, in milliseconds; afterwards the answer is 202.");

/// Bodies up to this size are parsed where they arrive; a thread of their own would cost more.
const INLINE_BYTES: usize = 32 * 1024;

/// An `Idempotency-Key` made by another replica may name a time this far ahead of our clock.
const MAX_CLOCK_SKEW_US: i64 = 60_000_000;

/// What the endpoint needs. Clones share everything.
#[derive(Clone)]
pub(crate) struct Ingestion {
    limits: RequestLimits,
    body_rules: BodyRules,
    budget: Budget,
    publisher: BatchPublisher,
}

impl Ingestion {
    pub(crate) fn new(settings: &ApiSettings, publisher: BatchPublisher, stop: CancellationToken) -> Self {
        let limits = settings.limits;
        let min_bytes_per_second = settings.min_body_bytes_per_second;
        Self {
            limits,
            body_rules: BodyRules { max_bytes: limits.max_body_bytes, min_bytes_per_second, stop },
            budget: Budget::new(settings.ingest_memory_bytes, limits.max_body_bytes, settings.ingest_wait_timeout),
            publisher,
        }
    }

    /// Accepts events without publishing them; see [`crate::run_without_publishing`].
    #[cfg(feature = "bench")]
    pub(crate) fn publish_nothing(&mut self) {
        self.publisher.publishes = false;
    }
}

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
/// once every event is stored or a dead letter, if that happens within the timeout.
pub(crate) async fn post_events(
    State(ingestion): State<Ingestion>,
    access: Access<Ingest>,
    RequestId(request_id): RequestId,
    mut parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let partial = parameters.flag(PARTIAL);
    let wait = wait_parameters(&mut parameters);
    parameters.finish()?;
    let (format, idempotency_key) = (format(&headers)?, idempotency_key(&headers)?);
    let project = access.project.id;
    let share = ingestion.budget.open_share(project);
    let (body, share) = body::collect(body, &headers, &ingestion.body_rules, share).await?;
    let received_at = SystemTime::UNIX_EPOCH.elapsed().map_err(ApiError::internal)?;
    let identity = BatchIdentity::new(idempotency_key, received_at);
    let wait_until = wait.map(|timeout| Instant::now() + timeout);
    let body_bytes = body.len();
    let (prepared, share) = prepare_body(body, format, ingestion.limits, identity.clone(), share).await?;
    counter!("rollcall_received_bytes_total").increment(body_bytes as u64);
    counter!("rollcall_events_rejected_total").increment(prepared.invalid_events as u64);
    if prepared.invalid_events > 0 && (!partial || prepared.events == 0) {
        return Err(ApiError::InvalidEvents { events: prepared.invalid_events, problems: prepared.problems });
    }
    let (lines, mut answer) = answer(prepared, partial, identity.batch);
    let origin = Origin { request_ids: vec![request_id], traceparent: trace::parent(&headers), inbox: None };
    let batch = Batch { lines, events: u32::try_from(answer.events_count).unwrap_or(u32::MAX), origin, share };
    let published = match wait_until {
        None => ingestion.publisher.publish(project, batch).await.map(|()| None),
        Some(until) => ingestion.publisher.publish_and_wait(project, batch, until).await,
    };
    answer.stored = published.map_err(|error| error.into_answer(identity.resend_key))?;
    counter!("rollcall_events_accepted_total").increment(answer.events_count as u64);
    histogram!("rollcall_request_batch_events").record(answer.events_count as f64);
    if answer.stored.is_some() {
        (answer.status, answer.message) = ("stored", "Events stored");
        return Ok((StatusCode::OK, Json(answer)).into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Where the ids of a batch and of its events come from.
#[derive(Clone)]
struct BatchIdentity {
    received_at_us: i64,
    batch: BatchId,
    /// The client's own key; `None` if it sent none or one of ours.
    chosen_key: Option<String>,
    /// The key with which the client can send the batch again.
    resend_key: String,
}

impl BatchIdentity {
    fn new(idempotency_key: Option<String>, received_at: Duration) -> Self {
        let received_at_us = received_at.as_micros() as i64;
        let latest_us = received_at_us + MAX_CLOCK_SKEW_US;
        let resent = idempotency_key.as_deref().and_then(|key| BatchId::of_key(key, latest_us));
        let batch = resent.unwrap_or_else(|| BatchId::new(received_at));
        let resend_key = idempotency_key.clone().unwrap_or_else(|| batch.key());
        Self { received_at_us, batch, chosen_key: idempotency_key.filter(|_| resent.is_none()), resend_key }
    }
}

/// Parses and validates a body. Large ones get a thread of their own, which stops when this future is
/// dropped: the client has disconnected, or the process ends.
async fn prepare_body(
    body: Vec<u8>,
    format: Format,
    limits: RequestLimits,
    identity: BatchIdentity,
    share: Share,
) -> Result<(Prepared, Share), ApiError> {
    let is_large = body.len() > INLINE_BYTES;
    let cancel = CancellationToken::new();
    let _cancel_on_drop = cancel.clone().drop_guard();
    let work = move || {
        let BatchIdentity { received_at_us, batch, chosen_key, .. } = &identity;
        let rules = Rules { received_at_us: *received_at_us, batch: *batch, idempotency_key: chosen_key.as_deref() };
        // The share stays with the bytes, also when the request is gone.
        prepare(&body, format, limits, rules, &cancel).map(|prepared| (prepared, share))
    };
    let (prepared, mut share) =
        if is_large { tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?? } else { work()? };
    share.shrink_to(prepared.lines.bytes());
    Ok((prepared, share))
}

/// How long to wait for `stored`, if at all.
fn wait_parameters(parameters: &mut Parameters) -> Option<Duration> {
    let timeout_ms = parameters.number(TIMEOUT_MS, 5_000, 1..=30_000);
    let wait = parameters.text(WAIT);
    match wait.as_deref() {
        None => None,
        Some("stored") => Some(Duration::from_millis(timeout_ms.into())),
        Some(_) => {
            parameters.problem(WAIT.name(), "invalid", "must be stored");
            None
        }
    }
}

/// The lines to publish, and the answer once they are durable.
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
