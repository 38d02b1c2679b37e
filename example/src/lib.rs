//! Sample events that resemble real ones: a few types and a few users account for most of them, users join
//! over time and come back less and less, and there are fewer events on weekends and at night.
//!
//! `rollcall generate` and `rollcall dev --demo` send them, and the benchmark stores them. The same seed
//! and dates give the same events with the same ids. This crate knows only the JSON that the service
//! accepts, and uses none of its code.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};
use serde::Serialize;
use uuid::Uuid;

/// Event types, the most frequent first.
const EVENT_TYPES: [&str; 20] = [
    "page_view",
    "click",
    "login",
    "search",
    "message_sent",
    "item_viewed",
    "add_to_cart",
    "video_played",
    "logout",
    "checkout",
    "purchase",
    "comment",
    "like",
    "share",
    "signup",
    "profile_updated",
    "file_uploaded",
    "invite_sent",
    "refund",
    "account_closed",
];
const PAGES: [&str; 6] = ["/home", "/pricing", "/docs/start", "/search", "/cart", "/settings"];
const DEVICES: [&str; 4] = ["Chrome on Windows", "Safari on iPhone", "Firefox on Linux", "Chrome on Android"];
/// Events in each hour of the day, relative to the busiest hour.
const HOURS: [f64; 24] =
    [0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 0.9, 0.8, 0.9, 1.0, 0.9, 0.8, 0.8, 0.9, 1.0, 0.9, 0.7, 0.5, 0.3];

/// Which events to generate.
#[derive(Debug, Clone)]
pub struct Config {
    /// Number of events.
    pub events: u64,
    /// Number of users; at least one.
    pub users: u32,
    /// The same seed gives the same events.
    pub seed: u64,
    /// First day, UTC.
    from: Date,
    /// Last day, UTC.
    to: Date,
}

impl Config {
    /// Events between two days, both inclusive, with one user for every 40 events.
    #[must_use]
    pub fn new(events: u64, from: Date, to: Date) -> Self {
        let users = u32::try_from(events / 40).unwrap_or(u32::MAX).max(10);
        Self { events, users, seed: 1, from, to }
    }

    /// Events of the last `days` days, including today.
    #[must_use]
    pub fn recent(events: u64, days: u32) -> Self {
        let end = Timestamp::from_second(Timestamp::now().as_second() / 60 * 60).unwrap_or(Timestamp::UNIX_EPOCH);
        let today = end.to_zoned(TimeZone::UTC).date();
        Self::new(events, today.saturating_sub(i64::from(days.saturating_sub(1)).days()), today)
    }

    /// The same configuration with other days.
    #[must_use]
    pub fn between(self, from: Date, to: Date) -> Self {
        Self { from, to, ..self }
    }
}

/// One event. Its JSON is sent to the service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleEvent {
    /// Random (version 4).
    pub event_id: Uuid,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The user's number, from 1, whether or not the user is signed in.
    #[serde(skip)]
    pub user: u32,
    /// The user's id, if the user is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The id of the user's device, if the user is not signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// One for each user and day.
    pub session_id: String,
    /// Every third user has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// One of 20 types.
    pub event_type: &'static str,
    /// About a hundred bytes of JSON.
    pub properties: Properties,
}

/// The properties of a sample event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Properties {
    page: &'static str,
    device: &'static str,
    referrer: &'static str,
    duration_ms: u32,
    experiment: &'static str,
}

/// The events of a configuration, not ordered by time.
pub fn events(config: Config) -> impl Iterator<Item = SampleEvent> {
    let mut source = Source::new(config);
    (0..source.config.events).map(move |_| source.event())
}

struct Source {
    random: SmallRng,
    types: Zipf<f64>,
    users: Zipf<f64>,
    /// Days between a user's joining and an event of that user.
    absence: Exp<f64>,
    first_us: i64,
    days: i64,
    /// The time when generation began. No event is later.
    now_us: i64,
    config: Config,
}

impl Source {
    fn new(config: Config) -> Self {
        let midnight = |day: Date| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_or(0, Timestamp::as_microsecond);
        let first_us = midnight(config.from);
        let end_us = midnight(config.to.saturating_add(1.day()));
        Self {
            random: SmallRng::seed_from_u64(config.seed),
            // The parameters are constants in range, and there is at least one user.
            types: Zipf::new(EVENT_TYPES.len() as f64, 1.0).expect("a valid distribution"),
            users: Zipf::new(f64::from(config.users), 0.9).expect("a valid distribution"),
            absence: Exp::new(0.08).expect("a valid distribution"),
            first_us,
            days: (end_us - first_us) / 86_400_000_000,
            now_us: Timestamp::now().as_microsecond(),
            config,
        }
    }

    fn event(&mut self) -> SampleEvent {
        let user = self.users.sample(&mut self.random) as u32;
        let occurred_us = self.time(user);
        let is_anonymous = self.random.random_bool(0.1);
        let day = (occurred_us - self.first_us) / 86_400_000_000;
        let who = format!("user_{user:06}");
        SampleEvent {
            event_id: self.id(),
            occurred_at: Timestamp::from_microsecond(occurred_us).unwrap_or(Timestamp::UNIX_EPOCH),
            user,
            session_id: format!("session_{user}_{day}"),
            account_id: user.is_multiple_of(3).then(|| format!("acc_{:03}", user % 500)),
            anonymous_id: is_anonymous.then(|| format!("device_{user:06}")),
            user_id: (!is_anonymous).then_some(who),
            event_type: EVENT_TYPES[self.types.sample(&mut self.random) as usize - 1],
            properties: Properties {
                page: self.pick(&PAGES),
                device: self.pick(&DEVICES),
                referrer: self.pick(&["google.com", "newsletter", "direct"]),
                duration_ms: self.random.random_range(20..60_000),
                experiment: self.pick(&["control", "blue button"]),
            },
        }
    }

    /// A time after the user joined. Times soon after joining, on weekdays and at busy hours are more likely.
    fn time(&mut self, user: u32) -> i64 {
        let joined = i64::from(user).wrapping_mul(2_654_435_761) % self.days.max(1);
        loop {
            let mut day = joined + self.absence.sample(&mut self.random) as i64;
            if day >= self.days {
                // This is beyond the period, so take any day since the user joined.
                day = self.random.random_range(joined..self.days);
            }
            let is_weekend = (self.first_us / 86_400_000_000 + day + 3) % 7 >= 5;
            let hour = self.random.random_range(0..24_usize);
            if !self.random.random_bool(HOURS[hour] * if is_weekend { 0.6 } else { 1.0 }) {
                continue;
            }
            let time_us =
                self.first_us + day * 86_400_000_000 + hour as i64 * 3_600_000_000 + self.random.random_range(0..3_600_000_000);
            if time_us <= self.now_us {
                return time_us;
            }
            // The whole period is in the future, so there is no valid time in it.
            if self.first_us > self.now_us {
                return self.now_us;
            }
        }
    }

    fn id(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.random.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.random.random_range(0..choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seed: u64) -> Vec<SampleEvent> {
        let config = Config { seed, ..Config::new(500, jiff::civil::date(2025, 10, 1), jiff::civil::date(2025, 10, 28)) };
        events(config).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_events() {
        assert_eq!(sample(7), sample(7));
        assert_ne!(sample(7), sample(8));
    }

    #[test]
    fn every_time_lies_within_the_period() {
        let [first, end] = ["2025-10-01T00:00:00Z", "2025-10-29T00:00:00Z"].map(|text| text.parse::<Timestamp>().unwrap());
        assert!(sample(1).iter().all(|event| (first..end).contains(&event.occurred_at)));
    }

    #[test]
    fn no_event_lies_ahead_of_the_clock() {
        let events: Vec<_> = events(Config::recent(2_000, 1)).collect();
        let now = Timestamp::now();
        assert!(events.iter().all(|event| event.occurred_at <= now));
    }
}
