//! Locks on keys: while a change is under way, the keys in it do not change, and neither does the caller's.

use sqlx::PgConnection;

use super::key::KeyRow;
use crate::admin::caller::Caller;
use crate::error::ApiError;

/// Checks that the caller's key is still valid. It stays so until the transaction ends.
///
/// The grant of a request may be a few seconds old. Without this check, somebody whose key was just revoked could
/// make a new one.
///
/// # Errors
/// [`ApiError::Unauthorized`], and those of the database.
pub(crate) async fn check_caller(caller: &Caller, connection: &mut PgConnection) -> Result<(), ApiError> {
    let ids: Vec<i32> = caller.key_id().into_iter().collect();
    check(&lock(&ids, connection).await?, caller)
}

/// Locks a key that the caller governs. Also checks the caller, as [`check_caller`] does.
///
/// # Errors
/// [`ApiError::Unauthorized`]; [`ApiError::NoSuch`] if the caller governs no such key, whether or not it exists;
/// and those of the database.
pub(super) async fn lock_key(id: i32, caller: &Caller, connection: &mut PgConnection) -> Result<KeyRow, ApiError> {
    let ids: Vec<i32> = caller.key_id().into_iter().chain([id]).collect();
    let rows = lock(&ids, connection).await?;
    check(&rows, caller)?;
    let is_governed = |row: &KeyRow| caller.governs_all() || row.project_id() == caller.project().id;
    rows.into_iter().find(|row| row.id == id && is_governed(row)).ok_or(ApiError::NoSuch("key"))
}

fn check(rows: &[KeyRow], caller: &Caller) -> Result<(), ApiError> {
    let Some(own) = caller.key_id() else { return Ok(()) };
    let is_valid = rows.iter().any(|row| row.id == own && row.is_valid);
    if is_valid { Ok(()) } else { Err(ApiError::Unauthorized) }
}

async fn lock(ids: &[i32], connection: &mut PgConnection) -> Result<Vec<KeyRow>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_file_as!(KeyRow, "sql/admin/lock_keys.sql", ids).fetch_all(connection).await
}
