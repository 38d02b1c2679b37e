//! The settings of limits on keys and projects.

use std::num::NonZeroU32;

use rollcall_shared::settings::Environment;

/// Largest rate that can be set.
const MAX_PER_SECOND: u64 = 1_000_000_000;

/// Limits of keys and projects that have none of their own.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Requests of one key in a second; `None` is no limit.
    pub requests_per_second_per_key: Option<NonZeroU32>,
    /// Events of one key in a second; `None` is no limit.
    pub events_per_second_per_key: Option<NonZeroU32>,
    /// Requests of all keys of a project in a second; `None` is no limit.
    pub requests_per_second_per_project: Option<NonZeroU32>,
    /// Events of all keys of a project in a second; `None` is no limit.
    pub events_per_second_per_project: Option<NonZeroU32>,
    /// A key or a project that was quiet for this long may send as much at once as its rate allows in this time.
    pub burst_secs: u32,
    /// The number of API processes that share the requests.
    pub replicas: u32,
    /// Requests of one project in progress at a time.
    pub requests_at_once_per_project: usize,
    /// Unknown keys of one address that are looked up in a second.
    pub unknown_keys_per_second_per_address: NonZeroU32,
}

impl LimitSettings {
    pub(super) fn from_env(environment: &mut Environment) -> Self {
        let mut rate = |name, default, meaning: &str| {
            let meaning = format!("{meaning}; past it they get 429; no limit when 0");
            NonZeroU32::new(environment.read_in(name, default, 0..=MAX_PER_SECOND, &meaning) as u32)
        };
        Self {
            requests_per_second_per_key: rate(
                "RATE_REQUESTS_PER_SECOND_PER_KEY",
                1_000,
                "requests of one key in a second, other than API_KEY",
            ),
            events_per_second_per_key: rate(
                "RATE_EVENTS_PER_SECOND_PER_KEY",
                100_000,
                "events of one key in a second, other than API_KEY",
            ),
            requests_per_second_per_project: rate(
                "RATE_REQUESTS_PER_SECOND_PER_PROJECT",
                0,
                "requests of all keys of one project in a second",
            ),
            events_per_second_per_project: rate(
                "RATE_EVENTS_PER_SECOND_PER_PROJECT",
                0,
                "events of all keys of one project in a second",
            ),
            burst_secs: environment.read_in(
                "RATE_BURST_SECONDS",
                1,
                1..=3_600,
                "seconds whose requests and events may come at once after a pause of as many seconds",
            ) as u32,
            replicas: environment.read_in(
                "API_REPLICAS",
                1,
                1..=1_000,
                "API processes among which requests are divided; each allows this part of every rate",
            ) as u32,
            requests_at_once_per_project: environment.read_in(
                "REQUESTS_AT_ONCE_PER_PROJECT",
                256,
                1..=1_000_000,
                "requests of one project in progress at a time, below API_MAX_CONNECTIONS; past it they get 429",
            ) as usize,
            unknown_keys_per_second_per_address: NonZeroU32::new(environment.read_in(
                "UNKNOWN_KEYS_PER_SECOND_PER_ADDRESS",
                100,
                1..=1_000_000,
                "different unknown keys from one address that are looked up in a second; past it they get 429",
            ) as u32)
            .unwrap_or(NonZeroU32::MIN),
        }
    }
}
