//! `GET /pipeline`: the queue, its consumers, the dead letters, the workers and the archive.
//!
//! The key of the installation sees all of it. A key of a project sees what belongs to the project: how many of
//! its messages wait, and how many dead letters it has.

use std::sync::Arc;

use async_nats::Client;
use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::stream::Info as StreamInfo;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use rollcall_shared::database::Presence;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::stream::{DLQ_STREAM, STREAM};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::archive::Archive;
use crate::auth::{Access, Read};
use crate::dependencies::Dependencies;
use crate::error::ApiError;
use crate::openapi::refusal;
use crate::parameters::Parameters;
use crate::queue::dead_letters::DeadLetterStream;
use crate::queue::state::Queue;
use crate::read_pool::ReadPool;

/// The state of the pipeline. Figures that are not available, and figures of the whole installation for the key of a
/// project, are null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    dependencies: Dependencies,
    /// The stream of events that wait to be stored.
    stream: Option<Stream>,
    /// First the consumer of events with normal priority, then those of bulk.
    consumers: Option<Vec<Consumer>>,
    dead_letters: Option<Size>,
    /// The rate of all workers together.
    events_stored_per_second: Option<f32>,
    /// The workers that reported recently.
    workers: Option<Vec<Worker>>,
    /// The latest error of any worker.
    last_error: Option<WorkerError>,
    /// How far the archive is.
    archive: Option<Archive>,
}

/// The events that wait to be stored.
#[derive(Debug, Serialize, ToSchema)]
struct Stream {
    messages: u64,
    bytes: Option<u64>,
    /// The size limit of the stream. When it is reached, no events are accepted.
    max_bytes: Option<i64>,
    /// How long the oldest event has been waiting.
    oldest_unstored_age_seconds: Option<f64>,
}

/// The messages that the workers still have to settle.
#[derive(Debug, Serialize, ToSchema)]
struct Consumer {
    name: String,
    /// Messages that are not delivered yet.
    pending: u64,
    /// Messages that are delivered and not acknowledged yet.
    in_flight: usize,
    /// Messages that are delivered again and not acknowledged yet.
    redelivered: usize,
}

/// The content of a stream.
#[derive(Debug, Serialize, ToSchema)]
struct Size {
    count: u64,
    bytes: Option<u64>,
}

/// What a worker last reported about itself.
#[derive(Debug, Serialize, ToSchema)]
struct Worker {
    worker_id: Uuid,
    started_at: Timestamp,
    reported_at: Timestamp,
    /// The number of events that it has stored since it started.
    events_stored: i64,
    events_per_second: f32,
    last_error: Option<WorkerError>,
}

/// An error of a worker.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerError {
    message: Option<String>,
    at: Option<Timestamp>,
    worker_id: Uuid,
}

/// What a worker last reported about itself.
struct WorkerRow {
    worker_id: Uuid,
    started_at: SqlTimestamp,
    reported_at: SqlTimestamp,
    events_stored: i64,
    events_per_second: f32,
    last_error: Option<String>,
    last_error_at: Option<SqlTimestamp>,
}

/// Answers with the figures that the key may see.
#[utoipa::path(
    get,
    path = "/pipeline",
    operation_id = "pipeline",
    tag = "pipeline",
    summary = "The queue, the dead letters and the workers",
    description = "How many messages wait, for how long, and how fast events are stored. The key of the installation (`API_KEY`) gets the \
                   figures of all projects together. The key of a project gets its own messages and dead letters; nothing else is \
                   counted by project.",
    security(("api_key" = ["read"]), ("bearer" = ["read"])),
    responses((status = 200, description = "The figures.", body = Overview), refusal::WithKey),
)]
pub(crate) async fn overview(
    State(queue): State<Queue>,
    State(nats): State<Client>,
    State(reads): State<ReadPool>,
    State(presence): State<Arc<Presence>>,
    access: Access<Read>,
    parameters: Parameters,
) -> Result<Json<Overview>, ApiError> {
    parameters.finish()?;
    let project = access.project.id;
    let (has_database, state) = tokio::join!(presence.is_there(), queue.state());
    let dependencies = Dependencies::new(has_database, &state);
    let whole = access.grant.is_of_installation();
    Ok(Json(if whole {
        all(dependencies, &queue, &reads, project).await
    } else {
        share(dependencies, &queue, &nats, project).await
    }))
}

/// The figures of the whole installation. Reading them takes a connection of the caller's project.
async fn all(dependencies: Dependencies, queue: &Queue, reads: &ReadPool, project: ProjectId) -> Overview {
    let (events, consumers, dead_letters, told) =
        tokio::join!(queue.stream(STREAM), queue.consumers(), queue.stream(DLQ_STREAM), told(reads, project));
    let (workers, archive) = told.unzip();
    let rows = workers.as_deref().unwrap_or_default();
    let rate: f32 = rows.iter().map(|worker| worker.events_per_second).sum();
    let last_error = rows.iter().filter(|worker| worker.last_error.is_some()).max_by_key(|worker| last_error_at(worker));
    Overview {
        dependencies,
        stream: events.as_ref().map(stream),
        consumers: consumers.map(|infos| infos.into_iter().map(consumer_figures).collect()),
        dead_letters: dead_letters.map(|info| Size { count: info.state.messages, bytes: Some(info.state.bytes) }),
        events_stored_per_second: workers.is_some().then_some((rate * 10.0).round() / 10.0),
        last_error: last_error.map(error),
        workers: workers.as_ref().map(|rows| rows.iter().map(worker).collect()),
        archive,
    }
}

/// The figures of one project.
async fn share(dependencies: Dependencies, queue: &Queue, nats: &Client, project: ProjectId) -> Overview {
    let letters = async { DeadLetterStream::open(nats, project).await.ok()?.count().await.ok()? };
    let (waiting, letters) = tokio::join!(queue.waiting(project), letters);
    let stream = |messages| Stream { messages, bytes: None, max_bytes: None, oldest_unstored_age_seconds: None };
    Overview {
        dependencies,
        stream: waiting.map(stream),
        consumers: None,
        dead_letters: letters.map(|count| Size { count, bytes: None }),
        events_stored_per_second: None,
        workers: None,
        last_error: None,
        archive: None,
    }
}

/// The workers that reported recently, and how far the archive is; `None` while PostgreSQL is away or busy.
async fn told(reads: &ReadPool, project: ProjectId) -> Option<(Vec<WorkerRow>, Archive)> {
    let told = async {
        let mut connection = reads.acquire(project).await?;
        let workers = sqlx::query_file_as!(WorkerRow, "sql/pipeline/worker_reports.sql").fetch_all(&mut *connection).await?;
        let archive = Archive::read(&mut connection).await?;
        connection.answered();
        Ok::<_, ApiError>((workers, archive))
    };
    told.await.inspect_err(|error| tracing::warn!(%error, "what workers have written for the pipeline cannot be read")).ok()
}

fn stream(info: &StreamInfo) -> Stream {
    // The stream drops a message once its events are stored, so its first one is the oldest unstored.
    let first = Timestamp::from_nanosecond(info.state.first_timestamp.unix_timestamp_nanos()).unwrap_or_default();
    let age_secs = (Timestamp::now().as_millisecond() - first.as_millisecond()).max(0) as f64 / 1000.0;
    Stream {
        messages: info.state.messages,
        bytes: Some(info.state.bytes),
        max_bytes: Some(info.config.max_bytes),
        oldest_unstored_age_seconds: Some(if info.state.messages == 0 { 0.0 } else { age_secs }),
    }
}

fn consumer_figures(info: ConsumerInfo) -> Consumer {
    Consumer { name: info.name, pending: info.num_pending, in_flight: info.num_ack_pending, redelivered: info.num_redelivered }
}

fn worker(row: &WorkerRow) -> Worker {
    Worker {
        worker_id: row.worker_id,
        started_at: row.started_at.to_jiff(),
        reported_at: row.reported_at.to_jiff(),
        events_stored: row.events_stored,
        events_per_second: row.events_per_second,
        last_error: row.last_error.is_some().then(|| error(row)),
    }
}

fn error(row: &WorkerRow) -> WorkerError {
    WorkerError { message: row.last_error.clone(), at: last_error_at(row), worker_id: row.worker_id }
}

fn last_error_at(row: &WorkerRow) -> Option<Timestamp> {
    row.last_error_at.map(SqlTimestamp::to_jiff)
}
