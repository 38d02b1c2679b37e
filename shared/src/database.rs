//! The database: how to reach PostgreSQL and how its schema comes to be.
//!
//! The schema lives in `migrations/`, embedded in the binaries and applied in order under an
//! advisory lock, so any number of replicas may start at once.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::settings::{Environment, Secret};

/// Every migration, oldest first.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How to reach PostgreSQL.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/database`.
    pub url: Secret,
    /// Connections of this process.
    pub max_connections: u32,
    /// Whether services bring schema, stream and consumer up to date when they start.
    pub migrate_on_start: bool,
}

impl DatabaseSettings {
    /// Reads `DATABASE_URL`, `DATABASE_MAX_CONNECTIONS` and `MIGRATE_ON_START`.
    pub fn from_env(environment: &mut Environment) -> Self {
        let default = "postgres://rollcall:rollcall@127.0.0.1:5432/rollcall";
        Self {
            url: environment.read_secret(
                "DATABASE_URL",
                default,
                "PostgreSQL 15 or newer, as postgres://user:password@host:port/database",
            ),
            max_connections: environment.read_in(
                "DATABASE_MAX_CONNECTIONS",
                10,
                2..=1000,
                "PostgreSQL connections of one process",
            ) as u32,
            migrate_on_start: environment.read(
                "MIGRATE_ON_START",
                true,
                "whether services bring schema, stream and consumer up to date when they start: true or false",
            ),
        }
    }
}

/// How long anyone waits for a connection, be it because the server is away or the pool is in use.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool of connections, made when they are first needed.
///
/// `statement_timeout` of zero means none.
///
/// # Errors
/// Only if the URL is not one of PostgreSQL.
pub fn pool(settings: &DatabaseSettings, name: &str, statement_timeout: Duration) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = settings.url.expose().parse()?;
    let timeout_ms = statement_timeout.as_millis().to_string();
    let options = options.application_name(name).options([("statement_timeout", timeout_ms.as_str()), ("timezone", "UTC")]);
    let pool =
        PgPoolOptions::new().max_connections(settings.max_connections).acquire_timeout(PATIENCE).connect_lazy_with(options);
    Ok(pool)
}

/// Waits until PostgreSQL answers, with backoff and without end.
pub async fn wait_until_reachable(pool: &PgPool) {
    let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(5)).without_max_times().with_jitter();
    // A connection of its own: the pool would try for a while before it says anything.
    let ping = || async {
        let connected = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&pool.connect_options())).await;
        connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?.close().await
    };
    let warn = |error: &sqlx::Error, delay: Duration| {
        tracing::warn!(%error, delay_ms = delay.as_millis() as u64, "PostgreSQL does not answer; trying again");
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
