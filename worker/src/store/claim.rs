//! Claims: the identities of a batch enter the ledger, and whoever comes second is told.
//!
//! Identities are claimed in one order by everybody, so workers with the same events wait for each
//! other and cannot deadlock. To ask of each id whether it is there, and to insert it, is twice the
//! work of inserting it. As long as batches turn out to be all new, the next one is taken to be so
//! and its identities are copied in; the unique index refuses the copy if it is not, and then the
//! batch asks like any other, in another transaction.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::error::{StoreError, agree};
use crate::store::rollup::sql_date;
use crate::store::row::{Identity, Row};
use crate::store::write::copy;

/// Rows from which a batch is worth a guess.
const MANY: usize = 5_000;
/// Large batches without a duplicate after which the next one is taken to be all new: at first, and at the
/// most. Each wrong guess doubles the number, since it leaves an error in PostgreSQL's log and dead
/// rows for vacuum.
const CLEAN_AT_FIRST: u32 = 4;
const CLEAN_AT_MOST: u32 = 1_024;

/// How a batch claims its identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Asks of each whether it is there.
    Asking,
    /// Takes all of them to be new, and fails if one is not.
    AllNew,
}

/// Remembers how likely it is that a batch is all new.
#[derive(Debug)]
pub(crate) struct Guesses {
    /// Large batches without a duplicate since the last one with some.
    clean: AtomicU32,
    /// How many of them it takes for a guess.
    needed: AtomicU32,
}

impl Guesses {
    pub(crate) fn new() -> Self {
        Self { clean: AtomicU32::new(0), needed: AtomicU32::new(CLEAN_AT_FIRST) }
    }

    // Workers' lanes share the counters without order: a guess more or less does no harm.

    /// Whether a batch of so many rows should be taken to be all new.
    pub(crate) fn is_worth_one(&self, rows: usize) -> bool {
        rows >= MANY && self.clean.load(Ordering::Relaxed) >= self.needed.load(Ordering::Relaxed)
    }

    /// So many rows of a batch were new.
    pub(crate) fn observe(&self, rows: usize, new: usize) {
        if new < rows {
            self.clean.store(0, Ordering::Relaxed);
        } else if rows >= MANY && self.clean.fetch_add(1, Ordering::Relaxed) >= CLEAN_AT_MOST {
            self.needed.store(CLEAN_AT_FIRST, Ordering::Relaxed);
        }
    }

    /// A guess was wrong.
    pub(crate) fn was_wrong(&self) {
        self.clean.store(0, Ordering::Relaxed);
        let needed = self.needed.load(Ordering::Relaxed).saturating_mul(2).min(CLEAN_AT_MOST);
        self.needed.store(needed, Ordering::Relaxed);
    }
}

/// Claims the identities of the sorted rows; returns those that are new, in the same order.
///
/// # Errors
/// [`StoreError::WrongGuess`] for any error if all were taken to be new; the connection must be closed.
pub(crate) async fn claim(connection: &mut PgConnection, rows: &[Row<'_>], how: Claim) -> Result<Vec<Identity>, StoreError> {
    match how {
        Claim::Asking => ask(connection, rows).await,
        Claim::AllNew => {
            claim_new(connection, copy::encode_identities(rows), rows.len() as u64).await?;
            Ok(rows.iter().map(|row| row.identity).collect())
        }
    }
}

async fn ask(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<Vec<Identity>, StoreError> {
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

/// Claims identities that are all new, given as the body of a COPY of so many rows. Fails if one is not.
pub(crate) async fn claim_new(connection: &mut PgConnection, body: Vec<u8>, rows: u64) -> Result<(), StoreError> {
    let copied = copy::run(connection, include_str!("../../sql/store/copy_event_ids.sql"), body).await;
    agree("copied identities", rows, copied.map_err(StoreError::WrongGuess)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean_batches(guesses: &Guesses, count: u32) {
        (0..count).for_each(|_| guesses.observe(MANY, MANY));
    }

    #[test]
    fn a_guess_takes_clean_batches_and_twice_as_many_after_a_wrong_one() {
        let guesses = Guesses::new();
        assert!(!guesses.is_worth_one(MANY));
        clean_batches(&guesses, CLEAN_AT_FIRST);
        assert!(guesses.is_worth_one(MANY) && !guesses.is_worth_one(MANY - 1));
        guesses.observe(3, 2);
        assert!(!guesses.is_worth_one(MANY));
        clean_batches(&guesses, CLEAN_AT_FIRST);
        assert!(guesses.is_worth_one(MANY));
        guesses.was_wrong();
        clean_batches(&guesses, CLEAN_AT_FIRST);
        assert!(!guesses.is_worth_one(MANY));
        clean_batches(&guesses, CLEAN_AT_FIRST);
        assert!(guesses.is_worth_one(MANY));
        (0..20).for_each(|_| guesses.was_wrong());
        clean_batches(&guesses, CLEAN_AT_MOST);
        assert!(guesses.is_worth_one(MANY));
    }
}
