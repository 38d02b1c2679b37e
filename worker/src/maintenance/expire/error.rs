//! Why expired events were not deleted.

use super::turn::Holder;
use crate::error::StoreError;

/// Why expired events were not deleted, or not all of them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpireError {
    /// Another session does it at the moment.
    #[error("{0} is deleting expired events at the moment; run this again when it has finished")]
    Running(Holder),
    /// The project does not exist, or keeps everything.
    #[error("there is no project {0:?} that keeps its events for a limited time")]
    NothingExpires(String),
    /// A table or a project was in use without a pause for minutes.
    #[error("{what} was in use all the time; nothing is lost, and the next run goes on from here")]
    Busy {
        /// The table or project.
        what: String,
        /// The last refusal.
        #[source]
        source: sqlx::Error,
    },
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
