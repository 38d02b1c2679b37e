//! Indexes of the rows: filters while a day is written to, B-trees when it is over.
//!
//! Every partition has the filters of `events_lookup`, which cost a fraction of a microsecond a row. A
//! partition is sealed when its last day ended a day ago: its B-trees are built in one go, which is
//! far less work than to enter row after row, and events that come later still are few. Nobody
//! waits for a build; one that is interrupted is begun again.

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;

/// Days after its last that a partition stays without B-trees: clients in other time zones, or that
/// were offline for a night, are late by less.
const OPEN_DAYS: i32 = 1;
/// How often filters are brought up to date. At 100,000 rows a second, a search then reads a million
/// rows at most that no filter knows, a few hundred megabytes.
const SUMMARIZE_EVERY: Duration = Duration::from_secs(10);

/// A B-tree of a sealed partition.
struct BTree {
    suffix: &'static str,
    on: &'static str,
}

const BTREES: [BTree; 2] = [
    BTree { suffix: "_by_user", on: "(project_id, user_ord, occurred_at)" },
    BTree { suffix: "_by_session", on: "(project_id, session_id, occurred_at) where session_id is not null" },
];

/// Whether the partition that ends with (and without) this day has its B-trees.
pub(crate) fn is_sealed(end: Date, today: Date) -> bool {
    end <= sealed_until(today)
}

fn sealed_until(today: Date) -> Date {
    today.saturating_sub(OPEN_DAYS.days())
}

/// The statements that build the B-trees of a new partition, still empty and unknown to others.
pub(crate) fn of_new(partition: &str) -> impl Iterator<Item = String> {
    BTREES.iter().map(move |BTree { suffix, on }| format!("create index {partition}{suffix} on {partition} {on}"))
}

/// Brings the filters up to date at every interval until told to stop.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(SUMMARIZE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Some(Err(error)) = stop.run_until_cancelled(summarize(pool)).await else { continue };
        tracing::debug!(error = &error as &dyn std::error::Error, "filters were not brought up to date; the next time will do");
    }
}

/// Brings the filters up to date, unless another worker is at it.
pub(crate) async fn summarize(pool: &PgPool) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    if !lock(&mut transaction, "select pg_try_advisory_xact_lock(7034)").await? {
        return Ok(());
    }
    // Vacuum summarizes as well. Whoever waits for it longer than a second makes it give up.
    sqlx::query("set local lock_timeout = '500ms'").execute(&mut *transaction).await?;
    sqlx::query_file!("sql/summarize_new_rows.sql", BTREES[0].suffix).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Builds every B-tree that is missing, as of `today`, unless another worker is at it.
pub(crate) async fn seal(pool: &PgPool, today: Date) -> Result<(), StoreError> {
    // A connection of its own: whatever happens, its lock ends with it.
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    if lock(&mut connection, "select pg_try_advisory_lock(7033)").await? {
        build_missing(&mut connection, today).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn build_missing(connection: &mut PgConnection, today: Date) -> Result<(), StoreError> {
    let suffixes: Vec<String> = BTREES.iter().map(|tree| tree.suffix.to_owned()).collect();
    let until = sealed_until(today).strftime("%Y%m%d").to_string();
    let missing = sqlx::query_file!("sql/select_missing_indexes.sql", &suffixes, until).fetch_all(&mut *connection).await?;
    for index in missing {
        let (partition, suffix) = (&index.partition, &index.suffix);
        let Some(tree) = BTREES.iter().find(|tree| tree.suffix == *suffix) else { continue };
        // Names come from the catalog and from above, never from input.
        if index.is_unfinished {
            run_alone(connection, format!("drop index concurrently {partition}{suffix}")).await?;
        }
        run_alone(connection, format!("create index concurrently {partition}{suffix} on {partition} {}", tree.on)).await?;
        tracing::info!(partition, index = suffix.trim_start_matches('_'), "index built for a partition that is over");
    }
    Ok(())
}

/// Runs what may not be part of a transaction.
async fn run_alone(connection: &mut PgConnection, statement: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn lock(connection: &mut PgConnection, statement: &'static str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(statement).fetch_one(connection).await?)
}
