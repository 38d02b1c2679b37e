//! Uniting: the bitmaps of the days of a week or month that is over become one, for the questions about weeks and months.
//!
//! A change of a day removes the unions that contain it, by a trigger. The days are read under the lock of the compactor,
//! with the row of the union locked, so a union is that of its days, or is not there.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use jiff_sqlx::Date;
use roaring::RoaringBitmap;
use rollcall_shared::database::Lease;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::bitmap;
use crate::error::StoreError;
use crate::maintenance::every;
use crate::maintenance::lock::AdvisoryLock;

/// How often workers look for weeks and months to unite.
const PERIOD: Duration = Duration::from_secs(10);
/// Events may come late for weeks, a few with every batch. So that a month is not united for each of them, this much time
/// passes after the first change.
const QUIET: Duration = Duration::from_secs(60);
/// What cannot be united is tried again after so long, so that it does not keep others waiting.
const DELAY_AFTER_FAILURE: Duration = Duration::from_secs(600);

/// A week or month of a project.
#[derive(Debug, Clone, Copy)]
struct Span {
    project_id: i32,
    first_day: Date,
    last_day: Date,
}

/// Unites at every period until told to stop.
pub(crate) async fn run(pool: &PgPool, reply_timeout: Duration, stop: &CancellationToken) {
    let unite = || Box::pin(async { stop.run_until_cancelled(unite(pool, QUIET, reply_timeout)).await.unwrap_or(Ok(())) });
    every("unite", PERIOD, stop, unite).await;
}

/// Unites what changed at least `quiet` ago, unless another worker does. What cannot be united is put off.
///
/// # Errors
/// PostgreSQL did not answer.
pub(crate) async fn unite(pool: &PgPool, quiet: Duration, reply_timeout: Duration) -> Result<(), StoreError> {
    let spans =
        sqlx::query_file_as!(Span, "sql/maintenance/select_lacking_spans.sql", quiet.as_secs_f64()).fetch_all(pool).await?;
    for span in spans {
        let started = Instant::now();
        let mut lease = Lease::acquire(pool).await?;
        match timeout(reply_timeout, step(&mut lease, span)).await.map_err(StoreError::from).flatten() {
            Ok(true) => lease.give_back(),
            // Somebody else changes days at the moment.
            Ok(false) => {
                lease.give_back();
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(?span, error = &error as &dyn std::error::Error, "days were not united");
                drop(lease);
                put_off(pool, span).await?;
            }
        }
        // The compactor has waited for as long.
        tokio::time::sleep(started.elapsed() * 2).await;
    }
    Ok(())
}

async fn put_off(pool: &PgPool, span: Span) -> Result<(), StoreError> {
    let Span { project_id, first_day, last_day } = span;
    let secs = DELAY_AFTER_FAILURE.as_secs_f64();
    sqlx::query_file!("sql/maintenance/put_span_off.sql", project_id, first_day as _, last_day as _, secs).execute(pool).await?;
    Ok(())
}

/// Unites the days of a week or month; false if somebody else has the lock.
async fn step(connection: &mut PgConnection, span: Span) -> Result<bool, StoreError> {
    let Span { project_id, first_day, last_day } = span;
    let mut transaction = connection.begin().await?;
    if !AdvisoryLock::ActiveUsers.try_for_transaction(&mut transaction).await? {
        transaction.rollback().await?;
        return Ok(false);
    }
    let lacking = sqlx::query_file!("sql/maintenance/lock_lacking_span.sql", project_id, first_day as _, last_day as _)
        .fetch_optional(&mut *transaction)
        .await?;
    if lacking.is_some() {
        unite_days(&mut transaction, span).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

async fn unite_days(connection: &mut PgConnection, span: Span) -> Result<(), StoreError> {
    let Span { project_id, first_day, last_day } = span;
    let mut days = sqlx::query_file!("sql/maintenance/select_span_days.sql", project_id, first_day as _, last_day as _)
        .fetch(&mut *connection);
    let (mut union, mut has_days) = (RoaringBitmap::new(), false);
    // One by one: those of millions of people take megabytes each.
    while let Some(day) = days.try_next().await? {
        union |= bitmap::deserialize(&day.bitmap)?;
        has_days = true;
    }
    drop(days);
    if !has_days {
        sqlx::query_file!("sql/maintenance/delete_span.sql", project_id, first_day as _, last_day as _)
            .execute(connection)
            .await?;
        return Ok(());
    }
    union.optimize();
    let count = i32::try_from(union.len()).unwrap_or(i32::MAX);
    let bytes = bitmap::serialize(&union);
    sqlx::query_file!("sql/maintenance/update_span.sql", project_id, first_day as _, last_day as _, count, bytes)
        .execute(connection)
        .await?;
    Ok(())
}
