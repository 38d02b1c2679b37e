//! `DELETE /admin/keys/{key_id}`: ends a key at once.

use axum::Json;
use axum::extract::State;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::key::{KeyRow, Shown};
use super::lock::lock_key;
use crate::admin::Administration;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::error::ApiError;
use crate::extract::PathText;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// Reads the number of a key in a path.
///
/// # Errors
/// [`ApiError::NoSuch`], because a text that is no number is the id of no key.
pub(super) fn number(key_id: &str) -> Result<i32, ApiError> {
    key_id.parse().map_err(|_| ApiError::NoSuch("key"))
}

/// Revokes a key.
#[utoipa::path(
    delete,
    path = "/admin/keys/{key_id}",
    operation_id = "revoke_key",
    tag = "administration",
    summary = "Revoke a key",
    description = "Ends a key within five seconds on every replica, and with it every stream of live events that uses it. A key may \
                   revoke itself, and a project may revoke its last key: the key of the installation (`API_KEY`) can make another. \
                   Revoking a key again changes nothing.",
    params(("key_id" = i32, Path, description = "The `key_id` from a list.", example = 1)),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The key.", body = Shown), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn revoke(
    State(administration): State<Administration>,
    caller: Caller,
    PathText(key_id): PathText,
    parameters: Parameters,
) -> Result<Json<Shown>, ApiError> {
    parameters.finish()?;
    let id = number(&key_id)?;
    let mut lease = administration.lease().await?;
    let mut transaction = lease.begin().await?;
    let key = end(id, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    administration.key_changed(id).await;
    tracing::info!(key_id = id, "a key was revoked");
    Ok(Json(key))
}

async fn end(id: i32, caller: &Caller, connection: &mut PgConnection) -> Result<Shown, ApiError> {
    let old = lock_key(id, caller, connection).await?;
    if old.revoked_at.is_some() {
        return Ok(old.into());
    }
    let end = sqlx::query_file!("sql/admin/revoke_key.sql", id).fetch_one(&mut *connection).await?;
    let project = old.project_id();
    let after = Shown::from(KeyRow { revoked_at: end.revoked_at, ..old.clone() });
    let (before, shown) = (Some(json!(Shown::from(old))), Some(json!(after)));
    record(Entry { action: Action::RevokeKey, project, key: Some(id), before, after: shown }, caller, connection).await?;
    Ok(after)
}
