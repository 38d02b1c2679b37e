//! The HTTP interface of a worker: health checks and metrics.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_shared::queue::connect::is_connected;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::status::Status;

/// The health check reports PostgreSQL as down when it has not answered within this time.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) pool: PgPool,
    /// Set once the worker has connected for the first time.
    pub(crate) nats: Arc<OnceLock<async_nats::Client>>,
    pub(crate) status: Arc<Status>,
    pub(crate) metrics: PrometheusHandle,
}

pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/health", get(live))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(|State(health): State<Health>| async move { health.metrics.render() }))
        .with_state(health)
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// Answers 200 if the worker can store events, and otherwise 503 with the reasons.
async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    // The pool hands out only connections on which PostgreSQL has just answered.
    let connection = tokio::time::timeout(DATABASE_TIMEOUT, health.pool.acquire()).await;
    let postgres = matches!(connection, Ok(Ok(_)));
    let nats = health.nats.get().is_some_and(is_connected);
    let facts = [
        (postgres, "PostgreSQL does not answer"),
        (nats, "there is no connection to nats-server"),
        (!health.status.lacks_schema(), "the schema is not up to date yet: run `rollcall migrate`"),
        (!nats || health.status.lacks_schema() || health.status.is_pulling(), "not every consumer can be pulled from"),
        (!postgres || !health.status.is_waiting(), "a batch waits for PostgreSQL"),
    ];
    let reasons: Vec<&str> = facts.iter().filter(|(is_well, _)| !is_well).map(|(_, reason)| *reason).collect();
    let word = |up| if up { "up" } else { "down" };
    let dependencies = json!({ "postgres": word(postgres), "nats": word(nats) });
    if reasons.is_empty() {
        return (StatusCode::OK, Json(json!({ "status": "ready", "dependencies": dependencies })));
    }
    let answer = json!({ "status": "not ready", "dependencies": dependencies, "reasons": reasons });
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
}
