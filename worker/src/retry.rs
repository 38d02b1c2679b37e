//! Retries: when a message that failed by itself comes back.

use std::time::Duration;

/// Delays before the redeliveries of a message that failed by itself.
const DELAYS_SECS: [u64; 5] = [1, 2, 4, 8, 16];

/// The delay after this many deliveries, with 20 % of jitter either way, so that messages which
/// failed together do not come back together.
pub(crate) fn delay_after(deliveries: i64) -> Duration {
    let place = usize::try_from(deliveries - 1).unwrap_or(0).min(DELAYS_SECS.len() - 1);
    Duration::from_secs(DELAYS_SECS[place]).mul_f64(rand::random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_stay_at_the_last() {
        for (deliveries, secs) in [(1, 1.0), (2, 2.0), (5, 16.0), (60, 16.0)] {
            let delay = delay_after(deliveries).as_secs_f64();
            assert!((0.8 * secs..1.2 * secs).contains(&delay), "{deliveries}: {delay}");
        }
    }
}
