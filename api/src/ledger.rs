//! The ledger of identities, as readers need it.

use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;
use uuid::Uuid;

/// The days on which an event id was stored, the earliest first: one, but for ids that were used again
/// with other times. [`Day::UNDATED`] stands for an id that was sent without a time.
///
/// # Errors
/// Those of the database.
pub(crate) async fn days_of(connection: &mut PgConnection, project: ProjectId, id: Uuid) -> sqlx::Result<Vec<Day>> {
    let rows = sqlx::query_file!("sql/ledger/event_days.sql", project.0, id).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| Day::from(jiff::civil::Date::from(row.day))).collect())
}
