//! The second lane: messages that are delivered again are settled one by one, each in its own transactions.
//!
//! A message that is slow to store, or that kills its worker, thus delays no batch. Each priority has its own second
//! lane, so that refused bulk does not delay other messages that are delivered again.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use rollcall_shared::queue::priority::Priority;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{log_panic, settle_rest};
use crate::settle::Settler;
use crate::settle::delivery::Delivery;

/// Redelivered messages that wait in a second lane; more of them are postponed.
const CAPACITY: usize = 64;
/// Delay of a message's redelivery when the second lane is full.
const POSTPONE_DELAY: Duration = Duration::from_secs(2);

/// The way into a second lane. Its messages are settled until it is dropped.
pub(super) struct SecondLane(mpsc::Sender<Delivery>);

/// The messages that wait in a second lane.
pub(super) struct Waiting(mpsc::Receiver<Delivery>);

/// A second lane, and its messages, which [`settle`] settles.
pub(super) fn second_lane() -> (SecondLane, Waiting) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (SecondLane(sender), Waiting(receiver))
}

impl SecondLane {
    /// Adds a message, or postpones its redelivery if the lane is full.
    pub(super) async fn add(&self, delivery: Delivery) {
        if let Err(mpsc::error::TrySendError::Full(delivery)) = self.0.try_send(delivery) {
            delivery.answer(AckKind::Nak(Some(POSTPONE_DELAY))).await;
        }
    }
}

/// Number of messages that are settled at the same time. With the batches, they take fewer connections than the
/// worker has by default.
fn concurrency(priority: Priority) -> usize {
    match priority {
        Priority::Normal => 4,
        Priority::Bulk => 2,
    }
}

/// Settles the messages until the lane is dropped. Each is settled in its own task, so that a panic ends neither the
/// lane nor the worker.
pub(super) async fn settle(settler: &Arc<Settler>, mut waiting: Waiting, priority: Priority, stop: &CancellationToken) {
    let mut settling = JoinSet::new();
    loop {
        let delivery = tokio::select! {
            biased;
            Some(settled) = settling.join_next() => {
                log_panic(settled);
                continue;
            }
            delivery = waiting.0.recv(), if settling.len() < concurrency(priority) => delivery,
        };
        let Some(delivery) = delivery else { break };
        if stop.is_cancelled() {
            settler.hand_back_unbegun(&delivery).await;
        } else {
            let settler = Arc::clone(settler);
            settling.spawn(async move { settler.settle_alone(delivery).await });
        }
    }
    settle_rest(settling).await;
}
