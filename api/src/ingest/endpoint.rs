//! The endpoint `POST /events`: reads the parameters, puts the events into the queue, and answers.
//!
//! Small batches share messages with those of other requests; see [`Lanes`]. Large batches, and batches whose
//! clients wait until they are stored, are published in separate messages. Large batches are bulk, and so are
//! others past the [allowance](Allowances) of their project.

use std::sync::Arc;
#[cfg(feature = "bench")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::{counter, histogram};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::priority::Priority;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Access, Ingest};
use crate::error::ApiError;
use crate::extract::RequestId;
use crate::ingest::body::budget::{Budget, Share};
use crate::ingest::body::{self, BodyRules};
use crate::ingest::deliver::allowance::{Allowances, Kind};
use crate::ingest::deliver::lane::{Lanes, SmallBatch};
use crate::ingest::deliver::trace;
use crate::ingest::deliver::wait::{Inbox, Stored};
use crate::ingest::description;
use crate::ingest::options::Options;
use crate::ingest::parse::batch_id::BatchId;
use crate::ingest::parse::payload::Format;
use crate::ingest::prepare::{BatchIdentity, BatchRules, Lines, MAX_LISTED_IDS, Prepared, prepare_body};
use crate::openapi::{example, refusal};
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::queue::publish::{ChunkPublisher, NotDurable, Origin};
use crate::settings::{ApiSettings, RequestLimits};

/// The resources of the endpoint. Clones share them.
#[derive(Clone)]
pub(crate) struct Ingestion {
    limits: RequestLimits,
    body_rules: BodyRules,
    budget: Budget,
    nats: async_nats::Client,
    publisher: ChunkPublisher,
    lanes: Arc<Lanes>,
    allowances: Arc<Allowances>,
    /// Whether batches are published; see [`crate::run_without_publishing`].
    #[cfg(feature = "bench")]
    publishes: Arc<AtomicBool>,
}

impl Ingestion {
    /// `stop` is cancelled when the process is told to stop.
    pub(crate) fn new(
        settings: &ApiSettings,
        nats: async_nats::Client,
        publisher: ChunkPublisher,
        stop: CancellationToken,
    ) -> Self {
        let limits = settings.limits;
        let min_bytes_per_second = settings.min_body_bytes_per_second;
        let allowances = Arc::new(Allowances::new(settings.allowance));
        Self {
            limits,
            body_rules: BodyRules { max_bytes: limits.max_body_bytes, min_bytes_per_second, stop },
            budget: Budget::new(settings.ingest_memory_bytes, limits.max_body_bytes, settings.ingest_wait_timeout),
            nats,
            lanes: Arc::new(Lanes::new(publisher.clone(), allowances.clone())),
            allowances,
            publisher,
            #[cfg(feature = "bench")]
            publishes: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Accepts events without publishing them; see [`crate::run_without_publishing`].
    #[cfg(feature = "bench")]
    pub(crate) fn publish_nothing(&self) {
        self.publishes.store(false, Ordering::Relaxed);
    }

    /// Returns once the batch is durable in the queue.
    ///
    /// # Errors
    /// [`PublishError::NotDurable`] if the queue did not confirm every event.
    async fn publish(&self, project: ProjectId, batch: Batch) -> Result<(), PublishError> {
        #[cfg(feature = "bench")]
        if !self.publishes.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Batch { lines, events, origin, share } = batch;
        let published = match lines {
            Lines::Few(lines) => self.lanes.send(project, SmallBatch { lines, events, origin, share }).await,
            Lines::Chunks(chunks) => {
                let published = self.publisher.publish_all(project, Priority::Bulk, chunks, &origin).await;
                drop(share);
                published
            }
        };
        published.map_err(PublishError::NotDurable)
    }

    /// Publishes the batch in separate messages, so that the workers' reports are only about this request,
    /// and waits for the reports. `None` if they are not complete before `until`.
    ///
    /// # Errors
    /// As [`Self::publish`]; [`PublishError::NotBegun`] if nothing was published.
    async fn publish_and_wait(&self, project: ProjectId, batch: Batch, until: Instant) -> Result<Option<Stored>, PublishError> {
        let Batch { lines, events, origin, share } = batch;
        let inbox = Inbox::open(&self.nats).await.map_err(PublishError::NotBegun)?;
        let priority = match lines {
            Lines::Few(_) => self.allowances.priority_of(project, Kind::of(events), events),
            Lines::Chunks(_) => Priority::Bulk,
        };
        let chunks = lines.into_chunks(events).map_err(|error| PublishError::NotBegun(ApiError::internal(error)))?;
        let count = chunks.len();
        let origin = Origin { inbox: Some(inbox.subject().to_owned()), ..origin };
        self.publisher.publish_all(project, priority, chunks, &origin).await.map_err(PublishError::NotDurable)?;
        // The memory is released, because from now on the request only waits.
        drop(share);
        // When the API is told to stop, clients do not wait any longer.
        Ok(self.body_rules.stop.run_until_cancelled(inbox.wait(count, events.into(), until)).await.flatten())
    }
}

/// The valid events of a request, and the memory that they take until they are published.
struct Batch {
    lines: Lines,
    events: u32,
    origin: Origin,
    share: Share,
}

/// Why a batch is not known to be in the queue.
enum PublishError {
    /// No event of the batch is in the queue.
    NotBegun(ApiError),
    /// Some events of the batch may be in the queue.
    NotDurable(NotDurable),
}

impl PublishError {
    /// The error for the client, with the key for sending the batch again.
    fn into_answer(self, idempotency_key: String) -> ApiError {
        match self {
            Self::NotBegun(error) => error,
            Self::NotDurable(NotDurable::Full) => ApiError::NotConfirmed { is_full: true, idempotency_key },
            Self::NotDurable(NotDurable::Unconfirmed) => ApiError::NotConfirmed { is_full: false, idempotency_key },
            Self::NotDurable(NotDurable::Refused) => ApiError::internal(NotDurable::Refused),
        }
    }
}

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
    let (body, share) = body::collect(body, &headers, &ingestion.body_rules, share).await?;
    let received_at = SystemTime::UNIX_EPOCH.elapsed().map_err(ApiError::internal)?;
    let identity = BatchIdentity::new(idempotency_key, received_at);
    let wait_until = wait.map(|timeout| Instant::now() + timeout);
    let body_bytes = body.len();
    let horizon = access.project.retention.horizon(received_at.as_micros() as i64);
    let rules = BatchRules { limits: ingestion.limits, horizon };
    let (prepared, share) = prepare_body(body, format, rules, identity.clone(), share).await?;
    counter!("rollcall_received_bytes_total").increment(body_bytes as u64);
    counter!("rollcall_events_rejected_total").increment(prepared.invalid_events as u64);
    // An invalid event costs as much as a valid one to find out.
    access.charge_events(prepared.events + prepared.invalid_events)?;
    if prepared.invalid_events > 0 && (!partial || prepared.events == 0) {
        return Err(ApiError::InvalidEvents { events: prepared.invalid_events, problems: prepared.problems });
    }
    let (lines, mut answer) = answer(prepared, partial, identity.batch);
    let origin = Origin { request_ids: vec![request_id], traceparent: trace::parent(&headers), inbox: None };
    let batch = Batch { lines, events: u32::try_from(answer.events_count).unwrap_or(u32::MAX), origin, share };
    let published = match wait_until {
        None => ingestion.publish(project, batch).await.map(|()| None),
        Some(until) => ingestion.publish_and_wait(project, batch, until).await,
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
