//! Fills the tables with many events, using the worker's own code.
//!
//! It stores one day after the other, and the events of a day in the order of their times, as in production: the
//! events of one day go to one partition of the ledger, which stays in memory while it is filled, and the pages
//! of a partition have little overlap in time. The number of users grows from day to day.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rollcall_shared::project::ProjectId;
use rollcall_worker::bulk::{self, Loader};
use sqlx::PgPool;

use crate::batch::{Lines, TRANSACTION_EVENTS};
use crate::progress;
use rollcall_example::{Config, events};

/// Number of days, up to yesterday, over which events are spread. Eight weekly cohorts with eight windows
/// need 16 weeks; this is one week more.
pub(crate) const DAYS: u32 = 120;
/// Number of days filled at the same time. PostgreSQL stores events of one day while events of the other are
/// generated.
const CONCURRENT_DAYS: u32 = 2;
/// Share of the users who exist on the first day. The others join evenly over the days.
const USERS_AT_FIRST: f64 = 0.2;

/// The events to store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefill {
    pub(crate) rows: u64,
    pub(crate) users: u32,
    pub(crate) seed: u64,
}

impl Prefill {
    /// Stores the events, folds the rollups, merges months, builds the indexes of past days, and then vacuums and writes
    /// a checkpoint.
    pub(crate) async fn run(self, pool: &PgPool) -> anyhow::Result<()> {
        let loader = Loader::new(pool.clone());
        if self.rows == 0 {
            return rollcall_worker::make_partitions(pool).await;
        }
        let bar = progress::bar(&format!("storing {} rows", self.rows), self.rows);
        let (next_day, today) = (AtomicU32::new(0), Timestamp::now().to_zoned(TimeZone::UTC).date());
        loader.lay_out(today.saturating_sub(i64::from(DAYS).days())).await?;
        let fill_days = async || {
            loop {
                let number = next_day.fetch_add(1, Ordering::Relaxed);
                if number >= DAYS {
                    return anyhow::Ok(());
                }
                let day = today.saturating_sub(i64::from(DAYS - number).days());
                self.fill_day(&loader, number, day, &bar).await.with_context(|| format!("storing the events of {day}"))?;
                loader.compact().await?;
            }
        };
        futures::future::try_join_all((0..CONCURRENT_DAYS).map(|_| fill_days())).await?;
        loader.compact().await?;
        bar.finish_and_clear();
        merge(pool).await?;
        progress::say("indexes of past days, vacuum and checkpoint");
        loader.seal().await?;
        sqlx::query("vacuum (analyze)").execute(pool).await?;
        sqlx::query("checkpoint").execute(pool).await?;
        Ok(())
    }

    async fn fill_day(self, loader: &Loader, number: u32, day: Date, bar: &ProgressBar) -> anyhow::Result<()> {
        let mut config = Config::new(self.events_on(number), day, day);
        let joined = USERS_AT_FIRST + (1.0 - USERS_AT_FIRST) * f64::from(number + 1) / f64::from(DAYS);
        config.users = ((f64::from(self.users) * joined) as u32).max(1);
        config.seed = self.seed.wrapping_add(u64::from(number));
        // Generating events takes much processor time, so it runs on a blocking thread.
        let batches = tokio::task::spawn_blocking(move || in_order_of_time(config)).await??;
        for lines in batches {
            let count = lines.count as u64;
            let stored = loader.store(&bulk::Lines::new(ProjectId::DEFAULT, lines.bytes)).await?;
            ensure!(stored as u64 == count, "only {stored} of {count} events were new");
            bar.inc(count);
        }
        Ok(())
    }

    fn events_on(self, number: u32) -> u64 {
        let days = u64::from(DAYS);
        self.rows / days + u64::from(u64::from(number) < self.rows % days)
    }
}

/// Merges the days of months that are over, as a worker would have done.
async fn merge(pool: &PgPool) -> anyhow::Result<()> {
    progress::say("merging months");
    for merged in rollcall_worker::merge_months(pool).await? {
        let rate = merged.rows as f64 / merged.took.as_secs_f64();
        let (partition, parts, rows, locked) = (merged.partition, merged.parts, merged.rows, merged.locked.as_millis());
        progress::say(&format!("{partition}: {rows} rows of {parts} partitions, {rate:.0} rows/s, others waited {locked} ms"));
    }
    Ok(())
}

/// The events in the order of their times, a batch for each transaction.
pub(crate) fn in_order_of_time(config: Config) -> anyhow::Result<Vec<Lines>> {
    let mut made: Vec<_> = events(config).collect();
    made.sort_by_key(|event| event.occurred_at);
    made.chunks(TRANSACTION_EVENTS)
        .map(|events| {
            let mut lines = Lines::default();
            events.iter().try_for_each(|event| lines.push(event))?;
            Ok(lines)
        })
        .collect()
}

/// Does the daily work of workers: creates partitions, merges months and builds the indexes of past days.
pub(crate) async fn bring_up_to_date(pool: &PgPool) -> anyhow::Result<()> {
    rollcall_worker::make_partitions(pool).await?;
    rollcall_worker::merge_months(pool).await?;
    Loader::new(pool.clone()).seal().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_add_up() {
        let prefill = Prefill { rows: 1_000_003, users: 10, seed: 1 };
        assert_eq!((0..DAYS).map(|day| prefill.events_on(day)).sum::<u64>(), 1_000_003);
    }
}
