//! `GET /admin/projects`: lists projects.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::project::{ProjectRow, Shown};
use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::error::ApiError;
use crate::openapi::{parameter, refusal};
use crate::paging::Paging;
use crate::parameters::Parameters;

/// A page of projects, by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Projects)]
pub(crate) struct Listed {
    data: Vec<Shown>,
    /// The cursor of the next page.
    next_cursor: Option<String>,
}

/// Describes the parameters.
pub(crate) struct Described;

impl IntoParams for Described {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameter::taken("", Paging::take)
    }
}

/// Lists projects.
#[utoipa::path(
    get,
    path = "/admin/projects",
    operation_id = "projects",
    tag = "administration",
    summary = "List projects",
    description = "Lists the projects that the key governs, by name: all of them for the key of the installation (`API_KEY`), and its \
                   own for any other.",
    params(Described),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "A page of projects.", body = Listed), refusal::WithKey),
)]
pub(crate) async fn list(
    State(administration): State<Administration>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<Listed>, ApiError> {
    let fingerprint = parameters.fingerprint("projects");
    let paging = Paging::take(&mut parameters);
    parameters.finish()?;
    let list = administration.list(&caller, &fingerprint);
    let mut connection = administration.connection().await?;
    let after: Option<String> = paging.position(&list, &mut connection).await?;
    let only = (!caller.governs_all()).then_some(caller.project().id.0);
    let limit = paging.limit as i64 + 1;
    let rows = sqlx::query_file_as!(ProjectRow, "sql/admin/select_projects.sql", only, after, limit);
    let rows = rows.fetch_all(&mut *connection).await?;
    let mut data: Vec<Shown> = rows.into_iter().map(Shown::from).collect();
    let next_cursor = paging.next_cursor(&list, &mut data, |project| project.name.clone(), &mut connection).await?;
    Ok(Json(Listed { data, next_cursor }))
}
