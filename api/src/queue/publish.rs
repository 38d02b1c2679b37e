//! Publishing: sends chunks to JetStream and waits until they are durable there.
//!
//! The chunks of one request are published at the same time, within the limits on what is [in flight](InFlight). A
//! request beyond these limits waits here, and is answered with 503 at the deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use metrics::{counter, histogram};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::{Chunk, REPLY_HEADER, REQUEST_HEADER, TRACE_HEADER};
use rollcall_shared::queue::priority::Priority;
use rollcall_shared::queue::stream::{LIMIT_REACHED, STREAM};
use rollcall_shared::queue::subject::subject;

use crate::queue::confirmations::Confirmations;
use crate::queue::in_flight::InFlight;
use crate::queue::room::Room;

/// Maximum number of request ids in the headers of one message.
const MAX_LISTED_REQUESTS: usize = 32;
/// The server's error codes for a message that exceeds the limit of its stream, and for headers that exceed
/// the limit of every stream.
const MESSAGE_REFUSED: [u64; 2] = [10_054, 10_097];

/// Why chunks are not known to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDurable {
    /// The stream is at its limit, or at the limit for bulk.
    #[error("the stream is full")]
    Full,
    /// No confirmation came within the deadline. The chunk may be stored nevertheless.
    #[error("the queue did not confirm in time")]
    Unconfirmed,
    /// The queue would refuse this message at any time.
    #[error("the queue does not take such a message")]
    Refused,
}

/// Which requests a message comes from. It travels in the headers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// The ids of the requests, for log lines.
    pub(crate) request_ids: Vec<String>,
    /// The trace of the first request that has one, for log lines.
    pub(crate) traceparent: Option<String>,
    /// The worker reports about chunk `n` to this inbox with `.n` appended.
    pub(crate) inbox: Option<String>,
}

impl Origin {
    /// Adds the requests of another origin, and keeps the first trace.
    pub(crate) fn join(&mut self, other: Self) {
        self.request_ids.extend(other.request_ids);
        self.request_ids.truncate(MAX_LISTED_REQUESTS);
        self.traceparent = self.traceparent.take().or(other.traceparent);
    }
}

/// Publishes chunks within the limits of this process. Clones share them.
#[derive(Clone)]
pub(crate) struct ChunkPublisher {
    context: Context,
    in_flight: Arc<InFlight>,
    room: Arc<Room>,
    deadline: Duration,
    confirmations: Arc<Confirmations>,
}

impl ChunkPublisher {
    pub(crate) fn new(client: async_nats::Client, deadline: Duration, confirmations: Arc<Confirmations>) -> Self {
        let room = Arc::new(Room::new(client.clone()));
        let mut context = jetstream::new(client);
        // If the connection breaks, the outcome of a publish is unknown after this time.
        context.set_timeout(Duration::from_secs(3));
        Self { context, in_flight: Arc::new(InFlight::new()), room, deadline, confirmations }
    }

    /// Returns once every chunk is durable.
    ///
    /// # Errors
    /// [`NotDurable`]; some of the chunks may be durable nevertheless.
    pub(crate) async fn publish_all(
        &self,
        project: ProjectId,
        priority: Priority,
        chunks: Vec<Chunk>,
        origin: &Origin,
    ) -> Result<(), NotDurable> {
        let all = async {
            let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.payload.len()).collect();
            self.check_room(project, priority, &sizes).await?;
            let publish = |(index, chunk): (usize, Chunk)| {
                let headers = headers(&chunk, index, origin);
                self.publish(project, priority, chunk.payload, headers)
            };
            let publishes: FuturesUnordered<_> = chunks.into_iter().enumerate().map(publish).collect();
            publishes.try_collect::<()>().await
        };
        self.within_deadline(all).await
    }

    /// Publishes a message that was published before, as bulk: there may be thousands of them. Returns once it is
    /// durable.
    ///
    /// # Errors
    /// [`NotDurable`]; it may be durable nevertheless.
    pub(crate) async fn publish_again(&self, project: ProjectId, payload: Bytes, headers: HeaderMap) -> Result<(), NotDurable> {
        let again = async {
            self.check_room(project, Priority::Bulk, &[payload.len()]).await?;
            self.publish(project, Priority::Bulk, payload, headers).await
        };
        self.within_deadline(again).await
    }

    async fn check_room(&self, project: ProjectId, priority: Priority, sizes: &[usize]) -> Result<(), NotDurable> {
        match priority {
            Priority::Bulk if !self.room.takes_bulk(project, sizes).await => Err(NotDurable::Full),
            _ => Ok(()),
        }
    }

    /// Waits for `publishes` until the deadline.
    ///
    /// # Errors
    /// [`NotDurable`]; some of the messages may be durable nevertheless.
    pub(crate) async fn within_deadline(
        &self,
        publishes: impl Future<Output = Result<(), NotDurable>>,
    ) -> Result<(), NotDurable> {
        let began = Instant::now();
        let published = tokio::time::timeout(self.deadline, publishes).await.unwrap_or(Err(NotDurable::Unconfirmed));
        if published == Err(NotDurable::Unconfirmed) {
            self.confirmations.unconfirmed(began);
        }
        published
    }

    async fn publish(
        &self,
        project: ProjectId,
        priority: Priority,
        payload: Bytes,
        headers: HeaderMap,
    ) -> Result<(), NotDurable> {
        let _permit = self.in_flight.enter(priority, payload.len()).await;
        let attempt = || self.attempt(project, priority, &payload, &headers);
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(1))
            .without_max_times()
            .with_jitter();
        // The deadline around all chunks ends the retries.
        attempt.retry(backoff).when(|error| classify(error).is_none()).notify(warn).await.map_err(|error| {
            tracing::warn!(%error, "a chunk was not stored in the stream");
            classify(&error).unwrap_or(NotDurable::Unconfirmed)
        })
    }

    async fn attempt(
        &self,
        project: ProjectId,
        priority: Priority,
        payload: &Bytes,
        headers: &HeaderMap,
    ) -> Result<(), PublishError> {
        match self.send(project, priority, payload, headers).await {
            // No stream takes this subject, as long as the stream is that of a version without bulk.
            Err(error) if priority == Priority::Bulk && error.kind() == PublishErrorKind::StreamNotFound => {
                self.send(project, Priority::Normal, payload, headers).await
            }
            sent => sent,
        }
    }

    async fn send(
        &self,
        project: ProjectId,
        priority: Priority,
        payload: &Bytes,
        headers: &HeaderMap,
    ) -> Result<(), PublishError> {
        let started = Instant::now();
        let message = PublishMessage::build().payload(payload.clone()).headers(headers.clone()).expected_stream(STREAM);
        self.context.send_publish(subject(project, priority), message).await?.await?;
        self.confirmations.confirmed();
        histogram!("rollcall_publish_duration_seconds").record(started.elapsed());
        counter!("rollcall_chunks_published_total").increment(1);
        if priority == Priority::Bulk {
            counter!("rollcall_bulk_chunks_published_total").increment(1);
        }
        counter!("rollcall_published_bytes_total").increment(payload.len() as u64);
        Ok(())
    }
}

fn headers(chunk: &Chunk, index: usize, origin: &Origin) -> HeaderMap {
    let mut headers = chunk.headers();
    headers.insert(REQUEST_HEADER, origin.request_ids.join(",").as_str());
    if let Some(trace) = &origin.traceparent {
        headers.insert(TRACE_HEADER, trace.as_str());
    }
    if let Some(inbox) = &origin.inbox {
        headers.insert(REPLY_HEADER, format!("{inbox}.{index}").as_str());
    }
    headers
}

/// The outcome if no retry within the deadline can help; otherwise `None`.
fn classify(error: &PublishError) -> Option<NotDurable> {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Some(NotDurable::Refused),
        PublishErrorKind::Other => {
            let server = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>())?;
            match server.error_code().0 {
                LIMIT_REACHED => Some(NotDurable::Full),
                code if MESSAGE_REFUSED.contains(&code) => Some(NotDurable::Refused),
                _ => None,
            }
        }
        // For example, no stream answers during the election of a new leader.
        _ => None,
    }
}

fn warn(error: &PublishError, delay: Duration) {
    tracing::warn!(%error, delay_ms = delay.as_millis() as u64, "publishing a chunk again");
}
