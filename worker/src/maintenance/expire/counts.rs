//! Counts: what the rollups hold of days before the horizon of a project.
//!
//! Days are those of the project's time zone, so the first kept day may have begun before the horizon; its counts stay
//! whole. Sessions and users go if their last event is older; others keep their totals. Nothing is added to earlier days
//! any more, because no earlier event is stored. Deltas are deleted together with the base, under the lock of the compactor
//! that moves one to the other.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx};
use roaring::RoaringBitmap;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::error::ExpireError;
use super::project::Project;
use super::report::ExpiredCounts;
use crate::bitmap;
use crate::maintenance::lock::AdvisoryLock;

/// Rows that a step deletes from a table.
const ROWS: i64 = 5_000;
/// Bitmaps that a step reads from a table. Each is at most a few megabytes, for millions of people.
const BITMAPS: i64 = 8;

/// Counts what [`delete`] would delete.
pub(super) async fn count(connection: &mut PgConnection, project: &Project) -> Result<ExpiredCounts, ExpireError> {
    let (day, instant) = (project.first_counted_day()?.to_sqlx(), start(project));
    let found = sqlx::query_file!("sql/maintenance/expire/count_earlier.sql", project.id, day as _, instant as _)
        .fetch_one(connection)
        .await?;
    let [days, sessions, users] = [found.days, found.sessions, found.users].map(i64::unsigned_abs);
    Ok(ExpiredCounts { days, sessions, users })
}

/// Deletes the counts of earlier days, and sessions and users whose last event is older.
pub(super) async fn delete(connection: &mut PgConnection, project: &Project) -> Result<(), ExpireError> {
    let (day, instant) = (project.first_counted_day()?.to_sqlx(), start(project));
    while move_bitmaps(connection, project.id, day).await? {}
    while delete_bitmaps(connection, project.id, day).await? {}
    while delete_counts(connection, project.id, day).await? {}
    let mut after = Some(Timestamp::UNIX_EPOCH.to_sqlx());
    while let Some(last) = after {
        after = delete_sessions(connection, project.id, instant, last).await?;
    }
    let mut after = Some(-1);
    while let Some(last) = after {
        after = delete_users(connection, project.id, instant, last).await?;
    }
    Ok(())
}

/// The first instant of the horizon.
fn start(project: &Project) -> SqlTimestamp {
    project.horizon.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |start| start.timestamp()).to_sqlx()
}

/// A transaction that no compactor of this kind interrupts. A compactor has its turn between two of them.
async fn begin(connection: &mut PgConnection, lock: AdvisoryLock) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    lock.wait_for_transaction(&mut transaction).await?;
    Ok(transaction)
}

/// Moves the bitmaps of all people of some days into the one of all earlier days; false if there are none.
async fn move_bitmaps(connection: &mut PgConnection, project: i32, before: SqlDate) -> Result<bool, ExpireError> {
    let mut transaction = begin(connection, AdvisoryLock::ActiveUsers).await?;
    let taken = sqlx::query_file!("sql/maintenance/expire/take_earlier_bitmaps.sql", project, before as _, BITMAPS)
        .fetch_all(&mut *transaction)
        .await?;
    if taken.is_empty() {
        transaction.rollback().await?;
        return Ok(false);
    }
    let known =
        sqlx::query_file!("sql/maintenance/expire/select_earlier_users.sql", project).fetch_optional(&mut *transaction).await?;
    let mut everybody = RoaringBitmap::new();
    for bytes in taken.into_iter().map(|row| row.bitmap).chain(known.map(|row| row.bitmap)) {
        everybody |= bitmap::deserialize(&bytes)?;
    }
    everybody.optimize();
    sqlx::query_file!("sql/maintenance/expire/upsert_earlier_users.sql", project, bitmap::serialize(&everybody))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Deletes some bitmaps of single event types; false if there are none.
async fn delete_bitmaps(connection: &mut PgConnection, project: i32, before: SqlDate) -> Result<bool, ExpireError> {
    let mut transaction = begin(connection, AdvisoryLock::ActiveUsers).await?;
    let gone = sqlx::query_file!("sql/maintenance/expire/delete_earlier_bitmaps.sql", project, before as _, ROWS)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(gone.deleted > 0)
}

/// Deletes some counts of days and hours; false if there are none.
async fn delete_counts(connection: &mut PgConnection, project: i32, before: SqlDate) -> Result<bool, ExpireError> {
    let mut transaction = begin(connection, AdvisoryLock::EventCounts).await?;
    let gone = sqlx::query_file!("sql/maintenance/expire/delete_earlier_counts.sql", project, before as _, ROWS)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(gone.deleted > 0)
}

/// Looks at the next sessions, and deletes those whose last event is older; returns where to go on, if there are more.
async fn delete_sessions(
    connection: &mut PgConnection,
    project: i32,
    before: SqlTimestamp,
    from: SqlTimestamp,
) -> Result<Option<SqlTimestamp>, ExpireError> {
    let mut transaction = begin(connection, AdvisoryLock::Sessions).await?;
    let step = sqlx::query_file!("sql/maintenance/expire/delete_earlier_sessions.sql", project, before as _, from as _, ROWS);
    let gone = step.fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    // Those that have had an event since are met again, so the end is where nothing was deleted.
    Ok(gone.filter(|gone| gone.deleted > 0).map(|gone| gone.last))
}

/// The same for users, by their numbers.
async fn delete_users(
    connection: &mut PgConnection,
    project: i32,
    before: SqlTimestamp,
    after: i32,
) -> Result<Option<i32>, ExpireError> {
    let mut transaction = begin(connection, AdvisoryLock::UserActivity).await?;
    let step = sqlx::query_file!("sql/maintenance/expire/delete_earlier_users.sql", project, before as _, after, ROWS);
    let gone = step.fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(gone.map(|gone| gone.last))
}
