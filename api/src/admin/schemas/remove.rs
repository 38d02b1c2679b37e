//! `DELETE /admin/schemas/{event_type}`: removes the schema of an event type.

use axum::Json;
use axum::extract::State;
use rollcall_shared::database::Lease;
use rollcall_shared::project::ProjectId;
use sqlx::{Connection, PgConnection};

use super::schema::InFull;
use super::set::Described;
use super::{find, lock_project, raise_revision, take_project};
use crate::admin::Administration;
use crate::admin::audit_log::{Action, Entry, record};
use crate::admin::caller::Caller;
use crate::admin::keys::check_caller;
use crate::admin::projects::id_of;
use crate::error::ApiError;
use crate::extract::PathText;
use crate::openapi::refusal;
use crate::parameters::Parameters;

/// Removes a schema.
#[utoipa::path(
    delete,
    path = "/admin/schemas/{event_type}",
    operation_id = "remove_schema",
    tag = "administration",
    summary = "Remove the schema of an event type",
    description = "Removes the schema, and the count of events that did not match it. Within five seconds, no replica checks events of \
                   this type any more.",
    params(("event_type" = String, Path, description = "The event type.", example = "login"), Described),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The schema that was removed.", body = InFull), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn remove(
    State(administration): State<Administration>,
    caller: Caller,
    PathText(event_type): PathText,
    mut parameters: Parameters,
) -> Result<Json<InFull>, ApiError> {
    let project = take_project(&mut parameters);
    parameters.finish()?;
    let name = caller.governed(project.as_deref())?;
    let mut lease = Lease::acquire(&administration.pool).await?;
    let mut transaction = lease.begin().await?;
    check_caller(&caller, &mut transaction).await?;
    let project = id_of(name, &mut transaction).await?;
    let schema = apply(&event_type, project, &caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    administration.schemas_changed(project).await;
    tracing::info!(%project, "a schema was removed");
    Ok(Json(schema))
}

async fn apply(event_type: &str, project: ProjectId, caller: &Caller, connection: &mut PgConnection) -> Result<InFull, ApiError> {
    lock_project(project, connection).await?;
    let schema = find(project, event_type, connection).await?.ok_or(ApiError::NoSchema)?;
    sqlx::query_file!("sql/admin/delete_schema.sql", project.0, event_type).execute(&mut *connection).await?;
    raise_revision(project, connection).await?;
    let entry = Entry { action: Action::RemoveSchema, project, key: None, before: Some(schema.logged()), after: None };
    record(entry, caller, connection).await?;
    Ok(schema.into())
}
