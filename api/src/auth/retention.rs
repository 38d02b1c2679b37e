//! Retention: how long a project keeps its events.
//!
//! The workers decide about each event when they store it. The API refuses what they would refuse, so that its client
//! learns it.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::Date as SqlDate;
use rollcall_shared::day::Day;

/// How long a project keeps its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    /// The number of days before the current one; `None` for ever.
    days: Option<u32>,
    /// Earlier events were deleted, perhaps under another number of days.
    kept_from: Option<Date>,
}

/// The first day, in UTC, whose events a project keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Horizon {
    day: Day,
    /// The number of days that it comes from; `None` if earlier events were deleted.
    days: Option<u32>,
}

impl Retention {
    /// The retention in a row of the database, which checks that the number is positive.
    pub(super) fn of_row(retention_days: Option<i32>, kept_from: Option<SqlDate>) -> Self {
        Self { days: retention_days.and_then(|days| days.try_into().ok()), kept_from: kept_from.map(Date::from) }
    }

    /// The horizon at an instant in microseconds; `None` if every event is kept.
    pub(crate) fn horizon(self, now_us: i64) -> Option<Horizon> {
        let today = Day::utc_of(now_us).date();
        let of_days =
            self.days.map(|days| Horizon { day: today.saturating_sub(i64::from(days).days()).into(), days: Some(days) });
        let of_deletion = self.kept_from.map(|day| Horizon { day: day.into(), days: None });
        // Of two equal ones, the number of days explains more.
        of_deletion.into_iter().chain(of_days).max_by_key(|horizon| horizon.day)
    }
}

impl Horizon {
    /// The horizon of a project that keeps its events for so many days.
    #[cfg(test)]
    pub(crate) fn of_days(days: u32, now_us: i64) -> Option<Self> {
        Retention { days: Some(days), kept_from: None }.horizon(now_us)
    }

    /// Whether an event of this time, in microseconds, is too old.
    pub(crate) fn is_after(self, occurred_at_us: i64) -> bool {
        Day::utc_of(occurred_at_us) < self.day
    }

    /// What the time of an event must be, for a message.
    pub(crate) fn rule(self) -> String {
        let Self { day, days } = self;
        match days {
            Some(1) => format!("must not be before {day} (UTC): this project keeps events for 1 day"),
            Some(days) => format!("must not be before {day} (UTC): this project keeps events for {days} days"),
            None => format!("must not be before {day} (UTC): earlier events of this project were deleted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-29T18:00:00Z.
    const NOW_US: i64 = 1_795_975_200_000_000;

    #[test]
    fn the_later_of_what_is_kept_and_what_was_deleted_counts() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        for (days, kept_from, horizon) in [
            (None, None, None),
            (Some(1), None, Some(("2026-11-28", Some(1)))),
            (None, Some("2026-10-30"), Some(("2026-10-30", None))),
            (Some(30), Some("2026-10-30"), Some(("2026-10-30", Some(30)))),
            (Some(90), Some("2026-10-30"), Some(("2026-10-30", None))),
            (Some(36_500), None, Some(("1926-12-24", Some(36_500)))),
        ] {
            let found = Retention { days, kept_from: kept_from.map(date) }.horizon(NOW_US);
            assert_eq!(found, horizon.map(|(day, days)| Horizon { day: date(day).into(), days }), "{days:?} {kept_from:?}");
        }
    }

    #[test]
    fn events_of_the_first_kept_day_are_not_too_old() {
        let horizon = Retention { days: Some(1), kept_from: None }.horizon(NOW_US).unwrap();
        let start_us = i64::from(horizon.day.0) * rollcall_shared::day::DAY_US;
        assert!(horizon.is_after(start_us - 1) && !horizon.is_after(start_us));
    }
}
