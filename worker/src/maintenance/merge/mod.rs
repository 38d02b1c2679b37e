//! Months: the partitions of a month that is over become one, whose rows are sorted by user.
//!
//! PostgreSQL plans a query of all times by looking at every partition, so their number decides how long a timeline takes.
//!
//! 1. A new table is made, and a trigger copies rows that come into the parts from now on into `…_late` (`prepare`).
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

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::civil::Date;
use metrics::{counter, gauge};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use self::month::Month;
pub(crate) use self::month::first_open_day;
use crate::error::StoreError;
use crate::maintenance::busy::{Attempts, BusyError, set_timeouts};
use crate::maintenance::lock::AdvisoryLock;
use crate::maintenance::table::Table;
use crate::maintenance::{clock, index};

/// How often a worker looks for months to merge, and the delay after the first failure.
const INTERVAL: Duration = Duration::from_secs(600);
/// Longest delay after failures.
const MAX_DELAY: Duration = Duration::from_secs(6 * 3600);
/// The delay between two months, and while somebody else is at work on the rows, for example building their indexes.
const PAUSE: Duration = Duration::from_secs(5);
/// Rows that the swap moves itself.
const FEW_ROWS: u64 = 100;
/// Whoever deletes or moves rows, or builds indexes, holds one of these locks.
const LOCKS: [AdvisoryLock; 3] = [AdvisoryLock::Archive, AdvisoryLock::Indexes, AdvisoryLock::Expiry];

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

/// What came of looking for a month to merge.
enum Outcome {
    Merged(Merged),
    /// Another session merges, or works on the rows.
    Busy,
    NothingToDo,
}

/// Merges months, one after the other, whenever there are any, until told to stop.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    let merging = async {
        let mut delays = failure_delays();
        loop {
            let delay = match merge_next(pool).await {
                // Others that work on the rows may do so before the next month.
                Ok(Outcome::Merged(_) | Outcome::Busy) => PAUSE,
                Ok(Outcome::NothingToDo) => {
                    delays = failure_delays();
                    INTERVAL
                }
                Err(error) => {
                    counter!("rollcall_merge_failures_total").increment(1);
                    let delay = delays.next().unwrap_or(MAX_DELAY);
                    let (error, delay_s) = (&error as &dyn std::error::Error, delay.as_secs());
                    tracing::warn!(error, delay_s, "a month was not merged; trying again later");
                    delay
                }
            };
            tokio::time::sleep(delay).await;
        }
    };
    // A merge may take long. A worker that is to stop abandons it, and the next run begins again.
    stop.run_until_cancelled(merging).await;
}

fn failure_delays() -> ExponentialBackoff {
    ExponentialBuilder::default().with_min_delay(INTERVAL).with_max_delay(MAX_DELAY).without_max_times().build()
}

/// Merges all months that are over, as of now; ends early if another session works on their rows.
///
/// # Errors
/// [`MergeError`].
pub(crate) async fn merge_all(pool: &PgPool) -> Result<Vec<Merged>, MergeError> {
    let mut all = Vec::new();
    while let Outcome::Merged(merged) = merge_next(pool).await? {
        all.push(merged);
    }
    Ok(all)
}

async fn merge_next(pool: &PgPool) -> Result<Outcome, MergeError> {
    let today = clock::today(pool).await?;
    // The locks hold others up, for example the build of indexes at the start of a worker.
    if !is_due(&mut *pool.acquire().await?, today).await? {
        return Ok(Outcome::NothingToDo);
    }
    let Some(mut turn) = take_turn(pool).await? else { return Ok(Outcome::Busy) };
    let merged = merge_first(&mut turn, today).await;
    if merged.is_err() {
        // Sooner than the next run: a copy that has filled the disk must go. If the connection is gone, that run does it.
        let _ = leftover::remove(&mut turn).await;
    }
    let _ = turn.close().await;
    Ok(merged?.map_or(Outcome::NothingToDo, Outcome::Merged))
}

async fn merge_first(turn: &mut PgConnection, today: Date) -> Result<Option<Merged>, MergeError> {
    leftover::remove(turn).await?;
    for table in Table::ALL {
        if let Some(month) = month::due(turn, table, today).await?.first() {
            return Ok(Some(merge_month(turn, month).await?));
        }
    }
    Ok(None)
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
    let options = PgConnectOptions::clone(&pool.connect_options()).options([
        ("statement_timeout", "0"),
        ("lock_timeout", "10s"),
        // A statement of the swap must see what was committed before it got its locks.
        ("default_transaction_isolation", "read committed"),
    ]);
    let mut connection = PgConnection::connect_with(&options).await?;
    for lock in LOCKS {
        if !lock.try_for_session(&mut connection).await? {
            connection.close().await?;
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
        build_indexes(connection, month).await?;
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

/// Builds all indexes that a partition of past days has.
async fn build_indexes(connection: &mut PgConnection, month: &Month) -> Result<(), MergeError> {
    let parent = month.table.name();
    let of_parent = sqlx::query_file!("sql/maintenance/merge/select_index_definitions.sql", parent);
    for index in of_parent.fetch_all(&mut *connection).await? {
        sqlx::query(statement::create_index(month, &index.definition)).execute(&mut *connection).await?;
    }
    Ok(index::build_on_new(connection, &month.name(), &statement::merging(month)).await?)
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
    // Noted rows that this snapshot sees are copied with the others.
    sqlx::query(statement::forget_late(month.table)).execute(&mut *transaction).await?;
    let rows = sqlx::query(statement::copy(month)).execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(rows)
}

async fn move_late(connection: &mut PgConnection, month: &Month) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(statement::move_late(month)).execute(connection).await?.rows_affected())
}

/// Moves the rows that came meanwhile, and swaps; returns how many these were, and for how long others waited.
async fn swap(connection: &mut PgConnection, month: &Month) -> Result<(u64, Duration), MergeError> {
    let mut attempts = Attempts::patient_at(format!("the table {}", month.table.name()));
    let mut late_rows = 0;
    loop {
        let moved = move_late(connection, month).await?;
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
    sqlx::query(statement::lock_softly(month)).execute(&mut *transaction).await?;
    let mut moved = move_late(&mut transaction, month).await?;
    sqlx::query_file!("sql/maintenance/merge/set_swap_timeouts.sql").fetch_one(&mut *transaction).await?;
    let asked = Instant::now();
    sqlx::query(statement::lock_parent(month)).execute(&mut *transaction).await?;
    sqlx::query(statement::lock_exchanged(month)).execute(&mut *transaction).await?;
    moved += move_late(&mut transaction, month).await?;
    sqlx::raw_sql(statement::swap(month)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok((moved, asked.elapsed()))
}
