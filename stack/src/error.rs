//! What can go wrong while servers are found, started and stopped.
//!
//! The messages are read by a developer at a terminal, so each says what to do where that is known.

use std::io;
use std::path::{Path, PathBuf};

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// No folder that was searched holds the server programs of PostgreSQL 15 or newer.
    #[error("found no server programs of PostgreSQL 15 or newer; run `make prepare`, which installs them")]
    PostgresMissing,
    /// The folder's database was made by a PostgreSQL that is not installed any more.
    #[error(
        "the database in {} was made by PostgreSQL {major}, whose programs are not installed; \
         install them, or move the folder away to begin with an empty database",
        data.display()
    )]
    PostgresMajorMissing {
        /// The folder of the database.
        data: PathBuf,
        /// The major version that made it.
        major: u32,
    },
    /// No nats-server in any place that was searched.
    #[error("found no nats-server; run `make prepare`, which installs it, or name one in NATS_SERVER")]
    NatsMissing,
    /// The nats-server that was found would lose acknowledged events.
    #[error(
        "{} is nats-server {version}; 2.10 is the oldest that can be used, because older ones have \
         no sync_interval and acknowledge messages that are not on disk yet. Run `make prepare`, \
         which installs a newer one",
        program.display()
    )]
    NatsTooOld {
        /// The program that was found.
        program: PathBuf,
        /// What it says its version is.
        version: String,
    },
    /// Another process has the data folder open.
    #[error("{} is in use by another run (process {holder}); stop that one first, or take another folder", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// The process id that the holder wrote down.
        holder: String,
    },
    /// A folder in /var/tmp that was to replace an unreachable one belongs to somebody else.
    #[error("{} exists and is not a private folder of root; remove it, or take another data folder", folder.display())]
    FolderNotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// Root must not run the servers and there is no other account to run them as.
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
    /// A program could not be run at all.
    #[error("cannot run {}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A new database could not be made.
    #[error("{} failed:\n{output}", program.display())]
    Initialise {
        /// `initdb` or `postgres`.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// A server ended while it was being started.
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
        /// How long it was waited for.
        waited_secs: u64,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Every port that was tried belongs to another process.
    #[error("found no free port on 127.0.0.1")]
    NoFreePort,
}

impl StackError {
    /// For `map_err`: a failed use of a file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// True when the server ended because another process took its port: worth another port.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.to_lowercase().contains("address already in use"))
    }

    /// True when a killed postmaster's children are still leaving: worth another try at once.
    pub(crate) fn is_predecessor_leaving(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.contains("pre-existing shared memory block"))
    }
}
