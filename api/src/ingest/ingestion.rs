//! Ingestion: what the endpoint needs, and how it publishes a batch.
//!
//! Small batches share messages with those of other requests; see [`Lanes`]. Large batches, and batches whose
//! clients wait until they are stored, are published in separate messages. Large batches are bulk, and so are
//! others past the [allowance](Allowances) of their project.

use std::sync::Arc;
#[cfg(feature = "bench")]
use std::sync::atomic::{AtomicBool, Ordering};

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::priority::Priority;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::event_rules::RuleBook;
use crate::ingest::body::BodyRules;
use crate::ingest::body::budget::{Budget, Share};
use crate::ingest::deliver::allowance::{Allowances, Kind};
use crate::ingest::deliver::lane::{Lanes, SmallBatch};
use crate::ingest::deliver::wait::{Inbox, Stored};
use crate::ingest::prepare::Lines;
use crate::ingest::prepare::arriving::Places;
use crate::queue::publish::{ChunkPublisher, NotDurable, Origin};
use crate::settings::{ApiSettings, RequestLimits};

/// The resources of the endpoint. Clones share them.
#[derive(Clone)]
pub(crate) struct Ingestion {
    pub(super) limits: RequestLimits,
    pub(super) body_rules: BodyRules,
    pub(super) budget: Budget,
    pub(super) arriving: Places,
    nats: async_nats::Client,
    publisher: ChunkPublisher,
    lanes: Arc<Lanes>,
    allowances: Arc<Allowances>,
    pub(super) rule_book: Arc<RuleBook>,
    /// Whether batches are published; see [`crate::run_without_publishing`].
    #[cfg(feature = "bench")]
    publishes: Arc<AtomicBool>,
}

impl Ingestion {
    /// `stop` is cancelled when the process is told to stop.
    pub(crate) fn new(
        settings: &ApiSettings,
        nats: async_nats::Client,
        publisher: ChunkPublisher,
        rule_book: Arc<RuleBook>,
        stop: CancellationToken,
    ) -> Self {
        let limits = settings.limits;
        let min_bytes_per_second = settings.min_body_bytes_per_second;
        let allowances = Arc::new(Allowances::new(settings.allowance));
        Self {
            limits,
            body_rules: BodyRules { max_bytes: limits.max_body_bytes, min_bytes_per_second, stop },
            budget: Budget::new(settings.ingest_memory_bytes, limits.max_body_bytes, settings.ingest_wait_timeout),
            arriving: Places::new(),
            nats,
            lanes: Arc::new(Lanes::new(publisher.clone(), allowances.clone())),
            allowances,
            rule_book,
            publisher,
            #[cfg(feature = "bench")]
            publishes: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Accepts events without publishing them; see [`crate::run_without_publishing`].
    #[cfg(feature = "bench")]
    pub(crate) fn publish_nothing(&self) {
        self.publishes.store(false, Ordering::Relaxed);
    }

    /// Returns once the batch is durable in the queue.
    ///
    /// # Errors
    /// [`PublishError::NotDurable`] if the queue did not confirm every event.
    pub(super) async fn publish(&self, project: ProjectId, batch: Batch) -> Result<(), PublishError> {
        #[cfg(feature = "bench")]
        if !self.publishes.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Batch { lines, events, origin, share } = batch;
        let published = match lines {
            Lines::Few(lines) => self.lanes.send(project, SmallBatch { lines, events, origin, share }).await,
            Lines::Chunks(chunks) => {
                let published = self.publisher.publish_all(project, Priority::Bulk, chunks, &origin).await;
                drop(share);
                published
            }
        };
        published.map_err(PublishError::NotDurable)
    }

    /// Publishes the batch in separate messages, so that the workers' reports are only about this request,
    /// and waits for the reports. `None` if they are not complete before `until`.
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
        let inbox = Inbox::open(&self.nats).await.map_err(PublishError::NotBegun)?;
        let priority = match lines {
            Lines::Few(_) => self.allowances.priority_of(project, Kind::of(events), events),
            Lines::Chunks(_) => Priority::Bulk,
        };
        let chunks = lines.into_chunks(events).map_err(|error| PublishError::NotBegun(ApiError::internal(error)))?;
        let count = chunks.len();
        let origin = Origin { inbox: Some(inbox.subject().to_owned()), ..origin };
        self.publisher.publish_all(project, priority, chunks, &origin).await.map_err(PublishError::NotDurable)?;
        // The memory is released, because from now on the request only waits.
        drop(share);
        // When the API is told to stop, clients do not wait any longer.
        Ok(self.body_rules.stop.run_until_cancelled(inbox.wait(count, events.into(), until)).await.flatten())
    }
}

/// The valid events of a request, and the memory that they take until they are published.
pub(super) struct Batch {
    pub(super) lines: Lines,
    pub(super) events: u32,
    pub(super) origin: Origin,
    pub(super) share: Share,
}

/// Why a batch is not known to be in the queue.
pub(super) enum PublishError {
    /// No event of the batch is in the queue.
    NotBegun(ApiError),
    /// Some events of the batch may be in the queue.
    NotDurable(NotDurable),
}

impl PublishError {
    /// The error for the client, with the key for sending the batch again.
    pub(super) fn into_answer(self, idempotency_key: String) -> ApiError {
        match self {
            Self::NotBegun(error) => error,
            Self::NotDurable(NotDurable::Full) => ApiError::NotConfirmed { is_full: true, idempotency_key },
            Self::NotDurable(NotDurable::Unconfirmed) => ApiError::NotConfirmed { is_full: false, idempotency_key },
            Self::NotDurable(NotDurable::Refused) => ApiError::internal(NotDurable::Refused),
        }
    }
}
