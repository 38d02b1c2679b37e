//! A naive model of the service: a list of events and the obvious loops over it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

/// What the model knows of an event.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Project-wide identity: the id, and its day unless it was sent without a time.
    pub identity: (String, Option<Date>),
    /// Who is counted.
    pub actor: String,
    /// What happened.
    pub event_type: String,
    /// When, as a day of the project.
    pub day: Date,
}

/// Everything sent, first come first kept.
#[derive(Debug, Default)]
pub struct Model {
    known: HashSet<(String, Option<Date>)>,
    /// How many events of a day, type and actor there are.
    counts: BTreeMap<(Date, String, String), u64>,
}

impl Model {
    /// Adds an event, unless one of its identity is there.
    pub fn add(&mut self, fact: Fact) {
        if self.known.insert(fact.identity) {
            self.count(fact.day, &fact.event_type, &fact.actor);
        }
    }

    /// Adds an event that is known to be new.
    pub fn count(&mut self, day: Date, event_type: &str, actor: &str) {
        *self.counts.entry((day, event_type.to_owned(), actor.to_owned())).or_default() += 1;
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The answer of `/stats/dau`.
    #[must_use]
    pub fn dau(&self, from: Date, to: Date, granularity: &str, event_type: Option<&str>) -> Value {
        let bucket = |day: Date| match granularity {
            "day" => day,
            "week" => day.saturating_sub(i32::from(day.weekday().to_monday_zero_offset()).days()),
            _ => day.first_of_month(),
        };
        let mut buckets: BTreeMap<Date, BTreeSet<&str>> = BTreeMap::new();
        let mut day = from;
        while day <= to {
            buckets.entry(bucket(day)).or_default();
            day = day.saturating_add(1.day());
        }
        for (day, name, actor) in self.counts.keys().filter(|(day, ..)| (from..=to).contains(day)) {
            if event_type.is_none_or(|event_type| event_type == name) {
                buckets.entry(bucket(*day)).or_default().insert(actor);
            }
        }
        let data: Vec<_> = buckets.iter().map(|(date, users)| json!({"date": date, "unique_users": users.len()})).collect();
        json!({"data": data, "granularity": granularity})
    }

    /// The answer of `/stats/top-events` with room for all types.
    #[must_use]
    pub fn top_events(&self, from: Date, to: Date) -> Value {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, name, _), count) in self.counts.iter().filter(|((day, ..), _)| (from..=to).contains(day)) {
            *counts.entry(name).or_default() += count;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        json!({"data": counts.iter().map(|(name, count)| json!({"event_type": name, "count": count})).collect::<Vec<_>>()})
    }

    fn active(&self, from: Date, until: Date, event_type: Option<&str>) -> BTreeSet<&str> {
        let keys = self.counts.keys().filter(|(day, ..)| *day >= from && *day < until);
        keys.filter(|(_, name, _)| event_type.is_none_or(|wanted| wanted == name)).map(|(.., actor)| actor.as_str()).collect()
    }

    /// The answer of `/stats/retention` for windows that are all over; `new` keeps only those never
    /// seen before, and `types` are what brings someone in and what counts as coming back.
    #[must_use]
    pub fn retention(
        &self,
        start: Date,
        window_type: &str,
        cohorts: i64,
        windows: i64,
        new: bool,
        types: [Option<&str>; 2],
    ) -> Value {
        let bound = |index: i64| match window_type {
            "day" => start.saturating_add(index.days()),
            "week" => start.saturating_add(index.weeks()),
            _ => start.saturating_add(index.months()),
        };
        let mut data = Vec::new();
        for cohort in 0..cohorts {
            let mut members = self.active(bound(cohort), bound(cohort + 1), types[0]);
            if new {
                let before = self.active(Date::MIN, bound(cohort), None);
                members.retain(|actor| !before.contains(actor));
            }
            let followed = if members.is_empty() { 0 } else { windows };
            let retained: Vec<usize> = (1..=followed)
                .map(|k| members.intersection(&self.active(bound(cohort + k), bound(cohort + k + 1), types[1])).count())
                .collect();
            let percents: Vec<f64> =
                retained.iter().map(|count| (10_000.0 * *count as f64 / members.len() as f64).round() / 100.0).collect();
            data.push(json!({"cohort_date": bound(cohort), "users_count": members.len(), "retention_windows": percents,
                             "retained_users": retained, "complete": vec![true; followed as usize]}));
        }
        json!({"data": data, "window_type": window_type})
    }
}
