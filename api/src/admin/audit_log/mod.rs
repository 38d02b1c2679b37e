//! The audit log: what was changed, when, and with which key.

pub(crate) mod list;

use rollcall_shared::project::ProjectId;
use serde_json::Value;
use sqlx::PgConnection;

use super::caller::Caller;
use crate::error::ApiError;

/// Changes of one project within a day, for its own keys. Entries are never deleted, so this limits how fast a project can fill
/// the disk.
const MAX_CHANGES_PER_DAY: i64 = 10_000;

/// What was done. The names are those in the table `audit_log` and in answers.
#[derive(Debug, Clone, Copy, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Action {
    CreateProject,
    ChangeProject,
    CreateKey,
    RotateKey,
    RevokeKey,
    SetSchema,
    RemoveSchema,
    RedriveDeadLetters,
    PurgeDeadLetters,
}

/// A change.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) action: Action,
    pub(crate) project: ProjectId,
    /// The key that was changed, if it was one.
    pub(crate) key: Option<i32>,
    /// What was changed, as lists showed it before, and afterwards. Neither contains a secret, nor more than a few KiB.
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Writes an entry, in the transaction of the change.
///
/// # Errors
/// [`ApiError::TooManyChanges`] if the project has had too many within a day, and those of the database.
pub(crate) async fn record(entry: Entry, caller: &Caller, connection: &mut PgConnection) -> Result<(), ApiError> {
    let Entry { action, project, key, before, after } = entry;
    // Nobody can use up what the operator needs, or what a stolen key is revoked with.
    let is_limited = !caller.governs_all() && !matches!(action, Action::RevokeKey);
    if is_limited && had_too_many(project, connection).await? {
        return Err(ApiError::TooManyChanges { limit: MAX_CHANGES_PER_DAY });
    }
    let action: &str = action.into();
    let insert = sqlx::query_file!(
        "sql/admin/insert_audit_log.sql",
        caller.key_id(),
        caller.request_id,
        action,
        project.0,
        key,
        before,
        after,
    );
    insert.execute(connection).await?;
    Ok(())
}

async fn had_too_many(project: ProjectId, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let had = sqlx::query_file_scalar!("sql/admin/select_had_changes.sql", project.0, MAX_CHANGES_PER_DAY - 1);
    Ok(had.fetch_optional(connection).await?.unwrap_or(false))
}
