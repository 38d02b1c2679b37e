//! Rates: how much a key or a project may send in a second.

use std::num::NonZeroU32;

/// Limits of one key or one project in one second; `None` is the default of the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Requests in a second.
    pub(crate) requests_per_second: Option<NonZeroU32>,
    /// Events in a second.
    pub(crate) events_per_second: Option<NonZeroU32>,
}

impl Rates {
    /// The rates in a row of the database, which checks that they are positive.
    pub(super) fn of_row(requests_per_second: Option<i32>, events_per_second: Option<i32>) -> Self {
        let rate = |value: Option<i32>| value.and_then(|value| NonZeroU32::new(value.try_into().ok()?));
        Self { requests_per_second: rate(requests_per_second), events_per_second: rate(events_per_second) }
    }
}
