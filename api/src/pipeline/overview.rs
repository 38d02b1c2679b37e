//! `GET /pipeline`: the queue, its consumer, the dead letters and the workers.

use std::sync::Arc;

use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::stream::Info as StreamInfo;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use rollcall_shared::database::Presence;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::stream::{DLQ_STREAM, STREAM};
use serde_json::{Value, json};

use crate::auth::{Access, Read};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::queue::state::Queue;
use crate::read_pool::ReadPool;

/// What a worker last reported about itself.
struct WorkerRow {
    worker_id: uuid::Uuid,
    started_at: SqlTimestamp,
    reported_at: SqlTimestamp,
    events_stored: i64,
    events_per_second: f32,
    last_error: Option<String>,
    last_error_at: Option<SqlTimestamp>,
}

/// The figures are those of the whole installation: all projects share its queue and its workers.
pub(crate) async fn overview(
    State(queue): State<Queue>,
    State(reads): State<ReadPool>,
    State(presence): State<Arc<Presence>>,
    access: Access<Read>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    parameters.finish()?;
    let (events, consumer, dead_letters, has_database, workers) = tokio::join!(
        queue.stream(STREAM),
        queue.consumer(),
        queue.stream(DLQ_STREAM),
        presence.is_there(),
        workers(&reads, access.project.id),
    );
    let has_workers = workers.is_some();
    let workers = workers.unwrap_or_default();
    let rate: f32 = workers.iter().map(|worker| worker.events_per_second).sum();
    let last_error = workers.iter().filter(|worker| worker.last_error.is_some()).max_by_key(|worker| last_error_at(worker));
    Ok(Json(json!({
        "dependencies": {
            "postgres": if has_database { "up" } else { "down" },
            "nats": queue.state().await.to_string(),
        },
        "stream": events.as_ref().map(stream),
        "consumers": consumer.as_ref().map(|info| [consumer_figures(info)]),
        "dead_letters": dead_letters.map(|info| json!({ "count": info.state.messages, "bytes": info.state.bytes })),
        "events_stored_per_second": has_workers.then_some((rate * 10.0).round() / 10.0),
        "workers": has_workers.then(|| workers.iter().map(worker).collect::<Vec<_>>()),
        "last_error": last_error.map(error),
    })))
}

/// Workers that reported lately; `None` while PostgreSQL is away or busy.
async fn workers(reads: &ReadPool, project: ProjectId) -> Option<Vec<WorkerRow>> {
    let rows = async {
        let mut connection = reads.acquire(project).await?;
        let rows = sqlx::query_file_as!(WorkerRow, "sql/pipeline/worker_reports.sql").fetch_all(&mut *connection).await?;
        connection.answered();
        Ok::<_, ApiError>(rows)
    };
    rows.await.inspect_err(|error| tracing::warn!(%error, "the workers' reports cannot be read")).ok()
}

fn stream(info: &StreamInfo) -> Value {
    // The stream drops a message once its events are stored, so its first one is the oldest unstored.
    let first = Timestamp::from_nanosecond(info.state.first_timestamp.unix_timestamp_nanos()).unwrap_or_default();
    let age_secs = (Timestamp::now().as_millisecond() - first.as_millisecond()).max(0) as f64 / 1000.0;
    json!({
        "messages": info.state.messages,
        "bytes": info.state.bytes,
        "max_bytes": info.config.max_bytes,
        "oldest_unstored_age_seconds": if info.state.messages == 0 { 0.0 } else { age_secs },
    })
}

fn consumer_figures(info: &ConsumerInfo) -> Value {
    json!({
        "name": info.name,
        "pending": info.num_pending,
        "in_flight": info.num_ack_pending,
        "redelivered": info.num_redelivered,
    })
}

fn worker(row: &WorkerRow) -> Value {
    json!({
        "worker_id": row.worker_id,
        "started_at": row.started_at.to_jiff(),
        "reported_at": row.reported_at.to_jiff(),
        "events_stored": row.events_stored,
        "events_per_second": row.events_per_second,
        "last_error": row.last_error.is_some().then(|| error(row)),
    })
}

fn error(row: &WorkerRow) -> Value {
    json!({ "message": row.last_error, "at": last_error_at(row), "worker_id": row.worker_id })
}

fn last_error_at(row: &WorkerRow) -> Option<Timestamp> {
    row.last_error_at.map(SqlTimestamp::to_jiff)
}
