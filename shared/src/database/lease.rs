//! A lease: one connection for one transaction.
//!
//! The connection goes back to its pool only if its user reports that the transaction ended well. In every other
//! case, such as an error, a timeout, a panic or a dropped future, it is closed. Then the server rolls back, and a
//! late reply cannot be taken for the reply to another statement.

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
    /// Only if PostgreSQL is away, or all connections of the pool are in use for too long.
    pub async fn acquire(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: pool.acquire().await?, ended_well: false })
    }

    /// Returns the connection to its pool after the server has refused a statement, if the connection proves that
    /// it is in step. The transaction must have been dropped. It is rolled back here.
    pub async fn give_back_if_in_step(mut self) {
        if pool::is_in_step(&mut self).await {
            self.give_back();
        }
    }

    /// Returns the connection to its pool. Every statement on it must have been answered, and no transaction may
    /// be open.
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
