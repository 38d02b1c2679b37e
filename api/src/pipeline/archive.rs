//! How far the archive is, as `GET /pipeline` says.

use jiff::civil::Date;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::error::ApiError;

/// What is archived of all projects together. A day is one day, in UTC, of one project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Archive {
    /// The latest archived day of any project.
    archived_until: Option<Date>,
    /// How many days are archived.
    days: i64,
    /// The number of events in their files.
    rows: i64,
    /// The size of their files.
    bytes: i64,
    /// How many of these days have no rows in PostgreSQL any more.
    dropped_days: i64,
}

impl Archive {
    /// Reads it.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn read(connection: &mut PgConnection) -> Result<Self, ApiError> {
        let row = sqlx::query_file!("sql/pipeline/archive.sql").fetch_one(connection).await?;
        Ok(Self {
            archived_until: row.archived_until.map(Date::from),
            days: row.days,
            rows: row.rows,
            bytes: row.bytes,
            dropped_days: row.dropped_days,
        })
    }
}
