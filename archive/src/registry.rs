//! The registry: the table `archived_days`, which says what is archived, and what of it is not in `events` any more.
//!
//! The store is the truth about what is archived; the registry saves reading it, and knows what only the database can
//! know. It is changed only over the connection that holds the [`Lock`].

use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use rollcall_shared::project::ProjectId;
use sqlx::{PgConnection, PgPool};

use crate::manifest::Manifest;
use crate::rows::{self, Fingerprint};
use crate::{ArchiveDay, ArchiveError, Selection};

/// An archived day.
#[derive(Debug, Clone)]
pub struct RegisteredDay {
    /// Which one.
    pub day: ArchiveDay,
    /// How often it was archived.
    pub generation: u32,
    /// Its rows in the archive.
    pub rows: u64,
    /// Their bytes there.
    pub bytes: u64,
    /// When it was archived last.
    pub archived_at: Timestamp,
    /// Up to which generation its rows were dropped from the database; `None` if they are in it.
    pub dropped_generation: Option<u32>,
    /// When rows of it were restored last.
    pub restored_at: Option<Timestamp>,
    /// Its rows in the database when they were last compared with the archive.
    pub(crate) here: Fingerprint,
}

/// The archived days, oldest first.
///
/// # Errors
/// There is no project of the name, or PostgreSQL does not answer.
pub async fn registered(pool: &PgPool, selection: &Selection) -> Result<Vec<RegisteredDay>, ArchiveError> {
    let mut connection = pool.acquire().await?;
    rows::check_project(&mut connection, selection).await?;
    Ok(all(&mut connection).await?.into_iter().filter(|day| selection.contains(&day.day.project, day.day.date)).collect())
}

/// All archived days, oldest first.
pub(crate) async fn all(connection: &mut PgConnection) -> Result<Vec<RegisteredDay>, ArchiveError> {
    let rows = sqlx::query_file!("sql/select_archived_days.sql").fetch_all(connection).await?;
    let days = rows.into_iter().map(|row| RegisteredDay {
        day: ArchiveDay { date: row.day.to_jiff(), project: row.project, project_id: ProjectId(row.project_id) },
        generation: number(row.generation),
        rows: row.rows.unsigned_abs(),
        bytes: row.bytes.unsigned_abs(),
        archived_at: row.archived_at.to_jiff(),
        dropped_generation: row.dropped_generation.map(number),
        restored_at: row.restored_at.map(jiff_sqlx::Timestamp::to_jiff),
        here: Fingerprint { rows: row.rows_here.unsigned_abs(), ids: row.ids_here },
    });
    Ok(days.collect())
}

/// The numbers come from a column with a check that they are positive.
fn number(generation: i32) -> u32 {
    generation.unsigned_abs()
}

/// Records what the archive has of a day, and which of the day's rows the database had when they were compared.
pub(crate) async fn record(
    connection: &mut PgConnection,
    day: &ArchiveDay,
    manifest: &Manifest,
    here: &Fingerprint,
) -> Result<(), ArchiveError> {
    sqlx::query_file!(
        "sql/upsert_archived_day.sql",
        day.project_id.0,
        day.date.to_sqlx() as _,
        generation(manifest.generation),
        count(manifest.rows),
        count(manifest.bytes),
        count(here.rows),
        here.ids,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that the rows of a day up to this generation are not in the database any more.
pub(crate) async fn record_dropped(connection: &mut PgConnection, day: &ArchiveDay, up_to: u32) -> Result<(), ArchiveError> {
    let date: Date = day.date;
    sqlx::query_file!("sql/update_archived_day_dropped.sql", day.project_id.0, date.to_sqlx() as _, generation(up_to))
        .execute(connection)
        .await?;
    Ok(())
}

/// Records, if it is still so that they are dropped, that the rows of a day are in the database again; returns up to
/// which generation they were dropped. Until the transaction ends, nobody else can do the same.
pub(crate) async fn record_restored(connection: &mut PgConnection, day: &ArchiveDay) -> Result<Option<u32>, ArchiveError> {
    let restored = sqlx::query_file!("sql/update_archived_day_restored.sql", day.project_id.0, day.date.to_sqlx() as _)
        .fetch_optional(connection)
        .await?;
    Ok(restored.map(|row| number(row.dropped_generation)))
}

fn generation(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
