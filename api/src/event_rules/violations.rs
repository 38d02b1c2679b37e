//! Violations: how many events did not match a schema, and some of them.
//!
//! A request collects its own ([`Violations`]) and adds them to those of the process once it is known what became of
//! its events ([`ViolationCounts`]). Every second, the sums are added to the table `event_schemas`. A crash may lose the
//! latest second, and a connection that breaks at the wrong moment may count it twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use metrics::counter;
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;

use super::project_schemas::{EventSchema, Mode};

/// Samples of a schema that are kept.
const MAX_SAMPLES: usize = 10;
/// Schemas whose violations wait to be written, with samples. Beyond that, violations are only counted.
const MAX_SAMPLED: usize = 1_000;
/// Schemas in one statement.
const MAX_WRITTEN: usize = 100;

/// An event that did not match, without its properties.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    pub(super) event_id: String,
    pub(super) path: String,
    pub(super) message: String,
}

/// The violations of one request, by the number of the schema.
#[derive(Debug, Default)]
pub(crate) struct Violations(HashMap<i64, OfSchema>);

#[derive(Debug)]
struct OfSchema {
    schema: Arc<EventSchema>,
    count: i64,
    samples: Vec<Sample>,
}

impl Violations {
    /// Counts a violation. Whether it may be one of the samples.
    pub(super) fn add(&mut self, schema: &Arc<EventSchema>) -> bool {
        let new = || OfSchema { schema: Arc::clone(schema), count: 0, samples: Vec::new() };
        let found = self.0.entry(schema.id).or_insert_with(new);
        found.count += 1;
        found.samples.len() < MAX_SAMPLES
    }

    /// Makes the violation that was counted last a sample.
    pub(super) fn show(&mut self, schema: &EventSchema, sample: Sample) {
        if let Some(found) = self.0.get_mut(&schema.id) {
            found.samples.push(sample);
        }
    }
}

/// Which violations of a request to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Refused,
}

/// What was counted and is not written yet, by the number of the schema.
#[derive(Debug, Default)]
pub(crate) struct ViolationCounts(Mutex<HashMap<i64, Unwritten>>);

#[derive(Debug)]
struct Unwritten {
    count: i64,
    last: Timestamp,
    /// Oldest first.
    samples: Vec<Sample>,
}

impl ViolationCounts {
    /// Counts the violations of a request whose events were accepted, except those that a schema refused.
    pub(crate) fn add(&self, violations: Violations) {
        self.count(violations, Which::All);
    }

    /// Counts the violations of a request of which no event was accepted. Those that were not refused for it will be
    /// sent again.
    pub(crate) fn add_refused(&self, violations: Violations) {
        self.count(violations, Which::Refused);
    }

    fn count(&self, violations: Violations, which: Which) {
        if violations.0.is_empty() {
            return;
        }
        let now = Timestamp::now();
        let mut unwritten = self.unwritten();
        for (id, found) in violations.0 {
            let mode = found.schema.mode;
            if which == Which::Refused && mode == Mode::Warn {
                continue;
            }
            counter!("rollcall_schema_violations_total", "mode" => <&str>::from(mode)).increment(found.count.unsigned_abs());
            put(&mut unwritten, id, Unwritten { count: found.count, last: now, samples: found.samples });
        }
    }

    /// Writes what was counted.
    ///
    /// # Errors
    /// Those of the database. What was not written remains to be written.
    pub(crate) async fn write(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut due: Vec<_> = std::mem::take(&mut *self.unwritten()).into_iter().collect();
        while !due.is_empty() {
            let part = due.split_off(due.len().saturating_sub(MAX_WRITTEN));
            if let Err(error) = write_part(&part, pool).await {
                let mut unwritten = self.unwritten();
                due.into_iter().chain(part).for_each(|(id, older)| put_back(&mut unwritten, id, older));
                return Err(error);
            }
        }
        Ok(())
    }

    fn unwritten(&self) -> MutexGuard<'_, HashMap<i64, Unwritten>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what came after what is there.
fn put(unwritten: &mut HashMap<i64, Unwritten>, id: i64, mut later: Unwritten) {
    if unwritten.len() >= MAX_SAMPLED {
        later.samples.clear();
    }
    let Some(there) = unwritten.get_mut(&id) else {
        unwritten.insert(id, later);
        return;
    };
    there.count += later.count;
    there.last = later.last;
    there.samples.append(&mut later.samples);
    let surplus = there.samples.len().saturating_sub(MAX_SAMPLES);
    there.samples.drain(..surplus);
}

/// Adds what came before what is there.
fn put_back(unwritten: &mut HashMap<i64, Unwritten>, id: i64, older: Unwritten) {
    let later = unwritten.insert(id, older);
    if let Some(later) = later {
        put(unwritten, id, later);
    }
}

async fn write_part(part: &[(i64, Unwritten)], pool: &PgPool) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = part.iter().map(|(id, _)| *id).collect();
    let counts: Vec<i64> = part.iter().map(|(_, counted)| counted.count).collect();
    let last: Vec<SqlTimestamp> = part.iter().map(|(_, counted)| SqlTimestamp::from(counted.last)).collect();
    let samples: Vec<_> = part.iter().map(|(_, counted)| json!(counted.samples.iter().rev().collect::<Vec<_>>())).collect();
    let limit = MAX_SAMPLES as i64;
    let write = sqlx::query_file!("sql/event_rules/add_violations.sql", &ids, &counts, &last as _, &samples as _, limit);
    write.execute(pool).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: i64, second: i64, ids: &[&str]) -> Unwritten {
        let at = Timestamp::from_second(second).unwrap();
        let sample = |id: &&str| Sample { at, event_id: (*id).to_owned(), path: "p".to_owned(), message: "m".to_owned() };
        Unwritten { count, last: at, samples: ids.iter().map(sample).collect() }
    }

    fn ids(unwritten: &HashMap<i64, Unwritten>) -> Vec<&str> {
        unwritten[&7].samples.iter().map(|sample| sample.event_id.as_str()).collect()
    }

    #[test]
    fn the_latest_samples_are_kept_and_everything_is_counted() {
        let mut unwritten = HashMap::new();
        put(&mut unwritten, 7, counted(8, 1, &["1", "2", "3", "4", "5", "6", "7", "8"]));
        put(&mut unwritten, 7, counted(30, 2, &["9", "10", "11"]));
        assert_eq!(ids(&unwritten), ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
        assert_eq!((unwritten[&7].count, unwritten[&7].last.as_second()), (38, 2));
        // What could not be written came before.
        let mut unwritten = HashMap::from([(7, counted(1, 2, &["b"]))]);
        put_back(&mut unwritten, 7, counted(1, 1, &["a"]));
        assert_eq!((ids(&unwritten), unwritten[&7].count, unwritten[&7].last.as_second()), (vec!["a", "b"], 2, 2));
    }
}
