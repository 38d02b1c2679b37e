//! The key ring: from a key to its grant, by hash, through a cache.
//!
//! A grant is believed for [`FRESH`]; that bounds how long a revoked key still works on any
//! replica. Only while PostgreSQL is away is a grant seen before believed for longer: accepting events
//! must not depend on the database. While it is
//! merely busy, the look-up is tried again, over connections that serve nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use rollcall_shared::database::Presence;
use rollcall_shared::project::ProjectId;
use rollcall_shared::settings::Secret;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use subtle::ConstantTimeEq;

use super::grant::{Grant, Project, Scope};
use crate::error::ApiError;

/// How long a look-up is believed, from its beginning: revocation is promised within five seconds.
const FRESH: Duration = Duration::from_secs(4);
/// How long one is kept for the case that the database goes away.
const KEPT: Duration = Duration::from_secs(3600);
/// Keys remembered, wrong ones included: a flood of made-up keys pushes out old entries.
const MAX_REMEMBERED: u64 = 10_000;

type KeyHash = [u8; 32];

#[derive(Clone)]
struct Remembered {
    grant: Option<Arc<Grant>>,
    /// When the database was asked for what it last said.
    looked_up: Instant,
    /// When it was last asked.
    asked: Instant,
}

/// Knows every key.
pub(crate) struct KeyRing {
    /// Used for keys alone, so that no query keeps it waiting.
    database: PgPool,
    presence: Arc<Presence>,
    /// How long a look-up may take in all. Longer than the server lets it, so that only one whose
    /// server says nothing ends here.
    timeout: Duration,
    bootstrap: Option<(KeyHash, Arc<Grant>)>,
    remembered: Cache<KeyHash, Remembered>,
}

struct KeyRow {
    project_id: i32,
    time_zone: String,
    scopes: Vec<String>,
}

struct ProjectRow {
    time_zone: String,
}

impl KeyRing {
    /// A ring with the bootstrap key on the project `default`, if there is one. It sends nothing to the database yet.
    pub(crate) fn new(database: PgPool, presence: Arc<Presence>, timeout: Duration, api_key: Option<&Secret>) -> Self {
        let grant = || Grant { project: Arc::new(Project::without_zone(ProjectId::DEFAULT)), scopes: vec![Scope::Admin] };
        let bootstrap = api_key.map(|key| (hash(key.expose()), Arc::new(grant())));
        let remembered = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(KEPT).build();
        Self { database, presence, timeout, bootstrap, remembered }
    }

    /// Reads the project `default`, and with it whether there is a schema. Until then the bootstrap key
    /// may send events, and gets no answer that needs a calendar.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if the project's time zone is unknown here; others if the database or its
    /// schema is not there.
    pub(crate) async fn read_default_project(&self) -> Result<(), ApiError> {
        let id = ProjectId::DEFAULT.0;
        let row = sqlx::query_file_as!(ProjectRow, "sql/keys/project.sql", id).fetch_one(&self.database).await?;
        self.bootstrap.as_ref().map_or(Ok(()), |(_, grant)| grant.project.set_zone(row.time_zone))
    }

    /// What a key grants; `None` for a key that nobody has, that expired or was revoked.
    ///
    /// # Errors
    /// [`ApiError::DatabaseBusy`] or another error of the database if that is there and does not
    /// answer; [`ApiError::DatabaseUnavailable`] if it is away and the key was not seen within the hour.
    pub(crate) async fn grant_of(&self, key: &str) -> Result<Option<Arc<Grant>>, ApiError> {
        let hash = hash(key);
        if let Some((known, grant)) = &self.bootstrap
            && bool::from(known.ct_eq(&hash))
        {
            return Ok(Some(grant.clone()));
        }
        let remembered = self.remembered.get(&hash).await;
        if let Some(fresh) = remembered.as_ref().filter(|entry| entry.asked.elapsed() < FRESH) {
            return Ok(fresh.grant.clone());
        }
        let asked = Instant::now();
        let entry = match self.look_up(&hash).await {
            Ok(grant) => Remembered { grant, looked_up: asked, asked },
            Err(ApiError::DatabaseUnavailable(error)) => remembered
                .filter(|entry| entry.grant.is_some() && entry.looked_up.elapsed() < KEPT)
                .map(|entry| Remembered { asked: Instant::now(), ..entry })
                .ok_or(ApiError::DatabaseUnavailable(error))?,
            Err(error) => return Err(error),
        };
        self.remembered.insert(hash, entry.clone()).await;
        Ok(entry.grant)
    }

    /// Closes every connection once it is not used any more.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// Queries the database, and tries again once if a connection broke although the server is there.
    async fn look_up(&self, hash: &KeyHash) -> Result<Option<Arc<Grant>>, ApiError> {
        let mut attempts = 0..2;
        loop {
            attempts.next();
            let error = match tokio::time::timeout(self.timeout, self.query(hash)).await {
                Ok(Ok(grant)) => return Ok(grant),
                // Looking up a key is fast: another session holds a lock, or the server is overloaded.
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

    async fn query(&self, hash: &KeyHash) -> Result<Option<Arc<Grant>>, ApiError> {
        let row = sqlx::query_file_as!(KeyRow, "sql/keys/api_key.sql", hash.as_slice()).fetch_optional(&self.database).await?;
        row.map(|row| {
            let project = Arc::new(Project::new(ProjectId(row.project_id), row.time_zone)?);
            let scopes = row.scopes.iter().filter_map(|name| Scope::named(name)).collect();
            Ok(Arc::new(Grant { project, scopes }))
        })
        .transpose()
    }
}

/// Whether the server is there and lacks the table (undefined_table).
fn has_no_schema(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42P01")
}

fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}
