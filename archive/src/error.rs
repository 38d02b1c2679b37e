//! Why something of the archive was not done.

use std::io;

use parquet::errors::ParquetError;

/// Why a day was not archived, verified, detached or restored. What was done before stays, and the same command goes
/// on from there.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// PostgreSQL refused or went away.
    #[error("PostgreSQL did not do it")]
    Database(#[from] sqlx::Error),
    /// The store refused or went away, after several attempts.
    #[error("the store of the archive did not read or write {path}")]
    Store {
        /// The object.
        path: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The store cannot be used with these settings.
    #[error("the archive at {location} cannot be opened")]
    Open {
        /// `ARCHIVE_URL`.
        location: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An object that should be there is not.
    #[error("{path} is missing from the archive")]
    Missing {
        /// The object.
        path: String,
    },
    /// An object is not what was written.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The object.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A newer version of Rollcall wrote the day.
    #[error("{path} has version {found} of the schema, and this program reads versions up to {known}: use a newer one")]
    Newer {
        /// The manifest.
        path: String,
        /// The version that it names.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// A temporary file could not be written or read.
    #[error("a temporary file could not be written or read")]
    File(#[from] io::Error),
    /// A part could not be written.
    #[error("a part could not be written")]
    Parquet(#[from] ParquetError),
    /// Another process archives, detaches or restores.
    #[error("another process is at work on the archive; one at a time may archive, drop or restore")]
    Busy,
    /// PostgreSQL counted other rows than were read or written. Nothing is recorded.
    #[error("{what}: {expected} rows were expected and {found} found")]
    Disagreement {
        /// The day, and what was counted.
        what: String,
        /// The expected number.
        expected: u64,
        /// The other number.
        found: u64,
    },
    /// A project that was named does not exist.
    #[error("there is no project {0}")]
    UnknownProject(String),
}

impl ArchiveError {
    /// Whether the error concerns the files of one day, so that other days can go on.
    #[must_use]
    pub fn is_about_one_day(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Damaged { .. } | Self::Newer { .. })
    }
}
