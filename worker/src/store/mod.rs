//! The store: one transaction a batch, and all of it or nothing.
//!
//! Claim the identities; keep the rows whose claim was new; write them; append what they add to the
//! rollups; commit. A retry of anything finds its identities claimed and changes no number. Before
//! the commit, what the server says it did must agree with what was asked of it; after anything else
//! than a commit the connection is closed.
//!
//! Rows that PostgreSQL refuses are found by halving: each half is a batch of its own, until the bad
//! rows are alone and their neighbours stored. Halves are transactions and not savepoints, since a
//! transaction with more than 64 open savepoints slows every other session down, and since what is
//! stored stays stored when the database goes away in the middle.

pub(crate) mod claim;
pub(crate) mod dictionary;
pub(crate) mod rollup;
pub(crate) mod row;
pub(crate) mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use rollcall_shared::database::{Lease, prove_in_step};
use rollcall_shared::queue::dead_letter::Code;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::error::{StoreError, agree};
use crate::status::Status;
use crate::store::claim::{Claim, Guesses, claim};
use crate::store::dictionary::{Dictionary, Numbers};
use crate::store::rollup::{Deltas, NewEvent};
use crate::store::row::{Identity, Row, sort_and_deduplicate};
use crate::store::write::{copy, insert};

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
    guesses: Guesses,
    reply_timeout: Duration,
    status: Arc<Status>,
}

impl Store {
    pub(crate) fn new(pool: PgPool, reply_timeout: Duration, status: Arc<Status>) -> Self {
        Self { pool, dictionary: Dictionary::new(), guesses: Guesses::new(), reply_timeout, status }
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
            match self.store_all(&part).await {
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
        let numbers = timeout(self.reply_timeout, self.dictionary.resolve(&self.pool, rows)).await??;
        let stored = match self.try_quickest_way(rows, &numbers).await {
            Err(StoreError::WrongGuess(_)) => {
                self.guesses.was_wrong();
                self.transact(rows, &numbers, Claim::Asking, Write::Quickest).await
            }
            Err(error) if error.is_undecided() => self.transact(rows, &numbers, Claim::Asking, Write::Insert).await,
            result => result,
        }?;
        self.guesses.observe(rows.len(), stored.len());
        histogram!("rollcall_store_duration_seconds").record(started.elapsed());
        counter!("rollcall_events_stored_total").increment(stored.len() as u64);
        self.status.add_stored(stored.len() as u64);
        Ok(stored)
    }

    async fn try_quickest_way(&self, rows: &[Row<'_>], numbers: &Numbers<'_>) -> Result<Vec<usize>, StoreError> {
        let claim = if self.guesses.is_worth_one(rows.len()) { Claim::AllNew } else { Claim::Asking };
        self.transact(rows, numbers, claim, Write::Quickest).await
    }

    /// One transaction on a connection that is closed unless everything went well. A server that does
    /// not answer at all is left after the reply timeout.
    async fn transact(
        &self,
        rows: &[Row<'_>],
        numbers: &Numbers<'_>,
        how: Claim,
        write: Write,
    ) -> Result<Vec<usize>, StoreError> {
        let mut lease = Lease::acquire(&self.pool).await?;
        let work = async {
            let mut transaction = lease.begin().await?;
            let claimed = claim(&mut transaction, rows, how).await?;
            let new = new_events(rows, &claimed, numbers);
            let events = new.len() as u64;
            agree("claimed identities of the batch", claimed.len() as u64, events)?;
            if !new.is_empty() {
                agree("written rows", events, write.run(&mut transaction, &new).await?)?;
                Deltas::of(&new).insert(&mut transaction, events).await?;
            }
            // Nothing new may also be the reply to another statement.
            prove_in_step(&mut transaction).await?;
            transaction.commit().await?;
            Ok::<_, StoreError>(new.iter().map(|event| event.row.message).collect())
        };
        let stored = timeout(self.reply_timeout, work).await?;
        match &stored {
            Ok(_) => lease.give_back(),
            // Halving a batch meets many refusals; a connection for each would take longer than the rest.
            Err(error) if error.is_answer() => lease.give_back_if_in_step().await,
            Err(_) => {}
        }
        stored
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

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    /// In whichever way is quicker for so many.
    Quickest,
    /// By INSERT, whose errors say more than those of a COPY.
    Insert,
}

impl Write {
    /// Writes the rows; returns how many the server counted.
    async fn run(self, connection: &mut PgConnection, new: &[NewEvent<'_, '_>]) -> Result<u64, StoreError> {
        if self == Self::Insert || new.len() <= insert::FEW {
            return Ok(insert::insert(connection, new).await?);
        }
        copy_rows(connection, copy::encode(new)).await
    }
}

/// Writes rows that are encoded as the body of a COPY; returns how many the server counted.
pub(crate) async fn copy_rows(connection: &mut PgConnection, body: Vec<u8>) -> Result<u64, StoreError> {
    copy::run(connection, include_str!("../../sql/store/copy_events.sql"), body).await.map_err(StoreError::CopyRows)
}
