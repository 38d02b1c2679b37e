//! Series: the counts of one event type, or of one value of a property, in each bucket.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::clipped;
use crate::query::bucket::Buckets;
use crate::query::value::{MAX_NAMED, OTHER};

/// The counts of one event type or value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Series {
    /// Null for all types together.
    event_type: Option<String>,
    /// The value of the property; null without a breakdown, and for events without the property. Values
    /// longer than 200 characters are cut.
    value: Option<String>,
    total: u64,
    points: Vec<Point>,
}

/// The count of one hour, day, week or month.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Point {
    /// The first day of the bucket, or for hours the local time with its offset.
    pub(super) at: String,
    pub(super) value: u64,
}

/// Counts from which the series are made.
#[derive(Debug)]
pub(super) struct Tally {
    buckets: usize,
    /// The lines by the index of the event type and the rank of the value.
    lines: BTreeMap<(usize, i32), Line>,
}

#[derive(Debug, Default)]
struct Line {
    value: Option<String>,
    total: u64,
    points: Vec<u64>,
}

impl Tally {
    pub(super) fn new(buckets: usize) -> Self {
        Self { buckets, lines: BTreeMap::new() }
    }

    /// Adds to the count of a bucket and to the total.
    pub(super) fn add(&mut self, event_type: usize, rank: i32, value: Option<String>, bucket: usize, number: u64) {
        self.set(event_type, rank, value, bucket, number);
        self.line(event_type, rank).total += number;
    }

    /// Adds to the count of a bucket, but not to the total.
    pub(super) fn set(&mut self, event_type: usize, rank: i32, value: Option<String>, bucket: usize, number: u64) {
        let line = self.line(event_type, rank);
        line.points[bucket] += number;
        line.value = line.value.take().or(value);
    }

    /// Sets the total.
    pub(super) fn total(&mut self, event_type: usize, rank: i32, value: Option<String>, total: u64) {
        let line = self.line(event_type, rank);
        line.total = total;
        line.value = line.value.take().or(value);
    }

    fn line(&mut self, event_type: usize, rank: i32) -> &mut Line {
        let empty = || Line { points: vec![0; self.buckets], ..Line::default() };
        self.lines.entry((event_type, rank)).or_insert_with(empty)
    }

    /// The series of these event types in their order. Without a breakdown, each type has exactly one series.
    pub(super) fn into_series(mut self, event_types: &[Option<String>], buckets: &Buckets, is_broken_down: bool) -> Vec<Series> {
        if !is_broken_down {
            for place in 0..event_types.len() {
                self.line(place, 1);
            }
        }
        let series = |((place, rank), line): ((usize, i32), Line)| Series {
            event_type: event_types[place].clone(),
            value: if rank > MAX_NAMED as i32 {
                Some(OTHER.to_owned())
            } else {
                line.value.map(|value| clipped(&value).into_owned())
            },
            total: line.total,
            points: buckets.labels().iter().zip(line.points).map(|(at, value)| Point { at: at.clone(), value }).collect(),
        };
        self.lines.into_iter().map(series).collect()
    }
}

impl Series {
    pub(super) fn event_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    pub(super) fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Its approximate size in memory.
    pub(super) fn bytes(&self) -> usize {
        let label_bytes = self.points.first().map_or(0, |point| point.at.len());
        size_of::<Self>() + self.points.len() * (size_of::<Point>() + label_bytes)
    }
}
