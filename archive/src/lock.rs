//! The lock of the archive: one process at a time archives, detaches or restores.
//!
//! It is an advisory lock of the database, held by a connection of its own. Everything that changes what the registry
//! says runs on this connection, so a process that has lost the lock cannot record anything.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

use crate::ArchiveError;

/// The number of the lock. Those of workers are 7031 to 7037.
const KEY: i64 = 7041;

/// The lock. It ends when it is dropped, because its connection closes then.
#[derive(Debug)]
pub struct Lock {
    connection: PgConnection,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`ArchiveError::Busy`] if another process has it; or PostgreSQL does not answer.
    pub async fn take(pool: &PgPool) -> Result<Self, ArchiveError> {
        let mut connection = PgConnection::connect_with(&PgConnectOptions::clone(&pool.connect_options())).await?;
        let row = sqlx::query_file!("sql/try_lock.sql", KEY).fetch_one(&mut connection).await?;
        if row.locked { Ok(Self { connection }) } else { Err(ArchiveError::Busy) }
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
