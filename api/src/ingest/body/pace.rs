//! Pace: how long to wait for a client that sends its body slowly.
//!
//! A body has some time left, and each byte that arrives adds the time that it takes at the least rate. The time
//! left never exceeds a few seconds, so a client that first hurries and then stalls gains nothing.

use std::time::Duration;

use tokio::time::Instant;

/// The time left at the beginning, and the most that there can be later.
const MAX_SLACK: Duration = Duration::from_secs(10);

/// The time that a body has left.
#[derive(Debug)]
pub(crate) struct Pace {
    min_bytes_per_second: u64,
    slack: Duration,
    since: Instant,
}

impl Pace {
    pub(crate) fn new(min_bytes_per_second: u64) -> Self {
        Self { min_bytes_per_second, slack: MAX_SLACK, since: Instant::now() }
    }

    /// How long to wait for the next bytes.
    pub(crate) fn slack(&self) -> Duration {
        self.slack.saturating_sub(self.since.elapsed())
    }

    /// Leaves out a time in which nobody waited for the client.
    pub(crate) fn exclude(&mut self, time: Duration) {
        self.since += time;
    }

    /// Adds the time for bytes that have arrived.
    pub(crate) fn advance(&mut self, bytes: u64) {
        let bought = Duration::from_millis(bytes.saturating_mul(1000) / self.min_bytes_per_second.max(1));
        self.slack = self.slack().saturating_add(bought).min(MAX_SLACK);
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_buy_time_and_cannot_be_saved_up() {
        let mut pace = Pace::new(1_000);
        pace.advance(1_000_000);
        assert_eq!(pace.slack(), MAX_SLACK);
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(2)).await;
            pace.advance(2_000);
        }
        assert_eq!(pace.slack(), MAX_SLACK);
        for _ in 0..9 {
            tokio::time::advance(Duration::from_secs(1)).await;
            pace.advance(1);
        }
        assert!(pace.slack() < Duration::from_millis(1_100));
        let left = pace.slack();
        tokio::time::advance(Duration::from_secs(20)).await;
        pace.exclude(Duration::from_secs(20));
        assert_eq!(pace.slack(), left);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(pace.slack(), Duration::ZERO);
    }
}
