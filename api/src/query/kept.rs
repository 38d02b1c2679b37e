//! What is kept: whether a project still has the events, or the counts, of the days that a question is about.
//!
//! If some of them were deleted, an answer would have smaller numbers and would not say so. Therefore such a question is
//! refused, with the first day that can be asked for. Lists of events simply end there.
//!
//! The answer is computed first and the check comes last: what is deleted while an answer is computed is found too.

use jiff::ToSpan;
use jiff::civil::Date;
use rollcall_shared::day::{Calendar, DAY_US, Day};
use sqlx::PgConnection;

use super::question::Asker;
use super::source::Source;
use crate::error::ApiError;
use crate::problem::Problem;
use crate::read_pool::Connection;

/// From when on a project keeps things.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// The first day, in UTC, whose events are kept; `None` if all are.
    events: Option<Date>,
    /// The first day, in the project's time zone, whose counts are kept; `None` if all are.
    counts: Option<Date>,
}

impl Kept {
    async fn read(connection: &mut PgConnection, asker: &Asker) -> Result<Self, ApiError> {
        let row = sqlx::query_file!("sql/rows/kept_from.sql", asker.project.id.0).fetch_one(connection).await?;
        Ok(Self { events: row.events.map(Date::from), counts: row.counts.map(Date::from) })
    }

    /// The first day in the project's time zone of which everything is kept; `None` if everything is.
    fn first_day(self, source: Source, calendar: &Calendar) -> Option<Date> {
        match source {
            Source::Rollups => self.counts,
            Source::Events => self.events.map(|day| first_whole_day(calendar, start_us(day))),
        }
    }
}

/// Ends the computation of an answer from this source about the days from `first` on, and returns the connection.
///
/// # Errors
/// [`ApiError::Expired`], with the name of the parameter, if something of these days was deleted; and those of the
/// database.
pub(super) async fn check(
    asker: &Asker,
    mut connection: Connection,
    source: Source,
    first: Date,
    parameter: &str,
) -> Result<(), ApiError> {
    let kept = Kept::read(&mut connection, asker).await?;
    connection.answered();
    match kept.first_day(source, &asker.project.zone()?.calendar) {
        Some(kept_from) if first < kept_from => Err(expired(source, kept_from, parameter)),
        _ => Ok(()),
    }
}

/// The same for an answer from the events from an instant on.
///
/// # Errors
/// As [`check`].
pub(super) async fn check_instant(
    asker: &Asker,
    mut connection: Connection,
    from_us: i64,
    parameter: &str,
) -> Result<(), ApiError> {
    let kept = Kept::read(&mut connection, asker).await?;
    connection.answered();
    match kept.events.map(start_us).filter(|start_us| from_us < *start_us) {
        Some(start_us) => {
            let kept_from = first_whole_day(&asker.project.zone()?.calendar, start_us);
            Err(expired(Source::Events, kept_from, parameter))
        }
        None => Ok(()),
    }
}

fn expired(source: Source, kept_from: Date, parameter: &str) -> ApiError {
    let what = match source {
        Source::Rollups => "counts",
        Source::Events => "events",
    };
    let message = format!("needs {what} of days before {kept_from}, which were deleted");
    let problem = Problem::of_parameter(parameter, "expired", message);
    ApiError::Expired { what, kept_from, problem }
}

/// The first instant of a day in UTC.
fn start_us(day: Date) -> i64 {
    i64::from(Day::from(day).0) * DAY_US
}

/// The first day with no instant before this one.
fn first_whole_day(calendar: &Calendar, instant_us: i64) -> Date {
    let day = calendar.day_of(instant_us).date();
    if calendar.start_us(day) < instant_us { day.saturating_add(1.day()) } else { day }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_began_before_midnight_in_utc_is_not_whole() {
        let midnight_us = start_us(jiff::civil::date(2026, 3, 1));
        for (zone, first) in [
            ("UTC", jiff::civil::date(2026, 3, 1)),
            ("Europe/Berlin", jiff::civil::date(2026, 3, 2)),
            ("America/New_York", jiff::civil::date(2026, 3, 1)),
        ] {
            assert_eq!(first_whole_day(&Calendar::of_zone(zone).unwrap(), midnight_us), first, "{zone}");
        }
    }
}
