//! The unit of the archive: one UTC date of one project.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rollcall_shared::project::ProjectId;

/// One UTC date of one project.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArchiveDay {
    /// The date.
    pub date: Date,
    /// The project's name, which is part of every path.
    pub project: String,
    /// The project's number in this database.
    pub project_id: ProjectId,
}

impl ArchiveDay {
    /// The folder of its files.
    #[must_use]
    pub fn folder(&self) -> String {
        folder(&self.project, self.date)
    }

    /// The first instant of the date, and that of the next one.
    pub(crate) fn span(&self) -> (Timestamp, Timestamp) {
        (start(self.date), start(self.date.saturating_add(1.day())))
    }
}

impl fmt::Display for ArchiveDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.date, self.project)
    }
}

/// The first instant of a UTC date.
pub(crate) fn start(date: Date) -> Timestamp {
    // It fails only within a day of the ends of the calendar.
    date.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |start| start.timestamp())
}

/// The folder of the files of a project's date. Its form is that of Hive: readers take project and date for columns.
pub(crate) fn folder(project: &str, date: Date) -> String {
    format!("project={project}/date={date}")
}

/// The project and the date of a folder; `None` if it is another folder.
pub(crate) fn of_folder(folder: &str) -> Option<(&str, Date)> {
    let (project, date) = folder.split_once('/')?;
    Some((project.strip_prefix("project=")?, date.strip_prefix("date=")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_leads_back_to_its_day() {
        let date = jiff::civil::date(2026, 3, 1);
        assert_eq!(folder("my.shop", date), "project=my.shop/date=2026-03-01");
        assert_eq!(of_folder(&folder("my.shop", date)), Some(("my.shop", date)));
        for other in ["project=a", "date=2026-03-01/project=a", "project=a/date=2026-3", "a/b"] {
            assert_eq!(of_folder(other), None, "{other}");
        }
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let day = ArchiveDay { date: jiff::civil::date(2026, 2, 28), project: "p".to_owned(), project_id: ProjectId(1) };
        let (from, to) = day.span();
        assert_eq!([from.to_string(), to.to_string()], ["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"]);
    }
}
