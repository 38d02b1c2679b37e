//! The key ring: from a key to its grant, by hash, through a cache.
//!
//! A grant is believed for [`FRESH`]; that bounds how long a revoked key still works on any
//! replica. While PostgreSQL does not answer, a grant seen before is believed for longer, and asked
//! about seldom and briefly: accepting events must not depend on the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use rollcall_shared::day::Calendar;
use rollcall_shared::project::ProjectId;
use rollcall_shared::settings::Secret;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use subtle::ConstantTimeEq;

use super::grant::{Grant, Project, Scope};
use crate::error::ApiError;

/// How long a look-up is believed: revocation is promised within five seconds.
const FRESH: Duration = Duration::from_secs(4);
/// How long a look-up may take where an earlier one can stand in: with [`FRESH`] it makes those five
/// seconds.
const BRIEF: Duration = Duration::from_secs(1);
/// How long it may take otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one is kept for the case that the database goes away.
const KEPT: Duration = Duration::from_secs(3600);
/// Keys remembered, wrong ones included: a flood of made-up keys pushes out old entries.
const MAX_REMEMBERED: u64 = 10_000;

type KeyHash = [u8; 32];

#[derive(Clone)]
struct Remembered {
    grant: Option<Arc<Grant>>,
    /// When the database last said so.
    looked_up: Instant,
    /// When it was last asked.
    asked: Instant,
}

/// Knows every key.
pub(crate) struct KeyRing {
    database: PgPool,
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
    /// A ring with the bootstrap key on the project `default`, if there is one.
    ///
    /// # Errors
    /// Only if the database does not answer or the project's time zone is unknown here.
    pub(crate) async fn new(database: PgPool, api_key: Option<&Secret>) -> Result<Self, ApiError> {
        let bootstrap = match api_key {
            Some(key) => Some((hash(key.expose()), Arc::new(bootstrap_grant(&database).await?))),
            None => None,
        };
        let remembered = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(KEPT).build();
        Ok(Self { database, bootstrap, remembered })
    }

    /// What a key grants; `None` for a key that nobody has, that expired or was revoked.
    ///
    /// # Errors
    /// Only if the database does not answer and the key was not seen lately.
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
        let stand_in = remembered.filter(|entry| entry.grant.is_some() && entry.looked_up.elapsed() < KEPT);
        let patience = if stand_in.is_some() { BRIEF } else { PATIENCE };
        let looked_up = tokio::time::timeout(patience, self.look_up(&hash)).await;
        let now = Instant::now();
        let entry = match (looked_up.unwrap_or(Err(ApiError::DatabaseUnavailable(sqlx::Error::PoolTimedOut))), stand_in) {
            (Ok(grant), _) => Remembered { grant, looked_up: now, asked: now },
            (Err(ApiError::DatabaseUnavailable(_)), Some(stand_in)) => Remembered { asked: now, ..stand_in },
            (Err(error), _) => return Err(error),
        };
        self.remembered.insert(hash, entry.clone()).await;
        Ok(entry.grant)
    }

    async fn look_up(&self, hash: &KeyHash) -> Result<Option<Arc<Grant>>, ApiError> {
        let row = sqlx::query_file_as!(KeyRow, "sql/api_key.sql", hash.as_slice()).fetch_optional(&self.database).await?;
        row.map(|row| {
            let project = Arc::new(project(row.project_id, row.time_zone)?);
            let scopes = row.scopes.iter().filter_map(|name| Scope::named(name)).collect();
            Ok(Arc::new(Grant { project, scopes }))
        })
        .transpose()
    }
}

async fn bootstrap_grant(database: &PgPool) -> Result<Grant, ApiError> {
    let id = ProjectId::DEFAULT.0;
    let row = sqlx::query_file_as!(ProjectRow, "sql/project.sql", id).fetch_one(database).await?;
    Ok(Grant { project: Arc::new(project(id, row.time_zone)?), scopes: vec![Scope::Admin] })
}

fn project(id: i32, time_zone: String) -> Result<Project, ApiError> {
    let calendar = Calendar::of_zone(&time_zone).map_err(ApiError::internal)?;
    Ok(Project { id: ProjectId(id), time_zone, calendar })
}

fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}
