//! Look-ups of keys and sessions in the database, on connections that nothing else uses.
//!
//! A look-up is tried again once if a connection broke although the server is there, and it tells a server that is away
//! from one that is busy. What nobody knows yet waits for its turn (`strangers`).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rollcall_shared::database::Presence;
use sqlx::PgPool;
use tokio::sync::SemaphorePermit;

use super::strangers::Strangers;
use crate::client_address::ClientAddress;
use crate::error::ApiError;

/// What can be looked up.
pub(super) trait LookUp {
    type Found;

    /// Queries the database.
    fn query(&self, database: &PgPool) -> impl Future<Output = Result<Self::Found, ApiError>> + Send;
}

/// Looks things up for authentication. Clones share the connections.
#[derive(Clone)]
pub(crate) struct LookUps {
    pub(super) database: PgPool,
    presence: Arc<Presence>,
    /// How long a look-up may take in all. This exceeds the server's own limits, so it ends only a look-up to
    /// which the server does not reply.
    timeout: Duration,
    strangers: Arc<Strangers>,
}

impl LookUps {
    /// Look-ups on these connections. An address may send this many unknown keys in a second.
    pub(crate) fn new(database: PgPool, presence: Arc<Presence>, timeout: Duration, unknown_keys_per_second: NonZeroU32) -> Self {
        let connections = database.options().get_max_connections();
        let strangers = Arc::new(Strangers::new(unknown_keys_per_second, connections, timeout));
        Self { database, presence, timeout, strangers }
    }

    /// A permit to look up what is not known.
    ///
    /// # Errors
    /// [`ApiError::TooManyUnknownKeys`], [`ApiError::DatabaseBusy`], or [`ApiError::DatabaseUnavailable`].
    pub(super) async fn turn(&self, address: Option<ClientAddress>) -> Result<SemaphorePermit<'_>, ApiError> {
        match self.strangers.admit(address).await {
            Err(ApiError::DatabaseBusy(error)) if !self.presence.is_there().await => Err(ApiError::DatabaseUnavailable(error)),
            admitted => admitted,
        }
    }

    /// Counts something that does not exist.
    pub(super) fn count_unknown(&self, address: Option<ClientAddress>) {
        self.strangers.count(address);
    }

    /// Queries the database, and tries again once if a connection broke although the server is there.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] if the server is away, [`ApiError::DatabaseBusy`] if it is merely slow, and those
    /// of the query.
    pub(super) async fn find<L: LookUp>(&self, wanted: &L) -> Result<L::Found, ApiError> {
        let mut attempts = 0..2;
        loop {
            attempts.next();
            let error = match tokio::time::timeout(self.timeout, wanted.query(&self.database)).await {
                Ok(Ok(found)) => return Ok(found),
                // A look-up is fast. A slow one means a lock of another session or an overloaded server.
                Ok(Err(ApiError::TooSlow(error))) => return Err(ApiError::DatabaseBusy(error)),
                Ok(Err(error)) => error,
                Err(_) => ApiError::DatabaseBusy(sqlx::Error::PoolTimedOut),
            };
            match (self.presence.is_there().await, error) {
                (false, ApiError::DatabaseBusy(error)) => return Err(ApiError::DatabaseUnavailable(error)),
                (true, ApiError::DatabaseUnavailable(error)) if has_no_schema(&error) => {
                    return Err(ApiError::DatabaseUnavailable(error));
                }
                (true, ApiError::DatabaseUnavailable(error)) if attempts.is_empty() => return Err(ApiError::DatabaseBusy(error)),
                (true, ApiError::DatabaseUnavailable(_)) => {}
                (_, error) => return Err(error),
            }
        }
    }

    /// Closes every connection as soon as it is not in use.
    pub(super) async fn close(&self) {
        self.database.close().await;
    }
}

/// Whether the server answered that a table or a column does not exist (undefined_table, undefined_column).
fn has_no_schema(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42P01" || code == "42703")
}
