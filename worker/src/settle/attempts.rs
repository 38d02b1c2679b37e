//! Trouble: which messages were begun and not ended, and how often rows of them were refused.
//!
//! The queue's own count of deliveries cannot tell a message that kills workers from one that was
//! handed back by a worker which was asked to stop, and it begins anew when the consumer is made
//! anew. So attempts are counted here, in the database, and only for messages that came twice. What is
//! counted are the ids of deliveries, so that a count whose reply was lost can be sent again.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

use crate::error::StoreError;
use crate::queue::delivery::Delivery;

/// What is counted of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Beginnings without a word about the end, this one included.
    pub(crate) begun: u32,
    /// How often rows of it were refused.
    pub(crate) refusals: u32,
}

/// The counts of troubled messages.
pub(crate) struct Attempts {
    pool: PgPool,
    reply_timeout: Duration,
}

impl Attempts {
    pub(crate) fn new(pool: PgPool, reply_timeout: Duration) -> Self {
        Self { pool, reply_timeout }
    }

    /// A worker begins with a message. To say so twice of one delivery counts once.
    pub(crate) async fn record_start(&self, delivery: &Delivery) -> Result<Counts, StoreError> {
        let (sequence, published) = key(delivery);
        let begin = sqlx::query_file!("sql/attempts/begin_troubled_message.sql", sequence, published, delivery.delivery_id)
            .fetch_one(&self.pool);
        let row = timeout(self.reply_timeout, begin).await??;
        Ok(Counts { begun: row.begun.unsigned_abs(), refusals: row.refusals.unsigned_abs() })
    }

    /// Rows of the message were refused. Returns of how many deliveries that was so.
    pub(crate) async fn record_refusal(&self, delivery: &Delivery) -> Result<u32, StoreError> {
        let (sequence, published) = key(delivery);
        let refuse = sqlx::query_file!("sql/attempts/refuse_troubled_message.sql", sequence, published, delivery.delivery_id)
            .fetch_one(&self.pool);
        let row = timeout(self.reply_timeout, refuse).await??;
        Ok(row.refusals.unsigned_abs())
    }

    /// The worker is to stop: what it began counts as not begun.
    pub(crate) async fn undo_start(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let (sequence, published) = key(delivery);
        let hand_back =
            sqlx::query_file!("sql/attempts/hand_back_troubled_message.sql", sequence, published, delivery.delivery_id)
                .execute(&self.pool);
        timeout(self.reply_timeout, hand_back).await??;
        Ok(())
    }

    /// The message is done with.
    pub(crate) async fn remove(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let (sequence, published) = key(delivery);
        let delete = sqlx::query_file!("sql/attempts/delete_troubled_message.sql", sequence, published).execute(&self.pool);
        timeout(self.reply_timeout, delete).await??;
        Ok(())
    }
}

fn key(delivery: &Delivery) -> (i64, i64) {
    let id = delivery.id();
    (id.sequence.cast_signed(), i64::try_from(id.published.as_nanosecond()).unwrap_or(i64::MAX))
}
