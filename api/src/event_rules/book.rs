//! The rule book: the rules of all projects that have some, read when they are needed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use sqlx::PgPool;
use tokio::sync::OwnedSemaphorePermit;

use super::known_types::KnownTypes;
use super::latest::Latest;
use super::project_schemas::ProjectSchemas;
use super::version::RulesVersion;
use super::violations::ViolationCounts;
use crate::error::ApiError;

/// Bytes of compiled schemas that are kept, as an upper bound that they rarely reach.
const MAX_SCHEMA_BYTES: u64 = 128 << 20;
/// Bytes of event types that are kept.
const MAX_TYPE_BYTES: u64 = 16 << 20;

/// Knows the rules of every project.
pub(crate) struct RuleBook {
    /// The connections that look up keys. Rules are read only when they have changed.
    database: PgPool,
    /// How long reading may take in all.
    timeout: Duration,
    schemas: Latest<ProjectSchemas>,
    types: Latest<KnownTypes>,
    pub(crate) violations: ViolationCounts,
}

/// The rules for the events of one request.
#[derive(Debug, Clone)]
pub(crate) struct EventRules {
    pub(super) schemas: Option<Arc<ProjectSchemas>>,
    pub(super) full: Option<FullProject>,
}

/// A project that gets no further event types.
#[derive(Debug, Clone)]
pub(super) struct FullProject {
    pub(super) limit: i32,
    pub(super) types: Arc<KnownTypes>,
}

impl RuleBook {
    /// An empty book. It sends nothing to the database yet.
    pub(crate) fn new(database: PgPool, timeout: Duration) -> Self {
        let (schemas, types) = (Latest::new(MAX_SCHEMA_BYTES), Latest::new(MAX_TYPE_BYTES));
        Self { database, timeout, schemas, types, violations: ViolationCounts::default() }
    }

    /// The rules of a project in this version, or a later one.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] if the project has schemas and none of them could be read.
    pub(crate) async fn rules(&self, project: ProjectId, version: RulesVersion) -> Result<EventRules, ApiError> {
        let schemas = match version.schemas {
            Some(revision) => Some(self.schemas(project, revision).await?),
            None => None,
        };
        let full = match version.full {
            Some(full) => self.types(project, full.types.into()).await.map(|types| FullProject { limit: full.limit, types }),
            None => None,
        };
        Ok(EventRules { schemas, full })
    }

    async fn schemas(&self, project: ProjectId, revision: i64) -> Result<Arc<ProjectSchemas>, ApiError> {
        let read = |known| self.in_time(ProjectSchemas::read(self.database.clone(), project, known));
        let unread = || io::Error::new(io::ErrorKind::NotConnected, "the schemas of the project could not be read");
        let schemas = self.schemas.get(project, revision, read).await;
        schemas.ok_or_else(|| ApiError::DatabaseUnavailable(unread().into()))
    }

    /// `None` if they could not be read. Then workers find out which types are new.
    async fn types(&self, project: ProjectId, count: i64) -> Option<Arc<KnownTypes>> {
        let read = |_| self.in_time(KnownTypes::read(self.database.clone(), project, count));
        self.types.get(project, count, read).await
    }

    /// Reads on a task of its own: a request that ends meanwhile does not leave a statement without a reader.
    async fn in_time<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let read = tokio::time::timeout(self.timeout, tokio::spawn(read)).await;
        read.map_err(|_| ApiError::DatabaseBusy(sqlx::Error::PoolTimedOut))?.map_err(ApiError::internal)?
    }
}

impl EventRules {
    /// Whether a body may take so long that other requests should not wait for it.
    pub(crate) fn take_long(&self, body_bytes: usize) -> bool {
        self.schemas.as_ref().is_some_and(|schemas| schemas.takes_long(body_bytes))
    }

    /// Waits until no other large batch of the project is checked.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if that takes too long.
    pub(crate) async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        match &self.schemas {
            Some(schemas) => schemas.turn().await.map(Some),
            None => Ok(None),
        }
    }
}
