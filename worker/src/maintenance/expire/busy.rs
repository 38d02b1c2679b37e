//! Locks on what others use all the time: taken only for a moment, and tried again until they are free.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use sqlx::PgConnection;

use super::error::ExpireError;

/// Delay before the second attempt. Whoever waits for a lock holds up everybody who comes after, so attempts are short,
/// and between them the others go on.
const MIN_DELAY: Duration = Duration::from_millis(100);
/// Longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(3);
/// Attempts before a run gives up, after about five minutes. The longest statements of readers take seconds.
const MAX_ATTEMPTS: usize = 100;

/// Attempts at something that needs such locks.
#[derive(Debug)]
pub(super) struct Attempts {
    what: String,
    delays: ExponentialBackoff,
}

impl Attempts {
    /// Attempts at this table or project.
    pub(super) fn at(what: impl Into<String>) -> Self {
        let delays = ExponentialBuilder::default().with_min_delay(MIN_DELAY).with_max_delay(MAX_DELAY);
        Self { what: what.into(), delays: delays.with_max_times(MAX_ATTEMPTS).with_jitter().build() }
    }

    /// Waits before the next attempt after one has failed.
    ///
    /// # Errors
    /// The error itself if it was not about locks, and [`ExpireError::Busy`] after the last attempt.
    pub(super) async fn wait_after(&mut self, error: sqlx::Error) -> Result<(), ExpireError> {
        if !has_code(&error, &LOCKED) {
            return Err(error.into());
        }
        match self.delays.next() {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(ExpireError::Busy { what: self.what.clone(), source: error }),
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
    sqlx::query_file!("sql/maintenance/expire/set_timeouts.sql").fetch_one(connection).await.map(drop)
}
