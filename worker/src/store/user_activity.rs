//! User activity: what the new rows of a batch add to the rollup of users.

use rollcall_shared::project::ProjectId;

use crate::store::new_event::NewEvent;
use crate::store::summary::Summary;
use crate::store::write::delta::UsersDelta;

/// The summary of the events of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserActivity {
    pub(crate) project: ProjectId,
    pub(crate) user_ord: i32,
    pub(crate) first_seen_us: i64,
    pub(crate) last_seen_us: i64,
    pub(crate) events: i64,
}

impl UserActivity {
    /// The summary of one event. Every event has a user.
    pub(crate) fn of(new: &NewEvent<'_, '_>) -> Self {
        let at_us = new.row.event.occurred_at_us;
        let (project, user_ord) = (new.row.identity.project, new.user_ord);
        Self { project, user_ord, first_seen_us: at_us, last_seen_us: at_us, events: 1 }
    }
}

impl Summary for UserActivity {
    const EVENTS: &'static str = "events of the users";
    const DELTAS: &'static str = "deltas of users";

    type Key = i32;
    type Delta = UsersDelta;

    fn project(&self) -> ProjectId {
        self.project
    }

    fn key(&self) -> i32 {
        self.user_ord
    }

    fn events(&self) -> i64 {
        self.events
    }

    fn merge(&mut self, other: &Self) {
        self.first_seen_us = self.first_seen_us.min(other.first_seen_us);
        self.last_seen_us = self.last_seen_us.max(other.last_seen_us);
        self.events += other.events;
    }

    fn delta(summaries: &[Self]) -> UsersDelta {
        UsersDelta::of(summaries)
    }
}
