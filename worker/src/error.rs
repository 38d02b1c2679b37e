//! Why rows were not stored, and how that is handled.

use std::borrow::Cow;
use std::collections::HashSet;

use rollcall_shared::database::ProofError;
use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::dead_letter::Code;

use crate::store::row::Row;

/// Why rows were not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// PostgreSQL refused or went away; see [`StoreError::is_transient`].
    #[error("PostgreSQL did not store the batch")]
    Database(#[from] sqlx::Error),
    /// A batch was assumed to hold only new identities, and their COPY failed, most likely because one
    /// of them was stored before. The batch is stored again, and each identity is checked.
    #[error("identities assumed to be new could not be copied in")]
    ClaimConflict(#[source] sqlx::Error),
    /// Rows could not be copied in; see [`StoreError::is_undecided`].
    #[error("PostgreSQL did not take the rows by COPY")]
    CopyRows(#[source] sqlx::Error),
    /// PostgreSQL assigned no number to an actor or event type. The batch is retried, because this is
    /// hardly ever the fault of the events.
    #[error("PostgreSQL gave no number for an actor or event type")]
    Dictionary(#[source] sqlx::Error),
    /// The server counted other rows than were sent, or the reply was that to another statement:
    /// nothing is committed, the connection is closed, and the batch is tried again.
    #[error("{expected} {what} were expected and {found} found")]
    Disagreement {
        /// What was counted.
        what: &'static str,
        /// The expected number.
        expected: u64,
        /// The number that the server reported.
        found: u64,
    },
    /// The connection is not in step. Handled as a disagreement.
    #[error(transparent)]
    OutOfStep(#[from] ProofError),
    /// The server sent neither a result nor an error within the reply timeout. The batch is retried.
    #[error("PostgreSQL did not answer in time")]
    Silent(#[from] tokio::time::error::Elapsed),
    /// The project of some events does not exist. They are refused, and retried later.
    #[error("there is no project {0}")]
    UnknownProject(ProjectId),
    /// The project of some events has a time zone that this machine does not know. They are refused,
    /// and retried later.
    #[error("the time zone of project {project} is not known here")]
    TimeZone {
        /// The project.
        project: ProjectId,
        /// The error of the time zone database.
        #[source]
        source: jiff::Error,
    },
    /// The project of some events has as many event types as it may, and theirs are new. These events become dead
    /// letters at once.
    #[error("the project has {limit} event types, which is its limit, and this type is new; raise max_event_types and redrive")]
    EventTypeLimit {
        /// The project.
        project: ProjectId,
        /// How many types it may have.
        limit: i32,
        /// The new types.
        types: HashSet<String>,
    },
    /// Some events are older than their project keeps events. They become dead letters at once.
    #[error("project {project} keeps no events from before {horizon} (UTC)")]
    Expired {
        /// The project.
        project: ProjectId,
        /// The first day whose events are kept.
        horizon: Day,
    },
    /// An entry that was just created cannot be found. The batch is retried.
    #[error("the dictionary lacks an entry that was just made")]
    DictionaryIncomplete,
}

impl StoreError {
    /// Whether a later attempt with the same rows can succeed: the database is away, busy, not yet
    /// migrated, or in a state that the rows have not caused. Such a batch is retried for as long as
    /// it takes. Only errors that the data is known to cause are not transient, since it is better to
    /// delay good events than to give them up.
    #[must_use]
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Encode(_))
            | Self::UnknownProject(_)
            | Self::TimeZone { .. }
            | Self::EventTypeLimit { .. }
            | Self::Expired { .. } => false,
            Self::Dictionary(_) => self.sql_state().is_none_or(|code| code != CHARACTER_NOT_IN_REPERTOIRE),
            Self::Database(_) | Self::CopyRows(_) => {
                self.is_of_new_partition() || !self.sql_state().is_some_and(|code| is_fault_of_data(&code))
            }
            Self::ClaimConflict(_)
            | Self::Disagreement { .. }
            | Self::OutOfStep(_)
            | Self::Silent(_)
            | Self::DictionaryIncomplete => true,
        }
    }

    /// Whether the SQLSTATE of a failed COPY blames neither the rows nor the server. Engines in front of
    /// PostgreSQL report any error of a COPY as an internal one. A plain `insert` of the same rows
    /// then yields a code that decides.
    #[must_use]
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self, Self::CopyRows(_))
            && self.sql_state().is_some_and(|code| !is_fault_of_data(&code) && !is_fault_of_server(&code))
    }

    /// Whether the server answered, and the batch was refused.
    #[must_use]
    pub(crate) fn is_answer(&self) -> bool {
        self.sql_state().is_some() || matches!(self, Self::Expired { .. })
    }

    /// The SQLSTATE, if the server reported one.
    fn sql_state(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Database(error) | Self::ClaimConflict(error) | Self::CopyRows(error) | Self::Dictionary(error) => {
                error.as_database_error()?.code()
            }
            _ => None,
        }
    }

    /// Whether the row was being written to the default partition while its own partition was created.
    /// The next attempt finds the new partition. PostgreSQL reports this as a failed check, but unlike
    /// other failed checks it names no constraint.
    fn is_of_new_partition(&self) -> bool {
        let (Self::Database(error) | Self::CopyRows(error)) = self else { return false };
        error
            .as_database_error()
            .is_some_and(|error| error.code().is_some_and(|code| code == CHECK_VIOLATION) && error.constraint().is_none())
    }

    /// Whether another session held a lock for longer than the lock timeout.
    #[must_use]
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.sql_state().is_some_and(|code| code == "55P03")
    }

    /// Whether this row is known to fail with it. If it names no rows, the batch is halved to find them.
    pub(crate) fn concerns(&self, row: &Row<'_>) -> bool {
        let of = row.identity.project;
        match self {
            Self::UnknownProject(project) | Self::TimeZone { project, .. } => *project == of,
            Self::EventTypeLimit { project, types, .. } => *project == of && types.contains(&*row.event.event_type.0),
            Self::Expired { project, horizon } => *project == of && row.day() < *horizon,
            _ => false,
        }
    }

    /// The code of the dead letter.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::UnknownProject(_) => Code::UnknownProject,
            Self::TimeZone { .. } => Code::UnknownTimeZone,
            Self::EventTypeLimit { .. } => Code::EventTypeLimit,
            Self::Expired { .. } => Code::Expired,
            _ => Code::Refused,
        }
    }

    /// A summary without anything that the database said, so that every client may see it.
    pub(crate) fn summary(&self) -> String {
        match (self.sql_state(), self) {
            (Some(code), _) => format!("PostgreSQL answers with SQLSTATE {code}"),
            (None, Self::Database(_) | Self::ClaimConflict(_) | Self::CopyRows(_) | Self::Dictionary(_)) => {
                "PostgreSQL does not answer".to_owned()
            }
            (None, other) => other.to_string(),
        }
    }

    /// The reason in the dead letter, for people. It contains the database's message.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Database(error) | Self::ClaimConflict(error) | Self::CopyRows(error) | Self::Dictionary(error) => {
                match error.as_database_error() {
                    Some(error) => format!("PostgreSQL: {} (SQLSTATE {})", error.message(), error.code().unwrap_or_default()),
                    None => format!("PostgreSQL: {error}"),
                }
            }
            other => other.to_string(),
        }
    }
}

/// Checks that the server counted as many rows as expected.
///
/// # Errors
/// [`StoreError::Disagreement`] if it is not.
pub(crate) fn agree(what: &'static str, expected: u64, found: u64) -> Result<(), StoreError> {
    if expected == found { Ok(()) } else { Err(StoreError::Disagreement { what, expected, found }) }
}

/// The text contains a character that the database's encoding lacks.
const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";

/// A check constraint or the bounds of a partition were violated.
const CHECK_VIOLATION: &str = "23514";

/// Whether the SQLSTATE is about connections, transactions, roles, rights and missing tables, resources,
/// locks, shutdowns or the system. Source as below.
fn is_fault_of_server(code: &str) -> bool {
    ["08", "25", "28", "40", "42", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Whether the SQLSTATE is about cardinality, invalid data, constraints, views with check, program limits
/// or exceptions raised by triggers. Source: PostgreSQL's documentation, appendix "Error Codes".
fn is_fault_of_data(code: &str) -> bool {
    ["21", "22", "23", "44", "54", "P0"].iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_of_the_data_are_not_transient() {
        for (code, is_data) in [
            ("57P01", false),
            ("53300", false),
            ("40P01", false),
            ("42P01", false),
            ("XX000", false),
            ("23514", true),
            ("22P05", true),
            ("54000", true),
            ("P0001", true),
        ] {
            assert_eq!(is_fault_of_data(code), is_data, "{code}");
        }
        assert!(!StoreError::UnknownProject(ProjectId(9)).is_transient());
        assert!(!StoreError::Expired { project: ProjectId(9), horizon: Day(1) }.is_transient());
        assert!(StoreError::Database(sqlx::Error::PoolTimedOut).is_transient());
    }
}
