//! Backoff: delays between attempts that are repeated until they succeed.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Longest delay while a service waits for its servers. People who start everything at once notice a longer
/// one.
pub const MAX_SERVER_DELAY: Duration = Duration::from_secs(5);

/// Delays without end. They begin with a second, double up to `max_delay`, and vary at random so that replicas do
/// not try at the same moments.
#[must_use]
pub fn endless(max_delay: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default().with_max_delay(max_delay).without_max_times().with_jitter()
}
