//! A session, and the statements that read sessions.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use crate::query::format::Cell;
use crate::query::rows::span::{TimeSpan, instant};

/// A session: the events with the same `session_id`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    session_id: String,
    /// The user id of its latest event that has one, or else the anonymous id of the latest event that has
    /// one, or else null.
    user_id: Option<String>,
    /// When its first event happened, in UTC.
    started_at: Timestamp,
    /// When its latest event happened, in UTC.
    last_event_at: Timestamp,
    /// The number of its events.
    events: i64,
}

/// The columns of [`Session::cells`].
pub(super) const COLUMNS: [&str; 5] = ["session_id", "user_id", "started_at", "last_event_at", "events"];

/// The selection of sessions.
#[derive(Debug, Clone)]
pub(crate) struct SessionKeys {
    pub(crate) project: i32,
    pub(crate) user: Option<String>,
    pub(crate) session: Option<String>,
    /// The span of the latest activity.
    pub(crate) span: TimeSpan,
}

/// The latest activity, in microseconds, and the id of the session after which a page begins.
pub(super) type Position = (i64, String);

#[derive(FromRow)]
struct Row {
    session_id: String,
    user_id: Option<String>,
    started_at: SqlTimestamp,
    last_event_at: SqlTimestamp,
    events: i64,
}

/// The first sessions of the selection after a position, latest activity first.
///
/// # Errors
/// Those of the database.
pub(crate) async fn read(
    connection: &mut PgConnection,
    keys: &SessionKeys,
    after: Option<&Position>,
    limit: usize,
) -> sqlx::Result<Vec<Session>> {
    // PostgreSQL plans the statement for its actual values, because they determine the index.
    let rows: Vec<Row> = sqlx::query_as(include_str!("../../../sql/sessions/sessions.sql"))
        .persistent(false)
        .bind(keys.project)
        .bind(&keys.user)
        .bind(&keys.session)
        .bind(instant(keys.span.from_us))
        .bind(instant(keys.span.to_us))
        .bind(after.map(|(last_event_at_us, _)| instant(*last_event_at_us)))
        .bind(after.map(|(_, session)| session))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// The number of sessions of a user.
///
/// # Errors
/// Those of the database.
pub(crate) async fn count_of_user(connection: &mut PgConnection, project: i32, user: &str) -> sqlx::Result<i64> {
    Ok(sqlx::query_file!("sql/sessions/count.sql", project, user).fetch_one(connection).await?.sessions)
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            session_id: row.session_id,
            user_id: row.user_id,
            started_at: row.started_at.to_jiff(),
            last_event_at: row.last_event_at.to_jiff(),
            events: row.events,
        }
    }
}

impl Session {
    /// The span of its events.
    pub(crate) fn span(&self) -> TimeSpan {
        TimeSpan { from_us: self.started_at.as_microsecond(), to_us: self.last_event_at.as_microsecond() + 1 }
    }

    pub(super) fn position(&self) -> Position {
        (self.last_event_at.as_microsecond(), self.session_id.clone())
    }

    /// Its cells in a table with [`COLUMNS`].
    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.session_id)),
            Cell::text(self.user_id.as_deref()),
            Cell::plain(self.started_at),
            Cell::plain(self.last_event_at),
            Cell::plain(self.events),
        ]
    }
}
