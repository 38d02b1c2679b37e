//! Health: whether the process runs, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::topology::is_connected;
use serde_json::{Value, json};

use crate::state::AppState;

/// `GET /health` and `/health/live`: 200 while the process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// `GET /health/ready`: 200 if every dependency is there, else 503; both with each one's state.
pub(crate) async fn ready(State(app): State<AppState>) -> (StatusCode, Json<Value>) {
    let postgres = sqlx::query("select 1").execute(&app.database).await.is_ok();
    let nats = is_connected(&app.nats);
    let word = |up| if up { "up" } else { "down" };
    let (status, text) =
        if postgres && nats { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (status, Json(json!({ "status": text, "dependencies": { "postgres": word(postgres), "nats": word(nats) } })))
}
