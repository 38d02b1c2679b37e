//! Archiving: a worker writes days that are over into the archive, and drops the rows of archived days, if the settings
//! name the archive.
//!
//! The work itself, and the lock that lets one process at a time do it, are those of `rollcall-archive`. To find what is
//! due means to read all rows, so of all workers only one looks: the one that got the lock of the duty keeps it, on a
//! connection of its own, until it ends. Then another one takes over.

use jiff::{Timestamp, ToSpan};
use metrics::{counter, gauge};
use rollcall_archive::{ArchiveError, Detaching, Exporting, Lock, Pace, Progress, Selection, Store, detach, export};
use rollcall_shared::database::{self, DatabaseSettings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::lock::AdvisoryLock;
use crate::maintenance::{clock, every};
use crate::settings::ArchiveDuty;

/// A connection that does not answer for so long does not hold the lock of the duty any more.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Why not everything that was due was archived or dropped. The next run goes on from there.
#[derive(Debug, thiserror::Error)]
enum DutyError {
    /// The archive or PostgreSQL did not do what was asked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// PostgreSQL did not answer.
    #[error("PostgreSQL did not say who archives")]
    Database(#[from] sqlx::Error),
    /// Something that the rest of the worker does failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something is wrong with some days or partitions, as the log says. The others were done.
    #[error("{days} days were not archived, and the rows of {partitions} partitions were kept")]
    Incomplete {
        /// Days that were not archived.
        days: usize,
        /// Partitions that are old enough and were not dropped.
        partitions: usize,
    },
}

/// The duty of this worker.
struct Archivist<'a> {
    duty: &'a ArchiveDuty,
    /// Without a limit for statements: reading a day takes as long as it takes.
    pool: PgPool,
    /// The connection that holds the lock of the duty, if this worker has it.
    turn: Mutex<Option<PgConnection>>,
}

/// Archives at every interval until told to stop, if this is the worker that does it; does nothing without an archive.
pub(crate) async fn run(database: &DatabaseSettings, duty: Option<&ArchiveDuty>, stop: &CancellationToken) {
    let Some(duty) = duty else { return };
    let pool = match database::pool(database, "rollcall-archive", Duration::ZERO) {
        Ok(pool) => pool,
        Err(error) => return tracing::error!(%error, "nothing is archived"),
    };
    let archivist = Archivist { duty, pool, turn: Mutex::default() };
    // A run may take long. A worker that is to stop abandons it, and the next run goes on.
    stop.run_until_cancelled(every("archive", duty.interval, stop, || Box::pin(archivist.archive_in_turn()))).await;
}

impl Archivist<'_> {
    async fn archive_in_turn(&self) -> Result<(), DutyError> {
        match self.try_to_archive().await {
            // Somebody restores days, for example.
            Err(DutyError::Archive(ArchiveError::Busy)) => Ok(()),
            outcome => outcome.inspect_err(|_| counter!("rollcall_archive_failures_total").increment(1)),
        }
    }

    async fn try_to_archive(&self) -> Result<(), DutyError> {
        if !self.has_turn().await? {
            return Ok(());
        }
        let store = Store::open(&self.duty.archive)?;
        let mut lock = Lock::take(&self.pool).await?;
        let due = Exporting {
            selection: &Selection::default(),
            after_days: self.duty.archive.after_days,
            pace: Pace::new(self.duty.archive.duty_cycle_percent),
        };
        let exported = export(&self.pool, &store, &mut lock, due, &Recorded).await?;
        for failure in &exported.failures {
            let error = &failure.error as &dyn std::error::Error;
            tracing::warn!(day = %failure.day, error, "a day was not archived");
        }
        let partitions = match self.duty.drop_after_days {
            Some(days) => self.drop_rows(&store, &mut lock, days).await?,
            None => 0,
        };
        let days = exported.failures.len();
        if days + partitions > 0 {
            return Err(DutyError::Incomplete { days, partitions });
        }
        gauge!("rollcall_archive_last_success_timestamp_seconds").set(Timestamp::now().as_second() as f64);
        Ok(())
    }

    /// Drops rows of days that ended so many days ago; returns how many partitions had to be kept.
    async fn drop_rows(&self, store: &Store, lock: &mut Lock, days: i32) -> Result<usize, DutyError> {
        let before = clock::today(&self.pool).await?.saturating_sub(days.days());
        let mut kept = 0;
        for detached in detach(&self.pool, store, lock, Detaching { before, dry_run: false }, &Recorded).await? {
            match detached.kept_because {
                None => counter!("rollcall_archive_dropped_events_total").increment(detached.rows),
                Some(reason) => {
                    kept += 1;
                    tracing::warn!(partition = detached.partition, reason, "the rows of a partition were kept");
                }
            }
        }
        Ok(kept)
    }

    /// Whether this is the worker that archives.
    async fn has_turn(&self) -> Result<bool, sqlx::Error> {
        let mut turn = self.turn.lock().await;
        if let Some(connection) = turn.as_mut()
            && matches!(timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())))
        {
            return Ok(true);
        }
        *turn = None;
        let mut connection = PgConnection::connect_with(&PgConnectOptions::clone(&self.pool.connect_options())).await?;
        if AdvisoryLock::ArchiveDuty.try_for_session(&mut connection).await? {
            *turn = Some(connection);
        } else {
            connection.close().await?;
        }
        Ok(turn.is_some())
    }
}

/// Shows progress in metrics and in the log.
struct Recorded;

impl Progress for Recorded {
    fn expect(&self, _: u64) {}

    fn advance(&self, _: u64) {}

    fn say(&self, message: &str) {
        tracing::info!("{message}");
    }

    fn wait_for_days(&self, days: u64) {
        gauge!("rollcall_archive_days_waiting").set(days as f64);
    }

    fn archived(&self, rows: u64, bytes: u64) {
        counter!("rollcall_archived_events_total").increment(rows);
        counter!("rollcall_archived_bytes_total").increment(bytes);
    }
}
