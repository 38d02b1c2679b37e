//! The key ring: finds the grant of a key by its hash, through a cache.
//!
//! A cached grant is trusted for [`FRESH`], so a revoked key stops working after that time on every replica, and
//! sooner where the notice of the change arrives. A grant that expires is not trusted past its end. While
//! PostgreSQL is away, cached grants are trusted for longer, because accepting events must not depend on the
//! database. While PostgreSQL is merely busy, the look-up is tried again. Look-ups have connections that nothing
//! else uses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff_sqlx::Timestamp as SqlTimestamp;
use moka::future::Cache;
use rollcall_shared::project::ProjectId;
use rollcall_shared::settings::Secret;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use subtle::ConstantTimeEq;
use tokio::sync::Notify;

use super::credentials::Credential;
use super::grant::{Grant, KeyId, Project};
use super::last_use::LastUses;
use super::look_ups::{LookUp, LookUps};
use super::rates::Rates;
use super::session::Sessions;
use crate::client_address::ClientAddress;
use crate::error::ApiError;

/// How long the result of a look-up is trusted, counted from its beginning. Revocation is promised within five
/// seconds.
const FRESH: Duration = Duration::from_secs(4);
/// How long a result is kept in case the database goes away.
const KEPT: Duration = Duration::from_secs(3600);
/// Cached keys. Unknown ones have a cache of the same size, so that a flood of invented keys pushes out no other.
const MAX_REMEMBERED: u64 = 10_000;

/// The SHA-256 of a key, by which the table `api_keys` knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    pub(crate) fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether it is the same, compared in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// As the table has it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash in a row.
    pub(super) fn of_row(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

#[derive(Clone)]
struct Remembered {
    grant: Option<Arc<Grant>>,
    /// When the look-up began that found this grant.
    looked_up: Instant,
    /// When the last look-up began, even if the database did not answer it.
    asked: Instant,
    /// Whether the project has changed since.
    is_stale: Arc<AtomicBool>,
    /// Whether the key has changed since it was first looked up, for a look-up that is under way meanwhile.
    is_forgotten: Arc<AtomicBool>,
}

impl Remembered {
    fn is_fresh(&self) -> bool {
        self.asked.elapsed() < FRESH && !self.is_stale.load(Ordering::Relaxed)
    }

    /// Whether it may be used while the database is away.
    fn is_known(&self) -> bool {
        self.grant.is_some() && self.looked_up.elapsed() < KEPT && !self.is_forgotten.load(Ordering::Relaxed)
    }
}

/// `API_KEY`, and what it grants. The grant is replaced when the project is read again.
struct Installation {
    hash: KeyHash,
    grant: RwLock<Arc<Grant>>,
}

/// Knows every key.
pub(crate) struct KeyRing {
    /// On connections that nothing else uses, so that no query makes a look-up wait.
    look_ups: LookUps,
    /// The sessions that stand for keys.
    pub(crate) sessions: Sessions,
    installation: Option<Installation>,
    remembered: Cache<KeyHash, Remembered>,
    unknown: Cache<KeyHash, Remembered>,
    last_uses: LastUses,
    /// Wakes whoever reads the project `default` again.
    default_doubted: Notify,
}

struct KeyRow {
    id: i32,
    scopes: Vec<String>,
    expires_at: Option<SqlTimestamp>,
    requests_per_second: Option<i32>,
    events_per_second: Option<i32>,
    project_id: i32,
    project_name: String,
    time_zone: String,
    project_requests_per_second: Option<i32>,
    project_events_per_second: Option<i32>,
}

struct ProjectRow {
    name: String,
    time_zone: String,
    requests_per_second: Option<i32>,
    events_per_second: Option<i32>,
}

impl KeyRing {
    /// A key ring that knows the key of the installation, if there is one. It sends nothing to the database yet.
    pub(crate) fn new(look_ups: LookUps, sessions: Sessions, api_key: Option<&Secret>) -> Self {
        let installation = api_key.map(|key| Installation {
            hash: KeyHash::of(key.expose()),
            grant: RwLock::new(Arc::new(Grant::of_installation(Project::unread_default()))),
        });
        let cache = |kept| Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(kept).build();
        Self {
            look_ups,
            sessions,
            installation,
            remembered: cache(KEPT),
            unknown: cache(FRESH),
            last_uses: LastUses::default(),
            default_doubted: Notify::new(),
        }
    }

    /// Reads the project `default`, which also shows whether there is a schema. Until this has succeeded, the
    /// key of the installation can send events but gets no answer that needs a calendar.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if the project's time zone is unknown on this machine; other errors if the database
    /// or its schema is not there.
    pub(crate) async fn read_default_project(&self) -> Result<(), ApiError> {
        let id = ProjectId::DEFAULT.0;
        let row = sqlx::query_file_as!(ProjectRow, "sql/keys/project.sql", id).fetch_one(&self.look_ups.database).await?;
        let Some(installation) = &self.installation else { return Ok(()) };
        let rates = Rates::of_row(row.requests_per_second, row.events_per_second);
        let project = Project::new(ProjectId::DEFAULT, row.name, row.time_zone, rates)?;
        let grant = Arc::new(Grant::of_installation(project));
        *installation.grant.write().unwrap_or_else(PoisonError::into_inner) = grant;
        Ok(())
    }

    /// What a key grants; `None` for a key that does not exist, has expired or was revoked. Keys that do not exist
    /// are counted for the address of the client, if it is known.
    ///
    /// # Errors
    /// [`ApiError::TooManyUnknownKeys`] if many keys of the address did not exist; [`ApiError::DatabaseBusy`] or
    /// another error of the database if it is there but the look-up fails; [`ApiError::DatabaseUnavailable`] if it is
    /// away and the key was not found within the last hour.
    pub(crate) async fn grant_of(&self, hash: &KeyHash, address: Option<ClientAddress>) -> Result<Option<Arc<Grant>>, ApiError> {
        if let Some(installation) = &self.installation
            && installation.hash.is(hash)
        {
            return Ok(Some(installation.grant.read().unwrap_or_else(PoisonError::into_inner).clone()));
        }
        let grant = self.remembered_grant(hash, address).await?.filter(|grant| !grant.has_expired());
        if let Some(grant) = &grant {
            self.note_use(grant);
        }
        Ok(grant)
    }

    /// What a credential that was accepted before grants now; `None` once its key or its session has ended.
    ///
    /// # Errors
    /// As [`Self::grant_of`].
    pub(crate) async fn current_grant(&self, credential: &Credential) -> Result<Option<Arc<Grant>>, ApiError> {
        if let Some(session) = &credential.session
            && self.sessions.find(session, None).await?.is_none()
        {
            return Ok(None);
        }
        self.grant_of(&credential.key, None).await
    }

    /// Removes a key from the cache, because it was changed.
    pub(crate) async fn forget_key(&self, id: i32) {
        let is_meant = |entry: &Remembered| entry.grant.as_ref().is_some_and(|grant| grant.key == KeyId::Numbered(id));
        let found: Vec<_> = self.remembered.iter().filter(|(_, entry)| is_meant(entry)).collect();
        for (hash, entry) in found {
            entry.is_forgotten.store(true, Ordering::Relaxed);
            self.remembered.invalidate(&*hash).await;
        }
    }

    /// Makes the next use of each key of a project look it up, because the project was changed. The keys stay in
    /// the cache in case the database goes away.
    pub(crate) fn doubt_project(&self, id: ProjectId) {
        let grants = self.remembered.iter();
        let of_project = grants.filter(|(_, entry)| entry.grant.as_ref().is_some_and(|grant| grant.project.id == id));
        of_project.for_each(|(_, entry)| entry.is_stale.store(true, Ordering::Relaxed));
        if id == ProjectId::DEFAULT {
            self.default_doubted.notify_one();
        }
    }

    /// Completes when the project `default` was changed.
    pub(crate) async fn default_project_doubted(&self) {
        self.default_doubted.notified().await;
    }

    /// Writes when keys were last used, at most once a minute for each.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn write_last_uses(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        self.last_uses.write(pool).await
    }

    async fn remembered_grant(&self, hash: &KeyHash, address: Option<ClientAddress>) -> Result<Option<Arc<Grant>>, ApiError> {
        let mut remembered = self.remembered(hash).await;
        if let Some(fresh) = remembered.as_ref().filter(|entry| entry.is_fresh()) {
            return Ok(fresh.grant.clone());
        }
        let is_known = remembered.as_ref().is_some_and(|entry| entry.grant.is_some());
        let turn = if is_known { None } else { Some(self.look_ups.turn(address).await?) };
        if turn.is_some() {
            // Another request with the same key may have looked it up meanwhile.
            remembered = self.remembered(hash).await;
            if let Some(fresh) = remembered.as_ref().filter(|entry| entry.is_fresh()) {
                return Ok(fresh.grant.clone());
            }
        }
        let asked = Instant::now();
        let no = || Arc::new(AtomicBool::new(false));
        let entry = match self.look_ups.find(hash).await {
            Ok(grant) => Remembered { grant, looked_up: asked, asked, is_stale: no(), is_forgotten: no() },
            Err(ApiError::DatabaseUnavailable(error)) => remembered
                .filter(Remembered::is_known)
                .map(|entry| Remembered { asked: Instant::now(), is_stale: no(), ..entry })
                .ok_or(ApiError::DatabaseUnavailable(error))?,
            Err(error) => return Err(error),
        };
        if entry.grant.is_some() {
            self.remembered.insert(*hash, entry.clone()).await;
        } else {
            self.look_ups.count_unknown(address);
            self.remembered.invalidate(hash).await;
            self.unknown.insert(*hash, entry.clone()).await;
        }
        Ok(entry.grant)
    }

    async fn remembered(&self, hash: &KeyHash) -> Option<Remembered> {
        match self.remembered.get(hash).await {
            Some(known) => Some(known),
            None => self.unknown.get(hash).await,
        }
    }

    /// Closes every connection as soon as it is not in use.
    pub(crate) async fn close(&self) {
        self.look_ups.close().await;
    }

    /// Notes the use of a key, once for each look-up, so that a busy key costs requests nothing.
    fn note_use(&self, grant: &Grant) {
        if let KeyId::Numbered(id) = grant.key
            && !grant.is_use_noted.load(Ordering::Relaxed)
            && !grant.is_use_noted.swap(true, Ordering::Relaxed)
        {
            self.last_uses.note(id);
        }
    }
}

impl LookUp for KeyHash {
    type Found = Option<Arc<Grant>>;

    async fn query(&self, database: &PgPool) -> Result<Option<Arc<Grant>>, ApiError> {
        let row = sqlx::query_file_as!(KeyRow, "sql/keys/api_key.sql", self.0.as_slice()).fetch_optional(database).await?;
        row.map(|row| {
            let rates = Rates::of_row(row.project_requests_per_second, row.project_events_per_second);
            let project = Project::new(ProjectId(row.project_id), row.project_name, row.time_zone, rates)?;
            Ok(Arc::new(Grant {
                project: Arc::new(project),
                key: KeyId::Numbered(row.id),
                rates: Rates::of_row(row.requests_per_second, row.events_per_second),
                expires_at: row.expires_at.map(SqlTimestamp::to_jiff),
                scopes: row.scopes.iter().filter_map(|name| name.parse().ok()).collect(),
                is_use_noted: AtomicBool::new(false),
            }))
        })
        .transpose()
    }
}
