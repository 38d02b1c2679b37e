//! A span of time, and the order of the events in it.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use jiff_sqlx::ToSqlx;
use rollcall_shared::day::{Calendar, DAY_US, Day};
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::archived::{self, Archived};
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

/// The parameter with the beginning.
pub(crate) const FROM: Param = Param::new(
    &["from", "from_date"],
    "The first day, in the project's time zone, or an instant such as `2025-10-01T10:00:00Z`. Without it, from the beginning.",
);
const TO: Param = Param::new(
    &["to", "to_date"],
    "The last day, which is included, or an instant, which is not. Without it, up to the latest event.",
);
const ORDER: Param = Param::new(&["order"], "Whether the latest events come first (`desc`) or the earliest (`asc`).");

/// The earliest and the latest instant that an event can have, in microseconds.
const FIRST_US: i64 = 0;
const LAST_US: i64 = 253_402_300_800_000_000;

/// Instants from `from_us` (inclusive) to `to_us` (exclusive), in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeSpan {
    pub(crate) from_us: i64,
    pub(crate) to_us: i64,
}

/// The order of events, by time and then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::VariantNames, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Order {
    Desc,
    Asc,
}

/// Converts an instant into the type for PostgreSQL.
pub(crate) fn instant(instant_us: i64) -> jiff_sqlx::Timestamp {
    // Instants of events are between 1970 and 9999, so they can be represented.
    Timestamp::from_microsecond(instant_us).unwrap_or(Timestamp::MAX).to_sqlx()
}

impl Order {
    /// Reads `order`.
    pub(crate) fn take(parameters: &mut Parameters, default: Self) -> Self {
        parameters.one_of(ORDER, default)
    }
}

impl TimeSpan {
    /// The span of all events.
    pub(crate) const ALL: Self = Self { from_us: FIRST_US, to_us: LAST_US };
    /// No instant.
    pub(crate) const NONE: Self = Self { from_us: FIRST_US, to_us: FIRST_US };

    /// Takes `from` and `to`, which may be days or instants. What is absent is no limit.
    pub(crate) fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self::take_if_sent(parameters, zone).unwrap_or(Self::ALL)
    }

    /// The same, but `None` when both are absent.
    pub(crate) fn take_if_sent(parameters: &mut Parameters, zone: &Zone) -> Option<Self> {
        let from = parameters.day_or_instant(FROM);
        let to = parameters.day_or_instant(TO);
        if from.is_none() && to.is_none() {
            return None;
        }
        let calendar = &zone.calendar;
        let from_us = from.map_or(FIRST_US, |from| from.either(|day| calendar.start_us(day)));
        let to_us = to.map_or(LAST_US, |to| to.either(|day| calendar.start_us(day.saturating_add(1.day()))));
        if from_us > to_us {
            let message = format!("must not be after {}", parameters.name_of(TO));
            parameters.problem(parameters.name_of(FROM), "out_of_range", message);
        }
        Some(Self { from_us, to_us: to_us.max(from_us) })
    }

    /// The span of days of a calendar, both inclusive.
    pub(crate) fn of_days(calendar: &Calendar, first: Date, last: Date) -> Self {
        Self { from_us: calendar.start_us(first), to_us: calendar.start_us(last.saturating_add(1.day())) }
    }

    /// The intersection of two spans.
    pub(crate) fn intersection(self, other: Self) -> Self {
        let from_us = self.from_us.max(other.from_us);
        Self { from_us, to_us: self.to_us.min(other.to_us).max(from_us) }
    }

    /// Checks that all rows of the span are in the database. After the rows were read, this shows whether some were
    /// missing, also if they were dropped at that moment.
    ///
    /// # Errors
    /// [`ApiError::Archived`] if some are not; or those of the database.
    pub(crate) async fn refuse_archived(self, project: ProjectId, connection: &mut PgConnection) -> Result<(), ApiError> {
        match archived::between(connection, project.0, self.from_us, self.to_us).await? {
            None => Ok(()),
            Some(archived) => Err(ApiError::Archived(archived)),
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.from_us >= self.to_us
    }

    /// The part that is listed before the first of the archived days, and the rest.
    pub(crate) fn cut_before(self, order: Order, archived: Archived) -> (Self, Self) {
        match order {
            Order::Desc => {
                let cut_us = Self::of_utc_day(archived.last).to_us.clamp(self.from_us, self.to_us);
                (Self { from_us: cut_us, ..self }, Self { to_us: cut_us, ..self })
            }
            Order::Asc => {
                let cut_us = Self::of_utc_day(archived.first).from_us.clamp(self.from_us, self.to_us);
                (Self { to_us: cut_us, ..self }, Self { from_us: cut_us, ..self })
            }
        }
    }

    fn of_utc_day(date: Date) -> Self {
        let from_us = i64::from(Day::from(date).0) * DAY_US;
        Self { from_us, to_us: from_us + DAY_US }
    }

    /// Splits off the part that is listed first, which is at most `length_us` long. Also returns the rest.
    pub(crate) fn split(self, order: Order, length_us: i64) -> (Self, Self) {
        match order {
            Order::Desc => {
                let cut = self.to_us.saturating_sub(length_us).max(self.from_us);
                (Self { from_us: cut, ..self }, Self { to_us: cut, ..self })
            }
            Order::Asc => {
                let cut = self.from_us.saturating_add(length_us).min(self.to_us);
                (Self { to_us: cut, ..self }, Self { from_us: cut, ..self })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_before_archived_days() {
        let day = |n: i64| n * DAY_US;
        let date = |n: i32| Day(n).date();
        let archived = Archived { first: date(3), last: date(4), days: 2 };
        let span = TimeSpan { from_us: day(1), to_us: day(7) };
        let (listed, beyond) = span.cut_before(Order::Desc, archived);
        assert_eq!((listed, beyond), (TimeSpan { from_us: day(5), to_us: day(7) }, TimeSpan { from_us: day(1), to_us: day(5) }));
        let (listed, beyond) = span.cut_before(Order::Asc, archived);
        assert_eq!((listed, beyond), (TimeSpan { from_us: day(1), to_us: day(3) }, TimeSpan { from_us: day(3), to_us: day(7) }));
        let (listed, _) = TimeSpan { from_us: day(4) + 5, to_us: day(4) + 9 }.cut_before(Order::Desc, archived);
        assert!(listed.is_empty());
    }

    #[test]
    fn the_first_part_and_the_rest_make_the_whole() {
        let span = TimeSpan { from_us: 10, to_us: 30 };
        assert_eq!(span.split(Order::Desc, 5), (TimeSpan { from_us: 25, to_us: 30 }, TimeSpan { from_us: 10, to_us: 25 }));
        assert_eq!(span.split(Order::Asc, 5), (TimeSpan { from_us: 10, to_us: 15 }, TimeSpan { from_us: 15, to_us: 30 }));
        for order in [Order::Desc, Order::Asc] {
            let (first, rest) = span.split(order, 100);
            assert_eq!(first, span);
            assert!(rest.is_empty());
        }
    }
}
