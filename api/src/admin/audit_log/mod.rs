//! The audit log: what was changed, when, and with which key.

pub(crate) mod list;

use rollcall_shared::project::ProjectId;
use serde_json::Value;
use sqlx::PgConnection;

use super::caller::Caller;

/// What was done. The names are those in the table `audit_log` and in answers.
#[derive(Debug, Clone, Copy, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Action {
    CreateProject,
    ChangeProject,
    CreateKey,
    RotateKey,
    RevokeKey,
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
    /// What was changed, as lists showed it before, and afterwards. Neither contains a secret.
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Writes an entry, in the transaction of the change.
///
/// # Errors
/// Those of the database.
pub(crate) async fn record(entry: Entry, caller: &Caller, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let Entry { action, project, key, before, after } = entry;
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
    insert.execute(connection).await.map(drop)
}
