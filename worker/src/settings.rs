//! The settings of a worker.

use std::net::SocketAddr;
use std::time::Duration;

use rollcall_archive::ArchiveSettings;
use rollcall_shared::database::DatabaseSettings;
use rollcall_shared::project::EventTypeLimit;
use rollcall_shared::queue::chunk::MAX_EVENTS;
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::settings::{Environment, ListenAddress};

/// All settings of a worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Address of health checks and metrics.
    pub listen: SocketAddr,
    /// Approximate number of events stored in one transaction: a message is never split.
    pub batch_max_events: usize,
    /// Time between two compactions of the rollups.
    pub compact_interval: Duration,
    /// Time between two looks for events that their projects keep no longer.
    pub expire_interval: Duration,
    /// Archiving; `None` unless the archive is named.
    pub archive: Option<ArchiveDuty>,
    /// Delay before the first redelivery of a message with refused events. It doubles with each.
    pub retry_delay: Duration,
    /// Event types of a project that has no limit of its own.
    pub event_types_per_project: EventTypeLimit,
    /// PostgreSQL.
    pub database: DatabaseSettings,
    /// NATS.
    pub nats: NatsSettings,
}

/// When a worker archives.
#[derive(Debug, Clone)]
pub struct ArchiveDuty {
    /// The archive.
    pub archive: ArchiveSettings,
    /// Time between two runs.
    pub interval: Duration,
    /// How many days after its end a day's rows are dropped from PostgreSQL; `None`: never.
    pub drop_after_days: Option<i32>,
}

impl ArchiveDuty {
    /// Reads `ARCHIVE_INTERVAL_MS`, `ARCHIVE_DROP_AFTER_DAYS`, and the settings of the archive if `ARCHIVE_URL` is set.
    fn from_env(environment: &mut Environment) -> Option<Self> {
        let interval_ms = environment.read_in(
            "ARCHIVE_INTERVAL_MS",
            3_600_000,
            100..=86_400_000,
            "milliseconds between two runs in which a worker archives, if ARCHIVE_URL is set",
        );
        let drop_after_days = environment.read_in(
            "ARCHIVE_DROP_AFTER_DAYS",
            0,
            0..=36_500,
            "days after its end at which a worker drops the rows of an archived day from PostgreSQL; never when 0",
        );
        // Without it, the other settings of the archive may be those of somebody else's tools.
        environment.is_set("ARCHIVE_URL").then(|| Self {
            archive: ArchiveSettings::from_env(environment),
            interval: Duration::from_millis(interval_ms),
            drop_after_days: (drop_after_days > 0).then_some(drop_after_days as i32),
        })
    }
}

impl WorkerSettings {
    /// Reads every variable of a worker.
    pub fn from_env(environment: &mut Environment) -> Self {
        let listen = ListenAddress(SocketAddr::from(([127, 0, 0, 1], 8001)));
        Self {
            listen: environment.read("WORKER_LISTEN", listen, "address or host name and port of a worker's health and metrics").0,
            batch_max_events: environment.read_in(
                "BATCH_MAX_EVENTS",
                MAX_EVENTS.into(),
                1..=200_000,
                "events stored in one transaction, about: a message is never split",
            ) as usize,
            compact_interval: Duration::from_millis(environment.read_in(
                "COMPACT_INTERVAL_MS",
                5_000,
                100..=3_600_000,
                "milliseconds between two compactions of the rollups",
            )),
            expire_interval: Duration::from_millis(environment.read_in(
                "EXPIRE_INTERVAL_MS",
                3_600_000,
                100..=86_400_000,
                "milliseconds between two looks for events that their projects keep no longer",
            )),
            archive: ArchiveDuty::from_env(environment),
            retry_delay: Duration::from_millis(environment.read_in(
                "RETRY_DELAY_MS",
                1_000,
                10..=60_000,
                "milliseconds before the first of five redeliveries of refused events; doubles with each",
            )),
            event_types_per_project: EventTypeLimit::from_env(environment),
            database: DatabaseSettings::from_env(environment),
            nats: NatsSettings::from_env(environment),
        }
    }
}
