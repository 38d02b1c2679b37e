//! The consumer: pulls messages, gathers them into batches, and hands them to be settled.
//!
//! All workers share the durable consumers, so they divide the work. Each priority is pulled on its own, so that
//! neither waits for the other's consumers, and takes a slot for each batch. Messages that are delivered for the
//! first time are gathered into batches, and a few batches are settled concurrently: while PostgreSQL stores one,
//! the next is decoded. Redelivered messages take the second lane.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, StreamError, pull};
use async_nats::jetstream::{self, Context};
use backon::BackoffBuilder;
use futures::stream::SelectAll;
use futures::{FutureExt, StreamExt};
use rollcall_shared::backoff;
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream;
use rollcall_shared::queue::stream::STREAM;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::second_lane::{self, SecondLane, second_lane};
use super::slots::Slots;
use super::{log_panic, settle_rest};
use crate::settle::Settler;
use crate::settle::delivery::Delivery;
use crate::status::Status;

/// Messages requested at a time from each consumer. Half of them are buffered while a batch is stored.
const PULL_MESSAGES: usize = 64;
/// Bytes of messages requested at a time from each consumer of bulk, whose messages are large: about one batch of
/// each shard. It must exceed the size of any message, because the server would never deliver a larger one.
const PULL_BULK_BYTES: usize = 1280 * 1024;
/// A batch takes no more messages once it holds this many bytes of lines. It bounds the memory of a worker.
const BATCH_MAX_LINES_BYTES: usize = 16 * 1024 * 1024;
/// Longest delay between two attempts to open the consumers.
const MAX_OPEN_DELAY: Duration = Duration::from_secs(10);
/// Delay before pulling starts again, so that a lasting fault does not cause a busy loop.
const REOPEN_DELAY: Duration = Duration::from_millis(200);

/// The messages of all consumers of a priority. Consumers with messages take turns.
type Messages = SelectAll<pull::Stream>;
/// A message, or why pulling was disturbed.
type Pulled = Result<jetstream::Message, pull::MessagesError>;

/// Pulls messages from the queue.
pub(crate) struct Consumer {
    context: Context,
    settler: Arc<Settler>,
    status: Arc<Status>,
    batch_max_events: usize,
    /// Settings with which a missing stream or consumer is created again, if this worker may do so.
    recreate: Option<NatsSettings>,
    slots: Slots,
}

/// Why pulling from the consumers could not start.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("the consumer {name} is not there")]
    Consumer { name: String, source: jetstream::stream::ConsumerError },
    #[error("pulling failed")]
    Pull(#[from] StreamError),
}

impl Consumer {
    pub(crate) fn new(
        client: async_nats::Client,
        settler: Arc<Settler>,
        status: Arc<Status>,
        batch_max_events: usize,
        recreate: Option<NatsSettings>,
    ) -> Self {
        Self { context: jetstream::new(client), settler, status, batch_max_events, recreate, slots: Slots::default() }
    }

    /// Runs until told to stop. Opening the consumers is retried with backoff.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.run_priority(Priority::Normal, stop), self.run_priority(Priority::Bulk, stop));
    }

    async fn run_priority(&self, priority: Priority, stop: &CancellationToken) {
        let (second_lane, waiting) = second_lane();
        tokio::join!(self.pull(priority, second_lane, stop), second_lane::settle(&self.settler, waiting, priority, stop));
    }

    /// Runs the first lane. The second lane ends after it, when it is dropped.
    async fn pull(&self, priority: Priority, second_lane: SecondLane, stop: &CancellationToken) {
        while let Some(messages) = self.open_with_backoff(priority, stop).await {
            self.status.set_pulling(priority, true);
            self.consume(priority, messages, &second_lane, stop).await;
            self.status.set_pulling(priority, false);
        }
    }

    /// `None` if the worker is to stop.
    async fn open_with_backoff(&self, priority: Priority, stop: &CancellationToken) -> Option<Messages> {
        let backoff = backoff::endless(MAX_OPEN_DELAY);
        for delay in backoff.build() {
            match stop.run_until_cancelled(self.open(priority)).await? {
                Ok(messages) => return Some(messages),
                Err(error) => {
                    let delay_ms = delay.as_millis() as u64;
                    tracing::warn!(error = &error as &dyn std::error::Error, delay_ms, "cannot pull; trying again");
                    self.status.record_error(error.to_string());
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(delay)).await?;
        }
        None
    }

    async fn open(&self, priority: Priority) -> Result<Messages, OpenError> {
        let mut messages = Messages::new();
        for name in stream::consumers(priority) {
            messages.push(self.open_consumer(priority, name).await?);
        }
        Ok(messages)
    }

    async fn open_consumer(&self, priority: Priority, name: String) -> Result<pull::Stream, OpenError> {
        let consumer: PullConsumer = match self.context.get_consumer_from_stream(&name, STREAM).await {
            Ok(consumer) => consumer,
            Err(source) => {
                self.recreate().await;
                return Err(OpenError::Consumer { name, source });
            }
        };
        let stream = consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .max_bytes_per_batch(match priority {
                // 0 is no limit. These messages are small.
                Priority::Normal => 0,
                Priority::Bulk => PULL_BULK_BYTES,
            })
            .expires(Duration::from_secs(10))
            .heartbeat(Duration::from_secs(3))
            .messages()
            .await?;
        Ok(stream)
    }

    /// Creates the stream and the consumers if they are gone and this process may do so. What the stream
    /// still holds is delivered again.
    async fn recreate(&self) {
        let Some(settings) = &self.recreate else { return };
        match stream::ensure_as_admin(settings).await {
            Ok(()) => tracing::warn!("stream and consumers are there again, if they were gone"),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "stream and consumers cannot be made"),
        }
    }

    /// Settles messages until pulling is disturbed or the worker is to stop.
    async fn consume(&self, priority: Priority, mut messages: Messages, second_lane: &SecondLane, stop: &CancellationToken) {
        let mut batches = JoinSet::new();
        let mut in_hand = None;
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(settled) = batches.join_next() => {
                    log_panic(settled);
                    continue;
                }
                first = messages.next() => first,
            };
            let Some(first) = first else { break };
            let Some(slot) = stop.run_until_cancelled(self.slots.take(priority)).await else {
                in_hand = Some(first);
                break;
            };
            let (batch, is_disturbed) = self.gather(first, &mut messages, second_lane).await;
            if !batch.is_empty() {
                let settler = Arc::clone(&self.settler);
                batches.spawn(async move {
                    settler.settle_batch(batch).await;
                    drop(slot);
                });
            }
            if is_disturbed {
                // The NATS library would wait until its last pull request has expired. Opening the consumers
                // again is quicker.
                tokio::time::sleep(REOPEN_DELAY).await;
                break;
            }
        }
        self.hand_back(in_hand, messages).await;
        // Batches that are being settled run to their end.
        settle_rest(batches).await;
    }

    /// Hands back the message in hand and those that were delivered and not yet gathered; until then, the queue
    /// counts them as in progress. The pull requests end first, or the same messages would come right back.
    async fn hand_back(&self, in_hand: Option<Pulled>, mut messages: Messages) {
        let mut pulled = Vec::from_iter(in_hand);
        while let Some(Some(message)) = messages.next().now_or_never() {
            pulled.push(message);
        }
        drop(messages);
        for delivery in pulled.into_iter().filter_map(|message| Delivery::new(message.ok()?)) {
            self.settler.hand_back_unbegun(&delivery).await;
        }
    }

    /// Gathers the first message and those that are buffered, up to one batch, without waiting for
    /// more: batches are small when the worker is idle and large under load. Also returns whether
    /// pulling was disturbed.
    async fn gather(&self, first: Pulled, messages: &mut Messages, second_lane: &SecondLane) -> (Vec<Delivery>, bool) {
        let mut batch = Vec::new();
        let mut is_disturbed = false;
        let (mut events, mut lines_bytes) = (0, 0);
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Ok(message) => match Delivery::new(message) {
                    Some(delivery) if delivery.is_redelivered => second_lane.add(delivery).await,
                    Some(delivery) => {
                        events += delivery.event_count();
                        lines_bytes += delivery.lines_bytes();
                        batch.push(delivery);
                    }
                    None => tracing::warn!("a message did not come from the consumer"),
                },
                Err(error) => {
                    tracing::warn!(%error, "pulling was disturbed; beginning anew");
                    is_disturbed = true;
                }
            }
            if events < self.batch_max_events && lines_bytes < BATCH_MAX_LINES_BYTES {
                next = messages.next().now_or_never().flatten();
            }
        }
        (batch, is_disturbed)
    }
}
