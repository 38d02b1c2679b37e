//! Partitions, which a worker creates before events need them.
//!
//! Each recent day has its own partition, so that the indexes being written stay small. Days that were older
//! when the first partitions were created share monthly partitions, as do those that `merge` has merged, and all earlier
//! days share one. A row
//! without a partition goes to the default partition, and moves when its own is created. The database's
//! `clock` decides which day it is.

use std::time::Duration;

use backon::BackoffBuilder;
use jiff::ToSpan;
use jiff::civil::Date;
use metrics::counter;
use rollcall_shared::backoff;
use rollcall_shared::database::Lease;
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::ddl::NewPartition;
use crate::maintenance::lock::AdvisoryLock;
use crate::maintenance::{clock, index, merge};

/// Number of future days that have partitions. If no worker runs for fewer days, no partition is missing.
const DAYS_AHEAD: i32 = 8;
/// Number of days before today that get daily partitions when the first partitions of `events` are created. Older ones
/// have B-trees anyway.
const EVENT_DAYS_BACK: i32 = 1;
/// Years before this one that have monthly partitions.
const MONTHLY_YEARS_BACK: i16 = 4;

/// How often a worker looks for missing partitions. It creates them a week in advance, so an hour more or
/// less does not matter.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Longest delay before a failed run is tried again.
const MAX_DELAY: Duration = Duration::from_secs(60);

const FIRST_DAY: Date = jiff::civil::date(1970, 1, 1);

/// A table that has partitions.
#[derive(Debug)]
struct Table {
    name: &'static str,
    /// The column that defines the partitions.
    column: &'static str,
    /// The first day that gets a daily partition when the first partitions are created, as of a day.
    daily_from: fn(Date) -> Date,
    /// Whether new partitions of past days get the indexes of `index` at once.
    has_sealed: bool,
}

const TABLES: [Table; 2] = [
    Table { name: "event_ids", column: "day", daily_from: merge::first_open_day, has_sealed: false },
    Table { name: "events", column: "occurred_at", daily_from: first_day_of_events, has_sealed: true },
];

/// The days from `from` until the day before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: Date,
    to: Date,
}

/// Creates missing partitions at once and then every hour until told to stop, and sooner after a failure.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    let mut delays = backoff::endless(MAX_DELAY).build();
    loop {
        let delay = match make_as_of_now(pool).await {
            Ok(()) => {
                delays = backoff::endless(MAX_DELAY).build();
                INTERVAL
            }
            Err(error) => {
                let delay = delays.next().unwrap_or(MAX_DELAY);
                log_failure(&error, delay);
                delay
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
            return;
        }
    }
}

/// Creates missing partitions. Returns when today's exist, even if others could not be created.
pub(crate) async fn make_at_start(pool: &PgPool) {
    for delay in backoff::endless(MAX_DELAY).build() {
        let Err(error) = make_as_of_now(pool).await else { return };
        log_failure(&error, delay);
        if matches!(are_there_for_today(pool).await, Ok(true)) {
            return;
        }
        tokio::time::sleep(delay).await;
    }
}

fn log_failure(error: &StoreError, delay: Duration) {
    counter!("rollcall_partition_failures_total").increment(1);
    let delay_ms = delay.as_millis() as u64;
    tracing::error!(error = error as &dyn std::error::Error, delay_ms, "partitions were not made ahead; trying again");
}

/// Creates every partition that is missing today.
pub(crate) async fn make_as_of_now(pool: &PgPool) -> Result<(), StoreError> {
    make(pool, clock::today(pool).await?).await
}

/// Creates every partition that is missing, as of `today`. A failure for one table does not stop the other.
pub(crate) async fn make(pool: &PgPool, today: Date) -> Result<(), StoreError> {
    let mut result = Ok(());
    for table in &TABLES {
        result = result.and(make_for(pool, table, today).await);
    }
    result
}

async fn make_for(pool: &PgPool, table: &Table, today: Date) -> Result<(), StoreError> {
    while make_next(pool, table, today).await? {}
    Ok(())
}

async fn are_there_for_today(pool: &PgPool) -> Result<bool, StoreError> {
    let today = clock::today(pool).await?;
    let mut connection = pool.acquire().await?;
    for table in &TABLES {
        if made_until(&mut connection, table).await?.is_none_or(|until| until <= today) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Creates the first missing partition, in its own transaction; false if none is missing. An advisory lock
/// lets only one worker at a time do so.
async fn make_next(pool: &PgPool, table: &Table, today: Date) -> Result<bool, StoreError> {
    let mut lease = Lease::acquire(pool).await?;
    let mut transaction = lease.begin().await?;
    AdvisoryLock::Partitions.wait_for_transaction(&mut transaction).await?;
    let end = made_until(&mut transaction, table).await?;
    let missing = ranges(today, (table.daily_from)(today)).into_iter().find(|range| end.is_none_or(|end| range.to > end));
    if let Some(range) = missing {
        let range = Range { from: end.map_or(range.from, |end| range.from.max(end)), ..range };
        attach(&mut transaction, table, range, table.has_sealed && index::is_sealed(range.to, today)).await?;
    }
    transaction.commit().await?;
    lease.give_back();
    Ok(missing.is_some())
}

/// The end of the last partition; `None` if there is none yet.
async fn made_until(connection: &mut PgConnection, table: &Table) -> Result<Option<Date>, StoreError> {
    Ok(sqlx::query_file!("sql/maintenance/select_last_partition.sql", table.name)
        .fetch_one(connection)
        .await?
        .until
        .map(Date::from))
}

/// Creates a table, moves its rows out of the default partition into it, and attaches it to the parent.
/// Unlike `create table … partition of`, this lets other sessions write to the parent meanwhile.
///
/// Until the commit no other session uses the default partition. Rows that were written to it before
/// are visible here and move. A session that waits to write such a row gets an error from PostgreSQL,
/// because the row belongs to another partition now, and retries ([`StoreError::is_transient`]). So an
/// identity is in exactly one partition at every moment.
async fn attach(connection: &mut PgConnection, table: &Table, range: Range, is_sealed: bool) -> Result<(), StoreError> {
    let partition = NewPartition { parent: table.name, column: table.column, from: range.from, to: range.to };
    let name = partition.name();
    sqlx::query_file!("sql/maintenance/set_partition_timeouts.sql").fetch_one(&mut *connection).await?;
    partition.create(connection).await?;
    let parent = sqlx::query_file!("sql/maintenance/select_owner.sql", table.name).fetch_one(&mut *connection).await?;
    partition.give_to(connection, &parent.owner).await?;
    partition.lock_parent(connection).await?;
    let moved = partition.move_rows(connection).await?;
    if is_sealed {
        index::build_on_new(connection, &name, &name).await?;
    }
    partition.attach(connection).await?;
    if moved > 0 {
        tracing::warn!(partition = name, moved, "rows that came before their partition were moved into it");
    }
    Ok(())
}

fn first_day_of_events(today: Date) -> Date {
    today.saturating_sub(EVENT_DAYS_BACK.days())
}

/// The partitions of a table, oldest first: one for the distant past, then one for each month, then, from
/// `days_from` on, one for each day.
fn ranges(today: Date, days_from: Date) -> Vec<Range> {
    let end = today.saturating_add(DAYS_AHEAD.days());
    let mut from = jiff::civil::date(today.year() - MONTHLY_YEARS_BACK, 1, 1);
    let mut ranges = vec![Range { from: FIRST_DAY, to: from }];
    while from < end {
        let to = if from < days_from { from.saturating_add(1.month()).min(days_from) } else { from.saturating_add(1.day()) };
        ranges.push(Range { from, to });
        from = to;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other_from_1970_to_a_week_ahead() {
        for day in 0..800 {
            let today = jiff::civil::date(2026, 1, 1).saturating_add(day.days());
            for ranges in TABLES.map(|table| ranges(today, (table.daily_from)(today))) {
                assert_eq!(ranges[0].from, FIRST_DAY);
                assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].from < pair[0].to));
                assert!(ranges[ranges.len() - 1].to >= today.saturating_add(DAYS_AHEAD.days()));
            }
        }
    }
}
