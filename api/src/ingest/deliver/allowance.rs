//! Allowances: how many events of small requests a project may send before they travel as bulk.
//!
//! An allowance is a token bucket. It says nothing about whether events are accepted, only about their priority, so
//! each process keeps its own, and a process that starts again begins with full ones.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::priority::Priority;

use crate::settings::AllowanceSettings;

/// Requests with up to this many events have an allowance of their own. So an import in small requests does not use
/// up the allowance of the events that people cause meanwhile, which clients send one by one or in handfuls.
const MAX_HANDFUL: u32 = 10;

/// A kind of small request. Each has its own allowance and its own lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A few events.
    Handful,
    /// More than a few.
    Pack,
}

impl Kind {
    /// The kind of a request with this number of events.
    pub(crate) fn of(events: u32) -> Self {
        if events <= MAX_HANDFUL { Self::Handful } else { Self::Pack }
    }
}

/// The allowances of all projects that have sent small requests.
pub(crate) struct Allowances {
    settings: AllowanceSettings,
    by_project: Mutex<HashMap<(ProjectId, Kind), Bucket>>,
}

/// What is left of one allowance.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    events: f64,
    at: Instant,
}

impl Allowances {
    pub(crate) fn new(settings: AllowanceSettings) -> Self {
        Self { settings, by_project: Mutex::default() }
    }

    /// The priority of this many events. Those with normal priority use up the allowance.
    pub(crate) fn priority_of(&self, project: ProjectId, kind: Kind, events: u32) -> Priority {
        self.priority_at(Instant::now(), project, kind, events)
    }

    fn priority_at(&self, now: Instant, project: ProjectId, kind: Kind, events: u32) -> Priority {
        let (burst, per_second) = (f64::from(self.settings.burst_events), f64::from(self.settings.events_per_second));
        let mut buckets = self.by_project.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry((project, kind)).or_insert(Bucket { events: burst, at: now });
        let refill = now.saturating_duration_since(bucket.at).as_secs_f64() * per_second;
        *bucket = Bucket { events: (bucket.events + refill).min(burst), at: now.max(bucket.at) };
        if bucket.events < f64::from(events) {
            return Priority::Bulk;
        }
        bucket.events -= f64::from(events);
        Priority::Normal
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PROJECT: ProjectId = ProjectId(1);

    fn allowances() -> Allowances {
        Allowances::new(AllowanceSettings { burst_events: 100, events_per_second: 10 })
    }

    #[test]
    fn events_past_the_burst_are_bulk_until_the_allowance_is_refilled() {
        let (allowances, start) = (allowances(), Instant::now());
        let ask = |secs, events| allowances.priority_at(start + Duration::from_secs(secs), PROJECT, Kind::Pack, events);
        assert_eq!(
            [ask(0, 60), ask(0, 60), ask(0, 40), ask(0, 1)],
            [Priority::Normal, Priority::Bulk, Priority::Normal, Priority::Bulk]
        );
        assert_eq!([ask(3, 30), ask(3, 1)], [Priority::Normal, Priority::Bulk]);
        // No time fills it up to more than the burst.
        assert_eq!([ask(3_600, 101), ask(3_600, 100)], [Priority::Bulk, Priority::Normal]);
    }

    #[test]
    fn projects_and_kinds_of_requests_have_their_own() {
        let (allowances, now) = (allowances(), Instant::now());
        let ask = |project, kind| allowances.priority_at(now, project, kind, 100);
        assert_eq!([ask(PROJECT, Kind::Pack), ask(PROJECT, Kind::Pack)], [Priority::Normal, Priority::Bulk]);
        assert_eq!([ask(PROJECT, Kind::Handful), ask(ProjectId(2), Kind::Pack)], [Priority::Normal, Priority::Normal]);
        assert_eq!((Kind::of(10), Kind::of(11)), (Kind::Handful, Kind::Pack));
    }

    #[test]
    fn without_an_allowance_everything_is_bulk() {
        let none = Allowances::new(AllowanceSettings { burst_events: 0, events_per_second: 1_000 });
        assert_eq!(none.priority_of(PROJECT, Kind::Handful, 1), Priority::Bulk);
    }
}
