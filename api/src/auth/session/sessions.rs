//! The sessions: begins, finds and ends them, through a cache.
//!
//! A cached session is trusted for [`FRESH`], so that signing out ends it on every replica within five seconds. While
//! PostgreSQL is away, cached sessions are trusted for longer, as keys are: the pipeline is looked at above all then.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use moka::future::Cache;
use sqlx::PgPool;

use super::token::{Token, TokenHash};
use crate::auth::key_ring::KeyHash;
use crate::auth::look_ups::{LookUp, LookUps};
use crate::client_address::ClientAddress;
use crate::error::ApiError;

/// How long a session lasts.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How long the result of a look-up is trusted, counted from its beginning. Signing out is promised within five seconds.
const FRESH: Duration = Duration::from_secs(4);
/// How long a result is kept in case the database goes away.
const KEPT: Duration = Duration::from_secs(3600);
/// Cached sessions. Unknown ones have a cache of the same size, so that a flood of invented ones pushes out no other.
const MAX_REMEMBERED: u64 = 10_000;
/// Sessions of one key. One more ends the oldest.
const MAX_PER_KEY: i64 = 100;

/// A session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// The key with which somebody signed in.
    pub(crate) key: KeyHash,
    pub(crate) expires_at: Timestamp,
}

#[derive(Clone, Copy)]
struct Remembered {
    session: Session,
    /// When the look-up began that found it.
    looked_up: Instant,
    /// When the last look-up began, even if the database did not answer it.
    asked: Instant,
}

/// Knows every session.
pub(crate) struct Sessions {
    look_ups: LookUps,
    /// Without a dashboard, there are no sessions.
    has_dashboard: bool,
    remembered: Cache<TokenHash, Remembered>,
    unknown: Cache<TokenHash, ()>,
}

struct SessionRow {
    key_hash: Vec<u8>,
    expires_at: jiff_sqlx::Timestamp,
}

impl Sessions {
    /// It sends nothing to the database yet.
    pub(crate) fn new(look_ups: LookUps, has_dashboard: bool) -> Self {
        let remembered = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(KEPT).build();
        let unknown = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(FRESH).build();
        Self { look_ups, has_dashboard, remembered, unknown }
    }

    /// Begins a session of a key. It ends with the key at the latest.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn begin(
        &self,
        pool: &PgPool,
        key: KeyHash,
        key_expires_at: Option<Timestamp>,
    ) -> Result<(Token, Session), ApiError> {
        let token = Token::random()?;
        let end = Timestamp::now().checked_add(LIFETIME).map_err(ApiError::internal)?;
        let expires_at = key_expires_at.map_or(end, |key_end| key_end.min(end));
        let (hash, ends) = (token.hash(), expires_at.to_sqlx());
        sqlx::query_file!("sql/sessions/insert_session.sql", hash.bytes(), key.bytes(), ends as _, MAX_PER_KEY)
            .execute(pool)
            .await?;
        Ok((token, Session { key, expires_at }))
    }

    /// Ends a session: here at once, and on other replicas within five seconds.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn end(&self, pool: &PgPool, token: &TokenHash) -> Result<(), ApiError> {
        sqlx::query_file!("sql/sessions/delete_session.sql", token.bytes()).execute(pool).await?;
        self.remembered.invalidate(token).await;
        self.unknown.insert(*token, ()).await;
        Ok(())
    }

    /// The session of a token; `None` if it does not exist or has ended. Tokens that do not exist are counted for the
    /// address of the client as unknown keys are.
    ///
    /// # Errors
    /// As for keys: [`ApiError::TooManyUnknownKeys`], [`ApiError::DatabaseBusy`], or
    /// [`ApiError::DatabaseUnavailable`] if it was not found within the last hour.
    pub(crate) async fn find(&self, token: &TokenHash, address: Option<ClientAddress>) -> Result<Option<Session>, ApiError> {
        if !self.has_dashboard {
            return Ok(None);
        }
        let found = self.remembered_or_looked_up(token, address).await?;
        Ok(found.filter(|session| session.expires_at > Timestamp::now()))
    }

    async fn remembered_or_looked_up(
        &self,
        token: &TokenHash,
        address: Option<ClientAddress>,
    ) -> Result<Option<Session>, ApiError> {
        let known = self.remembered.get(token).await;
        if let Some(fresh) = known.filter(|known| known.asked.elapsed() < FRESH) {
            return Ok(Some(fresh.session));
        }
        if self.unknown.contains_key(token) {
            return Ok(None);
        }
        let _turn = if known.is_none() { Some(self.look_ups.turn(address).await?) } else { None };
        let asked = Instant::now();
        match self.look_ups.find(token).await {
            Ok(Some(session)) => {
                self.remembered.insert(*token, Remembered { session, looked_up: asked, asked }).await;
                Ok(Some(session))
            }
            Ok(None) => {
                self.look_ups.count_unknown(address);
                self.remembered.invalidate(token).await;
                self.unknown.insert(*token, ()).await;
                Ok(None)
            }
            Err(ApiError::DatabaseUnavailable(error)) => {
                let known = known.filter(|known| known.looked_up.elapsed() < KEPT).ok_or(ApiError::DatabaseUnavailable(error))?;
                self.remembered.insert(*token, Remembered { asked: Instant::now(), ..known }).await;
                Ok(Some(known.session))
            }
            Err(error) => Err(error),
        }
    }
}

impl LookUp for TokenHash {
    type Found = Option<Session>;

    async fn query(&self, database: &PgPool) -> Result<Option<Session>, ApiError> {
        let row = sqlx::query_file_as!(SessionRow, "sql/sessions/session.sql", self.bytes()).fetch_optional(database).await?;
        Ok(row.and_then(|row| Some(Session { key: KeyHash::of_row(&row.key_hash)?, expires_at: row.expires_at.to_jiff() })))
    }
}
