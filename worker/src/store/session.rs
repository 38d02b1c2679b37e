//! Sessions: what the new rows of a batch add to the rollup of sessions.
//!
//! A session's user is the user id of its latest event that has one; without any, the anonymous id of
//! the latest event that has one. Deltas are merged in any order, so each carries the event that its
//! user is from.

use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, agree};
use crate::store::new_event::NewEvent;
use crate::store::write::{Write, copy, insert};

/// Sessions in one row of the deltas: about 100 KB. A reader of one session reads whole rows.
const MAX_SESSIONS_PER_DELTA: usize = 1_000;

/// What the new rows of one batch say about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    pub(crate) project: ProjectId,
    pub(crate) session_id: &'a str,
    pub(crate) user: Option<SessionUser<'a>>,
    pub(crate) started_at_us: i64,
    pub(crate) last_event_at_us: i64,
    pub(crate) events: i64,
}

/// An id that an event has for its user. Of several, the greatest is the session's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionUser<'a> {
    pub(crate) rank: UserRank,
    pub(crate) at_us: i64,
    pub(crate) event_id: Uuid,
    pub(crate) id: &'a str,
}

/// What kind of id it is, by its number in the tables; those hold 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UserRank {
    AnonymousId = 1,
    UserId = 2,
}

/// The sessions of one batch.
#[derive(Debug)]
pub(crate) struct Sessions<'a> {
    /// Sorted by key.
    sessions: Vec<Session<'a>>,
    /// Events that belong to a session.
    events: u64,
}

impl<'a> Sessions<'a> {
    pub(crate) fn of(events: &'a [NewEvent<'_, '_>]) -> Self {
        let mut sessions: Vec<Session<'a>> = Vec::new();
        let mut events_of_sessions = 0;
        for session in events.iter().filter_map(Session::of) {
            events_of_sessions += 1;
            // Rows are in the order of users, so most events of a session follow each other.
            match sessions.last_mut().filter(|last| last.key() == session.key()) {
                Some(last) => last.merge(&session),
                None => sessions.push(session),
            }
        }
        sessions.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
        sessions.dedup_by(|later, first| {
            let is_same = later.key() == first.key();
            if is_same {
                first.merge(later);
            }
            is_same
        });
        Self { sessions, events: events_of_sessions }
    }

    /// The rows of the deltas, each with sessions of one project.
    pub(crate) fn deltas(&self) -> Vec<&[Session<'a>]> {
        let of_project = self.sessions.chunk_by(|one, next| one.project == next.project);
        of_project.flat_map(|sessions| sessions.chunks(MAX_SESSIONS_PER_DELTA)).collect()
    }

    /// Appends the deltas, in the transaction that stores the events.
    ///
    /// # Errors
    /// Those of the database, and [`StoreError::Disagreement`] if the counted events or the written
    /// rows are not as many as expected.
    pub(crate) async fn insert(&self, connection: &mut PgConnection, write: Write) -> Result<(), StoreError> {
        let counted: i64 = self.sessions.iter().map(|session| session.events).sum();
        agree("events of the sessions", self.events, counted.unsigned_abs())?;
        let deltas = self.deltas();
        if deltas.is_empty() {
            return Ok(());
        }
        let written = if write.copies(self.sessions.len()) {
            copy_sessions(connection, copy::encode_sessions(&deltas)).await?
        } else {
            insert::insert_sessions(connection, &deltas).await?
        };
        agree("deltas of sessions", deltas.len() as u64, written)
    }
}

/// Writes deltas that are encoded as the body of a COPY; returns how many rows the server counted.
pub(crate) async fn copy_sessions(connection: &mut PgConnection, body: Vec<u8>) -> Result<u64, StoreError> {
    let statement = include_str!("../../sql/store/copy_sessions_delta.sql");
    copy::run(connection, statement, body).await.map_err(StoreError::CopyRows)
}

impl<'a> Session<'a> {
    /// What one event says; `None` if it belongs to no session.
    fn of(new: &'a NewEvent<'_, '_>) -> Option<Self> {
        let event = &new.row.event;
        let user_id = event.user_id.as_ref().map(|id| (UserRank::UserId, id));
        let named = user_id.or(event.anonymous_id.as_ref().map(|id| (UserRank::AnonymousId, id)));
        let (at_us, event_id) = (event.occurred_at_us, new.row.identity.id);
        Some(Self {
            project: new.row.identity.project,
            session_id: &event.session_id.as_ref()?.0,
            user: named.map(|(rank, id)| SessionUser { rank, at_us, event_id, id: &id.0 }),
            started_at_us: at_us,
            last_event_at_us: at_us,
            events: 1,
        })
    }

    /// What kind of id its user has, as a number; 0 if it has no user.
    pub(crate) fn user_rank(&self) -> i16 {
        self.user.map_or(0, |user| user.rank as i16)
    }

    fn key(&self) -> (ProjectId, &'a str) {
        (self.project, self.session_id)
    }

    fn merge(&mut self, other: &Self) {
        self.user = self.user.max(other.user);
        self.started_at_us = self.started_at_us.min(other.started_at_us);
        self.last_event_at_us = self.last_event_at_us.max(other.last_event_at_us);
        self.events += other.events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session<'a>(id: &'a str, user: Option<(UserRank, i64, u128, &'a str)>, at_us: i64) -> Session<'a> {
        let user = user.map(|(rank, at_us, event_id, id)| SessionUser { rank, at_us, event_id: Uuid::from_u128(event_id), id });
        Session { project: ProjectId(1), session_id: id, user, started_at_us: at_us, last_event_at_us: at_us, events: 1 }
    }

    #[test]
    fn the_user_of_a_session_is_the_latest_user_id_or_else_the_latest_anonymous_id_in_any_order() {
        use UserRank::{AnonymousId, UserId};
        let events = [
            session("s", None, 9),
            session("s", Some((AnonymousId, 8, 8, "device")), 8),
            session("s", Some((UserId, 3, 1, "early")), 3),
            session("s", Some((UserId, 5, 1, "tied, smaller event id")), 5),
            session("s", Some((UserId, 5, 2, "tied, greater event id")), 5),
        ];
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [3, 4, 0, 2, 1]] {
            let mut merged = events[order[0]];
            order[1..].iter().for_each(|index| merged.merge(&events[*index]));
            let user = merged.user.expect("a user");
            assert_eq!((user.id, user.rank), ("tied, greater event id", UserId));
            assert_eq!((merged.started_at_us, merged.last_event_at_us, merged.events), (3, 9, 5));
        }
        let mut without_user_id = events[0];
        without_user_id.merge(&events[1]);
        assert_eq!(without_user_id.user.expect("a user").id, "device");
    }

    #[test]
    fn a_delta_holds_sessions_of_one_project_and_not_too_many() {
        let ids: Vec<String> = (0..MAX_SESSIONS_PER_DELTA + 1).map(|number| format!("s{number:09}")).collect();
        let mut sessions: Vec<_> = ids.iter().map(|id| session(id, None, 0)).collect();
        sessions.push(Session { project: ProjectId(2), ..session("s", None, 0) });
        let events = sessions.len() as u64;
        let sessions = Sessions { sessions, events };
        let deltas: Vec<_> = sessions.deltas().iter().map(|delta| (delta[0].project.0, delta.len())).collect();
        assert_eq!(deltas, [(1, MAX_SESSIONS_PER_DELTA), (1, 1), (2, 1)]);
    }
}
