//! Compaction: folds the deltas of the rollups into their base.
//!
//! Deltas and base change in one transaction, so every statement of a reader sees consistent numbers.
//! The kinds of delta are folded concurrently, each by one worker at a time, while all workers go on
//! appending. Projects take turns, each with a bounded batch of deltas
//! (`fold`), so that one with a backlog does not keep the others waiting.

use std::time::{Duration, Instant};

use futures::future::join_all;
use metrics::counter;
use rollcall_shared::database::Lease;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::fold::{self, Folded};
use crate::maintenance::lock::AdvisoryLock;
#[cfg(feature = "bench")]
use crate::maintenance::unite;

/// Deltas taken in the first batch after a start or a failure.
const FIRST_ROWS: i64 = 1_000;
/// Deltas that every batch may take, however slow it is.
const MIN_ROWS: i64 = 50;
/// A batch should take at most about this long, because it holds locks, and a worker that stops waits for
/// it.
const MAX_BATCH_TIME: Duration = Duration::from_millis(500);
/// After this many failures in a row, the compactor waits for its next interval.
const MAX_FAILURES: u32 = 3;

/// The kinds of delta. Their names are labels in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Kind {
    /// Who was active.
    ActiveUsers,
    /// How often each event type occurred.
    EventCounts,
    /// What is known of each session.
    Sessions,
    /// When each user was seen.
    UserActivity,
}

impl Kind {
    const ALL: [Self; 4] = [Self::ActiveUsers, Self::EventCounts, Self::Sessions, Self::UserActivity];

    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// The advisory lock that its compactor holds.
    const fn lock(self) -> AdvisoryLock {
        match self {
            Self::ActiveUsers => AdvisoryLock::ActiveUsers,
            Self::EventCounts => AdvisoryLock::EventCounts,
            Self::Sessions => AdvisoryLock::Sessions,
            Self::UserActivity => AdvisoryLock::UserActivity,
        }
    }

    /// The most deltas taken in one batch. Bitmaps also have a limit in bytes.
    const fn max_rows(self) -> i64 {
        match self {
            Self::ActiveUsers => 4_000,
            Self::EventCounts => 50_000,
            Self::Sessions | Self::UserActivity => 20_000,
        }
    }

    /// How long the compactor pauses after a batch of the given duration.
    ///
    /// There are far more sessions and users than days and types, and folding one takes PostgreSQL about as
    /// long as storing an event. With a pause of twice the duration, folding sessions takes at most a third
    /// of a core, and so does folding users, however many deltas wait. The compactor still catches up: the
    /// more batches wait, the more of their deltas belong to the same sessions or users, and each of these
    /// needs one change of the base.
    fn pause_after(self, time: Duration) -> Duration {
        match self {
            Self::ActiveUsers | Self::EventCounts => Duration::ZERO,
            Self::Sessions | Self::UserActivity => time * 2,
        }
    }

    async fn next_project(self, connection: &mut PgConnection, after: i32) -> Result<Option<i32>, sqlx::Error> {
        Ok(match self {
            Self::ActiveUsers => {
                sqlx::query_file!("sql/maintenance/select_next_active_users_project.sql", after)
                    .fetch_one(connection)
                    .await?
                    .project_id
            }
            Self::EventCounts => {
                sqlx::query_file!("sql/maintenance/select_next_event_counts_project.sql", after)
                    .fetch_one(connection)
                    .await?
                    .project_id
            }
            Self::Sessions => {
                sqlx::query_file!("sql/maintenance/select_next_sessions_project.sql", after)
                    .fetch_one(connection)
                    .await?
                    .project_id
            }
            Self::UserActivity => {
                sqlx::query_file!("sql/maintenance/select_next_user_activity_project.sql", after)
                    .fetch_one(connection)
                    .await?
                    .project_id
            }
        })
    }

    async fn fold(self, connection: &mut PgConnection, project: i32, max_rows: i64) -> Result<Folded, StoreError> {
        match self {
            Self::ActiveUsers => fold::active_users(connection, project, max_rows).await,
            Self::EventCounts => fold::event_counts(connection, project, max_rows).await,
            Self::Sessions => fold::sessions(connection, project, max_rows).await,
            Self::UserActivity => fold::user_activity(connection, project, max_rows).await,
        }
    }
}

/// Compacts at every interval until told to stop. A batch that is not answered within the reply
/// timeout fails, and its connection is closed.
pub(crate) async fn run(pool: &PgPool, interval: Duration, reply_timeout: Duration, stop: &CancellationToken) {
    let mut compactors = Kind::ALL.map(|kind| Compactor::new(pool, kind, reply_timeout));
    join_all(compactors.iter_mut().map(|compactor| compactor.run(interval, stop))).await;
}

/// Folds until no delta is left or another worker is compacting, and then unites the days of weeks and months.
///
/// # Errors
/// The first failure of any kind.
#[cfg(feature = "bench")]
pub(crate) async fn compact(pool: &PgPool, reply_timeout: Duration) -> Result<(), StoreError> {
    for kind in Kind::ALL {
        let mut compactor = Compactor::new(pool, kind, reply_timeout);
        while let Turn::Folded(_) = compactor.fold_next().await? {}
    }
    unite::unite(pool, Duration::ZERO, reply_timeout).await
}

/// Folds one kind, project after project.
struct Compactor<'a> {
    pool: &'a PgPool,
    kind: Kind,
    reply_timeout: Duration,
    /// The project that was folded last.
    project: i32,
    size: BatchSize,
    /// Whether the last batch failed.
    has_failed: bool,
}

/// The result of one turn.
enum Turn {
    Folded(Folded),
    NothingLeft,
    /// Another worker folds this kind.
    Locked,
}

impl<'a> Compactor<'a> {
    fn new(pool: &'a PgPool, kind: Kind, reply_timeout: Duration) -> Self {
        Self { pool, kind, reply_timeout, project: i32::MIN, size: BatchSize::new(kind.max_rows()), has_failed: false }
    }

    async fn run(&mut self, interval: Duration, stop: &CancellationToken) {
        // This does not use `every`, because the compactor keeps state and handles its failures itself.
        let mut tick = tokio::time::interval(interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            self.catch_up(stop).await;
        }
    }

    /// Folds until nothing is left, another worker holds the lock, or it fails repeatedly.
    async fn catch_up(&mut self, stop: &CancellationToken) {
        let mut failures = 0;
        while failures < MAX_FAILURES && !stop.is_cancelled() {
            let started = Instant::now();
            match self.fold_next().await {
                Ok(Turn::Folded(_)) => {
                    failures = 0;
                    self.has_failed = false;
                    stop.run_until_cancelled(tokio::time::sleep(self.kind.pause_after(started.elapsed()))).await;
                }
                Ok(Turn::Locked) => return,
                Ok(Turn::NothingLeft) => {
                    self.has_failed = false;
                    return self.size = BatchSize::new(self.kind.max_rows());
                }
                Err(error) => {
                    failures += 1;
                    self.size.failed();
                    let (kind, project) = (self.kind.name(), self.project);
                    counter!("rollcall_compaction_failures_total", "kind" => kind).increment(1);
                    let error = &error as &dyn std::error::Error;
                    // A database that is away for an hour should not fill the log.
                    if std::mem::replace(&mut self.has_failed, true) {
                        tracing::debug!(error, kind, project, "deltas were not folded again");
                    } else {
                        tracing::warn!(error, kind, project, "deltas were not folded; trying again");
                    }
                }
            }
        }
    }

    /// Folds a batch of the next project.
    async fn fold_next(&mut self) -> Result<Turn, StoreError> {
        let started = Instant::now();
        let mut lease = Lease::acquire(self.pool).await?;
        let turn = timeout(self.reply_timeout, self.transact(&mut lease)).await??;
        lease.give_back();
        if let Turn::Folded(folded) = &turn {
            self.size.took(started.elapsed());
            counter!("rollcall_rollup_keys_compacted_total").increment(folded.keys);
            counter!("rollcall_rollup_deltas_folded_total", "kind" => self.kind.name()).increment(folded.deltas);
        }
        Ok(turn)
    }

    async fn transact(&mut self, connection: &mut PgConnection) -> Result<Turn, StoreError> {
        let mut transaction = connection.begin().await?;
        if !self.kind.lock().try_for_transaction(&mut transaction).await? {
            transaction.rollback().await?;
            return Ok(Turn::Locked);
        }
        sqlx::query_file!("sql/maintenance/set_compaction_options.sql").fetch_one(&mut *transaction).await?;
        let mut folded = None;
        if let Some(project) = self.kind.next_project(&mut transaction, self.project).await? {
            // Even if this project fails, the next one gets its turn.
            self.project = project;
            folded = Some(self.kind.fold(&mut transaction, project, self.size.rows).await?);
        }
        transaction.commit().await?;
        Ok(folded.filter(|folded| folded.deltas > 0).map_or(Turn::NothingLeft, Turn::Folded))
    }
}

/// How many deltas a batch may take: more while batches are quick, fewer when they are slow.
#[derive(Debug)]
struct BatchSize {
    rows: i64,
    max_rows: i64,
}

impl BatchSize {
    fn new(max_rows: i64) -> Self {
        Self { rows: FIRST_ROWS.min(max_rows), max_rows }
    }

    /// Adapts to the duration of the last batch.
    fn took(&mut self, time: Duration) {
        if time < MAX_BATCH_TIME / 2 {
            self.rows = (self.rows * 2).min(self.max_rows);
        } else if time > MAX_BATCH_TIME {
            self.rows = (self.rows / 2).max(MIN_ROWS);
        }
    }

    /// Adapts to a failure of the last batch, which may have exceeded a timeout of the server. Later batches
    /// stay smaller until all deltas are folded.
    fn failed(&mut self) {
        self.max_rows = (self.rows / 2).max(MIN_ROWS);
        self.rows = self.max_rows.min(FIRST_ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_when_they_are_slow_or_fail() {
        let mut size = BatchSize::new(5_000);
        size.took(MAX_BATCH_TIME / 4);
        assert_eq!(size.rows, 2 * FIRST_ROWS);
        (0..9).for_each(|_| size.took(MAX_BATCH_TIME / 4));
        assert_eq!(size.rows, 5_000);
        size.took(MAX_BATCH_TIME * 2);
        assert_eq!(size.rows, 2_500);
        (0..20).for_each(|_| size.took(MAX_BATCH_TIME * 2));
        assert_eq!(size.rows, MIN_ROWS);
    }

    #[test]
    fn a_batch_as_large_as_one_that_failed_is_not_tried_again() {
        let mut size = BatchSize::new(5_000);
        (0..9).for_each(|_| size.took(MAX_BATCH_TIME / 4));
        size.failed();
        (0..9).for_each(|_| size.took(MAX_BATCH_TIME / 4));
        assert_eq!(size.rows, 2_500);
        (0..20).for_each(|_| size.failed());
        assert_eq!(size.rows, MIN_ROWS);
    }
}
