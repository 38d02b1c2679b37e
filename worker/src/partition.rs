//! Partitions, made ahead of the events that will need them.
//!
//! Recent days of the ledger have a partition each, so that the index being written stays small;
//! older days share partitions of a month, and everything before them shares one. `events` has
//! months. A row that no partition expects falls into the default one, which stays empty while a
//! worker runs at least once a week.

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;

/// Days made ahead: a worker that was away for less than this finds its partitions.
const DAYS_AHEAD: i32 = 8;
/// Days before today that have a partition each in the ledger, when it is first laid out.
const LEDGER_DAYS_BACK: i32 = 60;
/// Years before this one that have monthly partitions.
const MONTHLY_YEARS_BACK: i16 = 4;

const FIRST_DAY: Date = jiff::civil::date(1970, 1, 1);

/// Days from `from` up to, and without, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: Date,
    to: Date,
}

/// Makes partitions at once and then every hour until told to stop.
pub(crate) async fn run(pool: &PgPool, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(3600));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = make(pool, jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "partitions were not made ahead; trying again in an hour");
        }
    }
}

/// Makes every partition that is missing, as of `today`. Replicas take turns.
pub(crate) async fn make(pool: &PgPool, today: Date) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(7032)").execute(&mut *transaction).await?;
    // Attaching waits for readers of the default partition; better to give up than to hold them up.
    sqlx::query("set local lock_timeout = '5s'").execute(&mut *transaction).await?;
    for (table, ranges) in [("event_ids", ledger_ranges(today)), ("events", event_ranges(today))] {
        let end = made_until(&mut transaction, table).await?;
        for range in ranges.into_iter().filter(|range| end.is_none_or(|end| range.to > end)) {
            let from = end.map_or(range.from, |end| range.from.max(end));
            attach(&mut transaction, table, Range { from, ..range }).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// The end of the last partition, read from its name; `None` before the first is made.
async fn made_until(connection: &mut PgConnection, table: &str) -> Result<Option<Date>, StoreError> {
    let last: Option<String> =
        sqlx::query_scalar(include_str!("../sql/select_last_partition.sql")).bind(table).fetch_one(connection).await?;
    Ok(last.and_then(|name| Date::strptime("%Y%m%d", name.rsplit('_').next().unwrap_or_default()).ok()))
}

/// Makes a table beside its parent and attaches it: unlike `partition of`, this lets others write
/// to the parent meanwhile.
async fn attach(connection: &mut PgConnection, table: &str, Range { from, to }: Range) -> Result<(), StoreError> {
    let name = format!("{table}_{}_{}", from.strftime("%Y%m%d"), to.strftime("%Y%m%d"));
    // Names and dates are made here from a fixed table name and a date, never from input.
    for statement in [
        format!("create table {name} (like {table} including defaults including constraints including storage)"),
        format!("alter table {table} attach partition {name} for values from ('{from}') to ('{to}')"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The partitions of the ledger, oldest first.
fn ledger_ranges(today: Date) -> Vec<Range> {
    let days_from = today.saturating_sub(LEDGER_DAYS_BACK.days()).first_of_month();
    let mut ranges = months(today, days_from);
    let end = today.saturating_add(DAYS_AHEAD.days());
    let mut from = days_from;
    while from < end {
        let to = from.saturating_add(1.day());
        ranges.push(Range { from, to });
        from = to;
    }
    ranges
}

/// The partitions of the events, oldest first.
fn event_ranges(today: Date) -> Vec<Range> {
    months(today, today.saturating_add(DAYS_AHEAD.days()).last_of_month().saturating_add(1.day()))
}

/// Everything old, and then months up to `end`, the first of a month.
fn months(today: Date, end: Date) -> Vec<Range> {
    let mut from = jiff::civil::date(today.year() - MONTHLY_YEARS_BACK, 1, 1);
    let mut ranges = vec![Range { from: FIRST_DAY, to: from }];
    while from < end {
        let to = from.saturating_add(1.month());
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
            for ranges in [ledger_ranges(today), event_ranges(today)] {
                assert_eq!(ranges[0].from, FIRST_DAY);
                assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].from < pair[0].to));
                assert!(ranges[ranges.len() - 1].to >= today.saturating_add(DAYS_AHEAD.days()));
            }
        }
    }
}
