//! The schemas of a project, compiled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::latest::Versioned;
use super::schema::CompiledSchema;
use crate::error::ApiError;

/// What becomes of an event that does not match. The names are those in the table `event_schemas` and in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Mode {
    /// It is accepted and counted.
    Warn,
    /// It is refused and counted.
    Reject,
}

/// How long a large batch waits for others of its project to be checked.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// Time on a thread that other requests need, in evaluations of a subschema: about 1 ms.
const MAX_INLINE_COST: u64 = 50_000;
/// A part of properties has about as many bytes.
const BYTES_OF_A_PART: u64 = 8;

/// The schema of an event type.
#[derive(Debug)]
pub(super) struct EventSchema {
    /// Its number, which is another after every change.
    pub(super) id: i64,
    pub(super) mode: Mode,
    pub(super) compiled: CompiledSchema,
}

/// All schemas of a project.
#[derive(Debug)]
pub(super) struct ProjectSchemas {
    revision: i64,
    by_type: HashMap<String, Arc<EventSchema>>,
    /// The cost of the most expensive one.
    max_cost: u64,
    /// One large batch of a project is checked at a time, so that a project keeps no more than one core busy.
    turn: Arc<Semaphore>,
}

/// A row of `event_schemas`, with the revision of all of them.
struct SchemaRow {
    schemas_revision: i64,
    id: Option<i64>,
    event_type: Option<String>,
    mode: Option<String>,
    /// `None` if it was known.
    schema: Option<String>,
}

impl ProjectSchemas {
    /// Reads the schemas of a project, and compiles those that were not known.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn read(pool: PgPool, project: ProjectId, known: Option<Arc<Self>>) -> Result<Self, ApiError> {
        let ids: Vec<i64> = known.iter().flat_map(|known| known.by_type.values()).map(|schema| schema.id).collect();
        let rows = sqlx::query_file_as!(SchemaRow, "sql/event_rules/select_schemas.sql", project.0, &ids);
        let rows = rows.fetch_all(&pool).await?;
        // Compiling keeps a core busy.
        let compiled = tokio::task::spawn_blocking(move || Self::of_rows(rows, known.as_deref())).await;
        compiled.map_err(ApiError::internal)
    }

    fn of_rows(rows: Vec<SchemaRow>, known: Option<&Self>) -> Self {
        let revision = rows.first().map_or(0, |row| row.schemas_revision);
        let known: HashMap<i64, &Arc<EventSchema>> =
            known.iter().flat_map(|known| known.by_type.values()).map(|schema| (schema.id, schema)).collect();
        let mut by_type = HashMap::with_capacity(rows.len());
        for row in rows {
            // A project without schemas has one row without any.
            let (Some(id), Some(event_type)) = (row.id, row.event_type) else { continue };
            let schema = known.get(&id).map(|schema| Arc::clone(schema)).or_else(|| compile(id, row.mode, row.schema));
            by_type.extend(schema.map(|schema| (event_type, schema)));
        }
        let max_cost = by_type.values().map(|schema| schema.compiled.cost).max().unwrap_or(0);
        Self { revision, by_type, max_cost, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The schema of an event type.
    pub(super) fn of(&self, event_type: &str) -> Option<&Arc<EventSchema>> {
        self.by_type.get(event_type)
    }

    /// Whether a body may take so long that other requests should not wait for it.
    pub(super) fn takes_long(&self, body_bytes: usize) -> bool {
        (body_bytes as u64 / BYTES_OF_A_PART).saturating_mul(self.max_cost) > MAX_INLINE_COST
    }

    /// Waits until no other large batch of the project is checked.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if that takes too long.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turn).acquire_owned()).await;
        // The semaphore is never closed, so an error is always the timeout.
        turn.ok().and_then(Result::ok).ok_or(ApiError::Overloaded)
    }
}

/// Compiles a schema, which was compiled before it was stored.
fn compile(id: i64, mode: Option<String>, schema: Option<String>) -> Option<Arc<EventSchema>> {
    let mode = mode?.parse().ok()?;
    let schema = serde_json::from_str(&schema?).ok()?;
    match CompiledSchema::compile(&schema) {
        Ok(compiled) => Some(Arc::new(EventSchema { id, mode, compiled })),
        Err(flaw) => {
            tracing::error!(id, field = flaw.field, message = flaw.message, "a stored schema is not used: it cannot be compiled");
            None
        }
    }
}

impl Versioned for ProjectSchemas {
    fn version(&self) -> i64 {
        self.revision
    }

    fn bytes(&self) -> usize {
        self.by_type.iter().map(|(name, schema)| name.len() + schema.compiled.memory_bytes).sum()
    }
}

#[cfg(test)]
impl ProjectSchemas {
    /// The schemas of a project that has one.
    pub(super) fn of_one(event_type: &str, mode: Mode, schema: &serde_json::Value) -> Self {
        let name: &str = mode.into();
        let row = SchemaRow {
            schemas_revision: 1,
            id: Some(7),
            event_type: Some(event_type.to_owned()),
            mode: Some(name.to_owned()),
            schema: Some(schema.to_string()),
        };
        Self::of_rows(vec![row], None)
    }
}
