//! Pace: work that nobody waits for rests often, so that the rest of the service has the processors.
//!
//! PostgreSQL has sorted the rows of a day by then, and holds no snapshot.

use std::time::Duration;

use tokio::time::Instant;

/// The longest rest.
const MAX_REST: Duration = Duration::from_secs(60);
/// Work that takes no longer does not rest.
const SHORT: Duration = Duration::from_secs(1);

/// How much of its time work takes.
#[derive(Debug, Clone)]
pub struct Pace {
    duty_cycle_percent: u32,
    /// The end of the last rest.
    working_since: Instant,
    /// All work before that.
    worked: Duration,
}

impl Pace {
    /// A tenth of the time, for work beside ingestion.
    pub const DEFAULT_PERCENT: u32 = 10;

    /// Works for so many percent of the time, of which there are 1 to 100.
    #[must_use]
    pub fn new(duty_cycle_percent: u32) -> Self {
        Self { duty_cycle_percent: duty_cycle_percent.clamp(1, 100), working_since: Instant::now(), worked: Duration::ZERO }
    }

    /// Never rests.
    #[must_use]
    pub fn full_speed() -> Self {
        Self::new(100)
    }

    /// Rests for as long as the work since the last rest demands.
    pub(crate) async fn rest(&mut self) {
        let worked = self.working_since.elapsed();
        self.worked += worked;
        let rest = self.rest_after(worked).min(MAX_REST);
        if self.worked > SHORT && !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        self.working_since = Instant::now();
    }

    fn rest_after(&self, worked: Duration) -> Duration {
        worked * (100 - self.duty_cycle_percent) / self.duty_cycle_percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_rest_make_the_duty_cycle() {
        for (percent, worked_ms, rest_ms) in [(25, 20, 60), (50, 20, 20), (100, 20, 0), (0, 10, 990)] {
            let rest = Pace::new(percent).rest_after(Duration::from_millis(worked_ms));
            assert_eq!(rest, Duration::from_millis(rest_ms), "{percent} % of {worked_ms} ms");
        }
    }
}
