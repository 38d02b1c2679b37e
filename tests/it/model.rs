//! A naive model of the service: a list of events and the obvious loops over it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

/// What the model knows of an event.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// Project-wide identity: the id, and its day unless it was sent without a time.
    pub(crate) identity: (String, Option<Date>),
    pub(crate) actor: String,
    pub(crate) event_type: String,
    pub(crate) day: Date,
}

/// Everything sent, first come first kept.
#[derive(Debug, Default)]
pub(crate) struct Model {
    known: HashSet<(String, Option<Date>)>,
    pub(crate) facts: Vec<Fact>,
}

impl Model {
    pub(crate) fn add(&mut self, fact: Fact) {
        if self.known.insert(fact.identity.clone()) {
            self.facts.push(fact);
        }
    }

    pub(crate) fn dau(&self, from: Date, to: Date, granularity: &str, event_type: Option<&str>) -> Value {
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
        for fact in self.facts.iter().filter(|fact| (from..=to).contains(&fact.day)) {
            if event_type.is_none_or(|event_type| event_type == fact.event_type) {
                buckets.entry(bucket(fact.day)).or_default().insert(&fact.actor);
            }
        }
        let data: Vec<_> = buckets.iter().map(|(date, users)| json!({"date": date, "unique_users": users.len()})).collect();
        json!({"data": data, "granularity": granularity})
    }

    pub(crate) fn top_events(&self, from: Date, to: Date) -> Value {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for fact in self.facts.iter().filter(|fact| (from..=to).contains(&fact.day)) {
            *counts.entry(&fact.event_type).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        json!({"data": counts.iter().map(|(name, count)| json!({"event_type": name, "count": count})).collect::<Vec<_>>()})
    }

    fn active(&self, from: Date, until: Date, event_type: Option<&str>) -> BTreeSet<&str> {
        let facts = self.facts.iter().filter(|fact| fact.day >= from && fact.day < until);
        facts.filter(|fact| event_type.is_none_or(|wanted| wanted == fact.event_type)).map(|fact| fact.actor.as_str()).collect()
    }

    pub(crate) fn retention(
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
            // The histories of these tests lie years back, so every window is over.
            data.push(json!({"cohort_date": bound(cohort), "users_count": members.len(), "retention_windows": percents,
                             "retained_users": retained, "complete": vec![true; followed as usize]}));
        }
        json!({"data": data, "window_type": window_type})
    }
}
