//! `GET /admin/schemas`: lists the schemas of a project.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::schema::{Row, Shown};
use super::take_project;
use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::admin::projects::id_of;
use crate::error::ApiError;
use crate::openapi::{parameter, refusal};
use crate::paging::Paging;
use crate::parameters::Parameters;

/// A page of schemas, by event type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventSchemas)]
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
        Self { project: take_project(parameters), paging: Paging::take(parameters) }
    }
}

impl IntoParams for ListParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameter::taken("", Self::take)
    }
}

/// Lists schemas.
#[utoipa::path(
    get,
    path = "/admin/schemas",
    operation_id = "schemas",
    tag = "administration",
    summary = "List schemas",
    description = "Lists the event types of a project that have a schema, by name, with the number of events that did not match and \
                   some of them. Numbers are up to a second old. The schemas themselves are shown one at a time.",
    params(ListParameters),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "A page of schemas.", body = Listed), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn list(
    State(administration): State<Administration>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<Listed>, ApiError> {
    let fingerprint = parameters.fingerprint("schemas");
    let ListParameters { project, paging } = ListParameters::take(&mut parameters);
    parameters.finish()?;
    let name = caller.governed(project.as_deref())?;
    let list = administration.list(&caller, &fingerprint);
    let mut connection = administration.connection().await?;
    let project = id_of(name, &mut connection).await?;
    let after: Option<String> = paging.position(&list, &mut connection).await?;
    let limit = paging.limit as i64 + 1;
    let rows = sqlx::query_file_as!(Row, "sql/admin/select_schemas.sql", project.0, after, limit);
    let mut rows = rows.fetch_all(&mut *connection).await?;
    let next_cursor = paging.next_cursor(&list, &mut rows, |row| row.event_type.clone(), &mut connection).await?;
    Ok(Json(Listed { data: rows.into_iter().map(Shown::from).collect(), next_cursor }))
}
