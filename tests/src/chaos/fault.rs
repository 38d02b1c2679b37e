//! The kinds of fault that a run can do to the service.

use std::time::Duration;

use clap::ValueEnum;
use strum::{Display, IntoStaticStr, VariantArray};

use super::fleet::LONGEST_LIMIT_MS;

/// What is done to the service. The name, in lower case with hyphens, is what `--faults` takes and the
/// report prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum FaultKind {
    /// `kill -9` of an API; another is started after a while.
    KillApi,
    /// `kill -9` of a worker; another is started after a while.
    KillWorker,
    /// `kill -9` of nats-server; it is started after a while.
    KillNats,
    /// `kill -9` of the postmaster; PostgreSQL is started after a while.
    KillPostgres,
    /// nats-server is stopped in order and started after a while.
    RestartNats,
    /// PostgreSQL is stopped fast (SIGINT) and started after a while.
    RestartPostgres,
    /// PostgreSQL is stopped at once (SIGQUIT), and recovers when it is started after a while.
    CrashPostgres,
    /// An API stands still (SIGSTOP, SIGCONT).
    PauseApi,
    /// A worker stands still.
    PauseWorker,
    /// nats-server stands still.
    PauseNats,
    /// PostgreSQL stands still, with all its processes.
    PausePostgres,
    /// An API is asked to stop (SIGTERM), which it must do in time, and is started again.
    StopApi,
    /// A worker is asked to stop, which it must do in time, and is started again.
    StopWorker,
    /// All connections over one path are reset, again and again.
    Cut,
    /// One path resets every connection, old and new.
    Refuse,
    /// One path passes nothing and closes nothing.
    Stall,
    /// One path is slow.
    Slow,
    /// The stream of accepted events has no room.
    Full,
    /// The stream of dead letters has no room.
    FullLetters,
    /// Somebody else holds locks that workers need, or takes them in another order.
    Locks,
    /// Workers' sessions are ended by `pg_terminate_backend`.
    Terminate,
    /// PostgreSQL stands still for longer than every time limit.
    StallPostgres,
    /// Somebody else locks tables, as an index build or a migration does, for longer than every time
    /// limit.
    LockTables,
    /// Somebody else locks rows that workers update, for longer than every time limit.
    LockRows,
    /// Somebody else claims identities of events that clients are sending, keeps them for longer than
    /// every time limit, and takes them back.
    ClaimIds,
    /// The consumer is deleted, and made again after a while by `rollcall migrate`.
    Consumer,
}

/// What a fault works on: two at a time never work on the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Api,
    Worker,
    Nats,
    Postgres,
    Network,
    /// It needs both servers to be there.
    Servers,
}

impl FaultKind {
    pub(crate) fn area(self) -> Area {
        match self {
            Self::KillApi | Self::PauseApi | Self::StopApi => Area::Api,
            Self::KillWorker | Self::PauseWorker | Self::StopWorker => Area::Worker,
            Self::KillNats | Self::RestartNats | Self::PauseNats | Self::Full | Self::FullLetters => Area::Nats,
            Self::KillPostgres
            | Self::RestartPostgres
            | Self::CrashPostgres
            | Self::PausePostgres
            | Self::Locks
            | Self::Terminate
            | Self::StallPostgres
            | Self::LockTables
            | Self::LockRows
            | Self::ClaimIds => Area::Postgres,
            Self::Cut | Self::Refuse | Self::Stall | Self::Slow => Area::Network,
            Self::Consumer => Area::Servers,
        }
    }

    /// Shortest and longest time that the fault lasts, in milliseconds.
    pub(crate) fn bounds_ms(self) -> (u64, u64) {
        match self {
            Self::KillApi | Self::KillWorker | Self::KillNats | Self::KillPostgres => (50, 3_000),
            Self::RestartNats | Self::RestartPostgres | Self::CrashPostgres | Self::StopApi | Self::StopWorker => (0, 1_000),
            Self::PauseApi | Self::PauseWorker | Self::PauseNats | Self::PausePostgres => (1_000, 6_000),
            Self::Cut => (0, 1_000),
            Self::Refuse | Self::Stall | Self::Slow | Self::Full | Self::FullLetters => (1_000, 5_000),
            Self::Locks | Self::Consumer => (1_000, 3_000),
            Self::Terminate => (200, 2_000),
            Self::StallPostgres | Self::LockTables | Self::LockRows | Self::ClaimIds => {
                (LONGEST_LIMIT_MS + 1_000, LONGEST_LIMIT_MS + 3_000)
            }
        }
    }

    /// Whether it now and then lasts much longer, as outages do.
    pub(crate) fn is_outage(self) -> bool {
        matches!(self, Self::KillNats | Self::KillPostgres | Self::Refuse)
    }

    /// Whether it is done twice, with [`Fault::pause`] between.
    pub(crate) fn is_done_twice(self) -> bool {
        matches!(self, Self::StallPostgres | Self::LockTables)
    }
}

impl Area {
    /// Whether faults of these areas would be in each other's way.
    pub(crate) fn conflicts_with(self, other: Self) -> bool {
        let needs_servers = |area| matches!(area, Self::Nats | Self::Postgres | Self::Servers);
        self == other || (self == Self::Servers && needs_servers(other)) || (other == Self::Servers && needs_servers(self))
    }
}

/// One fault of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// When it begins, after its round does.
    pub(crate) after: Duration,
    pub(crate) lasts: Duration,
    /// Says which of the processes, paths or variants; any number will do.
    pub(crate) draw: usize,
}

impl Fault {
    /// How long the service is left alone before a fault that is done twice is done again: long enough
    /// for a worker to begin on the backlog, and too short to finish it. The second time therefore
    /// meets large batches, which are written by COPY.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(100 + self.draw as u64 % 301)
    }

    /// How long the fault takes in all, with each of its strikes.
    pub(crate) fn total(&self) -> Duration {
        if self.kind.is_done_twice() { self.lasts * 2 + self.pause() } else { self.lasts }
    }
}
