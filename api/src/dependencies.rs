//! The servers that the API depends on, as answers show them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::queue::state::QueueState;

/// What the service depends on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dependencies {
    postgres: DatabaseState,
    /// `up`, `down`, `silent` (connected, but the stream does not answer), `refusing` (it does not confirm events) or
    /// `full`.
    nats: String,
}

/// Whether PostgreSQL answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DatabaseState {
    Up,
    Down,
}

impl Dependencies {
    pub(crate) fn new(has_database: bool, queue: &QueueState) -> Self {
        let postgres = if has_database { DatabaseState::Up } else { DatabaseState::Down };
        Self { postgres, nats: queue.to_string() }
    }
}
