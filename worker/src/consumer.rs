//! The consumer: pulls messages, gathers them into a batch, has it stored, and acknowledges.
//!
//! All workers share one durable consumer, so any number of them divide the work. A message is
//! acknowledged only after the commit of its events; whatever happens in between, it comes back,
//! and the store finds its identities claimed.

use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, StreamError, pull};
use async_nats::jetstream::{self, AckKind, Context, Message};
use backon::{ExponentialBuilder, Retryable};
use futures::{FutureExt, StreamExt};
use metrics::counter;
use rollcall_shared::chunk::{self, ChunkError, REQUEST_HEADER};
use rollcall_shared::topology::{ACK_WAIT, CONSUMER, STREAM, project_of};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::batch::{Decoded, rows};
use crate::error::StoreError;
use crate::retry::delay_after;
use crate::store::{Store, Stored};

/// Messages asked for at a time. Half of them are buffered while a batch is stored.
const PULL_MESSAGES: usize = 64;
/// While the database is away, the messages at hand are reported in progress this often.
const PROGRESS: Duration = Duration::from_secs(ACK_WAIT.as_secs() / 3);

/// Takes messages from the queue into the store.
pub(crate) struct Consumer {
    context: Context,
    store: Store,
    batch_max_events: usize,
}

/// A message that could be decoded, and its content.
struct Delivery {
    message: Message,
    decoded: Decoded,
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
    pub(crate) fn new(client: async_nats::Client, pool: PgPool, batch_max_events: usize) -> Self {
        Self { context: jetstream::new(client), store: Store::new(pool), batch_max_events }
    }

    /// Works until told to stop. A consumer that is gone is looked for with backoff.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(10)).without_max_times().with_jitter();
        let warn = |error: &OpenError, delay: Duration| {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                delay_ms = delay.as_millis() as u64,
                "cannot pull; trying again"
            );
        };
        while !stop.is_cancelled() {
            let open = || self.open();
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = open.retry(backoff).notify(warn) => opened,
            };
            if let Ok(messages) = opened {
                self.consume(messages, stop).await;
            }
        }
    }

    async fn open(&self) -> Result<pull::Stream, OpenError> {
        let consumer: PullConsumer = self.context.get_consumer_from_stream(CONSUMER, STREAM).await?;
        let stream = consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .expires(Duration::from_secs(10))
            .heartbeat(Duration::from_secs(3))
            .messages()
            .await?;
        Ok(stream)
    }

    /// Stores what comes until the stream of messages ends or the worker is to stop.
    async fn consume(&self, mut messages: pull::Stream, stop: &CancellationToken) {
        loop {
            let first = tokio::select! {
                () = stop.cancelled() => break,
                first = messages.next() => first,
            };
            let Some(first) = first else { return };
            let first = match first {
                Ok(message) => message,
                Err(error) => {
                    // A missed heartbeat heals by itself; after anything else the stream ends.
                    tracing::warn!(%error, "pulling was disturbed");
                    continue;
                }
            };
            let gathered = self.gather(first, &mut messages).await;
            self.store_and_acknowledge(gathered, stop).await;
        }
        hand_back(messages).await;
    }

    /// The first message and whatever else is at hand, up to one batch: small at once when idle,
    /// large under load, and never waiting for more.
    async fn gather(&self, first: Message, messages: &mut pull::Stream) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        let mut events = 0;
        let mut next = Some(first);
        while let Some(message) = next.take() {
            events += event_count(&message);
            match decode(&message) {
                Ok(decoded) => deliveries.push(Delivery { message, decoded }),
                Err(error) => refuse(&message, &error).await,
            }
            if events < self.batch_max_events {
                next = messages.next().now_or_never().flatten().and_then(Result::ok);
            }
        }
        deliveries
    }

    /// Stores the batch in one transaction. If its data is at fault, each message is tried alone,
    /// so that only those with bad rows are put off.
    async fn store_and_acknowledge(&self, deliveries: Vec<Delivery>, stop: &CancellationToken) {
        if deliveries.is_empty() {
            return;
        }
        if self.try_store(&deliveries, stop).await || deliveries.len() == 1 {
            return;
        }
        for delivery in deliveries {
            self.try_store(&[delivery], stop).await;
        }
    }

    /// Returns whether nothing is left to do for these messages.
    async fn try_store(&self, deliveries: &[Delivery], stop: &CancellationToken) -> bool {
        match self.store_patiently(deliveries, stop).await {
            Ok(Some(stored)) => {
                log_stored(deliveries, stored);
                for delivery in deliveries {
                    acknowledge(&delivery.message, AckKind::Ack).await;
                }
                true
            }
            Ok(None) => {
                for delivery in deliveries {
                    acknowledge(&delivery.message, AckKind::Nak(None)).await;
                }
                true
            }
            Err(error) => {
                if let [delivery] = deliveries {
                    put_off(&delivery.message, &error).await;
                }
                false
            }
        }
    }

    /// Tries until the batch is stored, waiting out transient faults for as long as they last.
    /// `None` if the worker is to stop first.
    async fn store_patiently(&self, deliveries: &[Delivery], stop: &CancellationToken) -> Result<Option<Stored>, StoreError> {
        let decoded: Vec<&Decoded> = deliveries.iter().map(|delivery| &delivery.decoded).collect();
        let attempt = || async {
            // Lines were checked when the message was decoded.
            let rows = rows(&decoded).unwrap_or_default();
            self.store.store(rows).await
        };
        let backoff = ExponentialBuilder::default().with_max_delay(Duration::from_secs(30)).without_max_times().with_jitter();
        let warn = |error: &StoreError, delay: Duration| {
            counter!("rollcall_store_retries_total").increment(1);
            tracing::warn!(
                error = error as &dyn std::error::Error,
                delay_ms = delay.as_millis() as u64,
                "a batch waits for PostgreSQL"
            );
        };
        let stored = attempt.retry(backoff).when(StoreError::is_transient).notify(warn);
        let mut progress = tokio::time::interval(PROGRESS);
        progress.tick().await;
        tokio::pin!(stored);
        loop {
            tokio::select! {
                stored = &mut stored => return stored.map(Some),
                // A running transaction is finished; a database that is away is not waited for.
                () = stop.cancelled() => return tokio::time::timeout(Duration::from_secs(5), stored).await.ok().transpose(),
                _ = progress.tick() => {
                    for delivery in deliveries {
                        acknowledge(&delivery.message, AckKind::Progress).await;
                    }
                }
            }
        }
    }
}

fn event_count(message: &Message) -> usize {
    let header = message.headers.as_ref().and_then(|headers| headers.get(chunk::EVENTS_HEADER));
    header.and_then(|count| count.as_str().parse().ok()).unwrap_or(1)
}

fn decode(message: &Message) -> Result<Decoded, ChunkError> {
    let project = project_of(&message.subject).ok_or(ChunkError::Schema { found: None })?;
    let decoded = Decoded { project, lines: chunk::decompress(message.headers.as_ref(), &message.payload)? };
    rows(&[&decoded])?;
    Ok(decoded)
}

/// A payload that is no chunk: nothing is dropped, so it stays in the stream and is tried again.
async fn refuse(message: &Message, error: &ChunkError) {
    counter!("rollcall_messages_undecodable_total").increment(1);
    tracing::error!(error = error as &dyn std::error::Error, subject = %message.subject, "a message cannot be decoded; it stays in the stream");
    acknowledge(message, AckKind::Nak(Some(delay_after(deliveries(message))))).await;
}

/// A message whose rows PostgreSQL refuses: it comes back later.
async fn put_off(message: &Message, error: &StoreError) {
    counter!("rollcall_messages_put_off_total").increment(1);
    let deliveries = deliveries(message);
    tracing::error!(
        error = error as &dyn std::error::Error,
        deliveries,
        requests = requests(message),
        "a message was refused; it comes back later"
    );
    acknowledge(message, AckKind::Nak(Some(delay_after(deliveries)))).await;
}

fn deliveries(message: &Message) -> i64 {
    message.info().map_or(1, |info| info.delivered)
}

fn requests(message: &Message) -> &str {
    message.headers.as_ref().and_then(|headers| headers.get(REQUEST_HEADER)).map_or("", |value| value.as_str())
}

fn log_stored(deliveries: &[Delivery], stored: Stored) {
    let requests: Vec<_> = deliveries.iter().take(32).map(|delivery| requests(&delivery.message)).collect();
    tracing::debug!(
        messages = deliveries.len(),
        inserted = stored.inserted,
        duplicates = stored.duplicates,
        requests = requests.join(","),
        "batch stored"
    );
}

/// Correctness never depends on an acknowledgement: one that gets lost brings the message back, and
/// its events are duplicates then.
async fn acknowledge(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(%error, "a message was not acknowledged; it will come back");
    }
}

/// Gives back what was delivered and not begun, so that another worker has it at once.
async fn hand_back(mut messages: pull::Stream) {
    while let Some(Some(message)) = messages.next().now_or_never() {
        if let Ok(message) = message {
            acknowledge(&message, AckKind::Nak(None)).await;
        }
    }
}
