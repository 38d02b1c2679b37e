//! The limits of projects and keys, as requests and answers have them.

use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;

/// Requests in a second. More than the greatest number is no limit at all.
const REQUESTS_PER_SECOND: RangeInclusive<i32> = 1..=1_000_000;
/// Events in a second.
const EVENTS_PER_SECOND: RangeInclusive<i32> = 1..=100_000_000;
/// Event types of a project.
const EVENT_TYPES: RangeInclusive<i32> = 1..=1_000_000;

/// The limits of a key. A limit that is null is the default of the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct KeyLimits {
    /// The number of requests in a second.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) requests_per_second: Option<i32>,
    /// The number of events in a second.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub(super) events_per_second: Option<i32>,
}

/// The limits of a project. A limit that is null is the default of the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ProjectLimits {
    /// The number of requests in a second, with all keys of the project together.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) requests_per_second: Option<i32>,
    /// The number of events in a second, with all keys of the project together.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub(super) events_per_second: Option<i32>,
    /// The number of different event types.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) max_event_types: Option<i32>,
}

impl KeyLimits {
    /// Reads the object `limits`. What it does not name has no limit of its own.
    pub(super) fn take(fields: &mut Fields) -> Self {
        let read = |fields: &mut Fields| Self {
            requests_per_second: fields.number("requests_per_second", REQUESTS_PER_SECOND).flatten(),
            events_per_second: fields.number("events_per_second", EVENTS_PER_SECOND).flatten(),
        };
        fields.object("limits", read).unwrap_or_default()
    }
}

/// What a request says about the limits of a project. A limit that it does not name stays as it is, and one that
/// is null becomes the default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProjectLimitsChange {
    requests_per_second: Option<Option<i32>>,
    events_per_second: Option<Option<i32>>,
    max_event_types: Option<Option<i32>>,
}

impl ProjectLimitsChange {
    /// Reads the object `limits`.
    pub(super) fn take(fields: &mut Fields) -> Self {
        let read = |fields: &mut Fields| Self {
            requests_per_second: fields.number("requests_per_second", REQUESTS_PER_SECOND),
            events_per_second: fields.number("events_per_second", EVENTS_PER_SECOND),
            max_event_types: fields.number("max_event_types", EVENT_TYPES),
        };
        fields.object("limits", read).unwrap_or_default()
    }

    /// The limits after the change.
    pub(super) fn of(self, before: ProjectLimits) -> ProjectLimits {
        ProjectLimits {
            requests_per_second: self.requests_per_second.unwrap_or(before.requests_per_second),
            events_per_second: self.events_per_second.unwrap_or(before.events_per_second),
            max_event_types: self.max_event_types.unwrap_or(before.max_event_types),
        }
    }
}
