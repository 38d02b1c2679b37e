//! When each key was last used.
//!
//! Requests only note the time in memory. A task writes the times to the database, at most once a minute for
//! each key. A time that is lost because the process ends, or the database is away, is not missed: the next use
//! is noted again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use sqlx::PgPool;

/// Time between two writes for one key.
const WRITE_INTERVAL: Duration = Duration::from_secs(60);
/// Maximum number of keys whose times are kept: those that are used in a minute. Further ones are not noted.
const MAX_KEYS: usize = 100_000;
/// Maximum number of keys in one statement.
const MAX_WRITTEN: usize = 1_000;

/// The latest uses of keys, by their numbers.
#[derive(Debug, Default)]
pub(super) struct LastUses(Mutex<HashMap<i32, LastUse>>);

#[derive(Debug, Default, Clone, Copy)]
struct LastUse {
    /// When the key was used, until that is written.
    at: Option<Timestamp>,
    /// When a use was last written.
    written: Option<Instant>,
}

impl LastUses {
    /// Notes that a key is used now.
    pub(super) fn note(&self, key: i32) {
        let mut uses = self.uses();
        if uses.len() < MAX_KEYS || uses.contains_key(&key) {
            uses.entry(key).or_default().at = Some(Timestamp::now());
        }
    }

    /// Writes the times of all keys for which nothing was written in the last minute.
    ///
    /// # Errors
    /// Those of the database. The times that were not written are lost.
    pub(super) async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        for due in self.take_due(Instant::now()).chunks(MAX_WRITTEN) {
            let (keys, times): (Vec<_>, Vec<_>) = due.iter().map(|(key, at)| (*key, SqlTimestamp::from(*at))).unzip();
            sqlx::query_file!("sql/keys/update_last_used_at.sql", &keys, &times as _).execute(pool).await?;
        }
        Ok(())
    }

    /// The uses to write now, by key. They count as written.
    fn take_due(&self, now: Instant) -> Vec<(i32, Timestamp)> {
        let mut uses = self.uses();
        let is_due = |last: &LastUse| last.written.is_none_or(|written| now.duration_since(written) >= WRITE_INTERVAL);
        let mut due = Vec::new();
        uses.retain(|key, last| {
            if !is_due(last) {
                return true;
            }
            let Some(at) = last.at.take() else { return false };
            last.written = Some(now);
            due.push((*key, at));
            true
        });
        due
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<i32, LastUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_used_all_the_time_is_written_once_a_minute_and_then_forgotten() {
        let uses = LastUses::default();
        let begin = Instant::now();
        let at = |secs| begin + Duration::from_secs(secs);
        let written = |secs| uses.take_due(at(secs)).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        uses.note(7);
        assert_eq!(written(0), [7]);
        uses.note(7);
        assert_eq!(written(59), [0; 0]);
        assert_eq!(written(60), [7]);
        assert_eq!(written(61), [0; 0]);
        assert_eq!(uses.uses().len(), 1);
        assert_eq!(written(120), [0; 0]);
        assert_eq!(uses.uses().len(), 0);
    }
}
