//! The limits by name, and what a client is told that exceeds one.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use strum::VariantArray;

/// A limit on a rate. The names are those in header fields and in answers, and a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Limit {
    /// Requests of one key.
    KeyRequests,
    /// Requests of all keys of a project.
    ProjectRequests,
    /// Events of one key.
    KeyEvents,
    /// Events of all keys of a project.
    ProjectEvents,
}

impl Limit {
    /// All limits.
    pub(crate) const ALL: &'static [Self] = Self::VARIANTS;

    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// The unit of the limit, unless it is requests.
    pub(crate) fn unit(self) -> Option<&'static str> {
        match self {
            Self::KeyRequests | Self::ProjectRequests => None,
            Self::KeyEvents | Self::ProjectEvents => Some("events"),
        }
    }
}

/// A limit that a request exceeds. Nothing of the request was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimited {
    pub(crate) limit: Limit,
    /// The limit as it was set.
    pub(crate) per_second: NonZeroU32,
    /// How long to wait.
    pub(super) wait: Duration,
}

impl RateLimited {
    /// The time to wait in whole seconds, rounded up, and at least one.
    pub(crate) fn retry_after_secs(&self) -> u32 {
        u32::try_from(whole_secs(self.wait)).unwrap_or(u32::MAX).max(1)
    }
}

impl fmt::Display for RateLimited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (per_second, seconds) = (self.per_second, self.retry_after_secs());
        let (whose, what) = match self.limit {
            Limit::KeyRequests => ("this key", "requests"),
            Limit::ProjectRequests => ("this project", "requests"),
            Limit::KeyEvents => ("this key", "events"),
            Limit::ProjectEvents => ("this project", "events"),
        };
        write!(
            formatter,
            "{whose} may send {per_second} {what} a second; nothing was accepted, send the request again in {seconds} s"
        )
    }
}

/// A duration in whole seconds, rounded up.
pub(super) fn whole_secs(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_rounded_up() {
        let waits = [0, 1, 999, 1_000, 1_001].map(|ms| RateLimited {
            limit: Limit::KeyRequests,
            per_second: NonZeroU32::MIN,
            wait: Duration::from_millis(ms),
        });
        assert_eq!(waits.map(|limited| limited.retry_after_secs()), [1, 1, 1, 1, 2]);
    }
}
