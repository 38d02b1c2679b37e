//! Questions: how many of one project PostgreSQL works on at a time.
//!
//! A key that may read can ask for a lot of slow answers at once. Its project gets a share of the
//! connections, and always one less than there are; whoever comes later waits, and is told so in the
//! end.

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

/// Hands out the connections on which questions are answered. Clones share them.
#[derive(Clone)]
pub(crate) struct Questions {
    pool: PgPool,
    presence: Arc<Presence>,
    /// How many one project may have under way.
    limit: usize,
    /// How long one waits for its turn.
    wait: Duration,
    /// One entry for each project that ever asked.
    shares: Arc<Mutex<HashMap<ProjectId, Arc<Semaphore>>>>,
}

/// A connection for one question. Unless it is said to be answered, it is used again only if it can be
/// proved to be in step, and keeps its place in the project's share until then: a client that goes
/// away leaves a statement that still runs.
pub(crate) struct Connection {
    /// `None` once it is given away.
    held: Option<(PoolConnection<Postgres>, OwnedSemaphorePermit)>,
    is_answered: bool,
}

impl Questions {
    /// Over the connections of a pool. A project gets `limit` of them, or all but one if that is less.
    pub(crate) fn new(pool: PgPool, presence: Arc<Presence>, limit: usize) -> Self {
        let options = pool.options();
        let limit = limit.min(options.get_max_connections() as usize - 1).max(1);
        let wait = options.get_acquire_timeout();
        Self { pool, presence, limit, wait, shares: Arc::default() }
    }

    /// A connection for a question of this project.
    ///
    /// # Errors
    /// [`ApiError::TooManyQuestions`] if the project's share stays in use for too long,
    /// [`ApiError::DatabaseBusy`] if every connection does, [`ApiError::DatabaseUnavailable`] if
    /// PostgreSQL is away.
    pub(crate) async fn ask(&self, project: ProjectId) -> Result<Connection, ApiError> {
        let turn = tokio::time::timeout(self.wait, self.share_of(project).acquire_owned()).await;
        // The semaphore is never closed, so only time can run out.
        let Ok(Ok(permit)) = turn else {
            let full = ApiError::TooManyQuestions { limit: self.limit };
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

/// The error for a pool that waited for a server that is not there.
fn away() -> ApiError {
    ApiError::DatabaseUnavailable(sqlx::Error::PoolTimedOut)
}

impl Connection {
    /// The reply to the last statement was read to its end.
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
