//! Health: whether the process runs, and whether it can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::database::Presence;
use serde_json::{Value, json};

use crate::queue::state::Queue;

/// Whether the schema was found up to date, and the project of `API_KEY` was read. Clones
/// share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaReadiness(Arc<AtomicBool>);

impl SchemaReadiness {
    /// The schema is up to date, and stays so.
    pub(crate) fn set_ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// `GET /health` and `/health/live`: 200 while the process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// `GET /health/ready`: 200 if events are accepted, else 503. The answer contains the state of each dependency,
/// and the reasons why the API is not fully ready.
///
/// Without PostgreSQL or its schema queries fail, but events are still accepted. The replica then stays in
/// service and calls itself `degraded`. A database that is merely busy counts as up.
pub(crate) async fn ready(
    State(presence): State<Arc<Presence>>,
    State(schema): State<SchemaReadiness>,
    State(queue): State<Queue>,
) -> (StatusCode, Json<Value>) {
    let (has_database, queue) = tokio::join!(presence.is_there(), queue.state());
    let database_reason = match (has_database, schema.is_ready()) {
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
