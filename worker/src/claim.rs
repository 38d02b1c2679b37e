//! Claims: the identities of a batch enter the ledger, and whoever comes second is told.
//!
//! Identities are claimed in one order by everybody, so workers with the same events wait for each
//! other and cannot deadlock. To ask of each id whether it is there, and to insert it, is twice the
//! work of inserting it. As long as batches turn out to be all new, the next one is taken to be so
//! and its identities are copied in; the unique index refuses the copy if it is not, and then the
//! batch asks like any other.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::batch::{Identity, Row};
use crate::copy;
use crate::error::StoreError;
use crate::rollup::sql_date;

/// Rows from which a batch is worth a guess.
const MANY: usize = 5_000;
/// Large batches without a duplicate after which the next one is taken to be all new: at first, and at the
/// most. Each wrong guess doubles the number, since it leaves an error in PostgreSQL's log and dead
/// rows for vacuum.
const CLEAN_AT_FIRST: u32 = 4;
const CLEAN_AT_MOST: u32 = 1_024;

/// Claims identities, and remembers how likely they are to be new.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Large batches without a duplicate since the last one with some.
    clean: AtomicU32,
    /// How many of them it takes for a guess.
    needed: AtomicU32,
}

impl Claims {
    pub(crate) fn new() -> Self {
        Self { clean: AtomicU32::new(0), needed: AtomicU32::new(CLEAN_AT_FIRST) }
    }

    /// Claims the identities of the sorted rows in a transaction that it begins; returns it, and
    /// those that are new in the same order.
    pub(crate) async fn begin(
        &self,
        pool: &PgPool,
        rows: &[Row<'_>],
    ) -> Result<(Transaction<'static, Postgres>, Vec<Identity>), StoreError> {
        let mut transaction = pool.begin().await?;
        if self.guesses_new(rows.len()) {
            match claim_new(&mut transaction, copy::encode_identities(rows)).await {
                Ok(()) => {
                    self.learn(true);
                    return Ok((transaction, rows.iter().map(|row| row.identity).collect()));
                }
                Err(error) if error.is_duplicate() => {
                    self.forget();
                    transaction.rollback().await?;
                    transaction = pool.begin().await?;
                }
                Err(error) => return Err(error),
            }
        }
        let claimed = claim(&mut transaction, rows).await?;
        if claimed.len() < rows.len() || rows.len() >= MANY {
            self.learn(claimed.len() == rows.len());
        }
        Ok((transaction, claimed))
    }

    // Workers' lanes share the counters without order: a guess more or less does no harm.

    fn guesses_new(&self, rows: usize) -> bool {
        rows >= MANY && self.clean.load(Ordering::Relaxed) >= self.needed.load(Ordering::Relaxed)
    }

    fn learn(&self, all_were_new: bool) {
        if !all_were_new {
            self.clean.store(0, Ordering::Relaxed);
        } else if self.clean.fetch_add(1, Ordering::Relaxed) >= CLEAN_AT_MOST {
            self.needed.store(CLEAN_AT_FIRST, Ordering::Relaxed);
        }
    }

    /// A guess was wrong.
    fn forget(&self) {
        self.clean.store(0, Ordering::Relaxed);
        let needed = self.needed.load(Ordering::Relaxed).saturating_mul(2).min(CLEAN_AT_MOST);
        self.needed.store(needed, Ordering::Relaxed);
    }
}

/// Claims the identities of the sorted rows; returns those that are new, in the same order.
async fn claim(connection: &mut PgConnection, rows: &[Row<'_>]) -> Result<Vec<Identity>, StoreError> {
    let projects: Vec<_> = rows.iter().map(|row| row.identity.project.0).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.identity.id).collect();
    let days: Vec<_> = rows.iter().map(|row| sql_date(row.identity.day)).collect();
    let claimed = sqlx::query_file!("sql/insert_event_ids.sql", &projects, &ids, &days as _).fetch_all(connection).await?;
    let mut claimed: Vec<_> = claimed
        .into_iter()
        .map(|row| Identity { day: Day::from(Date::from(row.day)), project: ProjectId(row.project_id), id: row.event_id })
        .collect();
    // PostgreSQL returns rows in the order of the insert, but does not promise to.
    claimed.sort_unstable();
    Ok(claimed)
}

/// Claims identities that are all new, given as the body of a COPY. Fails if one is not.
pub(crate) async fn claim_new(connection: &mut PgConnection, body: Vec<u8>) -> Result<(), StoreError> {
    copy::run(connection, include_str!("../sql/copy_event_ids.sql"), body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(claims: &Claims, count: u32) {
        (0..count).for_each(|_| claims.learn(true));
    }

    #[test]
    fn a_guess_takes_clean_batches_and_twice_as_many_after_a_wrong_one() {
        let claims = Claims::new();
        assert!(!claims.guesses_new(MANY));
        batches(&claims, CLEAN_AT_FIRST);
        assert!(claims.guesses_new(MANY) && !claims.guesses_new(MANY - 1));
        claims.learn(false);
        assert!(!claims.guesses_new(MANY));
        batches(&claims, CLEAN_AT_FIRST);
        assert!(claims.guesses_new(MANY));
        claims.forget();
        batches(&claims, CLEAN_AT_FIRST);
        assert!(!claims.guesses_new(MANY));
        batches(&claims, CLEAN_AT_FIRST);
        assert!(claims.guesses_new(MANY));
        (0..20).for_each(|_| claims.forget());
        batches(&claims, CLEAN_AT_MOST);
        assert!(claims.guesses_new(MANY));
    }
}
