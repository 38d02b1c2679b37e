//! Buckets: the hours, days, weeks or months of a period in the project's time zone.
//!
//! A bucket is not always one continuous range of time: if clocks are put back across midnight, the last hour
//! of a day repeats after the next day has begun. [`Buckets`] therefore keeps continuous stretches of time,
//! each with its bucket, so that rows and rollups agree on the day of every instant.

use std::collections::HashMap;
use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use utoipa::ToSchema;

use super::period::Period;

/// The length of the buckets of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, strum::EnumString, strum::VariantNames, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Interval {
    /// Named by its beginning, as local time with offset, because two hours have the same local time when
    /// clocks are put back.
    Hour,
    Day,
    /// ISO weeks, named by their Monday.
    Week,
    /// Named by its first day.
    Month,
}

impl Interval {
    /// The first day of the bucket that contains a day.
    fn first_day(self, day: Date) -> Date {
        match self {
            Self::Hour | Self::Day => day,
            Self::Week => day.saturating_sub(i32::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
        }
    }
}

/// Identifies a bucket: its beginning in local time, and for hours the offset.
type Key = (DateTime, Option<Offset>);

/// The buckets of a period.
#[derive(Debug)]
pub(super) struct Buckets {
    interval: Interval,
    labels: Vec<String>,
    places: HashMap<Key, usize>,
    /// The stretches in order of time. Each ends where the next one begins, and none is empty.
    stretches: Vec<Stretch>,
    end: Timestamp,
}

/// A continuous range of instants that belong to one bucket.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: Timestamp,
    /// The index of the bucket; `None` outside the period.
    bucket: Option<usize>,
}

impl Buckets {
    /// Cuts a period into buckets. They include buckets without an instant: a few days were skipped when a
    /// country moved across the date line.
    pub(super) fn new(period: Period, interval: Interval, zone: &TimeZone) -> Self {
        let mut buckets =
            Self { interval, labels: Vec::new(), places: HashMap::new(), stretches: Vec::new(), end: Timestamp::MAX };
        if interval != Interval::Hour {
            for day in days(period) {
                buckets.place((interval.first_day(day).at(0, 0, 0, 0), None), || interval.first_day(day).to_string());
            }
        }
        buckets.cut(period, zone);
        buckets
    }

    /// The names of the buckets, in order: a date, or for hours the local time with its offset.
    pub(super) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The first instant of the period.
    pub(super) fn start(&self) -> Timestamp {
        self.stretches.first().map_or(self.end, |stretch| stretch.start)
    }

    /// The first instant after the period.
    pub(super) fn end(&self) -> Timestamp {
        self.end
    }

    /// The beginning and the bucket of each stretch; `None` outside the period.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (Timestamp, Option<usize>)> {
        self.stretches.iter().map(|stretch| (stretch.start, stretch.bucket))
    }

    /// The instants of the period. They are one range unless clocks were put back across midnight.
    pub(super) fn ranges(&self) -> Vec<Range<Timestamp>> {
        let ends = self.stretches.iter().skip(1).map(|next| next.start).chain([self.end]);
        let mut ranges: Vec<Range<Timestamp>> = Vec::new();
        for (stretch, end) in self.stretches.iter().zip(ends).filter(|(stretch, _)| stretch.bucket.is_some()) {
            match ranges.last_mut().filter(|last| last.end == stretch.start) {
                Some(last) => last.end = end,
                None => ranges.push(stretch.start..end),
            }
        }
        ranges
    }

    /// The bucket of a day; `None` for buckets of hours.
    pub(super) fn of_day(&self, day: Date) -> Option<usize> {
        self.places.get(&(self.interval.first_day(day).at(0, 0, 0, 0), None)).copied()
    }

    /// The bucket of an hour of the local clock, at an offset from UTC. Days are not made of hours here.
    pub(super) fn of_hour(&self, day: Date, hour: i8, offset: Offset) -> Option<usize> {
        self.places.get(&(day.at(hour, 0, 0, 0), Some(offset))).copied()
    }

    fn place(&mut self, key: Key, label: impl FnOnce() -> String) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.labels.push(label());
            self.labels.len() - 1
        })
    }

    /// Cuts the time between two clock changes, in which the offset is constant.
    fn cut(&mut self, period: Period, zone: &TimeZone) {
        let utc = |day: Date| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX);
        // An offset is less than a day.
        let (begin, end) = (utc(period.from().saturating_sub(2.days())), utc(period.to().saturating_add(3.days())));
        let changes = zone.following(begin).map(|change| change.timestamp()).take_while(|change| *change < end);
        let mut starts: Vec<Timestamp> = std::iter::once(begin).chain(changes).collect();
        starts.push(end);
        for (start, end) in starts.iter().zip(&starts[1..]) {
            self.cut_evenly(period, *start, *end, zone.to_offset(*start));
        }
        // Stretches before and after the period are removed.
        while self.stretches.last().is_some_and(|stretch| stretch.bucket.is_none()) {
            self.end = self.stretches.pop().map_or(self.end, |stretch| stretch.start);
        }
        let before = self.stretches.iter().take_while(|stretch| stretch.bucket.is_none()).count();
        self.stretches.drain(..before);
    }

    fn cut_evenly(&mut self, period: Period, start: Timestamp, end: Timestamp, offset: Offset) {
        let mut instant = start;
        while instant < end {
            let local = offset.to_datetime(instant);
            let bucket = self.bucket_of(period, local, offset);
            if self.stretches.last().is_none_or(|last| last.bucket != bucket) {
                self.stretches.push(Stretch { start: instant, bucket });
            }
            let next = match self.interval {
                Interval::Hour => local.date().at(local.hour(), 0, 0, 0).saturating_add(1.hour()),
                _ => local.date().saturating_add(1.day()).at(0, 0, 0, 0),
            };
            let Some(next) = offset.to_timestamp(next).ok().filter(|next| *next > instant) else { break };
            instant = next;
        }
    }

    fn bucket_of(&mut self, period: Period, local: DateTime, offset: Offset) -> Option<usize> {
        if !(period.from()..=period.to()).contains(&local.date()) {
            return None;
        }
        if self.interval != Interval::Hour {
            return self.of_day(local.date());
        }
        let hour = local.date().at(local.hour(), 0, 0, 0);
        let label = || match offset.to_timestamp(hour) {
            Ok(start) => start.display_with_offset(offset).to_string(),
            Err(_) => hour.to_string(),
        };
        Some(self.place((hour, Some(offset)), label))
    }
}

fn days(period: Period) -> impl Iterator<Item = Date> {
    let next = |day: &Date| day.checked_add(1.day()).ok();
    std::iter::successors(Some(period.from()), next).take_while(move |day| *day <= period.to())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rollcall_shared::day::Calendar;

    use super::*;

    fn buckets(from: Date, to: Date, interval: Interval, zone: &str) -> Buckets {
        Buckets::new(Period::of(from, to), interval, &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn the_day_on_which_clocks_are_put_back_has_25_hours_and_the_other_23() {
        let autumn = buckets(date(2025, 10, 26), date(2025, 10, 26), Interval::Hour, "Europe/Berlin");
        assert_eq!(autumn.labels().len(), 25);
        assert_eq!(
            autumn.labels()[1..5],
            ["2025-10-26T01:00:00+02:00", "2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00", "2025-10-26T03:00:00+01:00"]
        );
        let spring = buckets(date(2025, 3, 30), date(2025, 3, 30), Interval::Hour, "Europe/Berlin");
        assert_eq!(spring.labels().len(), 23);
        assert_eq!(spring.labels()[1..3], ["2025-03-30T01:00:00+01:00", "2025-03-30T03:00:00+02:00"]);
    }

    #[test]
    fn hours_follow_the_local_clock_where_its_offset_is_no_whole_hour() {
        let kolkata = buckets(date(2025, 1, 1), date(2025, 1, 1), Interval::Hour, "Asia/Kolkata");
        assert_eq!((kolkata.labels().len(), kolkata.labels()[0].as_str()), (24, "2025-01-01T00:00:00+05:30"));
        assert_eq!(kolkata.start().to_string(), "2024-12-31T18:30:00Z");
        // Clocks on this island move by half an hour.
        let howe = buckets(date(2025, 4, 6), date(2025, 4, 6), Interval::Hour, "Australia/Lord_Howe");
        assert_eq!(howe.labels().len(), 25);
        assert_eq!(howe.labels()[1..3], ["2025-04-06T01:00:00+11:00", "2025-04-06T01:00:00+10:30"]);
    }

    #[test]
    fn weeks_begin_on_monday_and_only_their_days_within_the_period_count() {
        let weeks = buckets(date(2025, 10, 1), date(2025, 10, 14), Interval::Week, "UTC");
        assert_eq!(weeks.labels(), ["2025-09-29", "2025-10-06", "2025-10-13"]);
        assert_eq!(
            (weeks.start().to_string(), weeks.end().to_string()),
            ("2025-10-01T00:00:00Z".into(), "2025-10-15T00:00:00Z".into())
        );
        assert_eq!(weeks.of_day(date(2025, 10, 5)), Some(0));
        let months = buckets(date(2024, 12, 31), date(2025, 2, 1), Interval::Month, "UTC");
        assert_eq!(months.labels(), ["2024-12-01", "2025-01-01", "2025-02-01"]);
    }

    #[test]
    fn a_day_that_was_skipped_is_listed() {
        let samoa = buckets(date(2011, 12, 29), date(2011, 12, 31), Interval::Day, "Pacific/Apia");
        assert_eq!(samoa.labels(), ["2011-12-29", "2011-12-30", "2011-12-31"]);
        assert_eq!(samoa.stretches().map(|(_, bucket)| bucket).collect::<Vec<_>>(), [Some(0), Some(2)]);
    }

    /// In St. John's, clocks were put back one minute after midnight.
    #[test]
    fn every_instant_is_in_the_bucket_of_the_day_that_the_rollups_count_it_in() {
        for (zone, first) in
            [("America/St_Johns", date(2010, 11, 5)), ("Europe/Berlin", date(2025, 10, 24)), ("Asia/Beirut", date(2025, 3, 28))]
        {
            let calendar = Calendar::of_zone(zone).unwrap();
            let days = buckets(first.saturating_add(1.day()), first.saturating_add(2.days()), Interval::Day, zone);
            let noon = TimeZone::UTC.to_timestamp(first.at(12, 0, 0, 0)).unwrap();
            for minute in 0..4 * 24 * 60 {
                let instant = noon + minute.minutes();
                let place = days.stretches.partition_point(|stretch| stretch.start <= instant);
                let found = place.checked_sub(1).filter(|_| instant < days.end()).and_then(|place| days.stretches[place].bucket);
                assert_eq!(found, days.of_day(calendar.day_of(instant.as_microsecond()).date()), "{zone} {instant}");
            }
        }
    }
}
