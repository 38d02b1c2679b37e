//! The clock: today's date according to the database, so that a wrong clock here archives no day that goes on.

use jiff::civil::Date;
use sqlx::PgConnection;

use crate::ArchiveError;

/// Today in UTC by the database's clock.
pub(crate) async fn today(connection: &mut PgConnection) -> Result<Date, ArchiveError> {
    Ok(sqlx::query_file!("sql/select_today.sql").fetch_one(connection).await?.today.to_jiff())
}
