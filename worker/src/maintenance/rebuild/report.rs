//! What a rebuild has found, and how far it is.

use jiff::civil::Date;

/// What was wrong with the rollups of one project. It is right now, unless this was a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// The project.
    pub project: String,
    /// How many days were compared with the rows.
    pub days: u64,
    /// How many rows were read for that.
    pub rows: u64,
    /// The days with something wrong, in the project's time zone.
    pub wrong_days: Vec<Date>,
    /// What was wrong with them.
    pub wrong: Differences,
    /// How many sessions were wrong; `None` if only some days were asked for.
    pub wrong_sessions: Option<u64>,
    /// The same for users.
    pub wrong_users: Option<u64>,
}

/// How many entries of the rollups differ from the rows: missing, superfluous, or of another value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Differences {
    /// Event types of days, by the number of their events.
    pub counts: u64,
    /// Event types of hours, and hours of all types, by the number of events.
    pub hours: u64,
    /// Event types of days, and days of all types, by who was active.
    pub active_users: u64,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy)]
pub struct RebuildProgress<'a> {
    /// The project that it is at.
    pub project: &'a str,
    /// Days of the project that are done.
    pub days_done: u64,
    /// Days of the project.
    pub days: u64,
    /// Rows read of them.
    pub rows: u64,
}

impl Differences {
    pub(super) fn are_none(self) -> bool {
        self == Self::default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.counts += other.counts;
        self.hours += other.hours;
        self.active_users += other.active_users;
    }
}
