//! The store: one transaction a batch, and all of it or nothing.
//!
//! Claim the identities; keep the rows whose claim was new; write them; append what they add to the
//! rollups; commit. A retry of anything finds its identities claimed and changes no number.
//!
//! Rows that PostgreSQL refuses are found by halving: each half is a batch of its own, until the bad
//! rows are alone and their neighbours stored. Halves are transactions and not savepoints, since a
//! transaction with more than 64 open savepoints slows every other session down, and since what is
//! stored stays stored when the database goes away in the middle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use rollcall_shared::dead_letter::Code;
use sqlx::{PgConnection, PgPool};

use crate::batch::{Identity, Row, sort_and_deduplicate};
use crate::claim::Claims;
use crate::dictionary::{Dictionary, Numbers};
use crate::error::StoreError;
use crate::rollup::{Deltas, NewEvent};
use crate::status::Status;
use crate::{copy, insert};

/// Longest time for one transaction. A batch takes a fraction of a second; a server that has not
/// answered by then will not any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// New rows of each message.
    pub(crate) inserted: HashMap<usize, u64>,
    /// Rows that PostgreSQL refused, of any message.
    pub(crate) refused: Vec<Refused>,
}

/// A row that was refused, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The place of its message among those of the batch.
    pub(crate) message: usize,
    pub(crate) identity: Identity,
    /// The event as it travelled.
    pub(crate) line: Vec<u8>,
    pub(crate) code: Code,
    pub(crate) reason: Arc<str>,
}

/// Stores batches.
pub(crate) struct Store {
    pool: PgPool,
    dictionary: Dictionary,
    claims: Claims,
    status: Arc<Status>,
}

impl Store {
    pub(crate) fn new(pool: PgPool, status: Arc<Status>) -> Self {
        Self { pool, dictionary: Dictionary::new(), claims: Claims::new(), status }
    }

    /// Stores the rows that are new, but for those that are refused.
    ///
    /// # Errors
    /// Only transient ones. Some of the rows may be stored then, and the whole batch can be tried again.
    pub(crate) async fn store(&self, mut rows: Vec<Row<'_>>) -> Result<Outcome, StoreError> {
        let events = rows.len();
        let repeats = sort_and_deduplicate(&mut rows);
        let mut outcome = Outcome::default();
        let mut parts = vec![rows];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match tokio::time::timeout(PATIENCE, self.store_all(&part)).await.unwrap_or_else(|late| Err(late.into())) {
                Ok(inserted) => inserted.into_iter().for_each(|message| *outcome.inserted.entry(message).or_default() += 1),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    if let Some(project) = error.project() {
                        let (bad, rest) = part.into_iter().partition(|row| row.identity.project == project);
                        outcome.refuse(bad, &error);
                        parts.push(rest);
                    } else if part.len() == 1 {
                        outcome.refuse(part, &error);
                    } else {
                        let half = part.split_off(part.len() / 2);
                        parts.extend([half, part]);
                    }
                }
            }
        }
        outcome.refuse_repeats(&repeats);
        let inserted: u64 = outcome.inserted.values().sum();
        histogram!("rollcall_store_batch_events").record(events as f64);
        counter!("rollcall_events_duplicate_total").increment(events as u64 - inserted - outcome.refused.len() as u64);
        Ok(outcome)
    }

    /// Stores the sorted rows that are new, in one transaction; returns the message of each of them.
    /// After an error nothing is stored.
    async fn store_all(&self, rows: &[Row<'_>]) -> Result<Vec<usize>, StoreError> {
        let started = Instant::now();
        let numbers = self.dictionary.resolve(&self.pool, rows).await?;
        let (mut transaction, claimed) = self.claims.begin(&self.pool, rows).await?;
        let new: Vec<_> = new_events(rows, &claimed, &numbers);
        if !new.is_empty() {
            write(&mut transaction, &new).await?;
            Deltas::of(&new).insert(&mut transaction).await?;
        }
        transaction.commit().await?;
        histogram!("rollcall_store_duration_seconds").record(started.elapsed());
        counter!("rollcall_events_stored_total").increment(new.len() as u64);
        self.status.add_stored(new.len() as u64);
        Ok(new.iter().map(|event| event.row.message).collect())
    }
}

impl Outcome {
    fn refuse(&mut self, rows: Vec<Row<'_>>, error: &StoreError) {
        let (code, reason) = (error.code(), Arc::from(error.reason()));
        self.refused.extend(rows.into_iter().map(|row| {
            let mut line = Vec::new();
            row.event.write_line(&mut line);
            Refused { message: row.message, identity: row.identity, line, code, reason: Arc::clone(&reason) }
        }));
    }

    /// What is refused is refused for every message that has it: none of them is done with before the
    /// event is stored or a dead letter.
    fn refuse_repeats(&mut self, repeats: &[(Identity, usize)]) {
        for place in 0..self.refused.len() {
            let refused = self.refused[place].clone();
            let first = repeats.partition_point(|(identity, _)| *identity < refused.identity);
            let of_same = repeats[first..].iter().take_while(|(identity, _)| *identity == refused.identity);
            self.refused.extend(of_same.map(|(_, message)| Refused { message: *message, ..refused.clone() }));
        }
    }
}

/// The rows that are new, with their numbers, in the order of the table: a user's rows of one batch
/// lie side by side, so a timeline reads few pages.
pub(crate) fn new_events<'r, 'a>(rows: &'r [Row<'a>], claimed: &[Identity], numbers: &Numbers<'_>) -> Vec<NewEvent<'r, 'a>> {
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

/// Writes the rows in whichever way is quicker for so many.
async fn write(connection: &mut PgConnection, new: &[NewEvent<'_, '_>]) -> Result<(), StoreError> {
    if new.len() <= insert::FEW { insert::insert(connection, new).await } else { copy_rows(connection, copy::encode(new)).await }
}

/// Writes rows that are encoded as the body of a COPY.
pub(crate) async fn copy_rows(connection: &mut PgConnection, body: Vec<u8>) -> Result<(), StoreError> {
    copy::run(connection, include_str!("../sql/copy_events.sql"), body).await
}
