//! The database: how to reach PostgreSQL and how its schema comes to be.
//!
//! `settings` says where it is and how long to wait; `pool` makes connections with these limits and
//! hands out only those that are in step; a `lease` is one of them for a transaction, and is closed
//! unless the transaction ended well.
//!
//! The schema lives in `migrations/`, embedded in the binaries and applied in order under an
//! advisory lock, so any number of replicas may start at once.

mod lease;
mod pool;
mod settings;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection, PgPool};

pub use self::lease::Lease;
pub use self::pool::{ProofError, pool, prove_in_step};
pub use self::settings::DatabaseSettings;

/// Every migration, oldest first.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long one attempt to connect may take while waiting for the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until PostgreSQL answers, with backoff and without end.
pub async fn wait_until_reachable(pool: &PgPool) {
    let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(5)).without_max_times().with_jitter();
    // A connection of its own: the pool would try for a while before it says anything.
    let ping = || async {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&pool.connect_options())).await;
        connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?.close().await
    };
    let options = pool.connect_options();
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let warn = |error: &sqlx::Error, delay: Duration| {
        tracing::warn!(%error, server, delay_ms = delay.as_millis() as u64, "PostgreSQL does not answer; trying again");
    };
    // Without a limit of tries the only way out is success.
    let _ = ping.retry(backoff).notify(warn).await;
}

/// Brings the schema up to date.
///
/// # Errors
/// Only if a migration fails or the database has one that this build does not know.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATIONS.run(pool).await
}
