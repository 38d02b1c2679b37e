//! Presence: whether PostgreSQL is there at all.
//!
//! A pool that times out says nothing about it: its connections may all be in use. So the question
//! goes over a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

/// How long an answer is believed. It bounds the connections that are made for the question alone.
const FRESH: Duration = Duration::from_secs(1);

/// A server that has not let anybody in by then is taken for away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks whether PostgreSQL is there, for everybody in the process who wants to know.
#[derive(Debug)]
pub struct Presence {
    options: Arc<PgConnectOptions>,
    /// The last answer and its time. Whoever asks meanwhile waits for it.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Presence {
    /// The presence of the server that this pool connects to.
    #[must_use]
    pub fn of(pool: &PgPool) -> Self {
        Self { options: pool.connect_options(), last: Mutex::new(None) }
    }

    /// Whether the server lets anybody in, or refuses only because it has no connection left. Answers
    /// within a second, and repeats its answer for another.
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
        let connect = async {
            // Nothing but the connection itself is asked of the server, so there is nothing to be read
            // from its farewell.
            PgConnection::connect_with(&self.options).await?.close().await
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => has_no_room(&error),
            Err(_) => false,
        }
    }
}

/// Whether the server refused for want of connections or memory: class 53 of the SQLSTATEs.
fn has_no_room(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with("53"))
}
