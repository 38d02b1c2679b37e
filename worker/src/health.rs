//! What a worker serves: its health and its metrics, nothing else.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_shared::topology::is_connected;
use serde_json::{Value, json};
use sqlx::PgPool;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) pool: PgPool,
    pub(crate) nats: async_nats::Client,
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

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let postgres = sqlx::query("select 1").execute(&health.pool).await.is_ok();
    let nats = is_connected(&health.nats);
    let word = |up| if up { "up" } else { "down" };
    let (status, text) =
        if postgres && nats { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (status, Json(json!({ "status": text, "dependencies": { "postgres": word(postgres), "nats": word(nats) } })))
}
