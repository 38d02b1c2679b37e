//! Waiting until events are stored: `?wait=stored`.
//!
//! Such a request publishes separate messages, which name an inbox. Workers report to the inbox how many
//! events of each message they stored, and the request adds up the reports. If a report is lost or the
//! timeout ends, the answer is the usual 202, because the events are durable in any case.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::Subscriber;
use futures::StreamExt;
use rollcall_shared::queue::chunk::Settled;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Timeout of the subscription. It takes longer only without a connection to NATS.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How the events of a request were settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Stored {
    #[schema(required = false)]
    inserted: u64,
    #[schema(required = false)]
    duplicates: u64,
    #[schema(required = false)]
    dead_lettered: u64,
}

/// Listens for the reports of one request.
pub(crate) struct Inbox {
    subject: String,
    reports: Subscriber,
}

impl Inbox {
    /// Opens an inbox. The caller does this before it publishes.
    ///
    /// # Errors
    /// [`ApiError::QueueUnavailable`].
    pub(crate) async fn open(client: &async_nats::Client) -> Result<Self, ApiError> {
        let subject = client.new_inbox();
        // Without a connection, the NATS client would wait for one.
        let subscribed = tokio::time::timeout(SUBSCRIBE_TIMEOUT, client.subscribe(format!("{subject}.*"))).await;
        let reports = subscribed.map_err(|_| ApiError::QueueUnavailable)?.map_err(|_| ApiError::QueueUnavailable)?;
        Ok(Self { subject, reports })
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// The sum of all reports once every chunk is settled; `None` if that takes longer than `until`.
    pub(crate) async fn wait(mut self, chunks: usize, events: u64, until: Instant) -> Option<Stored> {
        let mut sum = Sum::new(chunks);
        while !sum.is_complete() {
            let report = tokio::time::timeout_at(until, self.reports.next()).await.ok()??;
            let chunk = report.subject.rsplit('.').next().and_then(|index| index.parse().ok());
            if let (Some(chunk), Ok(settled)) = (chunk, serde_json::from_slice(&report.payload)) {
                sum.add(chunk, settled);
            }
        }
        Some(sum.stored(events))
    }
}

/// Reports added up.
struct Sum {
    /// For each chunk that is not settled, the number of its reports so far.
    open: HashMap<usize, u32>,
    inserted: u64,
    dead_lettered: u64,
}

impl Sum {
    fn new(chunks: usize) -> Self {
        Self { open: (0..chunks).map(|chunk| (chunk, 0)).collect(), inserted: 0, dead_lettered: 0 }
    }

    fn is_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// Ignores a report about a chunk that is already settled, which comes from a redelivery. Also ignores a report
    /// that follows a missing one: without the events of the missing report, the sum would be wrong.
    fn add(&mut self, chunk: usize, settled: Settled) {
        let Some(reports) = self.open.get_mut(&chunk).filter(|reports| **reports == settled.earlier) else { return };
        *reports += 1;
        self.inserted += settled.inserted;
        self.dead_lettered += settled.dead_lettered;
        if settled.pending == 0 {
            self.open.remove(&chunk);
        }
    }

    fn stored(&self, events: u64) -> Stored {
        let (inserted, dead_lettered) = (self.inserted, self.dead_lettered);
        Stored { inserted, dead_lettered, duplicates: events.saturating_sub(inserted + dead_lettered) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_later_deliveries_add_up() {
        let mut sum = Sum::new(2);
        sum.add(1, Settled { inserted: 5, ..Settled::default() });
        sum.add(0, Settled { inserted: 98, pending: 1, ..Settled::default() });
        sum.add(1, Settled::default());
        assert!(!sum.is_complete());
        sum.add(0, Settled { dead_lettered: 1, earlier: 1, ..Settled::default() });
        assert!(sum.is_complete());
        assert_eq!(sum.stored(105), Stored { inserted: 103, duplicates: 1, dead_lettered: 1 });
    }

    #[test]
    fn a_sum_with_a_missing_report_is_never_complete() {
        let mut sum = Sum::new(1);
        sum.add(0, Settled { dead_lettered: 1, earlier: 1, ..Settled::default() });
        assert!(!sum.is_complete());
        // The missing report arrives late, and the one after it is lost for ever.
        sum.add(0, Settled { inserted: 98, pending: 1, ..Settled::default() });
        assert!(!sum.is_complete());
    }
}
