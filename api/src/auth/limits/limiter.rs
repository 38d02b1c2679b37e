//! The limiter: charges requests and events to the buckets of a key and of its project.
//!
//! A charge that one of the buckets refuses is made to none of them. Otherwise a key would pay again and again for
//! a batch that its project may not send.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use metrics::counter;
use rollcall_shared::project::ProjectId;

use super::at_once::{AtOnce, Place};
use super::buckets::Buckets;
use super::fields::Reading;
use super::limit::{Limit, RateLimited};
use super::rate::Rate;
use crate::auth::grant::{Grant, KeyId};
use crate::auth::rates::Rates;
use crate::error::ApiError;
use crate::settings::LimitSettings;

/// The limits of all keys and projects.
#[derive(Debug)]
pub(crate) struct Limits<C: Clock = MonotonicClock> {
    per_key: Rates,
    per_project: Rates,
    replicas: u32,
    burst_secs: u32,
    buckets: Mutex<Buckets<Owner, C>>,
    at_once: Arc<AtOnce>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::auth) enum Unit {
    Requests,
    Events,
}

/// Who has a bucket, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Key(KeyId, Unit),
    Project(ProjectId, Unit),
}

impl Owner {
    fn limit(self) -> Limit {
        match self {
            Self::Key(_, Unit::Requests) => Limit::KeyRequests,
            Self::Key(_, Unit::Events) => Limit::KeyEvents,
            Self::Project(_, Unit::Requests) => Limit::ProjectRequests,
            Self::Project(_, Unit::Events) => Limit::ProjectEvents,
        }
    }
}

impl Limits {
    /// Limits of this process, with these defaults.
    pub(crate) fn new(settings: &LimitSettings) -> Self {
        Self::with_clock(settings, MonotonicClock)
    }
}

impl<C: Clock + Clone> Limits<C> {
    fn with_clock(settings: &LimitSettings, clock: C) -> Self {
        Self {
            per_key: Rates {
                requests_per_second: settings.requests_per_second_per_key,
                events_per_second: settings.events_per_second_per_key,
            },
            per_project: Rates {
                requests_per_second: settings.requests_per_second_per_project,
                events_per_second: settings.events_per_second_per_project,
            },
            replicas: settings.replicas,
            burst_secs: settings.burst_secs,
            buckets: Mutex::new(Buckets::new(clock)),
            at_once: Arc::new(AtOnce::new(settings.requests_at_once_per_project)),
        }
    }

    /// Charges an amount to the key and to its project. Returns what is in their buckets afterwards.
    ///
    /// # Errors
    /// The limit for which the client has to wait longest. Nothing was charged then.
    pub(in crate::auth) fn charge(&self, grant: &Grant, unit: Unit, amount: usize) -> Outcome {
        self.decide(grant, unit, amount, true)
    }

    /// Whether at least one more could be charged.
    ///
    /// # Errors
    /// As [`Self::charge`].
    pub(in crate::auth) fn look(&self, grant: &Grant, unit: Unit) -> Outcome {
        self.decide(grant, unit, 1, false)
    }

    /// A permit for one more request of this project at the same time.
    ///
    /// # Errors
    /// [`ApiError::TooManyAtOnce`].
    pub(in crate::auth) fn place(&self, project: ProjectId) -> Result<Place, ApiError> {
        self.at_once.take(project)
    }

    fn decide(&self, grant: &Grant, unit: Unit, amount: usize, takes: bool) -> Outcome {
        let owners = self.owners(grant, unit);
        let amount = NonZeroU32::new(u32::try_from(amount).unwrap_or(u32::MAX));
        let (Some(amount), false) = (amount, owners.is_empty()) else { return Outcome::default() };
        let mut buckets = self.buckets();
        let mut refused: Option<(Owner, Rate, Duration)> = None;
        for (owner, rate) in &owners {
            if let Err(wait) = buckets.of(*owner, *rate).look(amount)
                && refused.is_none_or(|(.., longest)| wait > longest)
            {
                refused = Some((*owner, *rate, wait));
            }
        }
        let readings = owners.iter().map(|(owner, rate)| {
            let bucket = buckets.of(*owner, *rate);
            if takes && refused.is_none() {
                // The bucket has just said that it can, and the lock has been held since.
                let _ = bucket.take(amount);
            }
            Reading { limit: owner.limit(), rate: *rate, content: bucket.content(), wait: None }
        });
        let mut readings: Vec<_> = readings.collect();
        drop(buckets);
        let refused = refused.map(|(owner, rate, wait)| {
            let limited = RateLimited { limit: owner.limit(), per_second: rate.per_second, wait };
            for reading in readings.iter_mut().filter(|reading| reading.limit == limited.limit) {
                reading.wait = Some(wait);
            }
            count(limited.limit, unit, if takes { amount.get() } else { 0 });
            limited
        });
        Outcome { readings, refused }
    }

    /// The buckets that a grant's requests or events are charged to.
    fn owners(&self, grant: &Grant, unit: Unit) -> Vec<(Owner, Rate)> {
        let of_key = of_unit(grant.rates, unit).or(match grant.key {
            // The operator's own key has only the limits of its project.
            KeyId::Installation => None,
            KeyId::Numbered(_) => of_unit(self.per_key, unit),
        });
        let project = &grant.project;
        let of_project = of_unit(project.rates, unit).or(of_unit(self.per_project, unit));
        let owners = [(Owner::Key(grant.key, unit), of_key), (Owner::Project(project.id, unit), of_project)];
        let limited = owners.into_iter().filter_map(|(owner, limit)| Some((owner, limit?)));
        limited.map(|(owner, limit)| (owner, Rate::new(limit, self.replicas, self.burst_secs))).collect()
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets<Owner, C>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a charge.
#[derive(Debug, Default)]
pub(in crate::auth) struct Outcome {
    /// The buckets of all limits that apply, afterwards.
    pub(super) readings: Vec<Reading>,
    /// The limit that refuses the charge.
    pub(super) refused: Option<RateLimited>,
}

fn of_unit(rates: Rates, unit: Unit) -> Option<NonZeroU32> {
    match unit {
        Unit::Requests => rates.requests_per_second,
        Unit::Events => rates.events_per_second,
    }
}

fn count(limit: Limit, unit: Unit, events: u32) {
    counter!("rollcall_limited_requests_total", "limit" => limit.name()).increment(1);
    if unit == Unit::Events {
        counter!("rollcall_limited_events_total", "limit" => limit.name()).increment(events.into());
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;
    use crate::auth::grant::Project;

    fn number(number: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(number)
    }

    fn limits(clock: &FakeRelativeClock) -> Limits<FakeRelativeClock> {
        let settings = LimitSettings {
            requests_per_second_per_key: number(10),
            events_per_second_per_key: None,
            requests_per_second_per_project: number(15),
            events_per_second_per_project: number(100),
            burst_secs: 1,
            replicas: 1,
            requests_at_once_per_project: 1,
            unknown_keys_per_second_per_address: NonZeroU32::MIN,
        };
        Limits::with_clock(&settings, clock.clone())
    }

    fn grant(key: KeyId, rates: Rates) -> Grant {
        Grant { key, rates, ..Grant::of_installation(Project::unread_default()) }
    }

    /// The limit that refuses, and the seconds to wait.
    fn refusal(outcome: &Outcome) -> Option<(Limit, u32)> {
        outcome.refused.as_ref().map(|limited| (limited.limit, limited.retry_after_secs()))
    }

    #[test]
    fn a_charge_is_made_to_the_key_and_the_project_or_to_neither() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let [one, other] = [1, 2].map(|id| grant(KeyId::Numbered(id), Rates::default()));
        assert_eq!(refusal(&limits.charge(&one, Unit::Requests, 10)), None);
        assert_eq!(refusal(&limits.charge(&one, Unit::Requests, 1)), Some((Limit::KeyRequests, 1)));
        // The project has five left.
        let refused = limits.charge(&other, Unit::Requests, 6);
        assert_eq!(refusal(&refused), Some((Limit::ProjectRequests, 1)));
        assert_eq!(refused.readings.iter().map(|reading| reading.content.left).collect::<Vec<_>>(), [10, 5]);
        assert_eq!(refusal(&limits.charge(&other, Unit::Requests, 5)), None);
    }

    #[test]
    fn a_key_has_its_own_limit_in_place_of_the_default_and_the_key_of_the_installation_has_none() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let own = grant(KeyId::Numbered(1), Rates { requests_per_second: number(2), events_per_second: number(50) });
        assert_eq!(refusal(&limits.charge(&own, Unit::Requests, 2)), None);
        assert_eq!(refusal(&limits.charge(&own, Unit::Requests, 1)), Some((Limit::KeyRequests, 1)));
        assert_eq!(refusal(&limits.charge(&own, Unit::Events, 50)), None);
        assert_eq!(refusal(&limits.look(&own, Unit::Events)), Some((Limit::KeyEvents, 1)));
        let installation = grant(KeyId::Installation, Rates::default());
        assert_eq!(refusal(&limits.charge(&installation, Unit::Requests, 13)), None);
        assert_eq!(refusal(&limits.charge(&installation, Unit::Requests, 1)), Some((Limit::ProjectRequests, 1)));
    }

    #[test]
    fn the_longest_wait_is_told() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let slow = grant(KeyId::Numbered(1), Rates { requests_per_second: None, events_per_second: number(10) });
        assert_eq!(refusal(&limits.charge(&slow, Unit::Events, 300)), None);
        // The key owes 290, which take 29 s, and the project 200, which take 2 s.
        assert_eq!(refusal(&limits.charge(&slow, Unit::Events, 1)), Some((Limit::KeyEvents, 30)));
        assert_eq!(refusal(&limits.charge(&slow, Unit::Events, 0)), None, "nothing costs nothing");
    }
}
