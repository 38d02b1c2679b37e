//! Health: whether the process runs, and whether it can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::database::Presence;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dependencies::Dependencies;
use crate::problem::ProblemDetails;
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

/// The answer of a running process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Live {
    /// `healthy`
    status: &'static str,
}

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    status: Readiness,
    dependencies: Dependencies,
    /// Why the service is not fully ready. Absent if it is ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// How much of its work the service can do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    Ready,
    /// Events are accepted, but queries fail.
    Degraded,
    /// Events are not accepted.
    #[serde(rename = "not ready")]
    NotReady,
}

const LIVE: Live = Live { status: "healthy" };

/// `GET /health`
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "service",
    summary = "Whether the process runs",
    responses((status = 200, description = "It runs.", body = Live)),
)]
pub(crate) async fn health() -> Json<Live> {
    Json(LIVE)
}

/// `GET /health/live`: the same.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "health_live",
    tag = "service",
    summary = "Whether the process runs",
    responses((status = 200, description = "It runs.", body = Live)),
)]
pub(crate) async fn live() -> Json<Live> {
    Json(LIVE)
}

/// `GET /health/ready`: 200 if events are accepted, else 503. The answer contains the state of each dependency,
/// and the reasons why the API is not fully ready.
///
/// Without PostgreSQL or its schema queries fail, but events are still accepted. The replica then stays in
/// service and calls itself `degraded`. A database that is merely busy counts as up.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "health_ready",
    tag = "service",
    summary = "Whether the service can do its work",
    description = "Without PostgreSQL, events are accepted, but queries fail: the status is `degraded`.",
    responses(
        (status = 200, description = "Events are accepted.", body = Ready),
        (status = 503, description = "Events are not accepted, or the process is about to stop.", content(
            (Ready = "application/json"), (ProblemDetails = "application/problem+json"),
        )),
    ),
)]
pub(crate) async fn ready(
    State(presence): State<Arc<Presence>>,
    State(schema): State<SchemaReadiness>,
    State(queue): State<Queue>,
) -> (StatusCode, Json<Ready>) {
    let (has_database, queue) = tokio::join!(presence.is_there(), queue.state());
    let database_reason = match (has_database, schema.is_ready()) {
        (false, _) => Some("PostgreSQL does not answer: queries cannot be answered"),
        (true, false) => Some("the schema is not up to date yet: queries cannot be answered"),
        (true, true) => None,
    };
    let (code, status) = match (queue.reason(), database_reason) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, Readiness::NotReady),
        (None, Some(_)) => (StatusCode::OK, Readiness::Degraded),
        (None, None) => (StatusCode::OK, Readiness::Ready),
    };
    let dependencies = Dependencies::new(has_database, &queue);
    let reasons = queue.reason().into_iter().chain(database_reason.map(str::to_owned)).collect();
    (code, Json(Ready { status, dependencies, reasons }))
}
