//! Errors of finding, starting and stopping servers.
//!
//! A developer reads the messages at a terminal, so each says what to do if that is known.

use std::io;
use std::path::{Path, PathBuf};

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// No folder that was searched holds the server programs of PostgreSQL 15 or newer.
    #[error("found no server programs of PostgreSQL 15 or newer; run `make prepare`, which installs them")]
    PostgresMissing,
    /// A version of PostgreSQL that is no longer installed created the folder's database.
    #[error(
        "PostgreSQL {major} created the database in {}, and its programs are not installed; \
         install them, or move the folder away to start with an empty database",
        data.display()
    )]
    PostgresMajorMissing {
        /// The folder of the database.
        data: PathBuf,
        /// The major version that created it.
        major: u32,
    },
    /// No place that was searched has a nats-server.
    #[error("found no nats-server; run `make prepare`, which installs it, or name one in NATS_SERVER")]
    NatsMissing,
    /// No place that was searched has SeaweedFS.
    #[error("found no weed, the program of SeaweedFS; run `make prepare-s3`, which installs it")]
    S3Missing,
    /// The nats-server that was found would lose acknowledged events.
    #[error(
        "{} is nats-server {version}, and Rollcall needs 2.10 or newer, because older versions have \
         no `sync_interval: always` and acknowledge messages that are not on disk yet. Run `make prepare`, \
         which installs a newer one",
        program.display()
    )]
    NatsTooOld {
        /// The program that was found.
        program: PathBuf,
        /// The version that it reports.
        version: String,
    },
    /// Another process has the data folder open.
    #[error("{} is in use by another run (process {holder}); stop that run first, or use another folder", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// The process id of the other run.
        holder: String,
    },
    /// The folder in /var/tmp that would replace an unreachable data folder belongs to somebody
    /// else.
    #[error("{} exists and is not a private folder of root; remove it, or use another data folder", folder.display())]
    FolderNotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// This process is root, and the system has no other account that could run the servers.
    #[error("PostgreSQL refuses to run as root, and neither of the accounts postgres and nobody exists")]
    NoAccount,
    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, in words.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A new database could not be created.
    #[error("{} failed:\n{output}", program.display())]
    Initialise {
        /// `initdb` or `postgres`.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// A server ended while it was starting.
    #[error("{server} ended while it was starting; the end of {}:\n{tail}", log.display())]
    Exited {
        /// Which server.
        server: &'static str,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A server did not become ready in time.
    #[error("{server} was not ready after {waited_secs} s; the end of {}:\n{tail}", log.display())]
    NotReady {
        /// Which server.
        server: &'static str,
        /// The timeout in seconds.
        waited_secs: u64,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Other processes use every port that was tried.
    #[error("found no free port on 127.0.0.1")]
    NoFreePort,
}

impl StackError {
    /// For `map_err`: wraps an error that occurred while a file or folder was used.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// True if the server ended because another process took its port. The caller then tries
    /// another port.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.to_lowercase().contains("address already in use"))
    }

    /// True if children of a killed postmaster are still running. The caller then tries again.
    pub(crate) fn is_predecessor_leaving(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.contains("pre-existing shared memory block"))
    }
}
