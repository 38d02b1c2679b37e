//! Health: whether the process runs, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::state::AppState;

/// A database that has not answered by then is taken for down.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /health` and `/health/live`: 200 while the process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// `GET /health/ready`: 200 if events are accepted, else 503; both with each dependency's state, and
/// with the reasons if something is not well.
///
/// Without PostgreSQL questions fail, and events are accepted all the same: the replica stays in
/// service, as `degraded`.
pub(crate) async fn ready(State(app): State<AppState>) -> (StatusCode, Json<Value>) {
    let (has_database, queue) = tokio::join!(has_database(&app.database), app.queue.state());
    let mut reasons: Vec<String> = queue.reason().into_iter().collect();
    if !has_database {
        reasons.push("PostgreSQL does not answer: questions cannot be answered".to_owned());
    }
    let (status, text) = match (queue.reason(), has_database) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        (None, false) => (StatusCode::OK, "degraded"),
        (None, true) => (StatusCode::OK, "ready"),
    };
    let postgres = if has_database { "up" } else { "down" };
    let mut answer = json!({ "status": text, "dependencies": { "postgres": postgres, "nats": queue.word() } });
    if !reasons.is_empty() {
        answer["reasons"] = json!(reasons);
    }
    (status, Json(answer))
}

/// Whether PostgreSQL answers, and soon.
pub(crate) async fn has_database(pool: &PgPool) -> bool {
    let asked = tokio::time::timeout(PATIENCE, sqlx::query("select 1").execute(pool)).await;
    matches!(asked, Ok(Ok(_)))
}
