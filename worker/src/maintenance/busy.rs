//! Locks on what others use all the time: taken only for a moment, and tried again until they are free.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use sqlx::PgConnection;

/// Delay before the second attempt. Whoever waits for a lock holds up everybody who comes after, so attempts are short,
/// and between them the others go on.
const MIN_DELAY: Duration = Duration::from_millis(100);
/// Longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(3);
/// Attempts before a run gives up, after about five minutes. The longest statements of readers take seconds.
const MAX_ATTEMPTS: usize = 100;
/// The same after work that should not be in vain: after about an hour.
const MAX_PATIENT_ATTEMPTS: usize = 1_200;

/// Why something that needs such locks was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusyError {
    /// A table or a project was in use without a pause for minutes.
    #[error("{what} was in use all the time; nothing is lost, and the next run goes on from here")]
    Busy {
        /// The table or project.
        what: String,
        /// The last refusal.
        #[source]
        source: sqlx::Error,
    },
    /// The error was not about locks.
    #[error("PostgreSQL did not do it")]
    Other(#[source] sqlx::Error),
}

/// Attempts at something that needs such locks.
#[derive(Debug)]
pub(super) struct Attempts {
    what: String,
    delays: ExponentialBackoff,
}

impl Attempts {
    /// Attempts at this table or project.
    pub(super) fn at(what: impl Into<String>) -> Self {
        Self::times(what.into(), MAX_ATTEMPTS)
    }

    /// Many more attempts.
    pub(super) fn patient_at(what: impl Into<String>) -> Self {
        Self::times(what.into(), MAX_PATIENT_ATTEMPTS)
    }

    fn times(what: String, max_attempts: usize) -> Self {
        let delays = ExponentialBuilder::default().with_min_delay(MIN_DELAY).with_max_delay(MAX_DELAY);
        Self { what, delays: delays.with_max_times(max_attempts).with_jitter().build() }
    }

    /// Waits before the next attempt after one has failed.
    ///
    /// # Errors
    /// The error itself if it was not about locks, and [`BusyError::Busy`] after the last attempt.
    pub(super) async fn wait_after(&mut self, error: sqlx::Error) -> Result<(), BusyError> {
        if !has_code(&error, &LOCKED) {
            return Err(BusyError::Other(error));
        }
        match self.delays.next() {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(BusyError::Busy { what: self.what.clone(), source: error }),
        }
        Ok(())
    }
}

/// lock_not_available, deadlock_detected, and query_canceled, which is a statement that took longer than it may while it
/// holds locks. PostgreSQL has released all locks of the transaction.
const LOCKED: [&str; 3] = ["55P03", "40P01", TOOK_TOO_LONG];

/// The statement timeout.
const TOOK_TOO_LONG: &str = "57014";

/// Whether the statement took longer than it may.
pub(super) fn took_too_long(error: &sqlx::Error) -> bool {
    has_code(error, &[TOOK_TOO_LONG])
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| codes.contains(&code.as_ref()))
}

/// From now on until the transaction ends, no statement waits for a lock, or runs, for longer than a moment.
pub(super) async fn set_timeouts(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query_file!("sql/maintenance/set_moment_timeouts.sql").fetch_one(connection).await.map(drop)
}
