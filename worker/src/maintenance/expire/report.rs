//! The report: what went, or would go, of each project.

use jiff::civil::Date;

use super::project::Project;
use crate::maintenance::table::Table;

/// What was deleted of a project, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The name of the project.
    pub project: String,
    /// The first day, in UTC, whose events are kept.
    pub horizon: Date,
    /// How many events, counted.
    pub events: u64,
    /// How many identities of events, counted.
    pub identities: u64,
    /// How many partitions with rows of the project were dropped as a whole.
    pub partitions: u64,
    /// How many bytes these rows take with their indexes, estimated: the size of each partition, divided among the
    /// projects by their numbers of rows. Those of rows that were deleted one by one are free for other rows first.
    pub bytes: u64,
    /// What went of the rollups; `None` if they were not asked for.
    pub counts: Option<ExpiredCounts>,
}

/// What was deleted of the rollups of a project, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiredCounts {
    /// Days with counts, in the time zone of the project.
    pub days: u64,
    /// Sessions whose last event is older than the horizon.
    pub sessions: u64,
    /// Users whose last event is older than the horizon.
    pub users: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiryProgress {
    /// Partitions from which everything has been deleted.
    pub partitions_done: usize,
    /// Partitions with something to delete.
    pub partitions: usize,
    /// Events that have been deleted.
    pub events: u64,
    /// Identities that have been deleted.
    pub identities: u64,
}

impl Expired {
    pub(super) fn nothing_of(project: &Project) -> Self {
        let (name, horizon) = (project.name.clone(), project.horizon);
        Self { project: name, horizon, events: 0, identities: 0, partitions: 0, bytes: 0, counts: None }
    }

    /// The number of rows of a table.
    pub(super) fn rows_of(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Events => &mut self.events,
            Table::EventIds => &mut self.identities,
        }
    }
}

impl ExpiredCounts {
    pub(super) fn are_none(self) -> bool {
        self == Self { days: 0, sessions: 0, users: 0 }
    }
}
