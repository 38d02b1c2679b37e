//! Administration: `/admin/projects`, `/admin/keys` and `/admin/audit-log`, which also has what is done with dead letters.
//!
//! The key of the installation (`API_KEY`) makes projects and governs all of them. A key with the scope `admin`
//! governs its own project; of other projects it does not learn whether they exist. `caller` decides this.
//! `fields` reads bodies, `limits` the limits in them. Each change and its entry in the `audit_log` are one
//! transaction. After the commit, every replica is told to forget what it cached.

pub(crate) mod audit_log;
pub(crate) mod caller;
mod fields;
pub(crate) mod keys;
mod limits;
pub(crate) mod projects;

use std::sync::Arc;

use rollcall_shared::database::{Lease, Presence};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::notice::{Notice, NoticeKind};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use self::caller::Caller;
use crate::auth::KeyRing;
use crate::cursor::{Cursors, List};
use crate::error::ApiError;
use crate::queue::notices::Notices;

/// The resources of administration. Clones share them.
#[derive(Clone)]
pub(crate) struct Administration {
    /// Few connections, which nothing else uses.
    pub(crate) pool: PgPool,
    presence: Arc<Presence>,
    keys: Arc<KeyRing>,
    pub(crate) notices: Notices,
    cursors: Cursors,
}

impl Administration {
    pub(crate) fn new(pool: PgPool, presence: Arc<Presence>, keys: Arc<KeyRing>, notices: Notices, cursors: Cursors) -> Self {
        Self { pool, presence, keys, notices, cursors }
    }

    /// A connection for a list.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] if PostgreSQL is away, [`ApiError::DatabaseBusy`] if every connection stays in
    /// use.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, ApiError> {
        match self.pool.acquire().await {
            Ok(connection) => Ok(connection),
            Err(error) => Err(self.error_of(error).await),
        }
    }

    /// A connection for a change.
    ///
    /// # Errors
    /// As [`Self::connection`].
    pub(crate) async fn lease(&self) -> Result<Lease, ApiError> {
        match Lease::acquire(&self.pool).await {
            Ok(lease) => Ok(lease),
            Err(error) => Err(self.error_of(error).await),
        }
    }

    /// The pool reports a server that is away in the same way as one that is busy.
    async fn error_of(&self, error: sqlx::Error) -> ApiError {
        match ApiError::from(error) {
            ApiError::DatabaseBusy(error) if !self.presence.is_there().await => ApiError::DatabaseUnavailable(error),
            error => error,
        }
    }

    /// Makes every replica look up a key again.
    async fn key_changed(&self, id: i32) {
        self.keys.forget_key(id).await;
        self.notices.send(Notice { kind: NoticeKind::Keys, id: id.to_string() });
    }

    /// Makes every replica read a project again.
    fn project_changed(&self, id: ProjectId) {
        self.keys.doubt_project(id);
        self.notices.send(Notice { kind: NoticeKind::Projects, id: id.to_string() });
    }

    /// A list that the caller reads page by page.
    fn list<'a>(&'a self, caller: &Caller, fingerprint: &'a [u8; 32]) -> List<'a> {
        self.cursors.list(caller.project().id, fingerprint)
    }
}
