//! Backoff: the delays between attempts that go on until they succeed.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Longest delay while a service waits for its servers: people notice a longer one when they start
/// everything at once.
pub const MAX_SERVER_DELAY: Duration = Duration::from_secs(5);

/// Delays that begin with a second, double up to `max_delay`, vary at random so that replicas do not
/// try in step, and never end.
#[must_use]
pub fn endless(max_delay: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default().with_max_delay(max_delay).without_max_times().with_jitter()
}
