//! A subscription: live events one by one, for protocols other than server-sent events.

use std::sync::Arc;

use rollcall_shared::project::ProjectId;

use super::event::LiveEvent;
use super::filter::Filter;
use super::hub::{Live, Membership};
use crate::auth::KeyHash;
use crate::error::ApiError;
use crate::parameters::Parameters;

/// The selection of live events.
#[derive(Debug, Clone)]
pub(crate) struct LiveEvents(Filter);

/// The events of one reader, as they are accepted.
pub(crate) struct Subscription(Membership);

/// An event that was accepted.
pub(crate) struct Seen {
    event: Arc<LiveEvent>,
    missed_before: Option<u64>,
}

impl LiveEvents {
    /// Reads the parameters of `GET /live`.
    pub(crate) fn take(parameters: &mut Parameters) -> Self {
        Self(Filter::take(parameters))
    }
}

impl Live {
    /// Subscribes to every event of a project that is accepted after this function has returned.
    ///
    /// # Errors
    /// [`ApiError::TooManyReaders`], [`ApiError::LiveFull`] or [`ApiError::QueueUnavailable`].
    pub(crate) async fn subscribe(
        &self,
        key: KeyHash,
        project: ProjectId,
        wanted: &LiveEvents,
    ) -> Result<Subscription, ApiError> {
        let place = self.place(project, key)?;
        self.join(place, project, &wanted.0, None).await.map(Subscription)
    }
}

impl Subscription {
    /// Waits for the next event. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&self) -> Seen {
        let (event, missed_before) = self.0.mailbox.next_event().await;
        Seen { event, missed_before }
    }
}

impl Seen {
    /// The event as JSON.
    pub(crate) fn json(&self) -> &str {
        self.event.json()
    }

    /// The number of events that this reader missed directly before this one, because it did not keep up;
    /// `None` if the number is unknown.
    pub(crate) fn missed_before(&self) -> Option<u64> {
        self.missed_before
    }
}
