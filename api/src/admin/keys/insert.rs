//! Enters a new key.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use rollcall_shared::project::ProjectId;
use serde_json::json;
use sqlx::PgConnection;

use super::key::{KeyRow, Shown, ShownOnce};
use super::secret::NewSecret;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::admin::limits::KeyLimits;
use crate::conflict::Conflict;
use crate::error::ApiError;

/// Maximum number of valid keys of a project.
const MAX_KEYS: i64 = 1_000;

/// A key to enter.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewKey<'k> {
    pub(super) project: ProjectId,
    pub(super) name: &'k str,
    pub(super) scopes: &'k [String],
    pub(super) expires_at: Option<Timestamp>,
    pub(super) limits: KeyLimits,
    pub(super) replaces: Option<i32>,
}

/// Makes a key, with its entry in the audit log.
///
/// # Errors
/// [`Conflict::TooManyKeys`], [`Conflict::KeyRotated`] if another key replaces the same one, and those of the
/// database.
pub(super) async fn insert(new: NewKey<'_>, caller: &Caller, connection: &mut PgConnection) -> Result<ShownOnce, ApiError> {
    // Whoever makes keys of this project waits here for the others, so that together they keep the limit.
    sqlx::query_file!("sql/admin/lock_project_keys.sql", new.project.0).fetch_one(&mut *connection).await?;
    let valid = sqlx::query_file_scalar!("sql/admin/count_keys.sql", new.project.0).fetch_one(&mut *connection).await?;
    if valid >= MAX_KEYS {
        return Err(Conflict::TooManyKeys { limit: MAX_KEYS }.into());
    }
    let secret = NewSecret::random()?;
    let hash = secret.hash();
    let row = sqlx::query_file_as!(
        KeyRow,
        "sql/admin/insert_key.sql",
        new.project.0,
        new.name,
        hash.bytes(),
        new.scopes,
        new.expires_at.map(SqlTimestamp::from) as _,
        new.limits.requests_per_second,
        new.limits.events_per_second,
        new.replaces,
    );
    let row = row.fetch_optional(&mut *connection).await?.ok_or(Conflict::KeyRotated)?;
    let key = Some(row.id);
    let shown = Shown::from(row);
    let after = Some(json!(shown));
    record(Entry { action: Action::CreateKey, project: new.project, key, before: None, after }, caller, connection).await?;
    Ok(ShownOnce::new(&secret, shown))
}
