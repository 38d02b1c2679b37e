//! The consumer: pulls messages, gathers them into batches, and hands them to be settled.
//!
//! All workers share one durable consumer, so they divide the work. Messages that are delivered for
//! the first time are gathered into batches, and a few batches are settled concurrently: while
//! PostgreSQL stores one, the next is decoded. Redelivered messages are settled one by one in a second
//! lane, so that a message which is slow to store, or which kills its worker, delays no other.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, StreamError, pull};
use async_nats::jetstream::{self, Context};
use backon::BackoffBuilder;
use futures::{FutureExt, StreamExt};
use metrics::counter;
use rollcall_shared::backoff;
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::queue::stream;
use rollcall_shared::queue::stream::{CONSUMER, STREAM};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::settle::Settler;
use crate::settle::delivery::Delivery;
use crate::status::Status;

/// Messages requested at a time. Half of them are buffered while a batch is stored.
const PULL_MESSAGES: usize = 64;
/// Batches settled at the same time. Two keep PostgreSQL and the worker busy at once; each takes
/// memory for a batch and a connection.
const BATCHES: usize = 2;
/// A batch takes no more messages once it holds this many bytes of lines. It bounds the memory of a worker.
const BATCH_MAX_LINES_BYTES: usize = 16 * 1024 * 1024;
/// Redelivered messages that wait in the second lane; more of them are postponed.
const SECOND_LANE_CAPACITY: usize = 64;
/// Number of messages of the second lane that are settled at the same time, each in its own transactions.
const SECOND_LANE_CONCURRENCY: usize = 4;
/// Longest delay between two attempts to open the consumer.
const MAX_OPEN_DELAY: Duration = Duration::from_secs(10);
/// Delay before pulling starts again, so that a lasting fault does not cause a busy loop.
const REOPEN_DELAY: Duration = Duration::from_millis(200);
/// Delay of a message's redelivery when the second lane is full.
const POSTPONE_DELAY: Duration = Duration::from_secs(2);

/// Pulls messages from the queue.
pub(crate) struct Consumer {
    context: Context,
    settler: Arc<Settler>,
    status: Arc<Status>,
    batch_max_events: usize,
    /// Settings with which a missing stream or consumer is created again, if this worker may do so.
    recreate: Option<NatsSettings>,
}

/// Why pulling from the consumer could not start.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("the consumer {CONSUMER} is not there")]
    Consumer(#[from] jetstream::stream::ConsumerError),
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
        Self { context: jetstream::new(client), settler, status, batch_max_events, recreate }
    }

    /// Runs until told to stop. Opening the consumer is retried with backoff.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let (second_lane, waiting) = mpsc::channel(SECOND_LANE_CAPACITY);
        tokio::join!(self.pull(second_lane, stop), self.settle_second_lane(waiting, stop));
    }

    /// Runs the first lane. The second lane ends after it, when the sender is dropped.
    async fn pull(&self, second_lane: mpsc::Sender<Delivery>, stop: &CancellationToken) {
        while let Some(messages) = self.open_with_backoff(stop).await {
            self.status.set_pulling(true);
            self.consume(messages, &second_lane, stop).await;
            self.status.set_pulling(false);
        }
    }

    /// `None` if the worker is to stop.
    async fn open_with_backoff(&self, stop: &CancellationToken) -> Option<pull::Stream> {
        let backoff = backoff::endless(MAX_OPEN_DELAY);
        for delay in backoff.build() {
            match stop.run_until_cancelled(self.open()).await? {
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

    async fn open(&self) -> Result<pull::Stream, OpenError> {
        let consumer: PullConsumer = match self.context.get_consumer_from_stream(CONSUMER, STREAM).await {
            Ok(consumer) => consumer,
            Err(error) => {
                self.recreate().await;
                return Err(error.into());
            }
        };
        let stream = consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .expires(Duration::from_secs(10))
            .heartbeat(Duration::from_secs(3))
            .messages()
            .await?;
        Ok(stream)
    }

    /// Creates the stream and consumer if they are gone and this process may do so. What the stream
    /// still holds is delivered again.
    async fn recreate(&self) {
        let Some(settings) = &self.recreate else { return };
        match stream::ensure_as_admin(settings).await {
            Ok(()) => tracing::warn!("stream and consumer are there again, if they were gone"),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "stream and consumer cannot be made"),
        }
    }

    /// Settles messages until pulling is disturbed or the worker is to stop.
    async fn consume(&self, mut messages: pull::Stream, second_lane: &mpsc::Sender<Delivery>, stop: &CancellationToken) {
        let mut batches = JoinSet::new();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(settled) = batches.join_next() => {
                    log_panic(settled);
                    continue;
                }
                first = messages.next(), if batches.len() < BATCHES => first,
            };
            let Some(first) = first else { break };
            let (batch, is_disturbed) = self.gather(first, &mut messages, second_lane).await;
            if !batch.is_empty() {
                let settler = Arc::clone(&self.settler);
                batches.spawn(async move { settler.settle_batch(batch).await });
            }
            if is_disturbed {
                // The NATS library would wait until its last pull request has expired. Opening the consumer
                // again is quicker.
                tokio::time::sleep(REOPEN_DELAY).await;
                break;
            }
        }
        self.hand_back_buffered(messages).await;
        // Batches that are being settled run to their end.
        settle_rest(batches).await;
    }

    /// Hands back the messages that were delivered and not yet gathered; until then, the queue counts
    /// them as in progress. The pull requests end first, or the same messages would come right back.
    async fn hand_back_buffered(&self, mut messages: pull::Stream) {
        let mut buffered = Vec::new();
        while let Some(Some(message)) = messages.next().now_or_never() {
            buffered.extend(message.ok().and_then(Delivery::new));
        }
        drop(messages);
        for delivery in &buffered {
            self.settler.hand_back_unbegun(delivery).await;
        }
    }

    /// Gathers the first message and those that are buffered, up to one batch, without waiting for
    /// more: batches are small when the worker is idle and large under load. Also returns whether
    /// pulling was disturbed.
    async fn gather(
        &self,
        first: Result<jetstream::Message, pull::MessagesError>,
        messages: &mut pull::Stream,
        second_lane: &mpsc::Sender<Delivery>,
    ) -> (Vec<Delivery>, bool) {
        let mut batch = Vec::new();
        let mut is_disturbed = false;
        let (mut events, mut lines_bytes) = (0, 0);
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Ok(message) => match Delivery::new(message) {
                    Some(delivery) if delivery.is_redelivered => enqueue_second_lane(delivery, second_lane).await,
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

    /// Runs the second lane. Each message is settled in its own task, so that a panic ends neither the
    /// lane nor the worker.
    async fn settle_second_lane(&self, mut waiting: mpsc::Receiver<Delivery>, stop: &CancellationToken) {
        let mut settling = JoinSet::new();
        loop {
            let delivery = tokio::select! {
                biased;
                Some(settled) = settling.join_next() => {
                    log_panic(settled);
                    continue;
                }
                delivery = waiting.recv(), if settling.len() < SECOND_LANE_CONCURRENCY => delivery,
            };
            let Some(delivery) = delivery else { break };
            if stop.is_cancelled() {
                self.settler.hand_back_unbegun(&delivery).await;
            } else {
                let settler = Arc::clone(&self.settler);
                settling.spawn(async move { settler.settle_alone(delivery).await });
            }
        }
        settle_rest(settling).await;
    }
}

async fn settle_rest(mut batches: JoinSet<()>) {
    while let Some(settled) = batches.join_next().await {
        log_panic(settled);
    }
}

/// Logs a task that panicked. Its messages were not answered, so they are redelivered to the second
/// lane, where each counts as started.
fn log_panic(settled: Result<(), JoinError>) {
    if let Err(error) = settled {
        counter!("rollcall_worker_panics_total").increment(1);
        tracing::error!(%error, "a batch or message was not settled");
    }
}

async fn enqueue_second_lane(delivery: Delivery, second_lane: &mpsc::Sender<Delivery>) {
    if let Err(mpsc::error::TrySendError::Full(delivery)) = second_lane.try_send(delivery) {
        delivery.answer(jetstream::AckKind::Nak(Some(POSTPONE_DELAY))).await;
    }
}
