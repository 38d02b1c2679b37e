//! Attempts: how often workers began to settle a message without finishing it, and how often its rows
//! were refused.
//!
//! The queue counts deliveries. That number does not distinguish a message that ends workers from one that
//! a stopping worker handed back; it also starts again when somebody recreates the consumer. Therefore
//! attempts are counted in the database, and only those of redelivered messages. The table keeps the ids of
//! deliveries, so that a statement whose reply was lost can be sent again without counting twice.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

use crate::error::StoreError;
use crate::settle::delivery::Delivery;

/// The attempts at one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Attempts that began and whose end is not known, including this one.
    pub(crate) begun: u32,
    /// Deliveries of which PostgreSQL refused rows.
    pub(crate) refusals: u32,
}

impl Counts {
    /// Whether the end of every earlier attempt is known. Otherwise one of them may have stored events, which look
    /// like duplicates now.
    pub(crate) fn are_complete(self) -> bool {
        // A redelivered message counts the attempt that has just begun, and its first delivery ended with a refusal.
        self.begun == 0 || self.begun == 1 && self.refusals > 0
    }
}

/// Counts attempts, in the table `troubled_messages`.
pub(crate) struct Attempts {
    pool: PgPool,
    reply_timeout: Duration,
}

impl Attempts {
    pub(crate) fn new(pool: PgPool, reply_timeout: Duration) -> Self {
        Self { pool, reply_timeout }
    }

    /// Counts the start of an attempt. Doing so twice for one delivery counts once.
    pub(crate) async fn record_start(&self, delivery: &Delivery) -> Result<Counts, StoreError> {
        let (sequence, published) = key(delivery);
        let begin = sqlx::query_file!("sql/attempts/begin_troubled_message.sql", sequence, published, delivery.delivery_id)
            .fetch_one(&self.pool);
        let row = timeout(self.reply_timeout, begin).await??;
        Ok(Counts { begun: row.begun.unsigned_abs(), refusals: row.refusals.unsigned_abs() })
    }

    /// Counts that rows of the message were refused; returns for how many deliveries that happened.
    pub(crate) async fn record_refusal(&self, delivery: &Delivery) -> Result<u32, StoreError> {
        let (sequence, published) = key(delivery);
        let refuse = sqlx::query_file!("sql/attempts/refuse_troubled_message.sql", sequence, published, delivery.delivery_id)
            .fetch_one(&self.pool);
        let row = timeout(self.reply_timeout, refuse).await??;
        Ok(row.refusals.unsigned_abs())
    }

    /// Takes the start of an attempt back, because the worker is stopping.
    pub(crate) async fn undo_start(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let (sequence, published) = key(delivery);
        let hand_back =
            sqlx::query_file!("sql/attempts/hand_back_troubled_message.sql", sequence, published, delivery.delivery_id)
                .execute(&self.pool);
        timeout(self.reply_timeout, hand_back).await??;
        Ok(())
    }

    /// Removes the counts of a message that has ended.
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
