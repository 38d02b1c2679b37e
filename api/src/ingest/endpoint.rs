//! The endpoint `POST /events`: reads the parameters, puts the events into the queue, and answers.

use std::time::SystemTime;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::{counter, histogram};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Access, Ingest};
use crate::error::ApiError;
use crate::extract::RequestId;
use crate::ingest::body::{self, Collected};
use crate::ingest::deliver::trace;
use crate::ingest::deliver::wait::Stored;
use crate::ingest::description;
use crate::ingest::ingestion::{Batch, Ingestion};
use crate::ingest::options::Options;
use crate::ingest::parse::batch_id::BatchId;
use crate::ingest::parse::payload::Format;
use crate::ingest::prepare::{BatchIdentity, Lines, MAX_LISTED_IDS, Preparation, Prepared, prepare_body};
use crate::openapi::{example, refusal};
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::queue::publish::Origin;

/// The answer to an accepted batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// `accepted`, or `stored` with `wait=stored`.
    status: &'static str,
    /// The meaning of the status.
    message: &'static str,
    /// The number of accepted events.
    events_count: usize,
    batch_id: Uuid,
    /// The id of the event, if there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The ids of the events in the order of the batch, if there are at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_ids: Option<Vec<String>>,
    /// With `partial`: the number of refused events.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_count: Option<usize>,
    /// With `partial`: the problems of the refused events.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<Problem>>,
    /// With `wait=stored`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Stored)]
    stored: Option<Stored>,
}

/// `POST /events`: answers 202 once every event is durable in the queue; with `?wait=stored`, 200
/// once every event is stored or a dead letter, if that happens within the timeout.
#[utoipa::path(
    post,
    path = "/events",
    operation_id = "send_events",
    tag = "events",
    summary = "Send events",
    description = description::ABOUT,
    params(Options, description::IdempotencyKey),
    request_body(description = description::BODY, content(
        (description::Body = "application/json", examples(
            ("history" = (summary = "Several events", value = json!(example::history()))),
            ("one" = (summary = "One event", value = json!(description::one()))),
            ("list" = (summary = "A list of events", value = json!(description::list()))),
            ("other_names" = (summary = "Other names of the fields", value = json!(description::other_names()))),
            ("no_type" = (summary = "An event whose type is the action in its properties", value = json!(description::no_type()))),
        )),
        (String = "application/x-ndjson", example = json!(description::lines())),
    )),
    security(("api_key" = ["ingest"]), ("bearer" = ["ingest"])),
    responses(
        (status = 202, description = "Every event is durable in the queue and will be stored.", body = Accepted),
        (status = 200, description = "With `wait=stored`: every event is stored, or is a dead letter.", body = Accepted),
        refusal::WithKey,
        refusal::WithBody,
    ),
)]
pub(crate) async fn post_events(
    State(ingestion): State<Ingestion>,
    access: Result<Access<Ingest>, ApiError>,
    RequestId(request_id): RequestId,
    mut parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let access = match access.and_then(|access| access.check_events().map(|()| access)) {
        Ok(access) => access,
        Err(refused) => return Err(body::refuse(body, refused).await),
    };
    let Options { partial, wait } = Options::take(&mut parameters);
    parameters.finish()?;
    let (format, idempotency_key) = (format(&headers)?, idempotency_key(&headers)?);
    let project = access.project.id;
    let share = ingestion.budget.open_share(project);
    let received_at = SystemTime::UNIX_EPOCH.elapsed().map_err(ApiError::internal)?;
    let identity = BatchIdentity::new(idempotency_key, received_at);
    let horizon = access.project.retention.horizon(received_at.as_micros() as i64);
    let preparation = |event_rules| {
        let (limits, identity) = (ingestion.limits, identity.clone());
        Preparation { format, limits, identity, horizon, event_rules }
    };
    let mut arriving = None;
    let collected = body::collect(body, &headers, &ingestion.body_rules, share, |expected_bytes, hold| {
        // With rules, large bodies of a project are prepared one after another.
        let may_begin = access.project.event_rules.is_none();
        let (parts, begun) = may_begin.then(|| ingestion.arriving.start(preparation(None), expected_bytes, hold)).flatten()?;
        arriving = Some(begun);
        Some(parts)
    });
    let Collected { body, bytes: body_bytes, mut share } = collected.await?;
    let wait_until = wait.map(|timeout| Instant::now() + timeout);
    let mut prepared = match arriving {
        Some(arriving) => arriving.prepared().await?,
        None => {
            let event_rules = match access.project.event_rules {
                None => None,
                Some(version) => Some(ingestion.rule_book.rules(project, version).await?),
            };
            let prepared;
            (prepared, share) = prepare_body(body, preparation(event_rules), share).await?;
            prepared
        }
    };
    share.shrink_to(prepared.lines.bytes());
    counter!("rollcall_received_bytes_total").increment(body_bytes as u64);
    counter!("rollcall_events_rejected_total").increment(prepared.invalid_events as u64);
    // An invalid event costs as much as a valid one to find out.
    access.charge_events(prepared.events + prepared.invalid_events)?;
    let violations = &ingestion.rule_book.violations;
    if prepared.invalid_events > 0 && (!partial || prepared.events == 0) {
        violations.add_refused(prepared.violations);
        return Err(ApiError::InvalidEvents { events: prepared.invalid_events, problems: prepared.problems });
    }
    let found = std::mem::take(&mut prepared.violations);
    let (lines, mut answer) = answer(prepared, partial, identity.batch);
    let origin = Origin { request_ids: vec![request_id], traceparent: trace::parent(&headers), inbox: None };
    let batch = Batch { lines, events: u32::try_from(answer.events_count).unwrap_or(u32::MAX), origin, share };
    let published = match wait_until {
        None => ingestion.publish(project, batch).await.map(|()| None),
        Some(until) => ingestion.publish_and_wait(project, batch, until).await,
    };
    answer.stored = published.map_err(|error| error.into_answer(identity.resend_key))?;
    violations.add(found);
    counter!("rollcall_events_accepted_total").increment(answer.events_count as u64);
    histogram!("rollcall_request_batch_events").record(answer.events_count as f64);
    if answer.stored.is_some() {
        (answer.status, answer.message) = ("stored", "Events stored");
        return Ok((StatusCode::OK, Json(answer)).into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
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
