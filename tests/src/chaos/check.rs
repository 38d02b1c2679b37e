//! The checks: what must be true of the service after any run.

use strum::{Display, VariantArray};

/// One thing that must be true, in the order of the report, which prints the name: a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, VariantArray)]
pub enum Check {
    /// Every acknowledged event is in `events`, or in the dead letters.
    #[strum(serialize = "nothing is lost")]
    NothingLost,
    /// No event is stored twice, and none has two dead letters.
    #[strum(serialize = "nothing is doubled")]
    NothingDoubled,
    /// Every row is, to the last field, an event that some client sent.
    #[strum(serialize = "nothing else is there")]
    NothingElse,
    /// Dead letters are events that PostgreSQL refused, each with code and reason.
    #[strum(serialize = "dead letters are what was refused")]
    DeadLetters,
    /// Once PostgreSQL takes them, all dead letters come back, and are stored once.
    #[strum(serialize = "redriven once, stored once")]
    Redriven,
    /// All statistics equal the oracle, from rollups and from rows.
    #[strum(serialize = "stats equal the oracle")]
    Stats,
    /// Rollups count every row, and every row has its identity.
    #[strum(serialize = "counters agree")]
    Counters,
    /// The rollup of sessions says what the rows say.
    #[strum(serialize = "sessions equal the rows")]
    Sessions,
    /// The rollup of hours says what the rows say.
    #[strum(serialize = "hours equal the rows")]
    Hours,
    /// The rollup of users says what the rows say.
    #[strum(serialize = "users equal the rows")]
    Users,
    /// What a client was told to be stored was stored when it was told.
    #[strum(serialize = "stored means stored")]
    Stored,
    /// Clients got no answer that the service does not document.
    #[strum(serialize = "answers are documented")]
    Answers,
    /// The service took events and stored them again soon after every fault.
    #[strum(serialize = "the service recovers")]
    Recovered,
    /// With all faults over, the queue became empty.
    #[strum(serialize = "the queue drains")]
    Drained,
    /// No service ended without having been told to.
    #[strum(serialize = "no service exits by itself")]
    NoExit,
    /// Every service that was asked to stop did so in time, with exit code 0.
    #[strum(serialize = "stops are clean")]
    CleanStops,
    /// Everything that was archived and dropped comes back, and every file is as it was written.
    #[strum(serialize = "the archive gives everything back")]
    Archived,
    /// Nothing is left behind: no session, lock, table, partition, delta, delivery or consumer.
    #[strum(serialize = "nothing is leaked")]
    NothingLeaked,
    /// `rollcall migrate` made again what was missing.
    #[strum(serialize = "migrate repairs")]
    Migrated,
}
