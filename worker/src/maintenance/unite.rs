//! Uniting: the bitmaps of the days of a week or month that is over become one, for the questions about weeks and months.
//!
//! Only the holder of the lock of active users changes days or unions, and a change of a day removes the unions that
//! contain it, by a trigger. So a union is that of its days, or is not there.

use std::time::Duration;

use futures::TryStreamExt;
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
const PERIOD: Duration = Duration::from_secs(5);
/// Events may come late for weeks, a few with every batch. So that a month is not united for each of them, this much time
/// passes after the first change.
const QUIET: Duration = Duration::from_secs(10);
/// Weeks and months that are united in one transaction. The compactor waits meanwhile.
const SPANS_AT_ONCE: i64 = 4;
/// Transactions of one run. A project with years of events has more to unite only once.
const MAX_STEPS: usize = 100;

/// Unites at every period until told to stop.
pub(crate) async fn run(pool: &PgPool, reply_timeout: Duration, stop: &CancellationToken) {
    every("unite", PERIOD, stop, || Box::pin(unite(pool, QUIET, reply_timeout))).await;
}

/// Unites what changed at least `quiet` ago, unless another worker does.
///
/// # Errors
/// PostgreSQL did not answer, or a bitmap cannot be read.
pub(crate) async fn unite(pool: &PgPool, quiet: Duration, reply_timeout: Duration) -> Result<(), StoreError> {
    for _ in 0..MAX_STEPS {
        let mut lease = Lease::acquire(pool).await?;
        let united = timeout(reply_timeout, step(&mut lease, quiet)).await??;
        lease.give_back();
        if united < SPANS_AT_ONCE as usize {
            break;
        }
    }
    Ok(())
}

/// Unites a few weeks and months, and returns how many; none if somebody else changes days at the moment.
async fn step(connection: &mut PgConnection, quiet: Duration) -> Result<usize, StoreError> {
    let mut transaction = connection.begin().await?;
    if !AdvisoryLock::ActiveUsers.try_for_transaction(&mut transaction).await? {
        transaction.rollback().await?;
        return Ok(0);
    }
    let spans = sqlx::query_file!("sql/maintenance/select_lacking_spans.sql", quiet.as_secs_f64(), SPANS_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
    for span in &spans {
        let (project, first, last) = (span.project_id, span.first_day, span.last_day);
        let mut days =
            sqlx::query_file!("sql/maintenance/select_span_days.sql", project, first as _, last as _).fetch(&mut *transaction);
        let (mut union, mut has_days) = (RoaringBitmap::new(), false);
        // One by one: those of millions of people take megabytes each.
        while let Some(day) = days.try_next().await? {
            union |= bitmap::deserialize(&day.bitmap)?;
            has_days = true;
        }
        drop(days);
        if !has_days {
            sqlx::query_file!("sql/maintenance/delete_span.sql", project, first as _, last as _)
                .execute(&mut *transaction)
                .await?;
            continue;
        }
        union.optimize();
        let count = i32::try_from(union.len()).unwrap_or(i32::MAX);
        let bytes = bitmap::serialize(&union);
        sqlx::query_file!("sql/maintenance/update_span.sql", project, first as _, last as _, count, bytes)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(spans.len())
}
