//! Indexes of the rows: filters while a day is written to, B-trees when it is over.
//!
//! Every partition has the filters of `events_lookup`, which cost a fraction of a microsecond a row. They
//! are brought up to date while rows come in, also in sealed partitions, where single events are found
//! through them. A partition is sealed when its last day ended a day ago: its B-trees are built in one go, which is
//! far less work than inserting row after row into them, and few events arrive later. Nothing waits for
//! a build; one that is interrupted starts again.

use std::collections::HashMap;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::types::Oid;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::ddl::BTree;
use crate::maintenance::lock::AdvisoryLock;
use crate::maintenance::{clock, every};

/// Number of days after its last day for which a partition stays without B-trees. Events of clients in other
/// time zones, or of clients that were offline for a night, arrive within this time.
const OPEN_DAYS: i32 = 1;
/// How often filters are brought up to date. At 100,000 rows a second, a search then reads a million
/// rows at most that no filter covers, a few hundred megabytes.
const SUMMARIZE_INTERVAL: Duration = Duration::from_secs(10);
/// How often the worker checks whether a day is over.
const SEAL_INTERVAL: Duration = Duration::from_secs(3600);
/// Timeout for building the missing indexes. A longer build means that the server is gone or waits for a
/// transaction that somebody left open.
const SEAL_TIMEOUT: Duration = Duration::from_secs(6 * 3600);

const BTREES: [BTree; 3] = [
    BTree { suffix: "_by_user", on: "(project_id, user_ord, occurred_at)" },
    BTree { suffix: "_by_session", on: "(project_id, session_id, occurred_at) where session_id is not null" },
    BTree { suffix: "_by_type", on: "(project_id, event_type_id, occurred_at)" },
];

/// Whether a partition whose days are all before `end` has its B-trees.
pub(crate) fn is_sealed(end: Date, today: Date) -> bool {
    end <= sealed_until(today)
}

fn sealed_until(today: Date) -> Date {
    today.saturating_sub(OPEN_DAYS.days())
}

/// Builds the B-trees of a new partition on a table that no other session uses yet.
pub(super) async fn build_on_new(connection: &mut PgConnection, partition: &str, table: &str) -> Result<(), sqlx::Error> {
    for tree in &BTREES {
        tree.create(connection, partition, table).await?;
    }
    Ok(())
}

/// Brings filters up to date and builds B-trees, each at its interval, until told to stop.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    let summarized = Summarized::default();
    let summarizing = every("summarize", SUMMARIZE_INTERVAL, stop, || summarize(pool, &summarized));
    let sealing = every("seal", SEAL_INTERVAL, stop, || async {
        let sealed = timeout(SEAL_TIMEOUT, async { seal(pool, clock::today(pool).await?).await }).await;
        sealed.map_err(StoreError::from).flatten()
    });
    // Either may take long. A worker that is to stop abandons it; the server ends it with the connection.
    tokio::join!(stop.run_until_cancelled(summarizing), stop.run_until_cancelled(sealing));
}

/// How far each filter had been brought up to date.
#[derive(Debug, Default)]
pub(crate) struct Summarized(Mutex<HashMap<Oid, Covered>>);

/// What a filter covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Covered {
    /// All pages of a sealed partition into which this many rows had come.
    Rows(i64),
    /// This many ranges of pages of a partition that is written to.
    Ranges(i64),
}

/// Brings the filters up to date, except those of sealed partitions that no rows came into since the last
/// time, and those that another worker is processing.
pub(crate) async fn summarize(pool: &PgPool, summarized: &Summarized) -> Result<(), StoreError> {
    let mut summarized = summarized.0.lock().await;
    let filters = sqlx::query_file!("sql/maintenance/select_filters.sql", BTREES[0].suffix).fetch_all(pool).await?;
    for filter in filters {
        let (covered, wanted) = (summarized.get(&filter.filter).copied(), filter.rows_inserted.map(Covered::Rows));
        if wanted.is_some() && covered == wanted {
            continue;
        }
        match summarize_one(pool, filter.filter, covered, wanted).await {
            Ok(None) => {}
            Ok(Some(covered)) => drop(summarized.insert(filter.filter, covered)),
            // Vacuum holds the lock, and it summarizes as well.
            Err(error) if error.is_lock_timeout() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Brings one filter up to date; returns what it covers, or `None` if another worker is at it.
async fn summarize_one(
    pool: &PgPool,
    filter: Oid,
    covered: Option<Covered>,
    wanted: Option<Covered>,
) -> Result<Option<Covered>, StoreError> {
    let mut transaction = pool.begin().await?;
    if !AdvisoryLock::Filters.try_for_transaction(&mut transaction).await? {
        return Ok(None);
    }
    sqlx::query_file!("sql/maintenance/set_summarize_lock_timeout.sql").fetch_one(&mut *transaction).await?;
    let covers = if wanted.is_some() {
        sqlx::query_file!("sql/maintenance/summarize_all_ranges.sql", filter).fetch_one(&mut *transaction).await?;
        wanted
    } else {
        let first = if let Some(Covered::Ranges(ranges)) = covered { ranges } else { 0 };
        let summarized = sqlx::query_file!("sql/maintenance/summarize_full_ranges.sql", filter, first)
            .fetch_optional(&mut *transaction)
            .await?;
        summarized.map(|summarized| Covered::Ranges(summarized.ranges))
    };
    transaction.commit().await?;
    Ok(covers)
}

/// Builds every B-tree that is missing, as of `today`, unless another worker is building. An index that
/// cannot be built does not stop the others.
pub(crate) async fn seal(pool: &PgPool, today: Date) -> Result<(), StoreError> {
    // This uses a separate connection, so that the lock ends with it in any case. A build may run, and may
    // wait for older transactions, longer than the timeouts of other statements allow.
    let options = PgConnectOptions::clone(&pool.connect_options()).options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    if AdvisoryLock::Indexes.try_for_session(&mut connection).await? {
        build_missing(&mut connection, today).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn build_missing(connection: &mut PgConnection, today: Date) -> Result<(), StoreError> {
    let suffixes: Vec<String> = BTREES.iter().map(|tree| tree.suffix.to_owned()).collect();
    let until = sealed_until(today).to_sqlx();
    let missing = sqlx::query_file!("sql/maintenance/select_missing_indexes.sql", &suffixes, until as _)
        .fetch_all(&mut *connection)
        .await?;
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
    if is_unfinished {
        tree.drop_concurrently(connection, partition).await?;
    }
    Ok(tree.create_concurrently(connection, partition).await?)
}
