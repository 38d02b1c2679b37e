//! The store: one transaction a batch, and all of it or nothing.
//!
//! Claim the identities; keep the rows whose claim was new; COPY them; append what they add to the
//! rollups; commit. A retry of anything finds its identities claimed and changes no number.

use std::time::Instant;

use jiff::civil::Date;
use metrics::{counter, histogram};
use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::{PgConnection, PgPool};

use crate::batch::{Identity, Row, sort_and_deduplicate};
use crate::copy;
use crate::dictionary::{Dictionary, Numbers};
use crate::error::StoreError;
use crate::rollup::{Deltas, NewEvent, sql_date};

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Rows that are new.
    pub inserted: usize,
    /// Events that had been stored before, or stood twice in the batch.
    pub duplicates: usize,
}

/// Stores batches.
pub(crate) struct Store {
    pool: PgPool,
    dictionary: Dictionary,
}

impl Store {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, dictionary: Dictionary::new() }
    }

    /// Stores the rows that are new. After an error nothing is stored.
    pub(crate) async fn store(&self, mut rows: Vec<Row<'_>>) -> Result<Stored, StoreError> {
        let started = Instant::now();
        let events = rows.len();
        sort_and_deduplicate(&mut rows);
        let numbers = self.dictionary.resolve(&self.pool, &rows).await?;
        let mut transaction = self.pool.begin().await?;
        let claimed = claim(&mut transaction, &rows).await?;
        let new: Vec<_> = new_events(&rows, &claimed, &numbers);
        if !new.is_empty() {
            copy_in(&mut transaction, copy::encode(&new)).await?;
            Deltas::of(&new).insert(&mut transaction).await?;
        }
        transaction.commit().await?;
        let stored = Stored { inserted: new.len(), duplicates: events - new.len() };
        histogram!("rollcall_store_duration_seconds").record(started.elapsed());
        histogram!("rollcall_store_batch_events").record(events as f64);
        counter!("rollcall_events_stored_total").increment(stored.inserted as u64);
        counter!("rollcall_events_duplicate_total").increment(stored.duplicates as u64);
        Ok(stored)
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
        .map(|row| Identity { project: ProjectId(row.project_id), day: Day::from(Date::from(row.day)), id: row.event_id })
        .collect();
    // PostgreSQL returns rows in the order of the insert, but does not promise to.
    claimed.sort_unstable();
    Ok(claimed)
}

/// The rows that are new, with their numbers, in the order of the table: a user's rows of one batch
/// lie side by side, so a timeline reads few pages.
fn new_events<'r, 'a>(rows: &'r [Row<'a>], claimed: &[Identity], numbers: &Numbers<'_>) -> Vec<NewEvent<'r, 'a>> {
    let mut claimed = claimed.iter().peekable();
    let mut new = Vec::with_capacity(claimed.len());
    for row in rows {
        if claimed.next_if_eq(&&row.identity).is_none() {
            continue;
        }
        let project = row.identity.project;
        new.push(NewEvent {
            row,
            event_type_id: numbers.event_types[&(project, row.event.event_type.0.as_ref())],
            user_ord: numbers.actors[&(project, row.event.actor())],
            day: numbers.calendars[&project].day_of(row.event.occurred_at_us),
        });
    }
    new.sort_unstable_by_key(|event| (event.row.identity.project, event.user_ord, event.row.event.occurred_at_us));
    new
}

async fn copy_in(connection: &mut PgConnection, body: Vec<u8>) -> Result<(), StoreError> {
    let mut copy = connection.copy_in_raw(include_str!("../sql/copy_events.sql")).await?;
    match copy.send(body).await {
        Ok(_) => {
            copy.finish().await?;
            Ok(())
        }
        Err(error) => {
            // The connection stays in COPY until told; the first error is the one that matters.
            let _ = copy.abort("the rows could not be sent").await;
            Err(error.into())
        }
    }
}
