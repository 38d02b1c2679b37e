//! Settling: brings each delivered message to its end.
//!
//! Messages that are delivered for the first time are stored together ([`Settler::settle_batch`]). A
//! redelivered message may have ended the last worker that had it, so its attempts are counted and it
//! is stored alone ([`Settler::settle_alone`]). `conclude` then acknowledges a message if every event
//! of it is stored or a dead letter; if PostgreSQL refused some, the message comes back later, unless no attempt can
//! succeed.

pub(crate) mod attempts;
mod conclude;
pub(crate) mod dead_letter;
pub(crate) mod delivery;
pub(crate) mod retry;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use rollcall_shared::queue::chunk::Settled;
use rollcall_shared::queue::dead_letter::Code;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::settle::attempts::{Attempts, Counts};
use crate::settle::dead_letter::DeadLetters;
use crate::settle::delivery::Delivery;
use crate::settle::retry::{MAX_RETRIES, RetryPolicy};
use crate::status::Status;
use crate::store::row::{self, Decoded};
use crate::store::{Refused, Store};

/// Brings messages to their end.
pub(crate) struct Settler {
    client: async_nats::Client,
    store: Store,
    attempts: Attempts,
    dead_letters: DeadLetters,
    retry_policy: RetryPolicy,
    status: Arc<Status>,
    /// A message of the second lane holds the lock for reading, and a message that may be one that ends
    /// workers holds it for writing.
    isolation: RwLock<()>,
    stop: CancellationToken,
}

impl Settler {
    pub(crate) fn new(
        client: async_nats::Client,
        store: Store,
        attempts: Attempts,
        retry_policy: RetryPolicy,
        status: Arc<Status>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            attempts,
            dead_letters: DeadLetters::new(client.clone()),
            retry_policy,
            client,
            status,
            isolation: RwLock::new(()),
            stop,
        }
    }

    /// Settles messages that came for the first time.
    pub(crate) async fn settle_batch(&self, deliveries: Vec<Delivery>) {
        let span = trace::span(&deliveries);
        self.settle_new(deliveries).instrument(span).await;
    }

    async fn settle_new(&self, deliveries: Vec<Delivery>) {
        let mut readable = Vec::with_capacity(deliveries.len());
        let mut decoded = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match Decoded::of(delivery.project(), delivery.message()) {
                Ok(events) => {
                    readable.push(delivery);
                    decoded.push(events);
                }
                Err(error) => self.write_dead_letter(&delivery, Code::Undecodable, &reason(error), 1).await,
            }
        }
        if !readable.is_empty() {
            self.store_and_conclude(&readable, &decoded, Counts { begun: 0, refusals: 0 }).await;
        }
    }

    /// Settles a redelivered message in its own transactions. If an earlier attempt began and did not end,
    /// the message may be one that ends workers. Then no other message of the lane is settled at the same
    /// time.
    pub(crate) async fn settle_alone(&self, delivery: Delivery) {
        let span = trace::span(std::slice::from_ref(&delivery));
        self.settle_redelivered([delivery]).instrument(span).await;
    }

    async fn settle_redelivered(&self, deliveries: [Delivery; 1]) {
        let isolation = self.retry_policy.keep_in_progress(&deliveries, self.isolation.read()).await;
        let counts = self.begin(&deliveries).await;
        if counts.is_none_or(|counts| counts.begun == 1) {
            return self.settle_begun(&deliveries, counts).await;
        }
        drop(isolation);
        let [suspect] = &deliveries;
        self.uncount(suspect).await;
        let waited = self.stop.run_until_cancelled(self.isolation.write());
        // A worker that stops hands the message back before the attempt counts again.
        let Some(_alone) = self.retry_policy.keep_in_progress(&deliveries, waited).await else {
            return self.hand_back_unbegun(suspect).await;
        };
        let counts = self.begin(&deliveries).await;
        self.settle_begun(&deliveries, counts).await;
    }

    async fn begin(&self, deliveries: &[Delivery; 1]) -> Option<Counts> {
        let [delivery] = deliveries;
        self.retry_policy.retry(deliveries, &self.status, &self.stop, || self.attempts.record_start(delivery)).await
    }

    async fn settle_begun(&self, deliveries: &[Delivery; 1], counts: Option<Counts>) {
        let [delivery] = deliveries;
        match counts {
            // The attempt may have been counted, if the connection broke after the statement.
            None => self.hand_back(delivery).await,
            // The first delivery is not counted.
            Some(counts) if counts.begun > MAX_RETRIES => {
                let reason = format!("{} workers ended while they had this message", MAX_RETRIES + 1);
                self.write_dead_letter(delivery, Code::KillsWorker, &reason, MAX_RETRIES + 1).await;
            }
            Some(counts) => match Decoded::of(delivery.project(), delivery.message()) {
                Ok(decoded) => self.store_and_conclude(deliveries, &[decoded], counts).await,
                Err(error) => self.write_dead_letter(delivery, Code::Undecodable, &reason(error), counts.begun + 1).await,
            },
        }
    }

    /// Hands back a message that this worker has not begun to settle, so that another worker gets it at once.
    pub(crate) async fn hand_back_unbegun(&self, delivery: &Delivery) {
        delivery.answer(AckKind::Nak(None)).await;
    }

    async fn hand_back(&self, delivery: &Delivery) {
        self.uncount(delivery).await;
        delivery.answer(AckKind::Nak(None)).await;
    }

    /// Takes the start of this attempt back. If the database is away, the attempt stays counted.
    async fn uncount(&self, delivery: &Delivery) {
        if delivery.is_redelivered {
            let uncounted = tokio::time::timeout(Duration::from_secs(1), self.attempts.undo_start(delivery)).await;
            tracing::debug!(uncounted = matches!(uncounted, Ok(Ok(()))), "the start of an attempt was taken back");
        }
    }

    /// Stores the events of messages with these counts, and concludes each.
    async fn store_and_conclude(&self, deliveries: &[Delivery], decoded: &[Decoded], counts: Counts) {
        let contents = row::read(decoded);
        let mut rows = Some(contents.rows);
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            // Storing consumes the rows. A further try reads them again.
            let rows = rows.take().unwrap_or_else(|| row::read(decoded).rows);
            self.store.store(rows)
        };
        let Some(outcome) = self.retry_policy.retry(deliveries, &self.status, &self.stop, attempt).await else {
            for delivery in deliveries {
                self.hand_back(delivery).await;
            }
            return;
        };
        // Rows that an earlier try or delivery stored look like duplicates to this one.
        let is_exact = tries == 1 && counts.are_complete();
        let inserted: u64 = outcome.inserted.values().sum();
        tracing::debug!(inserted, "batch stored");
        let mut refused: Vec<Vec<Refused>> = deliveries.iter().map(|_| Vec::new()).collect();
        for row in outcome.refused {
            refused[row.message_index].push(row);
        }
        let mut unreadable = contents.unreadable.into_iter().peekable();
        for (message, (delivery, refused)) in deliveries.iter().zip(refused).enumerate() {
            if let Some((_, error)) = unreadable.next_if(|(place, _)| *place == message) {
                self.write_dead_letter(delivery, Code::Undecodable, &reason(error), counts.begun + 1).await;
                continue;
            }
            let inserted = outcome.inserted.get(&message).copied().unwrap_or(0);
            let settled = Settled { inserted, earlier: counts.refusals, ..Settled::default() };
            self.conclude(delivery, settled, &refused, is_exact).await;
        }
    }
}

/// An error with its causes, on one line.
fn reason(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}
