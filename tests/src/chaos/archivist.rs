//! The archivist: archives, drops and restores days while faults happen, and is killed itself now and then.
//!
//! Each command is a process of its own, with a path of its own to PostgreSQL. It may fail as often as it likes. When the
//! faults are over, everything must come back.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use super::check::Check;
use super::failure::{Failure, Failures};
use super::proxy::Proxy;
use crate::binary;

const ARCHIVE: &[&str] = &["archive", "run"];
/// It keeps partitions with rows that are not archived, and then it fails.
const DROP: &[&str] = &["archive", "drop", "--older-than-days", "1"];
const RESTORE: &[&str] = &["restore"];
const COMMANDS: [&[&str]; 3] = [ARCHIVE, DROP, RESTORE];
/// What the commands say, in the folder of the run.
const LOG: &str = "archivist.log";
/// A command is killed after a random time up to this one. Most of them end before.
const KILL_AFTER: Duration = Duration::from_secs(8);

/// What starts the commands.
#[derive(Debug)]
pub(crate) struct Archivist {
    pub(crate) path: Arc<Proxy>,
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
}

impl Archivist {
    /// An archive in the folder of the run.
    pub(crate) fn new(path: Proxy, database_url: String, folder: &Path) -> Self {
        let environment = vec![
            ("DATABASE_URL", database_url),
            ("ARCHIVE_URL", folder.join("archive").display().to_string()),
            ("ARCHIVE_AFTER_DAYS", "0".to_owned()),
        ];
        Self { path: Arc::new(path), environment, folder: folder.to_owned() }
    }

    /// Runs commands in a random order, and kills some of them, until told to stop.
    pub(crate) async fn run(self: Arc<Self>, seed: u64, stop: CancellationToken) {
        let mut random = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let command = COMMANDS[random.random_range(0..COMMANDS.len())];
            let limit = KILL_AFTER.mul_f64(random.random_range(0.0..1.0));
            // It may fail as well.
            let _ = tokio::time::timeout(limit, self.succeeds(command)).await;
            stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(random.random_range(0..500)))).await;
        }
    }

    /// Drops everything once more, puts it back, and reads every file.
    pub(crate) async fn finish(&self, failures: &Failures) {
        for commands in [&[ARCHIVE, DROP][..], &[RESTORE], &[&["archive", "verify"]]] {
            let began = Instant::now();
            // The session of a command that was killed may hold the lock for another moment, and late events may come.
            while !self.all_succeed(commands).await {
                if began.elapsed() > crate::WAIT_TIMEOUT {
                    let detail = format!("rollcall {commands:?} do not succeed; see archivist.log");
                    return failures.add(Failure::new(Check::Archived, detail));
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    /// How often a day was restored.
    pub(crate) fn restored_days(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.join(LOG)).unwrap_or_default();
        log.lines().filter(|line| line.ends_with(" rows restored")).count()
    }

    async fn all_succeed(&self, commands: &[&[&str]]) -> bool {
        for command in commands {
            if !self.succeeds(command).await {
                return false;
            }
        }
        true
    }

    /// Runs one command to its end, or until this is dropped.
    async fn succeeds(&self, arguments: &[&str]) -> bool {
        let path = self.folder.join(LOG);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log can be written");
        let mut command = tokio::process::Command::new(binary("rollcall"));
        command.args(arguments).env_clear().envs(self.environment.iter().cloned()).current_dir(&self.folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log can be shared")).stderr(log);
        command.status().await.expect("rollcall can be run").success()
    }
}
