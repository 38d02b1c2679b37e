//! Sessions: what the new rows of a batch add to the rollup of sessions.
//!
//! A session's user is the user id of its latest event that has one, or else the anonymous id of the latest
//! event that has one. Deltas are merged in any order, so each contains the time and id of the event that
//! named its user.

use rollcall_shared::project::ProjectId;
use uuid::Uuid;

use crate::store::new_event::NewEvent;
use crate::store::summary::Summary;
use crate::store::write::delta::SessionsDelta;

/// What the new rows of one batch add to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    pub(crate) project: ProjectId,
    pub(crate) session_id: &'a str,
    pub(crate) user: Option<SessionUser<'a>>,
    pub(crate) started_at_us: i64,
    pub(crate) last_event_at_us: i64,
    pub(crate) events: i64,
}

/// The user of one event. The greatest of all is the session's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionUser<'a> {
    pub(crate) rank: UserRank,
    pub(crate) at_us: i64,
    pub(crate) event_id: Uuid,
    pub(crate) id: &'a str,
}

/// The kind of id, with its number in the tables, where 0 means that there is no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UserRank {
    AnonymousId = 1,
    UserId = 2,
}

impl<'a> Session<'a> {
    /// The summary of one event; `None` if it belongs to no session.
    pub(crate) fn of(new: &'a NewEvent<'_, '_>) -> Option<Self> {
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

    /// The number of the kind of id of its user; 0 if it has no user.
    pub(crate) fn user_rank(&self) -> i16 {
        self.user.map_or(0, |user| user.rank as i16)
    }
}

impl<'a> Summary for Session<'a> {
    const EVENTS: &'static str = "events of the sessions";
    const DELTAS: &'static str = "deltas of sessions";

    /// The id, and before it the number that its first eight bytes make. It orders ids in the same way, and most
    /// comparisons need nothing else, so they do not read the text.
    type Key = (u64, &'a str);
    type Delta = SessionsDelta;

    fn project(&self) -> ProjectId {
        self.project
    }

    fn key(&self) -> Self::Key {
        let mut first = [0; 8];
        let bytes = self.session_id.as_bytes();
        let length = bytes.len().min(first.len());
        first[..length].copy_from_slice(&bytes[..length]);
        (u64::from_be_bytes(first), self.session_id)
    }

    fn events(&self) -> i64 {
        self.events
    }

    fn merge(&mut self, other: &Self) {
        self.user = self.user.max(other.user);
        self.started_at_us = self.started_at_us.min(other.started_at_us);
        self.last_event_at_us = self.last_event_at_us.max(other.last_event_at_us);
        self.events += other.events;
    }

    fn delta(summaries: &[Self]) -> SessionsDelta {
        SessionsDelta::of(summaries)
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
}
