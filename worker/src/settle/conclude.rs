//! The conclusion of a delivery: it is acknowledged, comes back later, or becomes a dead letter.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use jiff::Timestamp;
use metrics::{counter, histogram};
use rollcall_shared::queue::chunk::{REPLY_HEADER, Settled};
use rollcall_shared::queue::dead_letter::Code;

use super::Settler;
use crate::settle::dead_letter::DeadLetterError;
use crate::settle::delivery::Delivery;
use crate::settle::retry::MAX_RETRIES;
use crate::store::Refused;

/// A message whose dead letter cannot be written comes back after this long.
const DEAD_LETTER_RETRY_DELAY: Duration = Duration::from_secs(30);

impl Settler {
    /// Ends a delivery, and also its message if every event in it is stored or a dead letter.
    /// `settled` says what the store did; the rest of it is added here.
    pub(super) async fn conclude(&self, delivery: &Delivery, mut settled: Settled, refused: &[Refused], is_exact: bool) {
        let alone = std::slice::from_ref(delivery);
        let (final_refusals, refused): (Vec<_>, Vec<_>) = refused.iter().partition(|event| event.code.is_final());
        if let Some(first) = final_refusals.first() {
            self.record_final_refusal(delivery, final_refusals.len(), first);
            let writing = self.dead_letters.write_events(delivery, &final_refusals, settled.earlier + 1);
            if let Err(error) = self.retry_policy.keep_in_progress(alone, writing).await {
                return self.postpone_dead_letter(delivery, &error).await;
            }
            // The report of an earlier delivery has counted them already.
            settled.dead_lettered = if settled.earlier == 0 { final_refusals.len() as u64 } else { 0 };
        }
        if let Some(first) = refused.first() {
            let counting = || self.attempts.record_refusal(delivery);
            let Some(refusals) = self.retry_policy.retry(alone, &self.status, &self.stop, counting).await else {
                return self.hand_back(delivery).await;
            };
            self.record_refusal(delivery, refused.len(), first, refusals);
            if refusals <= MAX_RETRIES {
                settled.pending = refused.len() as u64;
                self.report(delivery, settled, is_exact).await;
                return delivery.answer(AckKind::Nak(Some(self.retry_policy.delay_after(refusals)))).await;
            }
            let writing = self.dead_letters.write_events(delivery, &refused, refusals);
            if let Err(error) = self.retry_policy.keep_in_progress(alone, writing).await {
                return self.postpone_dead_letter(delivery, &error).await;
            }
            settled.dead_lettered += refused.len() as u64;
        }
        self.finish(delivery, refused.is_empty()).await;
        self.report(delivery, settled, is_exact).await;
    }

    pub(super) async fn write_dead_letter(&self, delivery: &Delivery, code: Code, reason: &str, attempts: u32) {
        let sequence = delivery.id().sequence;
        tracing::error!(sequence, code = code.name(), reason, requests = delivery.requests(), "a message becomes a dead letter");
        self.status.record_error(format!("a message became a dead letter: {code}"));
        match self.dead_letters.write_message(delivery, code, reason, attempts).await {
            Ok(()) => self.finish(delivery, false).await,
            Err(error) => self.postpone_dead_letter(delivery, &error).await,
        }
    }

    /// Acknowledges a message of which every event is stored or a dead letter.
    async fn finish(&self, delivery: &Delivery, was_never_refused: bool) {
        if delivery.is_redelivered || !was_never_refused {
            let alone = std::slice::from_ref(delivery);
            // A row that stays is harmless; `sweep` removes it later.
            self.retry_policy.retry(alone, &self.status, &self.stop, || self.attempts.remove(delivery)).await;
        }
        delivery.answer(AckKind::Ack).await;
        // The clock of nats-server may be ahead of this one.
        let secs = Timestamp::now().duration_since(delivery.id().published).as_secs_f64().max(0.0);
        histogram!("rollcall_time_in_queue_seconds", "priority" => delivery.priority().name()).record(secs);
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

    fn record_final_refusal(&self, delivery: &Delivery, rows: usize, first: &Refused) {
        self.status.record_error(format!("{rows} events became dead letters: {}", first.code));
        let (sequence, requests) = (delivery.id().sequence, delivery.requests());
        tracing::warn!(sequence, rows, requests, reason = %first.reason, "events become dead letters at once");
    }

    /// Tells a client that waits for its events, if the figures are known to be exact. Otherwise the client
    /// is answered when its time runs out.
    async fn report(&self, delivery: &Delivery, settled: Settled, is_exact: bool) {
        let Some(inbox) = delivery.header(REPLY_HEADER).filter(|_| is_exact) else { return };
        let payload = serde_json::to_vec(&settled).unwrap_or_default();
        if let Err(error) = self.client.publish(inbox.to_owned(), payload.into()).await {
            tracing::warn!(%error, "a waiting client was not told");
        }
    }
}
