//! Claims: enters the identities of a batch into the ledger, and tells which of them are new.
//!
//! Every worker claims identities in the same order, so workers with the same events wait for each
//! other and cannot deadlock. Checking each identity and inserting it costs twice as much as only
//! inserting it. While batches turn out to hold only new events, the next batch is assumed to do so
//! too, and its identities are copied in. If one of them is not new, the unique index rejects the
//! COPY, and the batch is stored again with checks, in another transaction.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::error::{StoreError, agree};
use crate::store::rollup::sql_date;
use crate::store::row::{Identity, Row};
use crate::store::write::copy;

/// The heuristic considers only batches of at least this many rows; smaller ones gain nothing.
const HEURISTIC_MIN_ROWS: usize = 5_000;
/// How many large batches in a row must be without duplicates before the next one is assumed to be
/// all new. Each conflict doubles this number, because it leaves an error in PostgreSQL's log and dead
/// rows for vacuum.
const INITIAL_CLEAN_BATCHES: u32 = 4;
/// Maximum of this number after repeated conflicts.
const MAX_CLEAN_BATCHES: u32 = 1_024;

/// How a batch claims its identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Checks each of them, and claims those that are new.
    Checked,
    /// Assumes that all of them are new, and fails if one is not.
    AllNew,
}

/// Predicts from the latest batches whether the next one holds only new events.
#[derive(Debug)]
pub(crate) struct NewBatchHeuristic {
    /// Number of large batches since the last one with a duplicate.
    clean: AtomicU32,
    /// Number of such batches after which the next one is expected to be all new.
    needed: AtomicU32,
}

impl NewBatchHeuristic {
    pub(crate) fn new() -> Self {
        Self { clean: AtomicU32::new(0), needed: AtomicU32::new(INITIAL_CLEAN_BATCHES) }
    }

    // Concurrent batches update the counters in any order: a wrong prediction costs time, not data.

    /// Whether a batch with this number of rows is expected to be all new.
    pub(crate) fn expects_all_new(&self, rows: usize) -> bool {
        rows >= HEURISTIC_MIN_ROWS && self.clean.load(Ordering::Relaxed) >= self.needed.load(Ordering::Relaxed)
    }

    /// Records how many rows of a stored batch were new.
    pub(crate) fn record(&self, rows: usize, new: usize) {
        if new < rows {
            self.clean.store(0, Ordering::Relaxed);
        } else if rows >= HEURISTIC_MIN_ROWS && self.clean.fetch_add(1, Ordering::Relaxed) >= MAX_CLEAN_BATCHES {
            self.needed.store(INITIAL_CLEAN_BATCHES, Ordering::Relaxed);
        }
    }

    /// Records that a batch was expected to be all new and was not.
    pub(crate) fn record_conflict(&self) {
        self.clean.store(0, Ordering::Relaxed);
        let needed = self.needed.load(Ordering::Relaxed).saturating_mul(2).min(MAX_CLEAN_BATCHES);
        self.needed.store(needed, Ordering::Relaxed);
    }
}

/// Claims the identities of the sorted rows; returns those that are new, in the same order.
///
/// # Errors
/// [`StoreError::ClaimConflict`] for any error of [`Claim::AllNew`]; the connection must be closed then.
pub(crate) async fn claim(connection: &mut PgConnection, rows: &[Row<'_>], strategy: Claim) -> Result<Vec<Identity>, StoreError> {
    match strategy {
        Claim::Checked => claim_checked(connection, rows).await,
        Claim::AllNew => {
            claim_new(connection, copy::encode_identities(rows), rows.len() as u64).await?;
            Ok(rows.iter().map(|row| row.identity).collect())
        }
    }
}

async fn claim_checked(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<Vec<Identity>, StoreError> {
    let projects: Vec<_> = rows.iter().map(|row| row.identity.project.0).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.identity.id).collect();
    let days: Vec<_> = rows.iter().map(|row| sql_date(row.identity.day)).collect();
    let claimed = sqlx::query_file!("sql/store/insert_event_ids.sql", &projects, &ids, &days as _).fetch_all(connection).await?;
    let mut claimed: Vec<_> = claimed
        .into_iter()
        .map(|row| Identity { day: Day::from(Date::from(row.day)), project: ProjectId(row.project_id), id: row.event_id })
        .collect();
    // PostgreSQL returns rows in the order of the insert, but does not promise to.
    claimed.sort_unstable();
    Ok(claimed)
}

/// Claims identities that are all new, encoded as the body of a COPY with `rows` rows.
pub(crate) async fn claim_new(connection: &mut PgConnection, body: Vec<u8>, rows: u64) -> Result<(), StoreError> {
    let copied = copy::run(connection, include_str!("../../sql/store/copy_event_ids.sql"), body).await;
    agree("copied identities", rows, copied.map_err(StoreError::ClaimConflict)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean_batches(heuristic: &NewBatchHeuristic, count: u32) {
        (0..count).for_each(|_| heuristic.record(HEURISTIC_MIN_ROWS, HEURISTIC_MIN_ROWS));
    }

    #[test]
    fn clean_batches_raise_the_expectation_and_a_conflict_doubles_how_many_it_takes() {
        let heuristic = NewBatchHeuristic::new();
        assert!(!heuristic.expects_all_new(HEURISTIC_MIN_ROWS));
        clean_batches(&heuristic, INITIAL_CLEAN_BATCHES);
        assert!(heuristic.expects_all_new(HEURISTIC_MIN_ROWS) && !heuristic.expects_all_new(HEURISTIC_MIN_ROWS - 1));
        heuristic.record(3, 2);
        assert!(!heuristic.expects_all_new(HEURISTIC_MIN_ROWS));
        clean_batches(&heuristic, INITIAL_CLEAN_BATCHES);
        assert!(heuristic.expects_all_new(HEURISTIC_MIN_ROWS));
        heuristic.record_conflict();
        clean_batches(&heuristic, INITIAL_CLEAN_BATCHES);
        assert!(!heuristic.expects_all_new(HEURISTIC_MIN_ROWS));
        clean_batches(&heuristic, INITIAL_CLEAN_BATCHES);
        assert!(heuristic.expects_all_new(HEURISTIC_MIN_ROWS));
        (0..20).for_each(|_| heuristic.record_conflict());
        clean_batches(&heuristic, MAX_CLEAN_BATCHES);
        assert!(heuristic.expects_all_new(HEURISTIC_MIN_ROWS));
    }
}
