//! Projects that do not keep everything.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use rollcall_shared::day::{Calendar, DAY_US, Day};
use sqlx::PgConnection;

use super::error::ExpireError;

/// A project that keeps its events for a limited time, or once did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) id: i32,
    pub(super) name: String,
    time_zone: String,
    /// The day before which its events are gone or going already.
    pub(super) kept_from: Option<Date>,
    /// The first day, in UTC, whose events it keeps.
    pub(super) horizon: Date,
}

impl Project {
    /// The first day, in its time zone, of which events are kept, so that its counts are kept as well. Of this day, some
    /// events may have expired.
    ///
    /// # Errors
    /// Only if the time zone is unknown on this machine.
    pub(super) fn first_counted_day(&self) -> Result<Date, ExpireError> {
        let unknown = |source| ExpireError::TimeZone { project: self.name.clone(), source };
        let calendar = Calendar::of_zone(&self.time_zone).map_err(unknown)?;
        Ok(first_day_from(&calendar, self.horizon))
    }
}

/// The first local day that has an instant on or after the start of a UTC day.
fn first_day_from(calendar: &Calendar, utc_day: Date) -> Date {
    let day = calendar.day_of(i64::from(Day::from(utc_day).0) * DAY_US).date();
    // If clocks are put back over midnight, instants of the day before come again.
    if calendar.begins_twice(day) { day.saturating_sub(1.day()) } else { day }
}

/// All such projects, as of `today` in UTC.
pub(super) async fn all(connection: &mut PgConnection, today: Date) -> Result<Vec<Project>, ExpireError> {
    let rows =
        sqlx::query_file!("sql/maintenance/expire/select_projects.sql", today.to_sqlx() as _).fetch_all(connection).await?;
    let project = rows.into_iter().map(|row| Project {
        id: row.id,
        name: row.name,
        time_zone: row.time_zone,
        kept_from: row.kept_from.map(Date::from),
        horizon: row.horizon.into(),
    });
    Ok(project.collect())
}

/// The number of the project with this name, if there is a name.
///
/// # Errors
/// [`ExpireError::NothingExpires`] if it is none of these.
pub(super) fn named(projects: &[Project], name: Option<&str>) -> Result<Option<i32>, ExpireError> {
    let Some(name) = name else { return Ok(None) };
    match projects.iter().find(|project| project.name == name) {
        Some(project) => Ok(Some(project.id)),
        None => Err(ExpireError::NothingExpires(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_from_the_first_local_day_with_a_kept_instant() {
        let horizon = jiff::civil::date(2026, 3, 1);
        for (zone, first) in [
            ("UTC", horizon),
            // Midnight in UTC is the evening before, or in the middle of the same day.
            ("America/New_York", jiff::civil::date(2026, 2, 28)),
            ("Europe/Berlin", horizon),
            ("Pacific/Kiritimati", horizon),
        ] {
            let calendar = Calendar::of_zone(zone).unwrap();
            assert_eq!(first_day_from(&calendar, horizon), first, "{zone}");
        }
    }
}
