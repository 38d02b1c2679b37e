//! Queries of the ledger of identities.

use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Maximum number of days that the statement looks up for an event id.
pub(crate) const MAX_DAYS: usize = 100;

/// The first [`MAX_DAYS`] identity days of an event id, the earliest first. There are several if clients used the id again with
/// times on other days. [`Day::UNDATED`] stands for an id that was sent without a time.
///
/// # Errors
/// Those of the database.
pub(crate) async fn days_of(connection: &mut PgConnection, project: ProjectId, id: Uuid) -> sqlx::Result<Vec<Day>> {
    let rows = sqlx::query_file!("sql/ledger/event_days.sql", project.0, id).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| Day::from(jiff::civil::Date::from(row.day))).collect())
}
