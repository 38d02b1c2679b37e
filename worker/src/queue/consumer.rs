//! The consumer: pulls messages, gathers them into batches, and hands them to be settled.
//!
//! All workers share one durable consumer, so any number of them divide the work. Messages that come
//! for the first time are gathered into batches, of which a few are settled at the same time: while
//! PostgreSQL works for one, the next is decoded. Those that come again go down another lane, each by
//! itself, so that a message which is slow to store or kills its worker takes nobody along.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, StreamError, pull};
use async_nats::jetstream::{self, Context};
use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{FutureExt, StreamExt};
use metrics::counter;
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::queue::stream;
use rollcall_shared::queue::stream::{CONSUMER, STREAM};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::queue::delivery::Delivery;
use crate::settle::Settler;
use crate::status::Status;

/// Messages asked for at a time. Half of them are buffered while a batch is stored.
const PULL_MESSAGES: usize = 64;
/// Batches settled at the same time. Two keep PostgreSQL and the worker busy at once; each takes
/// memory for a batch and a connection.
const BATCHES: usize = 2;
/// A batch takes no more messages once it holds this many bytes of lines: the memory of a worker.
const BATCH_MAX_LINES_BYTES: usize = 16 * 1024 * 1024;
/// Messages that wait in the second lane; more are put off.
const SECOND_LANE: usize = 64;
/// Messages of the second lane that are settled at the same time, each in transactions of its own.
const SECOND_LANE_AT_ONCE: usize = 4;
/// Pause before pulling begins anew, so that a fault which lasts is not asked about without a pause.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// How long a message is put off when the second lane is full.
const PUT_OFF: Duration = Duration::from_secs(2);

/// Takes messages from the queue.
pub(crate) struct Consumer {
    context: Context,
    settler: Arc<Settler>,
    status: Arc<Status>,
    batch_max_events: usize,
    /// With these, a stream or consumer that is gone is made again.
    remake: Option<NatsSettings>,
}

/// Why the consumer cannot be pulled from at the moment.
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
        remake: Option<NatsSettings>,
    ) -> Self {
        Self { context: jetstream::new(client), settler, status, batch_max_events, remake }
    }

    /// Works until told to stop. A consumer that is gone is looked for with backoff.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let (second_lane, waiting) = mpsc::channel(SECOND_LANE);
        tokio::join!(self.pull(second_lane, stop), self.settle_second_lane(waiting, stop));
    }

    /// The first lane. The second ends after it, with the sender.
    async fn pull(&self, second_lane: mpsc::Sender<Delivery>, stop: &CancellationToken) {
        while let Some(messages) = self.open_patiently(stop).await {
            self.status.set_pulling(true);
            self.consume(messages, &second_lane, stop).await;
            self.status.set_pulling(false);
        }
    }

    /// `None` if the worker is to stop.
    async fn open_patiently(&self, stop: &CancellationToken) -> Option<pull::Stream> {
        let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(10)).without_max_times().with_jitter();
        for delay in backoff.build() {
            match stop.run_until_cancelled(self.open()).await? {
                Ok(messages) => return Some(messages),
                Err(error) => {
                    let delay_ms = delay.as_millis() as u64;
                    tracing::warn!(error = &error as &dyn std::error::Error, delay_ms, "cannot pull; trying again");
                    self.status.note(error.to_string());
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
                self.remake().await;
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

    /// Makes what is gone, where this process may. What the stream still holds is delivered again.
    async fn remake(&self) {
        let Some(settings) = &self.remake else { return };
        match stream::ensure_as_admin(settings).await {
            Ok(()) => tracing::warn!("stream and consumer are there again, if they were gone"),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "stream and consumer cannot be made"),
        }
    }

    /// Settles what comes until pulling is disturbed or the worker is to stop.
    async fn consume(&self, mut messages: pull::Stream, second_lane: &mpsc::Sender<Delivery>, stop: &CancellationToken) {
        let mut batches = JoinSet::new();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(settled) = batches.join_next() => {
                    note_panic(settled);
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
                // The library waits until its last request would have expired. A new one is quicker.
                tokio::time::sleep(REOPEN_PAUSE).await;
                break;
            }
        }
        self.hand_back_buffered(messages).await;
        // What is being settled goes on; its messages were delivered.
        settle_rest(batches).await;
    }

    /// Before a message that was buffered is answered, the queue believes it to be in work. The
    /// requests end first, or what is handed back would come right back.
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

    /// The first message and whatever else is at hand, up to one batch: small at once when idle,
    /// large under load, and never waiting for more. Also whether pulling was disturbed.
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
                    Some(delivery) if delivery.is_troubled => put_aside(delivery, second_lane).await,
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

    /// Each message is a task of its own: a panic ends it and neither the lane nor the worker.
    async fn settle_second_lane(&self, mut waiting: mpsc::Receiver<Delivery>, stop: &CancellationToken) {
        let mut settling = JoinSet::new();
        loop {
            let delivery = tokio::select! {
                biased;
                Some(settled) = settling.join_next() => {
                    note_panic(settled);
                    continue;
                }
                delivery = waiting.recv(), if settling.len() < SECOND_LANE_AT_ONCE => delivery,
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
        note_panic(settled);
    }
}

/// What ends in a panic is not answered, so its messages come back, each alone, and count as begun.
fn note_panic(settled: Result<(), JoinError>) {
    if let Err(error) = settled {
        counter!("rollcall_worker_panics_total").increment(1);
        tracing::error!(%error, "a batch or message was not settled");
    }
}

async fn put_aside(delivery: Delivery, second_lane: &mpsc::Sender<Delivery>) {
    if let Err(mpsc::error::TrySendError::Full(delivery)) = second_lane.try_send(delivery) {
        delivery.answer(jetstream::AckKind::Nak(Some(PUT_OFF))).await;
    }
}
