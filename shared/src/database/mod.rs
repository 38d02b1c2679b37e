//! The database: how to reach PostgreSQL, and its schema.
//!
//! `settings` says where the server is and how long to wait for it. `pool` opens connections with these limits and
//! provides only those that are in step. A `lease` is one of them for a transaction, and is closed unless the
//! transaction ended well. `presence` distinguishes a server that is away from one that is busy.
//!
//! The schema lives in `migrations/`, embedded in the binaries and applied in order under an advisory lock, so any
//! number of replicas may start at the same time. Then `roles` grants what is missing. `schema` waits until somebody has
//! done this.

mod lease;
mod pool;
mod presence;
mod roles;
mod schema;
mod settings;

use std::time::Duration;

use backon::Retryable;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection, PgPool};

pub use self::lease::Lease;
pub use self::pool::{ProofError, is_in_step, pool, prove_in_step};
pub use self::presence::Presence;
pub use self::schema::wait_until_migrated;
pub use self::settings::DatabaseSettings;
use crate::backoff;

/// Every migration, oldest first.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long one attempt to connect may take while waiting for the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until PostgreSQL answers, however long it takes.
pub async fn wait_until_reachable(pool: &PgPool) {
    let backoff = backoff::endless(backoff::MAX_SERVER_DELAY);
    // It opens a separate connection, because the pool would try for a while before it reports an error.
    let ping = || async {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&pool.connect_options())).await;
        connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?.close().await
    };
    let options = pool.connect_options();
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let warn = |error: &sqlx::Error, delay: Duration| {
        tracing::warn!(%error, server, delay_ms = delay.as_millis() as u64, "PostgreSQL does not answer; trying again");
    };
    // There is no limit of attempts, so this ends only with success.
    let _ = ping.retry(backoff).notify(warn).await;
}

/// Brings the schema, and what the roles may do with it, up to date.
///
/// # Errors
/// Only if a migration fails or the database has one that this build does not know.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATIONS.run(pool).await?;
    roles::ensure(pool).await.map_err(MigrateError::Execute)
}

/// Waits until PostgreSQL answers and brings the schema up to date. Starts again if PostgreSQL goes away
/// meanwhile.
///
/// # Errors
/// Only if a migration fails for another reason, or the database has one that this build does not know.
pub async fn migrate_when_reachable(pool: &PgPool) -> Result<(), MigrateError> {
    let attempt = || async {
        wait_until_reachable(pool).await;
        migrate(pool).await
    };
    let backoff = backoff::endless(backoff::MAX_SERVER_DELAY);
    let warn = |error: &MigrateError, _| tracing::warn!(%error, "PostgreSQL went away during a migration; trying again");
    attempt.retry(backoff).when(is_lost_connection).notify(warn).await
}

/// Whether a migration failed because the server went away or had no connection to spare.
fn is_lost_connection(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    let code = error.as_database_error().and_then(|error| error.code());
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        _ => code.is_some_and(|code| code.starts_with("57P") || code.starts_with("53")),
    }
}
