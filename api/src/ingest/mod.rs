//! Ingestion: `POST /events`.
//!
//! `payload` cuts the body into [`wire`] events, `validate` turns each into a line, `prepare` cuts
//! the lines into chunks, `publish` and `lane` make them durable, and only then is 202 answered.
//! Nothing here reads or writes PostgreSQL.

mod lane;
mod payload;
mod prepare;
mod properties;
mod publish;
mod text;
mod time;
mod validate;
mod wire;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use metrics::{counter, histogram};
use rollcall_shared::chunk::TRACE_HEADER;
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use uuid::Uuid;

pub(crate) use self::lane::Lanes;
use self::payload::Format;
use self::prepare::{Lines, MAX_LISTED_IDS, Prepared, prepare};
use self::publish::Origin;
pub(crate) use self::publish::{ChunkPublisher, NotDurable};
use self::validate::Rules;
use crate::auth::{Access, Ingest};
use crate::error::{ApiError, Problem};
use crate::extract::{Parameters, RequestId};
use crate::settings::RequestLimits;
use crate::state::AppState;

/// Bodies up to this size are parsed where they arrive; a thread of their own would cost more.
const INLINE_BYTES: usize = 32 * 1024;

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
}

/// `POST /events`: answers 202 once every event is durable in the queue.
pub(crate) async fn post_events(
    State(app): State<AppState>,
    access: Access<Ingest>,
    RequestId(request_id): RequestId,
    mut parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let partial = parameters.flag("partial");
    parameters.finish()?;
    let format = format(&headers)?;
    let idempotency_key = idempotency_key(&headers)?;
    let limits = app.settings.limits;
    let body = collect(body, limits).await?;
    let received_at_us = Timestamp::now().as_microsecond();

    let body_bytes = body.len();
    let work = move || {
        let rules = Rules { received_at_us, idempotency_key: idempotency_key.as_deref() };
        prepare(&body, format, limits, rules)
    };
    let prepared =
        if body_bytes > INLINE_BYTES { tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?? } else { work()? };
    counter!("rollcall_received_bytes_total").increment(body_bytes as u64);
    counter!("rollcall_events_rejected_total").increment(prepared.invalid_events as u64);
    if prepared.invalid_events > 0 && (!partial || prepared.events == 0) {
        return Err(ApiError::InvalidEvents { events: prepared.invalid_events, problems: prepared.problems });
    }
    let (lines, answer) = answer(prepared, partial);
    let origin = Origin { request_ids: vec![request_id], traceparent: text_header(&headers, TRACE_HEADER) };
    publish(&app, access.project.id, lines, answer.events_count, origin).await?;
    counter!("rollcall_events_accepted_total").increment(answer.events_count as u64);
    histogram!("rollcall_request_batch_events").record(answer.events_count as f64);
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

async fn publish(app: &AppState, project: ProjectId, lines: Lines, events: usize, origin: Origin) -> Result<(), ApiError> {
    let published = match lines {
        Lines::Few(lines) => app.lanes.send(project, lines, u32::try_from(events).unwrap_or(u32::MAX), origin).await,
        Lines::Chunks(chunks) => app.publisher.publish_all(project, chunks, &origin).await,
    };
    published.map_err(|error| match error {
        NotDurable::Full => ApiError::QueueFull,
        NotDurable::Unconfirmed => ApiError::QueueUnavailable,
    })
}

/// What travels, and what is answered once it is durable.
fn answer(batch: Prepared, partial: bool) -> (Lines, Accepted) {
    let event_ids = Some(batch.event_ids).filter(|ids| ids.len() <= MAX_LISTED_IDS);
    let answer = Accepted {
        status: "accepted",
        message: "Events queued for processing",
        events_count: batch.events,
        batch_id: Uuid::now_v7(),
        event_id: event_ids.as_ref().filter(|ids| ids.len() == 1).map(|ids| ids[0].clone()),
        event_ids,
        rejected_count: partial.then_some(batch.invalid_events),
        rejected: partial.then_some(batch.problems),
    };
    (batch.lines, answer)
}

/// The body, decompressed, with the limit applied to what comes out of the decompressor.
async fn collect(mut body: Body, limits: RequestLimits) -> Result<Vec<u8>, ApiError> {
    let limit = limits.max_body_bytes;
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::Body(format!("the body cannot be read or decompressed: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > limit {
            return Err(ApiError::BodyTooLarge { limit });
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    // The decompression layer takes away every encoding that it knows.
    if let Some(encoding) = text_header(headers, header::CONTENT_ENCODING.as_str()).filter(|encoding| encoding != "identity") {
        return Err(ApiError::Unsupported(format!(
            "Content-Encoding {encoding} is not read; send gzip, deflate, br, zstd or none"
        )));
    }
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
