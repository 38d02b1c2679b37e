//! Accepting: from a prepared batch to a durable one.
//!
//! Small batches share messages with those of other requests; see [`Lanes`]. Large batches, and those
//! whose clients wait until they are stored, are published in messages of their own.

use std::sync::Arc;

use rollcall_shared::project::ProjectId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::ingest::body::budget::Share;
use crate::ingest::deliver::lane::{Lanes, SmallBatch};
use crate::ingest::deliver::wait::{Inbox, Stored};
use crate::ingest::prepare::Lines;
use crate::queue::publish::{ChunkPublisher, NotDurable, Origin};

/// The good events of a request, and the memory that they take until they are published.
pub(super) struct Batch {
    pub(super) lines: Lines,
    pub(super) events: u32,
    pub(super) origin: Origin,
    pub(super) share: Share,
}

/// Why a batch is not known to be in the queue.
pub(super) enum PublishError {
    /// None of it is in the queue.
    NotBegun(ApiError),
    /// Some of it may be.
    NotDurable(NotDurable),
}

impl PublishError {
    /// The answer to the client, who can send the batch again with this key.
    pub(super) fn into_answer(self, idempotency_key: String) -> ApiError {
        match self {
            Self::NotBegun(error) => error,
            Self::NotDurable(NotDurable::Full) => ApiError::NotConfirmed { is_full: true, idempotency_key },
            Self::NotDurable(NotDurable::Unconfirmed) => ApiError::NotConfirmed { is_full: false, idempotency_key },
            Self::NotDurable(NotDurable::Refused) => ApiError::internal(NotDurable::Refused),
        }
    }
}

/// Publishes batches. Clones share everything.
#[derive(Clone)]
pub(crate) struct BatchPublisher {
    client: async_nats::Client,
    chunks: ChunkPublisher,
    lanes: Arc<Lanes>,
    /// Cancelled when the process is asked to stop.
    stop: CancellationToken,
    /// Whether batches are published; see [`crate::run_without_publishing`].
    #[cfg(feature = "bench")]
    pub(super) publishes: bool,
}

impl BatchPublisher {
    pub(crate) fn new(client: async_nats::Client, chunks: ChunkPublisher, stop: CancellationToken) -> Self {
        let lanes = Arc::new(Lanes::new(chunks.clone()));
        Self {
            client,
            chunks,
            lanes,
            stop,
            #[cfg(feature = "bench")]
            publishes: true,
        }
    }

    /// Returns once the batch is durable in the queue.
    ///
    /// # Errors
    /// [`PublishError::NotDurable`] if the queue did not confirm every event.
    pub(super) async fn publish(&self, project: ProjectId, batch: Batch) -> Result<(), PublishError> {
        #[cfg(feature = "bench")]
        if !self.publishes {
            return Ok(());
        }
        let Batch { lines, events, origin, share } = batch;
        let published = match lines {
            Lines::Few(lines) => self.lanes.send(project, SmallBatch { lines, events, origin, share }).await,
            Lines::Chunks(chunks) => {
                let published = self.chunks.publish_all(project, chunks, &origin).await;
                drop(share);
                published
            }
        };
        published.map_err(PublishError::NotDurable)
    }

    /// Publishes the batch in messages of its own, so that the workers' reports are about this request
    /// alone, and waits for the reports. `None` if they do not come before `until`.
    ///
    /// # Errors
    /// As [`Self::publish`]; [`PublishError::NotBegun`] if nothing was published.
    pub(super) async fn publish_and_wait(
        &self,
        project: ProjectId,
        batch: Batch,
        until: Instant,
    ) -> Result<Option<Stored>, PublishError> {
        let Batch { lines, events, origin, share } = batch;
        let inbox = Inbox::open(&self.client).await.map_err(PublishError::NotBegun)?;
        let chunks = lines.into_chunks(events).map_err(|error| PublishError::NotBegun(ApiError::internal(error)))?;
        let count = chunks.len();
        let origin = Origin { inbox: Some(inbox.subject().to_owned()), ..origin };
        self.chunks.publish_all(project, chunks, &origin).await.map_err(PublishError::NotDurable)?;
        // A request that only waits holds no memory.
        drop(share);
        // An API that is asked to stop does not keep its clients waiting.
        Ok(self.stop.run_until_cancelled(inbox.wait(count, events.into(), until)).await.flatten())
    }
}
