//! Counted days: the number of events of each type on each day of a project, according to the counters.

use std::collections::{BTreeMap, VecDeque};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use jiff_sqlx::ToSqlx;
use rollcall_shared::day::{Calendar, Day};
use sqlx::PgConnection;

use super::span::{Order, TimeSpan};
use crate::error::ApiError;

/// Days that are looked up first; each further look-up takes four times as many, up to a limit: a day can have
/// thousands of types.
const FIRST_DAYS: i32 = 8;
const MAX_DAYS: i32 = 500;

/// A day with events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CountedDay {
    /// The requested part of the day.
    pub(super) span: TimeSpan,
    /// The types that occurred on it, some of them twice.
    pub(super) types: Vec<i32>,
    /// The number of events of the whole day.
    pub(super) events: i64,
}

/// The days of a project in the order of the list. Each look-up reads some of them.
pub(super) struct CountedDays {
    project: i32,
    event_type_id: Option<i32>,
    calendar: Calendar,
    order: Order,
    span: TimeSpan,
    /// The first and last day that are not looked up yet.
    left: Option<(Date, Date)>,
    next_days: i32,
    found: VecDeque<CountedDay>,
}

impl CountedDays {
    /// The days in `span`.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn of(
        project: i32,
        event_type_id: Option<i32>,
        calendar: &Calendar,
        order: Order,
        span: TimeSpan,
        connection: &mut PgConnection,
    ) -> Result<Self, ApiError> {
        let known = days_of_project(project, connection).await?;
        let left = known.and_then(|(first, last)| {
            let first = first.max(calendar.day_of(span.from_us).date());
            // One more, because events of a day can have happened after the next one had begun.
            let last = last.min(calendar.day_of(span.to_us - 1).date()).saturating_add(1.day());
            (first <= last).then_some((first, last))
        });
        let calendar = calendar.clone();
        Ok(Self { project, event_type_id, calendar, order, span, left, next_days: FIRST_DAYS, found: VecDeque::new() })
    }

    /// The next day; `None` after the last.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn next(&mut self, connection: &mut PgConnection) -> Result<Option<CountedDay>, ApiError> {
        while self.found.is_empty() {
            let Some((first, last)) = self.take_days() else { return Ok(None) };
            self.look_up(first, last, connection).await?;
        }
        Ok(self.found.pop_front())
    }

    /// The next days to look up.
    fn take_days(&mut self) -> Option<(Date, Date)> {
        let (first, last) = self.left?;
        let days = self.next_days.days();
        self.next_days = self.next_days.saturating_mul(4).min(MAX_DAYS);
        let (taken, rest) = match self.order {
            Order::Desc => {
                let cut = last.saturating_sub(days).max(first.saturating_sub(1.day()));
                ((cut.saturating_add(1.day()), last), (first, cut))
            }
            Order::Asc => {
                let cut = first.saturating_add(days).min(last.saturating_add(1.day()));
                ((first, cut.saturating_sub(1.day())), (cut, last))
            }
        };
        self.left = (rest.0 <= rest.1).then_some(rest);
        Some(taken)
    }

    async fn look_up(&mut self, first: Date, last: Date, connection: &mut PgConnection) -> Result<(), ApiError> {
        let from = first.saturating_sub(1.day()).to_sqlx();
        let rows =
            sqlx::query_file!("sql/rows/counted_days.sql", self.project, from as _, last.to_sqlx() as _, self.event_type_id)
                .fetch_all(connection)
                .await?;
        let mut days: BTreeMap<Date, (Vec<i32>, i64)> = BTreeMap::new();
        for row in rows {
            let date = Date::from(row.day);
            // Some events of such a day happened after the next one had begun.
            let next = date.saturating_add(1.day());
            for date in std::iter::once(date).chain(self.calendar.begins_twice(next).then_some(next)) {
                let (types, events) = days.entry(date).or_default();
                types.extend(&row.types);
                *events += row.events;
            }
        }
        let days = days.into_iter().filter(|(date, _)| (first..=last).contains(date));
        let days = days.map(|(date, (types, events))| CountedDay { span: self.span_of(date), types, events });
        let mut days: Vec<CountedDay> = days.filter(|day| !day.span.is_empty()).collect();
        if self.order == Order::Desc {
            days.reverse();
        }
        self.found.extend(days);
        Ok(())
    }

    fn span_of(&self, date: Date) -> TimeSpan {
        let (from_us, to_us) = (self.calendar.start_us(date), self.calendar.start_us(date.saturating_add(1.day())));
        TimeSpan { from_us, to_us }.intersection(self.span)
    }
}

/// The first and the last day on which the project has events.
///
/// # Errors
/// Those of the database.
pub(crate) async fn days_of_project(project: i32, connection: &mut PgConnection) -> Result<Option<(Date, Date)>, ApiError> {
    let days = sqlx::query_file!("sql/rows/first_and_last_day.sql", project).fetch_one(connection).await?;
    Ok(days.first.zip(days.last).map(|(first, last)| (first.into(), last.into())))
}

/// Partitions of days that end after this instant may have no B-trees yet; see
/// `worker/src/maintenance/index.rs`.
pub(super) fn unsealed_from_us() -> i64 {
    let today = Day::utc_of(Timestamp::now().as_microsecond());
    i64::from(today.0 - 1) * rollcall_shared::day::DAY_US
}
