//! A rate: how large a bucket is, and how fast it fills.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The rate of one bucket in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The limit as it was set, for all replicas together.
    pub(super) per_second: NonZeroU32,
    /// The time in which one more can be taken.
    pub(super) interval: Duration,
    /// The size of the bucket.
    pub(super) burst: NonZeroU32,
}

impl Rate {
    /// This replica's part of a limit, with a bucket that fills in `burst_secs`. A bucket holds at least one.
    pub(crate) fn new(per_second: NonZeroU32, replicas: u32, burst_secs: u32) -> Self {
        let replicas = u64::from(replicas.max(1));
        let limit = u64::from(per_second.get());
        let interval = Duration::from_nanos((NANOS_PER_SECOND * replicas / limit).max(1));
        let burst = u32::try_from(limit * u64::from(burst_secs) / replicas).unwrap_or(u32::MAX);
        Self { per_second, interval, burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN) }
    }

    /// The time in which an empty bucket fills.
    pub(super) fn window(self) -> Duration {
        self.interval * self.burst.get()
    }

    pub(super) fn quota(self) -> Quota {
        Quota::with_period(self.interval).expect("an interval is never zero").allow_burst(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_share_a_limit_in_equal_parts() {
        let number = |number| NonZeroU32::new(number).unwrap();
        for (per_second, replicas, burst_secs, interval_ms, burst) in
            [(50, 1, 1, 20, 50), (50, 5, 1, 100, 10), (50, 1, 10, 20, 500), (1, 4, 1, 4_000, 1), (2, 4, 10, 2_000, 5)]
        {
            let rate = Rate::new(number(per_second), replicas, burst_secs);
            assert_eq!((rate.interval, rate.burst), (Duration::from_millis(interval_ms), number(burst)), "{per_second}");
        }
    }

    #[test]
    fn the_largest_and_the_smallest_limit_make_a_bucket() {
        for rate in [Rate::new(NonZeroU32::MAX, 1, 3_600), Rate::new(NonZeroU32::MIN, u32::MAX, 1)] {
            assert!(rate.interval > Duration::ZERO);
            assert_eq!(rate.quota().burst_size(), rate.burst);
        }
    }
}
