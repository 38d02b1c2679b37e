//! The read pool: the PostgreSQL connections for queries, shared fairly between projects.
//!
//! One key can start many slow queries at once. A project therefore holds a limited number of the
//! connections, and never all of them. Further queries of the project wait for a connection and are
//! refused when the pool's acquire timeout is over.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::database::{self, Presence};
use rollcall_shared::project::ProjectId;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Hands out connections for queries. Clones share them.
#[derive(Clone)]
pub(crate) struct ReadPool {
    pool: PgPool,
    presence: Arc<Presence>,
    /// How many connections one project may hold.
    limit: usize,
    /// How long a query waits until its project holds fewer connections than `limit`.
    wait_timeout: Duration,
    /// One semaphore for each project that has sent a query.
    shares: Arc<Mutex<HashMap<ProjectId, Arc<Semaphore>>>>,
}

/// A connection for one query.
///
/// A client that disconnects leaves a statement that is still running. Unless [`Connection::answered`]
/// was called, the connection therefore returns to the pool only once it is proved to be idle, and
/// counts towards its project's limit until then.
pub(crate) struct Connection {
    /// `None` only while it is dropped.
    held: Option<(PoolConnection<Postgres>, OwnedSemaphorePermit)>,
    is_answered: bool,
}

impl ReadPool {
    /// Shares the connections of `pool`. A project holds at most `limit` of them, and never all.
    pub(crate) fn new(pool: PgPool, presence: Arc<Presence>, limit: usize) -> Self {
        let options = pool.options();
        let limit = limit.min(options.get_max_connections() as usize - 1).max(1);
        let wait_timeout = options.get_acquire_timeout();
        Self { pool, presence, limit, wait_timeout, shares: Arc::default() }
    }

    /// A connection for a query of this project.
    ///
    /// # Errors
    /// [`ApiError::TooManyQueries`] if the project holds `limit` connections until the timeout,
    /// [`ApiError::DatabaseBusy`] if every connection of the pool stays in use, [`ApiError::DatabaseUnavailable`] if
    /// PostgreSQL is away.
    pub(crate) async fn acquire(&self, project: ProjectId) -> Result<Connection, ApiError> {
        let permit = tokio::time::timeout(self.wait_timeout, self.share_of(project).acquire_owned()).await;
        // The semaphore is never closed, so an error is always the timeout.
        let Ok(Ok(permit)) = permit else {
            let full = ApiError::TooManyQueries { limit: self.limit };
            return Err(if self.presence.is_there().await { full } else { away() });
        };
        match self.pool.acquire().await {
            Ok(connection) => Ok(Connection { held: Some((connection, permit)), is_answered: false }),
            Err(sqlx::Error::PoolTimedOut) if !self.presence.is_there().await => Err(away()),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes every connection once it is not used any more.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    fn share_of(&self, project: ProjectId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.entry(project).or_insert_with(|| Arc::new(Semaphore::new(self.limit))).clone()
    }
}

/// The error for a pool whose server is not there.
fn away() -> ApiError {
    ApiError::DatabaseUnavailable(sqlx::Error::PoolTimedOut)
}

impl Connection {
    /// Returns the connection to the pool: the reply to the last statement was read to its end.
    pub(crate) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.held.as_ref().expect("it is held until it is dropped").0
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.held.as_mut().expect("it is held until it is dropped").0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some((mut connection, permit)) = self.held.take() else { return };
        if self.is_answered {
            return;
        }
        tokio::spawn(async move {
            if !database::is_in_step(&mut connection).await {
                connection.close_on_drop();
            }
            drop((connection, permit));
        });
    }
}
