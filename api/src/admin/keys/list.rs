//! `GET /admin/keys`: lists the keys of a project.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::key::{KeyRow, Shown};
use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::admin::projects::id_of;
use crate::error::ApiError;
use crate::openapi::{parameter, refusal};
use crate::paging::Paging;
use crate::parameters::{Param, Parameters};

const PROJECT: Param = Param::new(&["project"], "The name of the project; that of the request's own key by default.");

/// A page of keys, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Keys)]
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

/// Lists keys.
#[utoipa::path(
    get,
    path = "/admin/keys",
    operation_id = "keys",
    tag = "administration",
    summary = "List keys",
    description = "Lists the keys of a project, oldest first, without their secrets. Keys that have ended are listed too.",
    params(ListParameters),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "A page of keys.", body = Listed), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn list(
    State(administration): State<Administration>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<Listed>, ApiError> {
    let fingerprint = parameters.fingerprint("keys");
    let ListParameters { project, paging } = ListParameters::take(&mut parameters);
    parameters.finish()?;
    let name = caller.governed(project.as_deref())?;
    let list = administration.list(&caller, &fingerprint);
    let mut connection = administration.connection().await?;
    let project = id_of(name, &mut connection).await?;
    let after: Option<i32> = paging.position(&list, &mut connection).await?;
    let (after, limit) = (after.unwrap_or(0), paging.limit as i64 + 1);
    let rows = sqlx::query_file_as!(KeyRow, "sql/admin/select_keys.sql", project.0, after, limit);
    let mut rows = rows.fetch_all(&mut *connection).await?;
    let next_cursor = paging.next_cursor(&list, &mut rows, |row| row.id, &mut connection).await?;
    Ok(Json(Listed { data: rows.into_iter().map(Shown::from).collect(), next_cursor }))
}
