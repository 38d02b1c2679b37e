//! The lock of the archive: one process at a time archives, detaches or restores.
//!
//! It is an advisory lock of the database, held by a connection of its own. Everything that changes what the registry
//! says runs on this connection, so a process that has lost the lock cannot record anything.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;

use crate::ArchiveError;

/// The number of the lock. Those of workers are in `lock.rs` of their maintenance.
const KEY: i64 = 7041;

/// How long to wait for the lock. PostgreSQL gives back that of a process which has just ended after a moment.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// The lock. It ends when it is dropped, because its connection closes then.
#[derive(Debug)]
pub struct Lock {
    connection: PgConnection,
}

impl Lock {
    /// Takes the lock, within two seconds.
    ///
    /// # Errors
    /// [`ArchiveError::Busy`] if another process has it; or PostgreSQL does not answer.
    pub async fn take(pool: &PgPool) -> Result<Self, ArchiveError> {
        let mut connection = PgConnection::connect_with(&PgConnectOptions::clone(&pool.connect_options())).await?;
        let until = Instant::now() + TIMEOUT;
        while !sqlx::query_file!("sql/try_lock.sql", KEY).fetch_one(&mut connection).await?.locked {
            if Instant::now() >= until {
                return Err(ArchiveError::Busy);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Self { connection })
    }

    /// The connection that holds the lock.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Checks that the lock is still held.
    pub(crate) async fn check(&mut self) -> Result<(), ArchiveError> {
        Ok(self.connection.ping().await?)
    }
}
