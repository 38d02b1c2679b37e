//! Why a batch was not stored, and what follows for its messages.

use rollcall_shared::project::ProjectId;

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// PostgreSQL refused or went away; see [`StoreError::is_transient`].
    #[error("PostgreSQL did not store the batch")]
    Database(#[from] sqlx::Error),
    /// A message of a project that does not exist: it is delivered again later.
    #[error("there is no project {0}")]
    UnknownProject(ProjectId),
    /// A project in a time zone that this machine does not know: delivered again later.
    #[error("the project's time zone is not known here")]
    TimeZone(#[source] jiff::Error),
    /// An entry that was just made cannot be found: delivered again later.
    #[error("the dictionary lacks an entry that was just made")]
    DictionaryIncomplete,
}

impl StoreError {
    /// Whether waiting cures it: the database is away, busy or not yet migrated. Nothing in the
    /// messages is at fault, so they are kept and the batch is tried again.
    #[must_use]
    pub(crate) fn is_transient(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_code(&code)),
            _ => false,
        }
    }
}

/// Connection, resources, shutdown, conflicts between transactions, locks, and a schema that lags.
fn is_transient_code(code: &str) -> bool {
    ["08", "53", "57P", "58", "42"].iter().any(|class| code.starts_with(class))
        || matches!(code, "40001" | "40P01" | "55P03" | "57014" | "25006")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_data_are_not_waited_out() {
        for (code, transient) in
            [("57P01", true), ("53300", true), ("40P01", true), ("42P01", true), ("23514", false), ("22P05", false)]
        {
            assert_eq!(is_transient_code(code), transient, "{code}");
        }
        assert!(!StoreError::UnknownProject(ProjectId(9)).is_transient());
    }
}
