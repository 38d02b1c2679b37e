//! The machine and the versions of the programs, without which no figure can be judged.

use std::fs;
use std::process::Command;

use jiff::Timestamp;
use rollcall_stack::Stack;
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::markdown::mebibytes;

/// The settings of the private PostgreSQL that matter for the figures.
const POSTGRES_SETTINGS: &str = "select string_agg(name || '=' || current_setting(name), ', ' order by name) from pg_settings
where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout',
    'wal_compression', 'autovacuum')";

/// The machine, the programs and the time of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(super) began_at: Timestamp,
    ended_at: Timestamp,
    cores: usize,
    processor: String,
    memory: String,
    kernel: String,
    /// The load average over a minute, before the measurements.
    load_before: String,
    load_after: String,
    build: String,
    postgres: String,
    postgres_settings: String,
    nats: String,
}

impl Machine {
    /// Collects the facts before the measurements.
    pub(crate) async fn look(stack: &Stack) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(&stack.postgres.url("rollcall")).await?;
        let postgres = sqlx::query_scalar("show server_version").fetch_one(&mut connection).await?;
        let postgres_settings = sqlx::query_scalar(POSTGRES_SETTINGS).fetch_one(&mut connection).await?;
        connection.close().await?;
        let nats = Command::new(stack.nats.program()).arg("--version").output()?;
        let profile = if cfg!(debug_assertions) { "debug: absolute figures mean nothing" } else { "release" };
        let now = Timestamp::now();
        Ok(Self {
            began_at: now,
            ended_at: now,
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: field("/proc/cpuinfo", "model name"),
            memory: memory(),
            kernel: read("/proc/sys/kernel/osrelease"),
            load_before: load(),
            load_after: String::new(),
            build: format!("{}, {profile}", env!("CARGO_PKG_VERSION")),
            postgres,
            postgres_settings,
            nats: String::from_utf8_lossy(&nats.stdout).trim().to_owned(),
        })
    }

    /// Adds the time and the load average after the measurements.
    pub(crate) fn note_end(&mut self) {
        (self.ended_at, self.load_after) = (Timestamp::now(), load());
    }

    /// Names and values for the report.
    pub(super) fn lines(&self) -> [(&'static str, String); 5] {
        let minutes = (self.ended_at - self.began_at).get_seconds() / 60;
        [
            ("machine", format!("{} cores of {}, {}, Linux {}", self.cores, self.processor, self.memory, self.kernel)),
            ("load average", format!("{} before, {} after {minutes} minutes", self.load_before, self.load_after)),
            ("Rollcall", self.build.clone()),
            ("PostgreSQL", format!("{}; {}", self.postgres, self.postgres_settings)),
            ("queue", format!("{}, every message synced before it is acknowledged", self.nats)),
        ]
    }
}

fn memory() -> String {
    let total = field("/proc/meminfo", "MemTotal");
    total.strip_suffix(" kB").and_then(|kib| kib.parse().ok()).map(mebibytes).unwrap_or_default()
}

fn load() -> String {
    read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned()
}

/// A value from a file with lines `name: value`; empty if the file does not exist, as on systems other than
/// Linux.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().filter_map(|line| line.split_once(':')).find(|(field, _)| field.trim() == name);
    value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
