//! Settling: what happens to messages once they are here, until the queue can forget them.
//!
//! Messages that come for the first time are stored together. One that comes again may be the one
//! that killed the last worker, so it is counted, and stored alone. A message is acknowledged when
//! every event of it is stored or a dead letter; if some were refused, it comes back later.

pub(crate) mod attempts;
pub(crate) mod dead_letter;
pub(crate) mod retry;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use metrics::counter;
use rollcall_shared::queue::chunk::{REPLY_HEADER, Settled};
use rollcall_shared::queue::dead_letter::Code;
use sqlx::PgPool;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::queue::delivery::Delivery;
use crate::settle::attempts::{Attempts, Counts};
use crate::settle::dead_letter::{DeadLetterError, DeadLetters};
use crate::settle::retry::{MAX_RETRIES, RetryPolicy};
use crate::status::Status;
use crate::store::row::{self, Decoded};
use crate::store::{Refused, Store};

/// A message that cannot be buried comes back after this long.
const DEAD_LETTER_RETRY_DELAY: Duration = Duration::from_secs(30);

/// Brings messages to their end.
pub(crate) struct Settler {
    client: async_nats::Client,
    store: Store,
    attempts: Attempts,
    dead_letters: DeadLetters,
    retry_policy: RetryPolicy,
    status: Arc<Status>,
    /// Messages of the second lane share it, or have it to themselves.
    isolation: RwLock<()>,
    stop: CancellationToken,
}

impl Settler {
    pub(crate) fn new(
        client: async_nats::Client,
        pool: PgPool,
        reply_timeout: Duration,
        retry_policy: RetryPolicy,
        status: Arc<Status>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store: Store::new(pool.clone(), reply_timeout, status.clone()),
            attempts: Attempts::new(pool, reply_timeout),
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
        let mut readable = Vec::with_capacity(deliveries.len());
        let mut decoded = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match delivery.decode() {
                Ok(events) => {
                    readable.push(delivery);
                    decoded.push(events);
                }
                Err(error) => self.write_dead_letter(&delivery, Code::Undecodable, &chain(&error), 1).await,
            }
        }
        if !readable.is_empty() {
            self.store(&readable, &decoded, Counts { begun: 0, refusals: 0 }).await;
        }
    }

    /// Settles a message that came before, with nobody else in its transactions. One that was begun and
    /// not ended is suspected of ending workers, and is settled while nothing else of the lane is.
    pub(crate) async fn settle_alone(&self, delivery: Delivery) {
        let deliveries = [delivery];
        let isolation = self.isolation.read().await;
        let counts = self.begin(&deliveries).await;
        if counts.is_none_or(|counts| counts.begun == 1) {
            return self.settle_begun(&deliveries, counts).await;
        }
        drop(isolation);
        let [suspect] = &deliveries;
        self.uncount(suspect).await;
        let _alone = self.isolation.write().await;
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
            // It may have been counted all the same: a connection that was cut at the wrong moment.
            None => self.hand_back(delivery).await,
            // The first delivery is not in the count.
            Some(counts) if counts.begun > MAX_RETRIES => {
                let reason = format!("{} workers ended while they had this message", MAX_RETRIES + 1);
                self.write_dead_letter(delivery, Code::KillsWorker, &reason, MAX_RETRIES + 1).await;
            }
            Some(counts) => match delivery.decode() {
                Ok(decoded) => self.store(deliveries, &[decoded], counts).await,
                Err(error) => self.write_dead_letter(delivery, Code::Undecodable, &chain(&error), counts.begun + 1).await,
            },
        }
    }

    /// Hands back what was delivered and not begun, so that another worker has it at once.
    pub(crate) async fn hand_back_unbegun(&self, delivery: &Delivery) {
        delivery.answer(AckKind::Nak(None)).await;
    }

    async fn hand_back(&self, delivery: &Delivery) {
        self.uncount(delivery).await;
        delivery.answer(AckKind::Nak(None)).await;
    }

    /// The beginning is not held against the message. The database may be what is away; then it stays
    /// counted.
    async fn uncount(&self, delivery: &Delivery) {
        if delivery.is_redelivered {
            let uncounted = tokio::time::timeout(Duration::from_secs(1), self.attempts.undo_start(delivery)).await;
            tracing::debug!(uncounted = matches!(uncounted, Ok(Ok(()))), "a beginning is taken back");
        }
    }

    /// Stores the events of messages with these counts, and concludes each.
    async fn store(&self, deliveries: &[Delivery], decoded: &[Decoded], counts: Counts) {
        let contents = row::read(decoded);
        let mut rows = Some(contents.rows);
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            // Storing takes the rows; the next try, if there must be one, reads them again.
            let rows = rows.take().unwrap_or_else(|| row::read(decoded).rows);
            self.store.store(rows)
        };
        let Some(outcome) = self.retry_policy.retry(deliveries, &self.status, &self.stop, attempt).await else {
            for delivery in deliveries {
                self.hand_back(delivery).await;
            }
            return;
        };
        // What an earlier try or delivery stored looks like a duplicate to this one.
        let is_exact = tries == 1 && (counts.begun == 0 || counts.refusals > 0);
        log_stored(deliveries, outcome.inserted.values().sum());
        let mut refused: Vec<Vec<Refused>> = deliveries.iter().map(|_| Vec::new()).collect();
        for row in outcome.refused {
            refused[row.message_index].push(row);
        }
        let mut unreadable = contents.unreadable.into_iter().peekable();
        for (message, (delivery, refused)) in deliveries.iter().zip(refused).enumerate() {
            if let Some((_, error)) = unreadable.next_if(|(place, _)| *place == message) {
                self.write_dead_letter(delivery, Code::Undecodable, &chain(&error), counts.begun + 1).await;
                continue;
            }
            let inserted = outcome.inserted.get(&message).copied().unwrap_or(0);
            self.conclude(delivery, inserted, &refused, is_exact).await;
        }
    }

    /// The end of a delivery, and of its message if nothing of it is left to store.
    async fn conclude(&self, delivery: &Delivery, inserted: u64, refused: &[Refused], is_exact: bool) {
        let mut settled = Settled { inserted, dead_lettered: 0, pending: 0 };
        if let Some(first) = refused.first() {
            let counting = || self.attempts.record_refusal(delivery);
            let alone = std::slice::from_ref(delivery);
            let Some(refusals) = self.retry_policy.retry(alone, &self.status, &self.stop, counting).await else {
                return self.hand_back(delivery).await;
            };
            self.record_refusal(delivery, refused.len(), first, refusals);
            if refusals <= MAX_RETRIES {
                settled.pending = refused.len() as u64;
                self.report(delivery, settled, is_exact).await;
                return delivery.answer(AckKind::Nak(Some(self.retry_policy.delay_after(refusals)))).await;
            }
            if let Err(error) =
                self.retry_policy.keep_in_progress(alone, self.dead_letters.write_events(delivery, refused, refusals)).await
            {
                return self.postpone_dead_letter(delivery, &error).await;
            }
            settled.dead_lettered = refused.len() as u64;
        }
        self.finish(delivery, refused.is_empty()).await;
        self.report(delivery, settled, is_exact).await;
    }

    async fn write_dead_letter(&self, delivery: &Delivery, code: Code, reason: &str, attempts: u32) {
        let sequence = delivery.id().sequence;
        tracing::error!(sequence, code = code.name(), reason, requests = delivery.requests(), "a message becomes a dead letter");
        self.status.record_error(format!("a message became a dead letter: {code}"));
        match self.dead_letters.write_message(delivery, code, reason, attempts).await {
            Ok(()) => self.finish(delivery, false).await,
            Err(error) => self.postpone_dead_letter(delivery, &error).await,
        }
    }

    /// Everything of the message is stored or buried: the queue and the counts may forget it.
    async fn finish(&self, delivery: &Delivery, was_never_refused: bool) {
        if delivery.is_redelivered || !was_never_refused {
            let alone = std::slice::from_ref(delivery);
            // If it stays, it is a row too many and harms nobody.
            self.retry_policy.retry(alone, &self.status, &self.stop, || self.attempts.remove(delivery)).await;
        }
        delivery.answer(AckKind::Ack).await;
    }

    async fn postpone_dead_letter(&self, delivery: &Delivery, error: &DeadLetterError) {
        self.uncount(delivery).await;
        let sequence = delivery.id().sequence;
        tracing::error!(error = error as &dyn std::error::Error, sequence, "a dead letter cannot be written; its message waits");
        self.status.record_error("a dead letter cannot be written; its message waits in the queue".to_owned());
        delivery.answer(AckKind::Nak(Some(DEAD_LETTER_RETRY_DELAY))).await;
    }

    fn record_refusal(&self, delivery: &Delivery, rows: usize, first: &Refused, refusals: u32) {
        counter!("rollcall_messages_refused_total").increment(1);
        self.status.record_error(format!("{rows} events were refused: {}", first.code));
        let (sequence, requests) = (delivery.id().sequence, delivery.requests());
        tracing::error!(sequence, rows, refusals, requests, reason = %first.reason, "events were refused");
    }

    /// Tells a client that waits for its events, where the figures are known to be exact; otherwise it
    /// is answered when its time runs out. Nobody listens if it has gone.
    async fn report(&self, delivery: &Delivery, settled: Settled, is_exact: bool) {
        let Some(inbox) = delivery.header(REPLY_HEADER).filter(|_| is_exact) else { return };
        let payload = serde_json::to_vec(&settled).unwrap_or_default();
        if let Err(error) = self.client.publish(inbox.to_owned(), payload.into()).await {
            tracing::warn!(%error, "a waiting client was not told");
        }
    }
}

fn log_stored(deliveries: &[Delivery], inserted: u64) {
    let requests: Vec<_> = deliveries.iter().take(32).map(Delivery::requests).collect();
    tracing::debug!(messages = deliveries.len(), inserted, requests = requests.join(","), "batch stored");
}

/// An error with everything that caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line += &format!(": {cause}");
        source = cause.source();
    }
    line
}
