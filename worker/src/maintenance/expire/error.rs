//! Why expired events were not deleted.

use super::turn::Holder;
use crate::error::StoreError;
use crate::maintenance::busy::BusyError;

/// Why expired events were not deleted, or not all of them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpireError {
    /// Another session does it at the moment.
    #[error("{0} is deleting expired events at the moment; run this again when it has finished")]
    Running(Holder),
    /// The project does not exist, or keeps everything.
    #[error("there is no project {0:?} that keeps its events for a limited time")]
    NothingExpires(String),
    /// What others use could not be locked.
    #[error(transparent)]
    Busy(BusyError),
    /// The time zone of a project is not known here.
    #[error("the time zone of project {project} is not known here")]
    TimeZone {
        /// Its name.
        project: String,
        /// The error of the time zone database.
        #[source]
        source: jiff::Error,
    },
    /// PostgreSQL did not do what was asked.
    #[error("PostgreSQL did not delete the expired events")]
    Database(#[from] sqlx::Error),
    /// Something that the rest of the worker does failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Holder> for ExpireError {
    fn from(holder: Holder) -> Self {
        Self::Running(holder)
    }
}

impl From<BusyError> for ExpireError {
    fn from(error: BusyError) -> Self {
        match error {
            BusyError::Other(error) => Self::Database(error),
            busy @ BusyError::Busy { .. } => Self::Busy(busy),
        }
    }
}
