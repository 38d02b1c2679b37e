//! A lease: one connection for one transaction.
//!
//! It goes back to its pool only when its user says that the transaction ended well. Whatever else
//! happens, be it an error, a timeout, a panic or a future that is dropped, closes the connection:
//! the server rolls back, and no reply that is still under way can be taken for another.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

use super::pool;

/// A connection that is closed when dropped, unless it is given back.
#[derive(Debug)]
pub struct Lease {
    connection: PoolConnection<Postgres>,
    ended_well: bool,
}

impl Lease {
    /// Takes a connection out of the pool.
    ///
    /// # Errors
    /// Only if PostgreSQL is away or the pool is in use for too long.
    pub async fn acquire(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: pool.acquire().await?, ended_well: false })
    }

    /// Returns the connection to its pool after the server has refused a statement, if it can still be
    /// proved to be in step. The transaction must have been dropped: it is rolled back here.
    pub async fn give_back_if_in_step(mut self) {
        if pool::is_in_step(&mut self).await {
            self.give_back();
        }
    }

    /// Returns the connection to its pool: every statement on it was answered, and no transaction is
    /// open.
    pub fn give_back(mut self) {
        self.ended_well = true;
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.ended_well {
            self.connection.close_on_drop();
        }
    }
}
