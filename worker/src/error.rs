//! Why rows were not stored, and what follows for them.

use rollcall_shared::dead_letter::Code;
use rollcall_shared::project::ProjectId;

/// Why rows were not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// PostgreSQL refused or went away; see [`StoreError::is_transient`].
    #[error("PostgreSQL did not store the batch")]
    Database(#[from] sqlx::Error),
    /// A server that vanished without a word answers nothing, not even with an error: waited out.
    #[error("PostgreSQL did not answer in time")]
    Silent(#[from] tokio::time::error::Elapsed),
    /// Events of a project that does not exist: refused, and tried again later.
    #[error("there is no project {0}")]
    UnknownProject(ProjectId),
    /// Events of a project in a time zone that this machine does not know: refused likewise.
    #[error("the time zone of project {project} is not known here")]
    TimeZone {
        /// Whose it is.
        project: ProjectId,
        /// What jiff said.
        #[source]
        source: jiff::Error,
    },
    /// An entry that was just made cannot be found: waited out.
    #[error("the dictionary lacks an entry that was just made")]
    DictionaryIncomplete,
}

impl StoreError {
    /// Whether waiting cures it: the database is away, busy, not yet migrated, or in a state that
    /// nothing in the rows has brought about. They are kept then and tried again, without end and
    /// without cost. Only what is known to be the fault of the data is not waited out: to keep good
    /// events waiting is better than to give them up.
    #[must_use]
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => !error.code().is_some_and(|code| is_fault_of_data(&code)),
            Self::Database(sqlx::Error::Encode(_)) | Self::UnknownProject(_) | Self::TimeZone { .. } => false,
            Self::Database(_) | Self::Silent(_) | Self::DictionaryIncomplete => true,
        }
    }

    /// Whether a unique index found a row there already.
    #[must_use]
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Whether somebody else held a lock for too long.
    #[must_use]
    pub(crate) fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "55P03"))
    }

    /// The project all of whose events fail alike, if it is such a fault.
    pub(crate) fn project(&self) -> Option<ProjectId> {
        match self {
            Self::UnknownProject(project) | Self::TimeZone { project, .. } => Some(*project),
            Self::Database(_) | Self::Silent(_) | Self::DictionaryIncomplete => None,
        }
    }

    /// What a dead letter says of it.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::UnknownProject(_) => Code::UnknownProject,
            Self::TimeZone { .. } => Code::UnknownTimeZone,
            Self::Database(_) | Self::Silent(_) | Self::DictionaryIncomplete => Code::Refused,
        }
    }

    /// What everybody may know of it: nothing of what the database said.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                format!("PostgreSQL answers with SQLSTATE {}", error.code().unwrap_or_default())
            }
            Self::Database(_) => "PostgreSQL does not answer".to_owned(),
            other => other.to_string(),
        }
    }

    /// What a dead letter says of it to people, who are told what the database said.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                format!("PostgreSQL: {} (SQLSTATE {})", error.message(), error.code().unwrap_or_default())
            }
            Self::Database(error) => format!("PostgreSQL: {error}"),
            other => other.to_string(),
        }
    }
}

/// Cardinality, invalid data, constraints, views with check, program limits, exceptions raised by
/// triggers. Source: PostgreSQL's documentation, appendix "Error Codes".
fn is_fault_of_data(code: &str) -> bool {
    ["21", "22", "23", "44", "54", "P0"].iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_of_the_data_are_not_waited_out() {
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
        assert!(StoreError::Database(sqlx::Error::PoolTimedOut).is_transient());
    }
}
