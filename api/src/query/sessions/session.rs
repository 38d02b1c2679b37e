//! A session, and how sessions are read.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use crate::query::format::Cell;
use crate::query::rows::span::{TimeSpan, instant};

/// What clients call a session: the events with one `session_id`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    session_id: String,
    /// The user id of its latest event that has one; without any, the anonymous id of the latest event
    /// that has one; else null.
    user_id: Option<String>,
    /// When its first event happened, in UTC.
    started_at: Timestamp,
    /// When its latest event happened, in UTC.
    last_event_at: Timestamp,
    /// How many events it has.
    events: i64,
}

/// The columns of [`Session::cells`].
pub(super) const COLUMNS: [&str; 5] = ["session_id", "user_id", "started_at", "last_event_at", "events"];

/// Which sessions are read.
#[derive(Debug, Clone)]
pub(crate) struct SessionKeys {
    pub(crate) project: i32,
    pub(crate) user: Option<String>,
    pub(crate) session: Option<String>,
    /// When the latest activity was.
    pub(crate) span: TimeSpan,
}

/// The session after which a page begins: its latest activity in microseconds, and its id.
pub(super) type Position = (i64, String);

#[derive(FromRow)]
struct Row {
    session_id: String,
    user_id: Option<String>,
    started_at: SqlTimestamp,
    last_event_at: SqlTimestamp,
    events: i64,
}

/// The first sessions of these keys after a position, latest activity first.
///
/// # Errors
/// Those of the database.
pub(crate) async fn read(
    connection: &mut PgConnection,
    keys: &SessionKeys,
    after: Option<&Position>,
    limit: usize,
) -> sqlx::Result<Vec<Session>> {
    // Planned with its values: which index is right depends on them.
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

/// How many sessions of a user there are.
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
    /// The time of its events.
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
