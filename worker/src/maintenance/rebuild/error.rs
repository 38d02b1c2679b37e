//! Why rollups were not rebuilt.

use std::fmt;

use jiff::civil::Date;

use crate::error::StoreError;

/// Days that a message names at most.
const NAMED_DAYS: usize = 10;

/// Why rollups were not rebuilt. What was rebuilt before stays, and the rest is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    /// There is no project of the name.
    #[error("there is no project {0}")]
    UnknownProject(String),
    /// Rows of the days have expired, so their numbers cannot be computed any more.
    #[error(
        "the rows of project {project} from before {kept_from} have expired: rebuild the other days with --from {kept_from}, \
         which leaves sessions and users as they are"
    )]
    Expired {
        /// The project.
        project: String,
        /// The first day in its time zone with all of its rows.
        kept_from: Date,
    },
    /// Rows of the days are only in the archive.
    #[error(
        "the rows of project {project} of {days} were dropped after they were archived: restore them first, or choose other \
         days with --from and --to"
    )]
    Archived {
        /// The project.
        project: String,
        /// Which days.
        days: Days,
    },
    /// Somebody else moves or deletes rows, or folds deltas, for longer than this waits.
    #[error("rows or rollups are being worked on by somebody else at the moment; run this again later")]
    Busy(#[source] sqlx::Error),
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
    #[error("PostgreSQL did not rebuild the rollups")]
    Database(#[from] sqlx::Error),
    /// Something that the rest of the worker does failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Days in UTC, in order.
#[derive(Debug)]
pub(crate) struct Days(pub(super) Vec<Date>);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.0.iter().take(NAMED_DAYS).map(Date::to_string).collect();
        f.write_str(&named.join(", "))?;
        match self.0.len().checked_sub(NAMED_DAYS) {
            None | Some(0) => f.write_str(" (UTC)"),
            Some(more) => write!(f, " and {more} more (UTC)"),
        }
    }
}
