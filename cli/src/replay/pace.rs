//! The rate of a replay, so that it takes no more of the service than it may.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use super::batches::Full;
use crate::send::Sender;

/// Delays requests so that no more events are sent in a second than allowed.
pub(super) struct Pace {
    events_per_second: u32,
    /// When the next request may be sent.
    next: Instant,
}

impl Pace {
    pub(super) fn new(events_per_second: u32) -> Self {
        Self { events_per_second, next: Instant::now() }
    }

    /// Sends a request when its time has come; returns how many events it had.
    ///
    /// # Errors
    /// The service refuses it, or does not answer after many attempts.
    pub(super) async fn send(&mut self, sender: &Sender, full: Full) -> anyhow::Result<u64> {
        tokio::time::sleep_until(self.next).await;
        let took = Duration::from_secs_f64(full.events as f64 / f64::from(self.events_per_second));
        self.next = self.next.max(Instant::now()) + took;
        let outcome = sender.send(full.batch).await?;
        let accepted = outcome.accepted;
        ensure!(accepted == full.events as u64, "the service accepted {accepted} of {} events", full.events);
        Ok(accepted)
    }
}
