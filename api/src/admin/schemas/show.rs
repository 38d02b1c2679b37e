//! `GET /admin/schemas/{event_type}`: shows the schema of an event type.

use axum::Json;
use axum::extract::State;

use super::schema::InFull;
use super::set::Described;
use super::{find, take_project};
use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::admin::projects::id_of;
use crate::error::ApiError;
use crate::extract::PathText;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// Shows a schema.
#[utoipa::path(
    get,
    path = "/admin/schemas/{event_type}",
    operation_id = "schema",
    tag = "administration",
    summary = "Show the schema of an event type",
    description = "Shows the schema of an event type, with the number of events that did not match it and some of them.",
    params(("event_type" = String, Path, description = "The event type.", example = "login"), Described),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The schema.", body = InFull), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn show(
    State(administration): State<Administration>,
    caller: Caller,
    PathText(event_type): PathText,
    mut parameters: Parameters,
) -> Result<Json<InFull>, ApiError> {
    let project = take_project(&mut parameters);
    parameters.finish()?;
    let name = caller.governed(project.as_deref())?;
    let mut connection = administration.connection().await?;
    let project = id_of(name, &mut connection).await?;
    let schema = find(project, &event_type, &mut connection).await?.ok_or(ApiError::NoSchema)?;
    Ok(Json(schema.into()))
}
