//! Health: whether the process runs, and whether it can do its work.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::state::AppState;

/// `GET /health` and `/health/live`: 200 while the process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// `GET /health/ready`: 200 if events are accepted, else 503; both with each dependency's state, and
/// with the reasons if something is not well.
///
/// Without PostgreSQL or its schema queries fail, but events are still accepted: the replica stays in
/// service, as `degraded`. A database that is merely busy counts as up.
pub(crate) async fn ready(State(app): State<AppState>) -> (StatusCode, Json<Value>) {
    let (has_database, queue) = tokio::join!(app.presence.is_there(), app.queue.state());
    let database_reason = match (has_database, app.has_schema.load(Ordering::Relaxed)) {
        (false, _) => Some("PostgreSQL does not answer: queries cannot be answered"),
        (true, false) => Some("the schema is not up to date yet: queries cannot be answered"),
        (true, true) => None,
    };
    let (status, text) = match (queue.reason(), database_reason) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        (None, Some(_)) => (StatusCode::OK, "degraded"),
        (None, None) => (StatusCode::OK, "ready"),
    };
    let postgres = if has_database { "up" } else { "down" };
    let mut answer = json!({ "status": text, "dependencies": { "postgres": postgres, "nats": queue.to_string() } });
    let reasons: Vec<String> = queue.reason().into_iter().chain(database_reason.map(str::to_owned)).collect();
    if !reasons.is_empty() {
        answer["reasons"] = json!(reasons);
    }
    (status, Json(answer))
}
