//! The tables that have partitions.

/// A table that has partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Events,
    EventIds,
}

impl Table {
    /// Rows before identities: whoever deletes leaves no row without its identity.
    pub(super) const ALL: [Self; 2] = [Self::Events, Self::EventIds];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::EventIds => "event_ids",
        }
    }

    /// The column that defines the partitions.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Events => "occurred_at",
            Self::EventIds => "day",
        }
    }
}
