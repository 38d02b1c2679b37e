//! Trouble: which messages were begun and not ended, and how often rows of them were refused.
//!
//! The queue's own count of deliveries cannot tell a message that kills workers from one that was
//! handed back by a worker which was asked to stop, and it begins anew when the consumer is made
//! anew. So attempts are counted here, in the database, and only for messages that came twice.

use sqlx::PgPool;

use crate::delivery::MessageId;
use crate::error::StoreError;

/// The counts of troubled messages.
pub(crate) struct Troubles {
    pool: PgPool,
}

impl Troubles {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// A worker begins with a message. Returns how often that was so, this time included, without a
    /// word about the end.
    pub(crate) async fn begin(&self, id: MessageId) -> Result<u32, StoreError> {
        let (sequence, published) = key(id);
        let row = sqlx::query_file!("sql/begin_troubled_message.sql", sequence, published).fetch_one(&self.pool).await?;
        Ok(row.begun.unsigned_abs())
    }

    /// Rows of the message were refused. Returns how often that was so.
    pub(crate) async fn refuse(&self, id: MessageId) -> Result<u32, StoreError> {
        let (sequence, published) = key(id);
        let row = sqlx::query_file!("sql/refuse_troubled_message.sql", sequence, published).fetch_one(&self.pool).await?;
        Ok(row.refusals.unsigned_abs())
    }

    /// The worker is to stop: what it began counts as not begun.
    pub(crate) async fn hand_back(&self, id: MessageId) -> Result<(), StoreError> {
        let (sequence, published) = key(id);
        sqlx::query_file!("sql/hand_back_troubled_message.sql", sequence, published).execute(&self.pool).await?;
        Ok(())
    }

    /// The message is done with.
    pub(crate) async fn forget(&self, id: MessageId) -> Result<(), StoreError> {
        let (sequence, published) = key(id);
        sqlx::query_file!("sql/delete_troubled_message.sql", sequence, published).execute(&self.pool).await?;
        Ok(())
    }
}

fn key(id: MessageId) -> (i64, i64) {
    (id.sequence.cast_signed(), i64::try_from(id.published.as_nanosecond()).unwrap_or(i64::MAX))
}
