//! The pool: connections whose statements have time limits, and which are used only while they are in step.
//!
//! If a future is dropped in the middle of a statement, every later reply on its connection may belong to the
//! statement before. Such a connection answers pings, but rows that it stored may look like duplicates, and it may
//! commit what it should not. So before the pool provides a connection, the connection must repeat a number that
//! was never used before. If it does not, it is closed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::DatabaseSettings;

/// How long a connection may take to prove that it is in step. If it is still busy with a statement that nobody
/// waits for, it is closed, and the server ends the statement.
const PROOF_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval, in milliseconds, at which the server checks whether the client of a running statement is still
/// there, so that a closed connection does not keep its locks.
const CLIENT_CHECK_INTERVAL_MS: &str = "1000";

/// After this many seconds of silence the server probes whether the host of the client is still there.
const KEEPALIVE_IDLE_SECS: &str = "30";
/// The interval between probes.
const KEEPALIVE_INTERVAL_SECS: &str = "10";
/// After this many probes without an answer the server closes the connection. The default of these settings is
/// about two hours.
const KEEPALIVE_PROBES: &str = "3";
/// After this many milliseconds the server closes a connection if the client does not confirm a reply.
const TCP_USER_TIMEOUT_MS: &str = "60000";

/// The number that the next connection must repeat. A process never uses a number twice.
static NEXT_NONCE: AtomicI64 = AtomicI64::new(1);

/// Why a connection may not be used any more.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The connection repeated another number.
    #[error("a connection to PostgreSQL gave the reply to another statement")]
    OutOfStep,
    /// The connection repeated no number.
    #[error("a connection to PostgreSQL did not repeat a number")]
    Database(#[from] sqlx::Error),
}

/// A pool of connections. They are opened when they are needed.
///
/// With a `statement_timeout` of zero, which is for migrations, statements may run and wait for locks without
/// limit.
///
/// # Errors
/// Only if the URL is not one of PostgreSQL.
pub fn pool(settings: &DatabaseSettings, name: &str, statement_timeout: Duration) -> Result<PgPool, sqlx::Error> {
    let options = connect_options(settings, name, statement_timeout)?;
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        // This check replaces the ping and takes the same round trip.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(is_in_step(connection).await) }))
        // Reads the rest of the reply to a dropped statement, but waits no longer than this for it.
        .after_release(|connection, _| {
            Box::pin(async move { Ok(matches!(tokio::time::timeout(PROOF_TIMEOUT, connection.ping()).await, Ok(Ok(())))) })
        })
        .connect_lazy_with(options);
    Ok(pool)
}

fn connect_options(
    settings: &DatabaseSettings,
    name: &str,
    statement_timeout: Duration,
) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = settings.url.expose().parse()?;
    let lock_timeout = if statement_timeout.is_zero() { Duration::ZERO } else { settings.lock_timeout };
    let ms = |duration: Duration| duration.as_millis().to_string();
    Ok(options.application_name(name).options([
        ("timezone", "UTC"),
        // Acknowledged events must survive a power failure, whatever the server's default is.
        ("synchronous_commit", "on"),
        ("statement_timeout", ms(statement_timeout).as_str()),
        ("lock_timeout", ms(lock_timeout).as_str()),
        ("idle_in_transaction_session_timeout", ms(settings.idle_in_transaction_timeout).as_str()),
        ("client_connection_check_interval", CLIENT_CHECK_INTERVAL_MS),
        // A query of many partitions would be compiled for seconds before it reads the first row.
        ("jit", "off"),
        ("tcp_keepalives_idle", KEEPALIVE_IDLE_SECS),
        ("tcp_keepalives_interval", KEEPALIVE_INTERVAL_SECS),
        ("tcp_keepalives_count", KEEPALIVE_PROBES),
        ("tcp_user_timeout", TCP_USER_TIMEOUT_MS),
    ]))
}

/// Whether a connection may be used for another statement. If a statement is still running, this waits up to two
/// seconds for its end and reads the rest of its reply.
pub async fn is_in_step(connection: &mut PgConnection) -> bool {
    match tokio::time::timeout(PROOF_TIMEOUT, prove_in_step(connection)).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "a connection is closed and replaced"),
        Err(_) => tracing::warn!("a connection to PostgreSQL does not answer; it is closed and replaced"),
    }
    false
}

/// Checks that the next reply on the connection answers the next statement.
///
/// # Errors
/// [`ProofError`]: the connection must be closed.
pub async fn prove_in_step(connection: &mut PgConnection) -> Result<(), ProofError> {
    let nonce = NEXT_NONCE.fetch_add(1, Ordering::Relaxed);
    let repeated: i64 = sqlx::query_scalar("select $1::bigint").bind(nonce).fetch_one(connection).await?;
    if repeated == nonce { Ok(()) } else { Err(ProofError::OutOfStep) }
}
