//! The numbers of event types in rows and rollups.

use std::collections::HashMap;

use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

/// The numbers of the names. A name without stored events has none.
///
/// # Errors
/// Those of the database.
pub(super) async fn numbers(
    connection: &mut PgConnection,
    project: ProjectId,
    names: &[String],
) -> Result<HashMap<String, i32>, sqlx::Error> {
    let rows = sqlx::query_file!("sql/types/numbers.sql", project.0, names).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.id)).collect())
}
