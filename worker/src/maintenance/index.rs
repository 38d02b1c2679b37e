//! Indexes of the rows: filters while a day is written to, B-trees when it is over.
//!
//! Every partition has the filters of `events_lookup`, which cost a fraction of a microsecond a row. A
//! partition is sealed when its last day ended a day ago: its B-trees are built in one go, which is
//! far less work than to enter row after row, and events that come later still are few. Nobody
//! waits for a build; one that is interrupted is begun again.

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::clock;

/// Days after its last that a partition stays without B-trees: clients in other time zones, or that
/// were offline for a night, are late by less.
const OPEN_DAYS: i32 = 1;
/// How often filters are brought up to date. At 100,000 rows a second, a search then reads a million
/// rows at most that no filter knows, a few hundred megabytes.
const SUMMARIZE_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked whether a day is over.
const SEAL_EVERY: Duration = Duration::from_secs(3600);
/// A server that has not built the indexes of a day by then has vanished, or waits for a transaction
/// that somebody forgot.
const SEAL_TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// A B-tree of a sealed partition.
struct BTree {
    suffix: &'static str,
    on: &'static str,
}

const BTREES: [BTree; 2] = [
    BTree { suffix: "_by_user", on: "(project_id, user_ord, occurred_at)" },
    BTree { suffix: "_by_session", on: "(project_id, session_id, occurred_at) where session_id is not null" },
];

/// Whether a partition has its B-trees whose days all come before `end`.
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

/// Brings filters up to date and builds B-trees, each at its interval, until told to stop.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    // A build may take long, and nobody should wait for it.
    tokio::join!(stop.run_until_cancelled(keep_summarized(pool)), stop.run_until_cancelled(keep_sealed(pool)));
}

async fn keep_summarized(pool: &PgPool) {
    let mut tick = tokio::time::interval(SUMMARIZE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = summarize(pool).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "filters were not brought up to date; the next time will do"
            );
        }
    }
}

async fn keep_sealed(pool: &PgPool) {
    let mut tick = tokio::time::interval(SEAL_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let sealing = async { seal(pool, clock::today(pool).await?).await };
        let sealed = tokio::time::timeout(SEAL_TIMEOUT, sealing).await;
        if let Err(error) = sealed.map_err(StoreError::from).flatten() {
            tracing::warn!(error = &error as &dyn std::error::Error, "indexes of past days were not built; trying again later");
        }
    }
}

/// Brings the filters up to date, unless another worker is at it.
pub(crate) async fn summarize(pool: &PgPool) -> Result<(), StoreError> {
    let filters = sqlx::query_file!("sql/maintenance/select_filters.sql", BTREES[0].suffix).fetch_all(pool).await?;
    for filter in filters {
        match summarize_one(pool, filter.filter).await {
            // Vacuum is at it, which summarizes as well.
            Err(error) if error.is_lock_timeout() => {}
            result => result?,
        }
    }
    Ok(())
}

async fn summarize_one(pool: &PgPool, filter: Oid) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    if !lock(&mut transaction, "select pg_try_advisory_xact_lock(7034)").await? {
        return Ok(());
    }
    // Whoever waits for vacuum longer than a second (deadlock_timeout) makes it give up.
    sqlx::query("set local lock_timeout = '500ms'").execute(&mut *transaction).await?;
    sqlx::query_file!("sql/maintenance/summarize_new_rows.sql", filter).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Builds every B-tree that is missing, as of `today`, unless another worker is at it. What cannot be
/// built is passed over.
pub(crate) async fn seal(pool: &PgPool, today: Date) -> Result<(), StoreError> {
    // A connection of its own: whatever happens, its lock ends with it. A build may take, and wait for
    // transactions that were begun before it, longer than any statement that stores events.
    let options = PgConnectOptions::clone(&pool.connect_options()).options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    if lock(&mut connection, "select pg_try_advisory_lock(7033)").await? {
        build_missing(&mut connection, today).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn build_missing(connection: &mut PgConnection, today: Date) -> Result<(), StoreError> {
    let suffixes: Vec<String> = BTREES.iter().map(|tree| tree.suffix.to_owned()).collect();
    let until = sealed_until(today).strftime("%Y%m%d").to_string();
    let missing =
        sqlx::query_file!("sql/maintenance/select_missing_indexes.sql", &suffixes, until).fetch_all(&mut *connection).await?;
    for index in missing {
        let (partition, suffix) = (index.partition.as_str(), index.suffix.as_str());
        match build(connection, partition, suffix, index.is_unfinished).await {
            Ok(()) => tracing::info!(partition, suffix, "index built for a partition that is over"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, partition, suffix, "an index was not built; trying again later");
            }
        }
    }
    Ok(())
}

async fn build(connection: &mut PgConnection, partition: &str, suffix: &str, is_unfinished: bool) -> Result<(), StoreError> {
    let Some(tree) = BTREES.iter().find(|tree| tree.suffix == suffix) else { return Ok(()) };
    // Names come from the catalog and from above, never from input.
    if is_unfinished {
        run_alone(connection, format!("drop index concurrently {partition}{suffix}")).await?;
    }
    run_alone(connection, format!("create index concurrently {partition}{suffix} on {partition} {}", tree.on)).await
}

/// Runs what may not be part of a transaction.
async fn run_alone(connection: &mut PgConnection, statement: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn lock(connection: &mut PgConnection, statement: &'static str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(statement).fetch_one(connection).await?)
}
