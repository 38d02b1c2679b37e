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
