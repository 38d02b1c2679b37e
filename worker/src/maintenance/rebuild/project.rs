//! The projects whose rollups are rebuilt, and their days.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use rollcall_shared::day::{Calendar, DAY_US, Day};
use sqlx::PgConnection;

use super::Rebuild;
use super::error::{Days, RebuildError};

/// The first and the last day that events can have, with a margin.
const ALL_DAYS: (Date, Date) = (jiff::civil::date(1969, 12, 30), jiff::civil::date(9999, 12, 29));

/// A project.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) calendar: Calendar,
    /// The first day, in UTC, whose events it keeps; `None` if it keeps all.
    kept_from: Option<Date>,
}

/// The selected projects.
///
/// # Errors
/// There is none of the name, or a time zone is unknown on this machine.
pub(super) async fn selected(connection: &mut PgConnection, rebuild: &Rebuild) -> Result<Vec<Project>, RebuildError> {
    let name = rebuild.project.as_deref();
    let found = sqlx::query_file!("sql/maintenance/rebuild/select_projects.sql", name).fetch_all(connection).await?;
    if let (Some(name), true) = (name, found.is_empty()) {
        return Err(RebuildError::UnknownProject(name.to_owned()));
    }
    let project = found.into_iter().map(|row| {
        let calendar =
            Calendar::of_zone(&row.time_zone).map_err(|source| RebuildError::TimeZone { project: row.name.clone(), source })?;
        Ok(Project { id: row.id, name: row.name, calendar, kept_from: row.kept_from.map(Date::from) })
    });
    project.collect()
}

impl Project {
    /// Checks that all rows of the period are in the database.
    ///
    /// # Errors
    /// [`RebuildError::Expired`] or [`RebuildError::Archived`] if some are not.
    pub(super) async fn check_rows(&self, connection: &mut PgConnection, rebuild: &Rebuild) -> Result<(), RebuildError> {
        if let Some(kept_from) = self.kept_from.map(|day| self.first_whole_day(day))
            && rebuild.from.is_none_or(|from| from < kept_from)
        {
            return Err(RebuildError::Expired { project: self.name.clone(), kept_from });
        }
        let dropped = sqlx::query_file!("sql/maintenance/rebuild/select_dropped_days.sql", self.id).fetch_all(connection).await?;
        let mut days: Vec<Date> = dropped.into_iter().map(|row| Date::from(row.day)).collect();
        days.retain(|day| self.local_days(*day).any(|day| rebuild.has(day)));
        if days.is_empty() { Ok(()) } else { Err(RebuildError::Archived { project: self.name.clone(), days: Days(days) }) }
    }

    /// The days of the period that have rows, or of which the rollups say something.
    pub(super) async fn days(&self, connection: &mut PgConnection, rebuild: &Rebuild) -> Result<Vec<Date>, RebuildError> {
        let (first, last) = (rebuild.from.unwrap_or(ALL_DAYS.0), rebuild.to.unwrap_or(ALL_DAYS.1));
        let (from, to) = (first.max(ALL_DAYS.0).saturating_sub(1.day()), last.min(ALL_DAYS.1).saturating_add(2.days()));
        let (from, to) = (sql_instant(start_us(from)), sql_instant(start_us(to)));
        let of_rows = sqlx::query_file!("sql/maintenance/rebuild/select_row_days.sql", self.id, from as _, to as _)
            .fetch_all(&mut *connection)
            .await?;
        let counted = sqlx::query_file!("sql/maintenance/rebuild/select_counted_days.sql", self.id).fetch_all(connection).await?;
        let mut days: BTreeSet<Date> = of_rows.into_iter().flat_map(|row| self.local_days(row.day.into())).collect();
        days.extend(counted.into_iter().map(|row| Date::from(row.day)));
        days.retain(|day| rebuild.has(*day));
        Ok(days.into_iter().collect())
    }

    /// A period, from its first instant to the one after its last, that contains all instants of a day. Others may be in it.
    pub(super) fn span(&self, day: Date) -> (SqlTimestamp, SqlTimestamp) {
        let next = day.saturating_add(1.day());
        // Where clocks are put back over midnight, instants of a day come again after the start of the next one.
        let margin_us = if self.calendar.begins_twice(next) { DAY_US } else { 0 };
        (sql_instant(self.calendar.start_us(day)), sql_instant(self.calendar.start_us(next) + margin_us))
    }

    /// The days, in its time zone, that a day in UTC touches.
    fn local_days(&self, utc_day: Date) -> impl Iterator<Item = Date> {
        let start_us = start_us(utc_day);
        let (first, last) = (self.calendar.day_of(start_us).date(), self.calendar.day_of(start_us + DAY_US - 1).date());
        first.series(1.day()).take_while(move |day| *day <= last)
    }

    /// The first day without an instant before the start of a day in UTC.
    fn first_whole_day(&self, utc_day: Date) -> Date {
        let start_us = start_us(utc_day);
        let day = self.calendar.day_of(start_us).date();
        if self.calendar.start_us(day) < start_us { day.saturating_add(1.day()) } else { day }
    }
}

impl Rebuild {
    /// Whether only some days are asked for.
    pub(super) fn is_partial(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Whether a day is among those that are asked for.
    fn has(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// The first instant of a day in UTC.
fn start_us(utc_day: Date) -> i64 {
    i64::from(Day::from(utc_day).0) * DAY_US
}

fn sql_instant(instant_us: i64) -> SqlTimestamp {
    jiff::Timestamp::from_microsecond(instant_us).unwrap_or(jiff::Timestamp::MAX).to_sqlx()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn project(zone: &str) -> Project {
        Project { id: 1, name: "p".to_owned(), calendar: Calendar::of_zone(zone).unwrap(), kept_from: None }
    }

    #[test]
    fn a_day_in_utc_touches_up_to_two_local_days() {
        for (zone, first) in [("UTC", 1), ("Asia/Tokyo", 1), ("America/New_York", 0)] {
            let days: Vec<Date> = project(zone).local_days(date(2026, 3, 2)).collect();
            let expected: &[Date] = &[date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)];
            let touched = if zone == "UTC" { &expected[1..2] } else { &expected[first..first + 2] };
            assert_eq!(days, touched, "{zone}");
        }
    }

    #[test]
    fn a_span_contains_every_instant_of_its_day() {
        // In Beirut, clocks went back over midnight at the end of 2021-10-30.
        for zone in ["UTC", "Asia/Tokyo", "America/New_York", "Asia/Beirut", "Antarctica/Casey"] {
            let project = project(zone);
            for day in date(2021, 10, 1).series(1.day()).take(40).chain(date(2010, 3, 1).series(1.day()).take(10)) {
                let (from, to) = project.span(day);
                let (from_us, to_us) = (from.to_jiff().as_microsecond(), to.to_jiff().as_microsecond());
                for minute in -3_000..4_500_i64 {
                    let instant_us = start_us(day) + minute * 60_000_000;
                    let is_inside = (from_us..to_us).contains(&instant_us);
                    assert!(is_inside || project.calendar.day_of(instant_us).date() != day, "{zone} {day} {minute}");
                }
            }
        }
    }
}
