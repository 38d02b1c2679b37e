//! A schema as its row and as answers show it.

use std::fmt::Write;

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use utoipa::ToSchema;

/// Largest schema in bytes that the audit log repeats. A page of the log has up to a thousand entries with two each.
const MAX_LOGGED_BYTES: usize = 4 * 1024;

/// A schema, without the schema itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EventSchema)]
pub(crate) struct Shown {
    event_type: String,
    /// `warn`: an event that does not match is accepted and counted; `reject`: it is refused and counted.
    mode: String,
    /// The size of the schema without white space.
    schema_bytes: i32,
    changed_at: Timestamp,
    /// How many events did not match since the schema or the mode were changed.
    violations: i64,
    /// When the last one of them came.
    last_violation_at: Option<Timestamp>,
    /// Up to ten of the latest, newest first.
    samples: Vec<Sample>,
}

/// An event that did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SchemaViolation)]
pub(super) struct Sample {
    /// When it came.
    at: Timestamp,
    event_id: String,
    /// The part of the event that does not match.
    path: String,
    /// Why, without values of the event.
    message: String,
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EventSchemaInFull)]
pub(crate) struct InFull {
    #[serde(flatten)]
    of: Shown,
    #[schema(value_type = Object)]
    schema: Value,
}

/// A row of the table `event_schemas`, without the schema.
pub(super) struct Row {
    pub(super) event_type: String,
    pub(super) mode: String,
    pub(super) schema_bytes: i32,
    pub(super) changed_at: SqlTimestamp,
    pub(super) violations: i64,
    pub(super) last_violation_at: Option<SqlTimestamp>,
    pub(super) samples: Json<Vec<Sample>>,
}

/// A row of the table `event_schemas`.
pub(super) struct FullRow {
    pub(super) event_type: String,
    pub(super) mode: String,
    pub(super) schema: String,
    pub(super) schema_bytes: i32,
    pub(super) changed_at: SqlTimestamp,
    pub(super) violations: i64,
    pub(super) last_violation_at: Option<SqlTimestamp>,
    pub(super) samples: Json<Vec<Sample>>,
}

impl FullRow {
    /// Whether it has this mode and this text.
    pub(super) fn is(&self, mode: &str, schema: &str) -> bool {
        self.mode == mode && self.schema == schema
    }

    /// As the audit log has it: by the hash of the schema, and with a short schema itself.
    pub(super) fn logged(&self) -> Value {
        let hash = Sha256::digest(self.schema.as_bytes()).iter().fold(String::new(), |mut hash, byte| {
            // Writing into memory cannot fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        let schema = Some(&self.schema).filter(|schema| schema.len() <= MAX_LOGGED_BYTES);
        let schema: Option<Value> = schema.and_then(|schema| serde_json::from_str(schema).ok());
        json!({
            "event_type": self.event_type, "mode": self.mode, "schema_bytes": self.schema_bytes, "schema_sha256": hash,
            "schema": schema,
        })
    }
}

impl From<Row> for Shown {
    fn from(row: Row) -> Self {
        Self {
            event_type: row.event_type,
            mode: row.mode,
            schema_bytes: row.schema_bytes,
            changed_at: row.changed_at.to_jiff(),
            violations: row.violations,
            last_violation_at: row.last_violation_at.map(SqlTimestamp::to_jiff),
            samples: row.samples.0,
        }
    }
}

impl From<FullRow> for InFull {
    fn from(row: FullRow) -> Self {
        let FullRow { event_type, mode, schema, schema_bytes, changed_at, violations, last_violation_at, samples } = row;
        let row = Row { event_type, mode, schema_bytes, changed_at, violations, last_violation_at, samples };
        // It was JSON when it was stored.
        Self { of: row.into(), schema: serde_json::from_str(&schema).unwrap_or_default() }
    }
}
