//! Trouble: which messages were begun and not ended, and how often rows of them were refused.
//!
//! The queue's own count of deliveries cannot tell a message that kills workers from one that was
//! handed back by a worker which was asked to stop, and it begins anew when the consumer is made
//! anew. So attempts are counted here, in the database, and only for messages that came twice.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

use crate::delivery::MessageId;
use crate::error::StoreError;

/// A server that has not answered by then has vanished.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is counted of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Beginnings without a word about the end, this one included.
    pub(crate) begun: u32,
    /// How often rows of it were refused.
    pub(crate) refusals: u32,
}

/// The counts of troubled messages.
pub(crate) struct Troubles {
    pool: PgPool,
}

impl Troubles {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// A worker begins with a message.
    pub(crate) async fn begin(&self, id: MessageId) -> Result<Counts, StoreError> {
        let (sequence, published) = key(id);
        let begin = sqlx::query_file!("sql/begin_troubled_message.sql", sequence, published).fetch_one(&self.pool);
        let row = timeout(PATIENCE, begin).await??;
        Ok(Counts { begun: row.begun.unsigned_abs(), refusals: row.refusals.unsigned_abs() })
    }

    /// Rows of the message were refused. Returns how often that was so.
    pub(crate) async fn refuse(&self, id: MessageId) -> Result<u32, StoreError> {
        let (sequence, published) = key(id);
        let refuse = sqlx::query_file!("sql/refuse_troubled_message.sql", sequence, published).fetch_one(&self.pool);
        let row = timeout(PATIENCE, refuse).await??;
        Ok(row.refusals.unsigned_abs())
    }

    /// The worker is to stop: what it began counts as not begun.
    pub(crate) async fn hand_back(&self, id: MessageId) -> Result<(), StoreError> {
        let (sequence, published) = key(id);
        let hand_back = sqlx::query_file!("sql/hand_back_troubled_message.sql", sequence, published).execute(&self.pool);
        timeout(PATIENCE, hand_back).await??;
        Ok(())
    }

    /// The message is done with.
    pub(crate) async fn forget(&self, id: MessageId) -> Result<(), StoreError> {
        let (sequence, published) = key(id);
        let delete = sqlx::query_file!("sql/delete_troubled_message.sql", sequence, published).execute(&self.pool);
        timeout(PATIENCE, delete).await??;
        Ok(())
    }
}

fn key(id: MessageId) -> (i64, i64) {
    (id.sequence.cast_signed(), i64::try_from(id.published.as_nanosecond()).unwrap_or(i64::MAX))
}
