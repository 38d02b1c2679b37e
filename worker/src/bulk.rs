//! Bulk: the store without the queue, for a caller in Rust who has the events already.
//!
//! [`Loader::store`] stores a batch with the code of a worker; the benchmark fills its tables this way.
//! [`Loader::prepare`] does everything that comes before a batch's transaction, so that the duration of
//! [`Prepared::execute`] is that of PostgreSQL alone.
//!
//! It does not retry, and events are not durable before they are stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use rollcall_shared::project::{EventTypeLimit, ProjectId};
use sqlx::{Connection, PgConnection, PgPool};

use crate::maintenance::{clock, compact, index, partition};
use crate::status::Status;
use crate::store::claim::claim_new;
use crate::store::dictionary::Dictionary;
use crate::store::new_event::new_events;
use crate::store::rollup::Deltas;
use crate::store::row::{self, Decoded, Identity, Row, sort_and_deduplicate};
use crate::store::session::Session;
use crate::store::summary::{Delta, Summaries};
use crate::store::user_activity::UserActivity;
use crate::store::write::copy;
use crate::store::write::delta::{SessionsDelta, UsersDelta};
use crate::store::{Store, copy_rows};

/// The caller waits for its own batches, however long they take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(3600);

/// The caller makes as many types as it needs.
const EVENT_TYPES: EventTypeLimit = EventTypeLimit(i32::MAX);

/// Stores batches. Any number of tasks may share a loader.
pub struct Loader {
    pool: PgPool,
    store: Store,
    dictionary: Dictionary,
}

/// The events of one batch: one [`Event`](rollcall_shared::event::Event) per line, as in a chunk.
pub struct Lines([Decoded; 1]);

/// A batch whose payloads are encoded.
pub struct Prepared {
    events: u64,
    identities: Vec<u8>,
    copy_body: Vec<u8>,
    deltas: Deltas,
    sessions: Vec<SessionsDelta>,
    users: Vec<UsersDelta>,
}

impl Lines {
    /// Wraps lines, each of which ends with a line feed.
    #[must_use]
    pub fn new(project: ProjectId, lines: Vec<u8>) -> Self {
        Self([Decoded { project, lines }])
    }

    fn rows(&self) -> anyhow::Result<Vec<Row<'_>>> {
        let contents = row::read(&self.0);
        match contents.unreadable.into_iter().next() {
            None => Ok(contents.rows),
            Some((_, error)) => Err(error.into()),
        }
    }
}

impl Loader {
    /// A loader for the database of the pool, whose schema must be up to date.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        let store = Store::new(pool.clone(), REPLY_TIMEOUT, EVENT_TYPES, Arc::new(Status::new()));
        Self { store, dictionary: Dictionary::new(EVENT_TYPES), pool }
    }

    /// Stores the events in one transaction, with their rollups; returns how many were new.
    ///
    /// # Errors
    /// Only if a line is not an event or PostgreSQL does not store the batch; then none of it is stored.
    pub async fn store(&self, lines: &Lines) -> anyhow::Result<u64> {
        let outcome = self.store.store(lines.rows()?).await?;
        if let Some(refused) = outcome.refused.first() {
            anyhow::bail!("{} events were refused: {}", outcome.refused.len(), refused.reason);
        }
        Ok(outcome.inserted.values().sum())
    }

    /// Encodes everything that the transaction of this batch sends, for events that are all new. It also
    /// creates the numbers of new actors and types.
    ///
    /// # Errors
    /// Only if a line is not an event or PostgreSQL gives no numbers.
    pub async fn prepare(&self, lines: &Lines) -> anyhow::Result<Prepared> {
        let mut rows = lines.rows()?;
        sort_and_deduplicate(&mut rows);
        let numbers = self.dictionary.resolve(&self.pool, &rows).await?;
        let all: Vec<Identity> = rows.iter().map(|row| row.identity).collect();
        let new = new_events(&rows, &all, &numbers);
        Ok(Prepared {
            events: rows.len() as u64,
            identities: copy::encode_identities(&rows),
            copy_body: copy::encode(&new),
            deltas: Deltas::of(&new),
            sessions: Summaries::of(&new, Session::of).deltas(),
            users: Summaries::of(&new, |event| Some(UserActivity::of(event))).deltas(),
        })
    }

    /// Creates the partitions that a worker would have created if it had run from this day until today.
    ///
    /// # Errors
    /// Only if PostgreSQL does not answer or the schema is missing.
    pub async fn lay_out(&self, first_day: Date) -> anyhow::Result<()> {
        let today = clock::today(&self.pool).await?;
        let mut day = first_day;
        while day < today {
            partition::make(&self.pool, day).await?;
            day = day.saturating_add(7.days());
        }
        Ok(partition::make(&self.pool, today).await?)
    }

    /// Builds the indexes of partitions whose days are over, as a worker does every hour, and updates the
    /// filters of the others.
    ///
    /// # Errors
    /// Only if PostgreSQL does not answer.
    pub async fn seal(&self) -> anyhow::Result<()> {
        index::seal(&self.pool, clock::today(&self.pool).await?).await?;
        Ok(index::summarize(&self.pool, &index::Summarized::default()).await?)
    }

    /// Folds every delta of the rollups into its base, as a worker does every few seconds.
    ///
    /// # Errors
    /// Only if PostgreSQL does not answer.
    pub async fn compact(&self) -> anyhow::Result<()> {
        Ok(compact::compact(&self.pool, REPLY_TIMEOUT).await?)
    }
}

impl Prepared {
    /// The new rows as the body of one binary COPY, with the columns of `copy_events.sql`.
    #[must_use]
    pub fn copy_body(&self) -> &[u8] {
        &self.copy_body
    }

    /// The same batch without the deltas of sessions.
    #[must_use]
    pub fn without_sessions(self) -> Self {
        Self { sessions: Vec::new(), ..self }
    }

    /// Runs the statements of the transaction and commits.
    ///
    /// # Errors
    /// Only if PostgreSQL refuses one, or an event was stored before.
    pub async fn execute(self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let mut transaction = connection.begin().await?;
        claim_new(&mut transaction, self.identities, self.events).await?;
        copy_rows(&mut transaction, self.copy_body).await?;
        self.deltas.insert(&mut transaction, self.events).await?;
        for delta in self.sessions {
            delta.insert(&mut transaction).await?;
        }
        for delta in self.users {
            delta.insert(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
