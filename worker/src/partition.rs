//! Partitions, made ahead of the events that will need them.
//!
//! Recent days have a partition each, so that the indexes being written stay small; what was older
//! when the tables were laid out shares partitions of a month, and everything before them shares
//! one. A row that no partition expects falls into the default one, which stays empty while a worker
//! runs at least once a week.

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::index;

/// Days made ahead: a worker that was away for less than this finds its partitions.
const DAYS_AHEAD: i32 = 8;
/// Days before today that have a partition each when the ledger is first laid out: late events and
/// the first imports.
const LEDGER_DAYS_BACK: i32 = 60;
/// The same for the rows, whose older days have their B-trees anyway.
const EVENT_DAYS_BACK: i32 = 1;
/// Years before this one that have monthly partitions.
const MONTHLY_YEARS_BACK: i16 = 4;

const LEDGER: &str = "event_ids";
const EVENTS: &str = "events";
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
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = make(pool, crate::today()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "partitions were not made ahead; trying again in an hour");
        }
    }
}

/// Makes every partition that is missing, as of `today`.
pub(crate) async fn make(pool: &PgPool, today: Date) -> Result<(), StoreError> {
    make_for(pool, LEDGER, LEDGER_DAYS_BACK, today).await?;
    make_for(pool, EVENTS, EVENT_DAYS_BACK, today).await
}

/// Makes those of one table. Replicas take turns.
async fn make_for(pool: &PgPool, table: &str, days_back: i32, today: Date) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(7032)").execute(&mut *transaction).await?;
    // Attaching waits for readers of the default partition; better to give up than to hold them up.
    sqlx::query("set local lock_timeout = '5s'").execute(&mut *transaction).await?;
    let end = made_until(&mut transaction, table).await?;
    for range in ranges(today, days_back).into_iter().filter(|range| end.is_none_or(|end| range.to > end)) {
        let from = end.map_or(range.from, |end| range.from.max(end));
        let range = Range { from, ..range };
        let is_sealed = table == EVENTS && index::is_sealed(range.to, today);
        attach(&mut transaction, table, range, is_sealed).await?;
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
async fn attach(connection: &mut PgConnection, table: &str, range: Range, is_sealed: bool) -> Result<(), StoreError> {
    let Range { from, to } = range;
    let name = format!("{table}_{}_{}", from.strftime("%Y%m%d"), to.strftime("%Y%m%d"));
    let create = format!("create table {name} (like {table} including defaults including constraints including storage)");
    let attach = format!("alter table {table} attach partition {name} for values from ('{from}') to ('{to}')");
    let indexes = index::of_new(&name).filter(|_| is_sealed);
    // Names and dates are made here from a fixed table name and a date, never from input.
    for statement in [create].into_iter().chain(indexes).chain([attach]) {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The partitions of a table, oldest first: everything old, then months, then, from some days back,
/// days.
fn ranges(today: Date, days_back: i32) -> Vec<Range> {
    let days_from = today.saturating_sub(days_back.days());
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
            for ranges in [LEDGER_DAYS_BACK, EVENT_DAYS_BACK].map(|days_back| ranges(today, days_back)) {
                assert_eq!(ranges[0].from, FIRST_DAY);
                assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].from < pair[0].to));
                assert!(ranges[ranges.len() - 1].to >= today.saturating_add(DAYS_AHEAD.days()));
            }
        }
    }
}
