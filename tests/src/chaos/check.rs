//! The checks: what must be true of the service after any run.

use std::fmt;

/// One thing that must be true. The name is what the report prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Every acknowledged event is in `events`, or in the dead letters.
    NothingLost,
    /// No event is stored twice, and none has two dead letters.
    NothingDoubled,
    /// Every row is, to the last field, an event that some client sent.
    NothingElse,
    /// Dead letters are events that PostgreSQL refused, each with code and reason.
    DeadLetters,
    /// Once PostgreSQL takes them, all dead letters come back, and are stored once.
    Redriven,
    /// All statistics equal the oracle, from rollups and from rows.
    Stats,
    /// Rollups count every row, and every row has its identity.
    Counters,
    /// What a client was told to be stored was stored when it was told.
    Stored,
    /// Clients got no answer that the service does not document.
    Answers,
    /// The service took events and stored them again soon after every fault.
    Recovered,
    /// With all faults over, the queue became empty.
    Drained,
    /// No service ended without having been told to.
    NoExit,
    /// Every service that was asked to stop did so in time, with exit code 0.
    CleanStops,
    /// Nothing is left behind: no session, lock, table, partition, delta, delivery or consumer.
    NothingLeaked,
    /// `rollcall migrate` made again what was missing.
    Migrated,
}

impl Check {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 15] = [
        Self::NothingLost,
        Self::NothingDoubled,
        Self::NothingElse,
        Self::DeadLetters,
        Self::Redriven,
        Self::Stats,
        Self::Counters,
        Self::Stored,
        Self::Answers,
        Self::Recovered,
        Self::Drained,
        Self::NoExit,
        Self::CleanStops,
        Self::NothingLeaked,
        Self::Migrated,
    ];

    /// The name, as a fact.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NothingLost => "nothing is lost",
            Self::NothingDoubled => "nothing is doubled",
            Self::NothingElse => "nothing else is there",
            Self::DeadLetters => "dead letters are what was refused",
            Self::Redriven => "redriven once, stored once",
            Self::Stats => "stats equal the oracle",
            Self::Counters => "counters agree",
            Self::Stored => "stored means stored",
            Self::Answers => "answers are documented",
            Self::Recovered => "the service recovers",
            Self::Drained => "the queue drains",
            Self::NoExit => "no service exits by itself",
            Self::CleanStops => "stops are clean",
            Self::NothingLeaked => "nothing is leaked",
            Self::Migrated => "migrate repairs",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
