//! Rows of deltas of sessions and users: arrays of one length, which become the columns of one row.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::session::Session;
use crate::store::summary::Delta;
use crate::store::user_activity::UserActivity;
use crate::store::write::timestamp::TimestampTz;

/// A row of `sessions_delta`.
#[derive(Debug)]
pub(crate) struct SessionsDelta {
    project: i32,
    session_ids: Vec<String>,
    user_ids: Vec<Option<String>>,
    user_ranks: Vec<i16>,
    user_ats: Vec<Option<TimestampTz>>,
    user_event_ids: Vec<Option<Uuid>>,
    started_ats: Vec<TimestampTz>,
    last_event_ats: Vec<TimestampTz>,
    events: Vec<i64>,
}

impl SessionsDelta {
    /// The row with these sessions of one project, of which there is at least one, sorted by id.
    pub(crate) fn of(sessions: &[Session<'_>]) -> Self {
        Self {
            project: sessions[0].project.0,
            session_ids: column(sessions, |session| session.session_id.to_owned()),
            user_ids: column(sessions, |session| session.user.map(|user| user.id.to_owned())),
            user_ranks: column(sessions, Session::user_rank),
            user_ats: column(sessions, |session| session.user.map(|user| TimestampTz(user.at_us))),
            user_event_ids: column(sessions, |session| session.user.map(|user| user.event_id)),
            started_ats: column(sessions, |session| TimestampTz(session.started_at_us)),
            last_event_ats: column(sessions, |session| TimestampTz(session.last_event_at_us)),
            events: column(sessions, |session| session.events),
        }
    }
}

impl Delta for SessionsDelta {
    async fn insert(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let inserted = sqlx::query_file!(
            "sql/store/insert_sessions_delta.sql",
            self.project,
            self.session_ids.first(),
            self.session_ids.last(),
            self.session_ids.len() as i32,
            &self.session_ids,
            &self.user_ids as _,
            &self.user_ranks,
            &self.user_ats as _,
            &self.user_event_ids as _,
            &self.started_ats as _,
            &self.last_event_ats as _,
            &self.events,
        )
        .execute(connection)
        .await?;
        Ok(inserted.rows_affected())
    }
}

/// A row of `user_activity_delta`.
#[derive(Debug)]
pub(crate) struct UsersDelta {
    pub(crate) project: i32,
    pub(crate) ords: Vec<i32>,
    first_seens: Vec<TimestampTz>,
    last_seens: Vec<TimestampTz>,
    events: Vec<i64>,
}

impl UsersDelta {
    /// The row with these users of one project, of whom there is at least one, sorted by number.
    pub(crate) fn of(users: &[UserActivity]) -> Self {
        Self {
            project: users[0].project.0,
            ords: column(users, |user| user.user_ord),
            first_seens: column(users, |user| TimestampTz(user.first_seen_us)),
            last_seens: column(users, |user| TimestampTz(user.last_seen_us)),
            events: column(users, |user| user.events),
        }
    }
}

impl Delta for UsersDelta {
    async fn insert(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let inserted = sqlx::query_file!(
            "sql/store/insert_user_activity_delta.sql",
            self.project,
            self.ords.first(),
            self.ords.last(),
            self.ords.len() as i32,
            &self.ords,
            &self.first_seens as _,
            &self.last_seens as _,
            &self.events,
        )
        .execute(connection)
        .await?;
        Ok(inserted.rows_affected())
    }
}

fn column<T, V>(items: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    items.iter().map(value).collect()
}
