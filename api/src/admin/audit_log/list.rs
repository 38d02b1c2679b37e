//! `GET /admin/audit-log`: lists what was changed.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::admin::projects::id_of;
use crate::error::ApiError;
use crate::openapi::{parameter, refusal};
use crate::paging::Paging;
use crate::parameters::{Param, Parameters};

const PROJECT: Param =
    Param::new(&["project"], "Only changes of this project. By default, changes of all projects that the key governs.");

/// A change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLogEntry)]
struct Shown {
    id: i64,
    at: Timestamp,
    /// The key of the request that made the change; null for the key of the installation (`API_KEY`), and for `expire`.
    by_key_id: Option<i32>,
    /// The `X-Request-Id` of this request.
    request_id: String,
    /// `create_project`, `change_project`, `create_key`, `rotate_key`, `revoke_key`, `set_schema`, `remove_schema`,
    /// `redrive_dead_letters` or `purge_dead_letters`; or `expire`, by the command `rollcall expire`.
    action: String,
    /// The project that was changed, or whose key, schema or dead letters were.
    project: String,
    /// The key that was changed; null if it was something else.
    key_id: Option<i32>,
    /// What was changed, as lists showed it before; null if it is new. Of dead letters, their number and the first 20.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// The same afterwards; null for dead letters, which are gone then.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

/// A row of the table `audit_log`, with the name of the project.
struct Row {
    id: i64,
    at: SqlTimestamp,
    by_key_id: Option<i32>,
    request_id: String,
    action: String,
    project: String,
    key_id: Option<i32>,
    before: Option<Value>,
    after: Option<Value>,
}

impl From<Row> for Shown {
    fn from(row: Row) -> Self {
        let Row { id, at, by_key_id, request_id, action, project, key_id, before, after } = row;
        Self { id, at: at.to_jiff(), by_key_id, request_id, action, project, key_id, before, after }
    }
}

/// A page of changes, latest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub(crate) struct Listed {
    data: Vec<Shown>,
    /// The cursor of the next page.
    next_cursor: Option<String>,
}

/// The parameters of the request.
pub(crate) struct ListParameters {
    project: Option<String>,
    paging: Paging,
}

impl ListParameters {
    fn take(parameters: &mut Parameters) -> Self {
        Self { project: parameters.text(PROJECT), paging: Paging::take(parameters) }
    }
}

impl IntoParams for ListParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameter::taken("", Self::take)
    }
}

/// Lists changes.
#[utoipa::path(
    get,
    path = "/admin/audit-log",
    operation_id = "audit_log",
    tag = "administration",
    summary = "List changes",
    description = "Lists the changes of projects, keys and schemas, and what was done with dead letters, latest first: who changed \
                   what, and when. Nothing in it is a secret.",
    params(ListParameters),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "A page of changes.", body = Listed), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn list(
    State(administration): State<Administration>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<Listed>, ApiError> {
    let fingerprint = parameters.fingerprint("audit_log");
    let ListParameters { project, paging } = ListParameters::take(&mut parameters);
    parameters.finish()?;
    let name = if project.is_none() && caller.governs_all() { None } else { Some(caller.governed(project.as_deref())?) };
    let list = administration.list(&caller, &fingerprint);
    let mut connection = administration.connection().await?;
    let before: Option<i64> = paging.position(&list, &mut connection).await?;
    let mut rows = read(name, before.unwrap_or(i64::MAX), paging.limit as i64 + 1, &mut connection).await?;
    let next_cursor = paging.next_cursor(&list, &mut rows, |row| row.id, &mut connection).await?;
    Ok(Json(Listed { data: rows.into_iter().map(Shown::from).collect(), next_cursor }))
}

/// Reads the latest changes before one of them: those of a project, or of all.
async fn read(project: Option<&str>, before: i64, limit: i64, connection: &mut PgConnection) -> Result<Vec<Row>, ApiError> {
    let Some(name) = project else {
        let rows = sqlx::query_file_as!(Row, "sql/admin/select_audit_log.sql", before, limit);
        return Ok(rows.fetch_all(connection).await?);
    };
    let id = id_of(name, connection).await?;
    let rows = sqlx::query_file_as!(Row, "sql/admin/select_audit_log_of_project.sql", id.0, before, limit);
    Ok(rows.fetch_all(connection).await?)
}
