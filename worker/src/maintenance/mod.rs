//! Maintenance: the periodic tasks of a worker, apart from storing events.
//!
//! Every task runs through [`every`]. A task that only one worker may run at a time holds an
//! [`AdvisoryLock`](lock::AdvisoryLock). `compact` and `fold` fold the deltas of the rollups, `unite` unites the
//! bitmaps of weeks and months, `partition`
//! creates partitions in advance according to the database's `clock`, `index` builds B-trees and updates
//! filters, both with statements of `ddl`; `merge` makes one partition of the days of a month; `expire` deletes what
//! projects keep no longer; `archive` archives days that are over and drops their rows, if that is wanted; `rebuild` makes the rollups from the rows when somebody asks for it; `sweep` removes the
//! attempts of messages that are gone; `lag` and `backlog` measure; `report` tells the API how this worker is doing.

pub(crate) mod archive;
pub(crate) mod backlog;
mod busy;
pub(crate) mod clock;
pub(crate) mod compact;
mod ddl;
pub(crate) mod expire;
pub(crate) mod fold;
pub(crate) mod index;
pub(crate) mod lag;
mod lock;
pub(crate) mod merge;
pub(crate) mod partition;
pub(crate) mod rebuild;
pub(crate) mod report;
pub(crate) mod sweep;
mod table;
pub(crate) mod unite;

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Runs a task at once and then in every period, until told to stop. A task that takes longer than its
/// period delays the next run. A run that has started is awaited to its end.
///
/// Only the first failure in a row is logged as a warning: a database that is away for an hour should
/// not fill the log.
async fn every<E: Into<anyhow::Error>, F: Future<Output = Result<(), E>>>(
    name: &'static str,
    period: Duration,
    stop: &CancellationToken,
    mut task: impl FnMut() -> F,
) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_failed = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match task().await.map_err(Into::into) {
            Ok(()) => has_failed = false,
            Err(error) => {
                if has_failed {
                    tracing::debug!(task = name, error = format!("{error:#}"), "a periodic task failed again");
                } else {
                    tracing::warn!(task = name, error = format!("{error:#}"), "a periodic task failed; it runs again later");
                }
                has_failed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_fails_runs_again_until_it_is_stopped() {
        let stop = CancellationToken::new();
        let mut runs = 0;
        every("test", Duration::from_millis(1), &stop, || {
            runs += 1;
            if runs == 3 {
                stop.cancel();
            }
            std::future::ready(Err(anyhow::anyhow!("it fails")))
        })
        .await;
        assert_eq!(runs, 3);
    }
}
