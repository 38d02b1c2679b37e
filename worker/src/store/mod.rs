//! The store: writes each batch in one transaction, all of it or nothing.
//!
//! A transaction claims the identities, keeps the rows whose identity was new, writes them, appends
//! what they add to the rollups, checks that none is older than its project keeps events, and commits.
//! When a batch is stored again, its identities are claimed already, so no number changes. Before the
//! commit, the row counts that the server reports must agree with what was sent. If the transaction
//! does not commit, its connection is closed.
//!
//! Some errors name the rows that they concern, such as events of a type that their project may not
//! have, or older than it keeps events. Other rows that PostgreSQL refuses are found by bisection: each
//! half is stored as a batch, until every refused row is alone and all others are stored. Each half is a transaction instead of a savepoint,
//! because more than 64 open savepoints slow every other session down, and because what is committed
//! survives when the database goes away in between.

pub(crate) mod claim;
pub(crate) mod dictionary;
mod event_types;
mod horizon;
pub(crate) mod new_event;
pub(crate) mod rollup;
pub(crate) mod row;
pub(crate) mod session;
pub(crate) mod summary;
pub(crate) mod user_activity;
pub(crate) mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use rollcall_shared::database::{Lease, prove_in_step};
use rollcall_shared::project::EventTypeLimit;
use rollcall_shared::queue::dead_letter::Code;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::error::{StoreError, agree};
use crate::status::Status;
use crate::store::claim::{Claim, NewBatchHeuristic, claim};
use crate::store::dictionary::{Dictionary, Numbers};
use crate::store::new_event::{NewEvent, new_events};
use crate::store::rollup::Deltas;
use crate::store::row::{Identity, Row, sort_and_deduplicate};
use crate::store::session::Session;
use crate::store::summary::Summaries;
use crate::store::user_activity::UserActivity;
use crate::store::write::{Write, copy, insert};

/// The result of storing a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many rows of each message were new, by the message's index.
    pub(crate) inserted: HashMap<usize, u64>,
    /// Rows that PostgreSQL refused, of any message.
    pub(crate) refused: Vec<Refused>,
}

/// A row that was refused, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The index of its message in the batch.
    pub(crate) message_index: usize,
    pub(crate) identity: Identity,
    /// The event's line, as in the message.
    pub(crate) line: Vec<u8>,
    pub(crate) code: Code,
    pub(crate) reason: Arc<str>,
}

/// Stores batches.
pub(crate) struct Store {
    pool: PgPool,
    dictionary: Dictionary,
    heuristic: NewBatchHeuristic,
    reply_timeout: Duration,
    status: Arc<Status>,
}

impl Store {
    /// `default_limit` is for projects that have no limit of their own.
    pub(crate) fn new(pool: PgPool, reply_timeout: Duration, default_limit: EventTypeLimit, status: Arc<Status>) -> Self {
        Self { pool, dictionary: Dictionary::new(default_limit), heuristic: NewBatchHeuristic::new(), reply_timeout, status }
    }

    /// Stores the rows that are new, except those that PostgreSQL refuses.
    ///
    /// # Errors
    /// Only transient ones. Some of the rows may be stored then; storing the whole batch again is safe.
    pub(crate) async fn store(&self, mut rows: Vec<Row<'_>>) -> Result<Outcome, StoreError> {
        let events = rows.len();
        let repeats = sort_and_deduplicate(&mut rows);
        let mut outcome = Outcome::default();
        let mut parts = vec![rows];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.store_all(&part).await {
                Ok(inserted) => inserted.into_iter().for_each(|message| *outcome.inserted.entry(message).or_default() += 1),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    let (bad, mut rest): (Vec<_>, Vec<_>) = part.into_iter().partition(|row| error.concerns(row));
                    if !bad.is_empty() {
                        outcome.refuse(bad, &error);
                        parts.push(rest);
                    } else if rest.len() == 1 {
                        outcome.refuse(rest, &error);
                    } else {
                        let half = rest.split_off(rest.len() / 2);
                        parts.extend([half, rest]);
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
        let stored = match self.try_quickest(rows, &numbers).await {
            Err(StoreError::ClaimConflict(_)) => {
                self.heuristic.record_conflict();
                self.transact(rows, &numbers, Claim::Checked, Write::Quickest).await
            }
            Err(error) if error.is_undecided() => self.transact(rows, &numbers, Claim::Checked, Write::Insert).await,
            result => result,
        }?;
        self.heuristic.record(rows.len(), stored.len());
        histogram!("rollcall_store_duration_seconds").record(started.elapsed());
        counter!("rollcall_events_stored_total").increment(stored.len() as u64);
        self.status.add_stored(stored.len() as u64);
        Ok(stored)
    }

    async fn try_quickest(&self, rows: &[Row<'_>], numbers: &Numbers<'_>) -> Result<Vec<usize>, StoreError> {
        let claim = if self.heuristic.expects_all_new(rows.len()) { Claim::AllNew } else { Claim::Checked };
        self.transact(rows, numbers, claim, Write::Quickest).await
    }

    /// Runs one transaction. Its connection is closed unless everything went well, and also when the
    /// server does not answer within the reply timeout.
    async fn transact(
        &self,
        rows: &[Row<'_>],
        numbers: &Numbers<'_>,
        strategy: Claim,
        write: Write,
    ) -> Result<Vec<usize>, StoreError> {
        let mut lease = Lease::acquire(&self.pool).await?;
        let work = async {
            let mut transaction = lease.begin().await?;
            let claimed = claim(&mut transaction, rows, strategy).await?;
            let new = new_events(rows, &claimed, numbers);
            let events = new.len() as u64;
            agree("claimed identities of the batch", claimed.len() as u64, events)?;
            if !new.is_empty() {
                agree("written rows", events, write_rows(&mut transaction, &new, write).await?)?;
                Deltas::of(&new).insert(&mut transaction, events).await?;
                Summaries::of(&new, Session::of).insert(&mut transaction).await?;
                Summaries::of(&new, |event| Some(UserActivity::of(event))).insert(&mut transaction).await?;
                horizon::check(&mut transaction, &new).await?;
            }
            // "Nothing new" may be the reply to another statement.
            prove_in_step(&mut transaction).await?;
            transaction.commit().await?;
            Ok::<_, StoreError>(new.iter().map(|event| event.row.message_index).collect())
        };
        let stored = timeout(self.reply_timeout, work).await?;
        match &stored {
            Ok(_) => lease.give_back(),
            // Bisection causes many refusals. A new connection for each would take longer than the rest.
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
            Refused { message_index: row.message_index, identity: row.identity, line, code, reason: Arc::clone(&reason) }
        }));
    }

    /// Adds a refused event to every message that contains it, because none of these messages is finished
    /// before the event is stored or a dead letter.
    fn refuse_repeats(&mut self, repeats: &[(Identity, usize)]) {
        for index in 0..self.refused.len() {
            let refused = self.refused[index].clone();
            let first = repeats.partition_point(|(identity, _)| *identity < refused.identity);
            let of_same = repeats[first..].iter().take_while(|(identity, _)| *identity == refused.identity);
            self.refused.extend(of_same.map(|(_, message_index)| Refused { message_index: *message_index, ..refused.clone() }));
        }
    }
}

/// Writes the rows; returns how many the server counted.
async fn write_rows(connection: &mut PgConnection, new: &[NewEvent<'_, '_>], write: Write) -> Result<u64, StoreError> {
    if write.copies(new.len()) {
        copy_rows(connection, copy::encode(new)).await
    } else {
        Ok(insert::insert(connection, new).await?)
    }
}

/// Writes rows that are encoded as the body of a COPY; returns how many the server counted.
pub(crate) async fn copy_rows(connection: &mut PgConnection, body: Vec<u8>) -> Result<u64, StoreError> {
    copy::run(connection, include_str!("../../sql/store/copy_events.sql"), body).await.map_err(StoreError::CopyRows)
}
