//! Schemas: `/admin/schemas` sets, shows, lists and removes the JSON Schemas of event types.
//!
//! A schema is compiled before it is stored, so every replica can compile it later. Each change gives the schema a new
//! number and the schemas of the project a new revision, by which replicas notice it (`crate::event_rules`).

mod event_type;
pub(crate) mod list;
pub(crate) mod remove;
mod schema;
pub(crate) mod set;
pub(crate) mod show;

use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use self::schema::FullRow;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const PROJECT: Param = Param::new(&["project"], "The name of the project; that of the request's own key by default.");

/// Reads `project`.
fn take_project(parameters: &mut Parameters) -> Option<String> {
    parameters.text(PROJECT)
}

/// The schema of an event type, if there is one.
async fn find(project: ProjectId, event_type: &str, connection: &mut PgConnection) -> Result<Option<FullRow>, ApiError> {
    let row = sqlx::query_file_as!(FullRow, "sql/admin/select_schema.sql", project.0, event_type);
    Ok(row.fetch_optional(connection).await?)
}

/// Waits until nobody else changes schemas of the project, and holds the others off until the end of the transaction.
async fn lock_project(project: ProjectId, connection: &mut PgConnection) -> Result<(), ApiError> {
    sqlx::query_file!("sql/admin/lock_project_schemas.sql", project.0).fetch_one(connection).await?;
    Ok(())
}

/// Gives the schemas of the project a new revision. The caller has locked the project.
async fn raise_revision(project: ProjectId, connection: &mut PgConnection) -> Result<(), ApiError> {
    sqlx::query_file!("sql/admin/update_projects_schemas_revision.sql", project.0).execute(connection).await?;
    Ok(())
}
