//! The pool: connections that end what hangs by themselves, and are used only while in step.
//!
//! A future that is dropped in the middle of a statement can leave a connection on which every reply
//! answers the question before it. Such a connection answers pings, reports stored rows as
//! duplicates, and commits what it should not. So before a connection is handed out it must repeat a
//! number that was never used before; one that does not is closed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::DatabaseSettings;

/// How long a connection may take to show that it is in step. One that is still busy with a
/// statement nobody waits for is closed instead; the server then ends the statement.
const PROOF_TIMEOUT: Duration = Duration::from_secs(2);

/// The server asks this often whether the client of a running statement is still there, in
/// milliseconds, so that a closed connection does not keep its locks.
const CLIENT_CHECK_INTERVAL_MS: &str = "1000";

/// After this many silent seconds the server probes a client whose host may have vanished,
const KEEPALIVE_IDLE_SECS: &str = "30";
/// again at this interval,
const KEEPALIVE_INTERVAL_SECS: &str = "10";
/// and closes the connection after this many probes. Without these it would wait for two hours.
const KEEPALIVE_PROBES: &str = "3";
/// The same for a reply that nobody confirms, in milliseconds.
const TCP_USER_TIMEOUT_MS: &str = "60000";

/// The number that the next proof asks for. Never used twice in one process.
static NEXT_NONCE: AtomicI64 = AtomicI64::new(1);

/// Why a connection may not be used any more.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It repeated another number.
    #[error("a connection to PostgreSQL gave the reply to another statement")]
    OutOfStep,
    /// It repeated none.
    #[error("a connection to PostgreSQL did not repeat a number")]
    Database(#[from] sqlx::Error),
}

/// A pool of connections, made when they are first needed.
///
/// A `statement_timeout` of zero means that statements may run, and wait for locks, as long as they
/// like: for migrations.
///
/// # Errors
/// Only if the URL is not one of PostgreSQL.
pub fn pool(settings: &DatabaseSettings, name: &str, statement_timeout: Duration) -> Result<PgPool, sqlx::Error> {
    let options = connect_options(settings, name, statement_timeout)?;
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        // Takes the place of the ping, for the same round trip.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(is_in_step(connection).await) }))
        // Reads what is left of a dropped statement, but waits for it no longer than this.
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
        // What is acknowledged must survive a power cut, whatever the server's default is.
        ("synchronous_commit", "on"),
        ("statement_timeout", ms(statement_timeout).as_str()),
        ("lock_timeout", ms(lock_timeout).as_str()),
        ("idle_in_transaction_session_timeout", ms(settings.idle_in_transaction_timeout).as_str()),
        ("client_connection_check_interval", CLIENT_CHECK_INTERVAL_MS),
        ("tcp_keepalives_idle", KEEPALIVE_IDLE_SECS),
        ("tcp_keepalives_interval", KEEPALIVE_INTERVAL_SECS),
        ("tcp_keepalives_count", KEEPALIVE_PROBES),
        ("tcp_user_timeout", TCP_USER_TIMEOUT_MS),
    ]))
}

/// Whether a connection may be used for another statement. Waits up to two seconds for one that is still
/// under way, and reads what is left of its reply.
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
