//! Months: the partitions of a month that is over become one, whose rows are sorted by user.
//!
//! PostgreSQL plans a query of all times by looking at every partition, so their number decides how long a timeline takes.
//!
//! 1. A new table is made, and a trigger notes in another one which rows come into the parts from now on (`prepare`).
//! 2. In one snapshot, all rows of the parts are copied, and the notes of those among them are forgotten (`copy`). It may
//!    take as long as it likes: nobody waits for it.
//! 3. Noted rows are moved after it. When few are left, the table takes the place of the parts (`swap`): everybody waits
//!    for this, so its locks are tried for a moment only, again and again.
//! 4. The parts are dropped.
//!
//! So each row is in exactly one partition at every moment, whenever the process is killed: before the swap nothing has been
//! replaced, and after it nothing is missing (`leftover`). Nobody deletes rows of the parts meanwhile, because whoever does
//! that holds one of the locks of a merge.

mod leftover;
mod month;
mod statement;

use std::time::{Duration, Instant};

use jiff::civil::Date;
use metrics::{counter, gauge};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

pub(crate) use self::month::first_open_day;
use self::month::{Month, Table};
use crate::error::StoreError;
use crate::maintenance::busy::{Attempts, BusyError, set_timeouts};
use crate::maintenance::lock::AdvisoryLock;
use crate::maintenance::{clock, index};

/// How often a worker looks for months to merge.
const INTERVAL: Duration = Duration::from_secs(600);
/// How long it waits for whoever else is at work on the rows, for example to build their indexes.
const BUSY_DELAY: Duration = Duration::from_secs(5);
/// Rows that the swap moves itself.
const FEW_ROWS: u64 = 100;
/// Whoever deletes or moves rows, or builds indexes, holds one of these locks.
const LOCKS: [AdvisoryLock; 3] = [AdvisoryLock::Expiry, AdvisoryLock::Indexes, AdvisoryLock::Archive];

/// Why months were not merged. What was begun is removed by the next run, which begins again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// PostgreSQL did not do what was asked.
    #[error("PostgreSQL did not merge partitions")]
    Database(#[from] sqlx::Error),
    /// What others use could not be locked.
    #[error(transparent)]
    Busy(#[from] BusyError),
    /// Something that the rest of the worker does failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A month that was merged.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The partition that has its rows now.
    pub partition: String,
    /// How many partitions it has replaced.
    pub parts: usize,
    /// How many rows were copied at first.
    pub rows: u64,
    /// How many came meanwhile.
    pub late_rows: u64,
    /// The time that all of it took.
    pub took: Duration,
    /// For how long everybody else waited for the swap.
    pub locked: Duration,
}

/// Merges months at every interval until told to stop, and sooner if somebody else was at work on their rows.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    let merging = async {
        loop {
            let delay = match merge_as_of_now(pool).await {
                Ok(Some(_)) => INTERVAL,
                Ok(None) => BUSY_DELAY,
                Err(error) => {
                    counter!("rollcall_merge_failures_total").increment(1);
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "months were not merged; trying again later");
                    INTERVAL
                }
            };
            tokio::time::sleep(delay).await;
        }
    };
    // A merge may take long. A worker that is to stop abandons it, and the next run begins again.
    stop.run_until_cancelled(merging).await;
}

/// Merges all months that are over, as of now; `None` if another session does so or works on their rows.
///
/// # Errors
/// [`MergeError`].
pub(crate) async fn merge_as_of_now(pool: &PgPool) -> Result<Option<Vec<Merged>>, MergeError> {
    merge(pool, clock::today(pool).await?).await
}

async fn merge(pool: &PgPool, today: Date) -> Result<Option<Vec<Merged>>, MergeError> {
    // The locks hold others up, for example the build of indexes at the start of a worker.
    if !is_due(&mut *pool.acquire().await?, today).await? {
        return Ok(Some(Vec::new()));
    }
    let Some(mut turn) = take_turn(pool).await? else { return Ok(None) };
    leftover::remove(&mut turn).await?;
    let mut merged = Vec::new();
    for table in Table::ALL {
        for month in month::due(&mut turn, table, today).await? {
            merged.push(merge_month(&mut turn, &month).await?);
        }
    }
    turn.close().await?;
    Ok(Some(merged))
}

/// Whether there is anything to do.
async fn is_due(connection: &mut PgConnection, today: Date) -> Result<bool, MergeError> {
    for table in Table::ALL {
        if leftover::is_there(connection, table).await? || !month::due(connection, table, today).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A connection that holds all locks; `None` if another session holds one of them. They end with the connection.
async fn take_turn(pool: &PgPool) -> Result<Option<PgConnection>, MergeError> {
    let options = PgConnectOptions::clone(&pool.connect_options()).options([("statement_timeout", "0"), ("lock_timeout", "10s")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    for lock in LOCKS {
        if !lock.try_for_session(&mut connection).await? {
            return Ok(None);
        }
    }
    Ok(Some(connection))
}

async fn merge_month(connection: &mut PgConnection, month: &Month) -> Result<Merged, MergeError> {
    let started = Instant::now();
    prepare(connection, month).await?;
    let rows = copy(connection, month).await?;
    if month.table == Table::Events {
        index::build_on_new(connection, &month.name(), &statement::merging(month)).await?;
    }
    sqlx::query(statement::vacuum(month)).execute(&mut *connection).await?;
    let (late_rows, locked) = swap(connection, month).await?;
    leftover::remove(connection).await?;
    let merged = Merged { partition: month.name(), parts: month.parts.len(), rows, late_rows, took: started.elapsed(), locked };
    counter!("rollcall_merged_partitions_total").increment(merged.parts as u64);
    gauge!("rollcall_merge_duration_seconds").set(merged.took.as_secs_f64());
    gauge!("rollcall_merge_locked_seconds").set(locked.as_secs_f64());
    let (took, locked_ms) = (merged.took.as_secs_f64(), locked.as_millis() as u64);
    let (partition, parts) = (&merged.partition, merged.parts);
    tracing::info!(partition, parts, rows, late_rows, seconds = took, locked_ms, "partitions of a month were merged");
    Ok(merged)
}

async fn prepare(connection: &mut PgConnection, month: &Month) -> Result<(), MergeError> {
    let name = month.table.name();
    let parent = sqlx::query_file!("sql/maintenance/select_owner.sql", name).fetch_one(&mut *connection).await?;
    let mut attempts = Attempts::at(format!("a partition of {name}"));
    loop {
        match try_to_prepare(connection, month, &parent.owner).await {
            Ok(()) => return Ok(()),
            Err(error) => attempts.wait_after(error).await?,
        }
    }
}

async fn try_to_prepare(connection: &mut PgConnection, month: &Month, owner: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    set_timeouts(&mut transaction).await?;
    sqlx::raw_sql(statement::prepare(month, owner)).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Copies the rows that there are; returns how many.
async fn copy(connection: &mut PgConnection, month: &Month) -> Result<u64, MergeError> {
    let mut transaction = connection.begin_with("begin isolation level repeatable read").await?;
    sqlx::query(statement::forget_late(month)).execute(&mut *transaction).await?;
    let rows = sqlx::query(statement::copy(month)).execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(rows)
}

/// Moves the rows that came meanwhile, and swaps; returns how many these were, and for how long others waited.
async fn swap(connection: &mut PgConnection, month: &Month) -> Result<(u64, Duration), MergeError> {
    let mut attempts = Attempts::patient_at(format!("the table {}", month.table.name()));
    let mut late_rows = 0;
    loop {
        let moved = sqlx::query(statement::move_late(month)).execute(&mut *connection).await?.rows_affected();
        late_rows += moved;
        if moved > FEW_ROWS {
            continue;
        }
        match try_to_swap(connection, month).await {
            Ok((moved, locked)) => return Ok((late_rows + moved, locked)),
            Err(error) => attempts.wait_after(error).await?,
        }
    }
}

async fn try_to_swap(connection: &mut PgConnection, month: &Month) -> Result<(u64, Duration), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // A worker that is creating partitions holds it, and locks the same tables.
    AdvisoryLock::Partitions.wait_for_transaction(&mut transaction).await?;
    sqlx::query(statement::lock_parts_softly(month)).execute(&mut *transaction).await?;
    sqlx::query_file!("sql/maintenance/merge/set_swap_timeouts.sql").fetch_one(&mut *transaction).await?;
    let asked = Instant::now();
    sqlx::query(statement::lock(month)).execute(&mut *transaction).await?;
    let moved = sqlx::query(statement::move_late(month)).execute(&mut *transaction).await?.rows_affected();
    sqlx::raw_sql(statement::swap(month)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok((moved, asked.elapsed()))
}
