//! Presence: whether PostgreSQL can be reached at all.
//!
//! A timeout of the pool does not show this, because all its connections may be in use. So the check opens a
//! separate connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

/// How long the result of a check is valid. This limits the number of connections that are opened for checks.
const FRESH: Duration = Duration::from_secs(1);

/// A server that accepts no connection within this time counts as away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Checks whether PostgreSQL is there, for the whole process.
#[derive(Debug)]
pub struct Presence {
    options: Arc<PgConnectOptions>,
    /// The last answer and its time. It is locked during a check, and others wait for its answer.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Presence {
    /// The presence of the server that this pool connects to.
    #[must_use]
    pub fn of(pool: &PgPool) -> Self {
        Self { options: pool.connect_options(), last: Mutex::new(None) }
    }

    /// Whether the server accepts a connection, or refuses it only because it has none left. This takes at most a
    /// second, and for another second the answer is repeated.
    pub async fn is_there(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, is_there)) = *last
            && at.elapsed() < FRESH
        {
            return is_there;
        }
        let is_there = self.ask().await;
        *last = Some((Instant::now(), is_there));
        is_there
    }

    async fn ask(&self) -> bool {
        let connect = async { PgConnection::connect_with(&self.options).await?.close().await };
        match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => has_no_room(&error),
            Err(_) => false,
        }
    }
}

/// Whether the server refused because it lacks connections or memory: class 53 of the SQLSTATEs.
fn has_no_room(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with("53"))
}
