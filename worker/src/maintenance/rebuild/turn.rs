//! The turn: a connection that keeps others from moving and deleting rows, and from folding deltas.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use super::error::RebuildError;
use crate::maintenance::lock::AdvisoryLock;

/// Whoever deletes rows, or puts partitions in the place of others, holds one of these. A snapshot from before such a
/// change would find no rows in the new partition.
const LOCKS_OF_ROWS: [AdvisoryLock; 2] = [AdvisoryLock::Expiry, AdvisoryLock::Archive];

/// For how long others are waited for. What takes longer is a merge, an export or a restore of many rows.
const LOCK_TIMEOUT: &str = "60s";

/// A connection that holds the locks of rows. They end with it, also when the process is killed.
#[derive(Debug)]
pub(super) struct Turn(PgConnection);

impl Turn {
    /// Waits for the locks of rows.
    pub(super) async fn take(pool: &PgPool) -> Result<Self, RebuildError> {
        let options = PgConnectOptions::clone(&pool.connect_options())
            .options([("statement_timeout", "0"), ("lock_timeout", LOCK_TIMEOUT)]);
        let mut turn = Self(PgConnection::connect_with(&options).await?);
        for lock in LOCKS_OF_ROWS {
            turn.lock(lock).await?;
        }
        Ok(turn)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.0
    }

    /// Waits for these locks, and then begins a transaction with one snapshot. The order matters: whoever had a lock has
    /// committed before, so the snapshot shows it. The locks must be given back afterwards.
    pub(super) async fn begin(&mut self, locks: &[AdvisoryLock]) -> Result<Transaction<'_, Postgres>, RebuildError> {
        for lock in locks {
            self.lock(*lock).await?;
        }
        Ok(self.0.begin_with("begin isolation level repeatable read").await?)
    }

    /// Gives locks back after the transaction.
    pub(super) async fn unlock(&mut self, locks: &[AdvisoryLock]) -> Result<(), RebuildError> {
        for lock in locks {
            lock.give_back(&mut self.0).await?;
        }
        Ok(())
    }

    /// Gives all locks back.
    pub(super) async fn end(self) -> Result<(), RebuildError> {
        Ok(self.0.close().await?)
    }

    async fn lock(&mut self, lock: AdvisoryLock) -> Result<(), RebuildError> {
        lock.wait_for_session(&mut self.0).await.map_err(|error| {
            let is_timeout = error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"));
            if is_timeout { RebuildError::Busy(error) } else { error.into() }
        })
    }
}
