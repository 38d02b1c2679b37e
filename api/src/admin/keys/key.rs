//! A key as its row and as answers show it, without the secret.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use utoipa::ToSchema;

use super::secret::NewSecret;
use crate::admin::limits::KeyLimits;

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct Shown {
    key_id: i32,
    project: String,
    name: String,
    /// Of `ingest`, `read` and `admin`.
    scopes: Vec<String>,
    /// When the key ends by itself; null if it does not.
    expires_at: Option<Timestamp>,
    limits: KeyLimits,
    created_at: Timestamp,
    /// When a request last had it, to the minute.
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The key that was rotated to make this one.
    replaces: Option<i32>,
}

/// A new key. The secret is shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = NewKey)]
pub(crate) struct ShownOnce {
    /// What requests send. It cannot be shown again.
    key: String,
    #[serde(flatten)]
    of: Shown,
}

impl ShownOnce {
    pub(super) fn new(secret: &NewSecret, of: Shown) -> Self {
        Self { key: secret.expose().to_owned(), of }
    }
}

/// A row of the table `api_keys`, with the name of the project.
#[derive(Debug, Clone)]
pub(super) struct KeyRow {
    pub(super) id: i32,
    pub(super) project_id: i32,
    pub(super) project: String,
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: Option<SqlTimestamp>,
    pub(super) requests_per_second: Option<i32>,
    pub(super) events_per_second: Option<i32>,
    pub(super) created_at: SqlTimestamp,
    pub(super) last_used_at: Option<SqlTimestamp>,
    pub(super) revoked_at: Option<SqlTimestamp>,
    pub(super) replaces: Option<i32>,
    /// Whether it is neither revoked nor expired, by the clock of the database.
    pub(super) is_valid: bool,
}

impl KeyRow {
    pub(super) fn project_id(&self) -> ProjectId {
        ProjectId(self.project_id)
    }

    pub(super) fn limits(&self) -> KeyLimits {
        KeyLimits { requests_per_second: self.requests_per_second, events_per_second: self.events_per_second }
    }
}

impl From<KeyRow> for Shown {
    fn from(row: KeyRow) -> Self {
        Self {
            limits: row.limits(),
            key_id: row.id,
            project: row.project,
            name: row.name,
            scopes: row.scopes,
            expires_at: row.expires_at.map(SqlTimestamp::to_jiff),
            created_at: row.created_at.to_jiff(),
            last_used_at: row.last_used_at.map(SqlTimestamp::to_jiff),
            revoked_at: row.revoked_at.map(SqlTimestamp::to_jiff),
            replaces: row.replaces,
        }
    }
}
