//! A walk: the sequence of windows of time in which a page searches for its events.
//!
//! Most pages need only the latest events, and most selections match few days. So a walk does not scan the
//! project. The counters say on which days the project, or one of its event types, has events, and each
//! window is as long as it must be to contain the events that are still needed. Events of a user, a session
//! or an account have their own indexes; for them, windows only limit how many partitions one statement
//! searches.

use jiff::{Timestamp, ToSpan};
use rollcall_shared::day::{Calendar, DAY_US, Day};
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use super::counted_days::{CountedDay, CountedDays, days_of_project, unsealed_from_us};
use super::selection::Keys;
use super::span::{Order, TimeSpan};
use crate::error::ApiError;
use crate::ledger;
use crate::query::sessions::session::{self, SessionKeys};

/// Number of days in the first window of a user or an account. Each further window is four times as long.
const FIRST_WINDOW_DAYS: i64 = 32;
/// Number of events in a window if there is a filter on properties.
const FILTERED_EVENTS: i64 = 50_000;
/// A part of a day should contain this many times the needed events, because events are not spread evenly.
const MARGIN: i64 = 3;
/// The shortest part of a day that is searched.
const MIN_PART_US: i64 = 1_000_000;

/// A window of time to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) span: TimeSpan,
    /// The event types in the window, if it can be searched with the B-tree by type.
    pub(super) types: Option<Vec<i32>>,
}

impl Window {
    fn all_of(span: TimeSpan) -> Self {
        Self { span, types: None }
    }
}

/// Windows in the order of the list.
pub(super) struct Walk {
    order: Order,
    guide: Guide,
}

enum Guide {
    /// Days with events, according to the counters.
    Days(DayWalk),
    /// Spans that are cut into windows of growing length.
    Spans { spans: Vec<TimeSpan>, length_us: i64 },
}

impl Walk {
    /// The windows for these keys.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn new(
        keys: &Keys,
        calendar: &Calendar,
        order: Order,
        span: TimeSpan,
        connection: &mut PgConnection,
    ) -> Result<Self, ApiError> {
        if !keys.has_index_of_its_own() {
            let days = CountedDays::of(keys.project, keys.event_type_id, calendar, order, span, connection).await?;
            let has_filters = !keys.filters.is_empty();
            return Ok(Self { order, guide: Guide::Days(DayWalk { days, order, has_filters, part: None, ahead: None }) });
        }
        let known = known_span(keys.project, calendar, connection).await?.intersection(span);
        let mut spans = vec![known];
        let mut length_us = FIRST_WINDOW_DAYS * DAY_US;
        if let Some(event_id) = keys.event_id {
            let days = ledger::days_of(connection, ProjectId(keys.project), event_id).await?;
            // An id with more days than were looked up may be on any day, as may an event without a time. The former has
            // many events, so it is searched in windows.
            let has_more = days.len() >= ledger::MAX_DAYS;
            length_us = if has_more { length_us } else { i64::MAX };
            if !days.contains(&Day::UNDATED) && !has_more {
                spans = days.iter().map(|day| utc_day(*day).intersection(known)).collect();
            }
        }
        if let Some(session) = &keys.session {
            let keys = SessionKeys { project: keys.project, user: None, session: Some(session.clone()), span: TimeSpan::ALL };
            let found = session::read(connection, &keys, None, 1).await?;
            length_us = i64::MAX;
            spans = found.iter().map(|found| found.span().intersection(known)).collect();
        }
        // The next span is taken from the end of the list.
        if order == Order::Asc {
            spans.reverse();
        }
        spans.retain(|span| !span.is_empty());
        Ok(Self { order, guide: Guide::Spans { spans, length_us } })
    }

    /// The next window, in which `needed` events are wanted; `None` after the last.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn next(&mut self, needed: usize, connection: &mut PgConnection) -> Result<Option<Window>, ApiError> {
        match &mut self.guide {
            Guide::Days(days) => days.next(i64::try_from(needed).unwrap_or(i64::MAX), connection).await,
            Guide::Spans { spans, length_us } => Ok(spans.pop().map(|span| {
                let (window, rest) = span.split(self.order, *length_us);
                *length_us = length_us.saturating_mul(4);
                if !rest.is_empty() {
                    spans.push(rest);
                }
                Window::all_of(window)
            })),
        }
    }
}

/// The windows of days with events, according to the counters.
struct DayWalk {
    days: CountedDays,
    order: Order,
    has_filters: bool,
    /// The rest of a day that is searched in parts, and the length of the next part.
    part: Option<(CountedDay, i64)>,
    /// A day that has been looked up, but is not in a window yet.
    ahead: Option<CountedDay>,
}

impl DayWalk {
    async fn next(&mut self, needed: i64, connection: &mut PgConnection) -> Result<Option<Window>, ApiError> {
        if let Some((day, length_us)) = self.part.take() {
            return Ok(Some(self.part_of(day, length_us)));
        }
        let Some(day) = self.next_day(connection).await? else { return Ok(None) };
        let wanted = if self.has_filters { FILTERED_EVENTS } else { needed };
        let is_sealed = day.span.to_us <= unsealed_from_us();
        // With the B-tree by type, the first events of a day are found quickly, whatever its size.
        if day.events > wanted.saturating_mul(2 * MARGIN) && (self.has_filters || !is_sealed) {
            let length_us = part_us(&day, self.order, wanted);
            return Ok(Some(self.part_of(day, length_us)));
        }
        if !is_sealed {
            return Ok(Some(Window::all_of(day.span)));
        }
        self.days_together(day, wanted, connection).await.map(Some)
    }

    async fn next_day(&mut self, connection: &mut PgConnection) -> Result<Option<CountedDay>, ApiError> {
        match self.ahead.take() {
            Some(day) => Ok(Some(day)),
            None => self.days.next(connection).await,
        }
    }

    /// The first part of a day. Each further part is four times as long.
    fn part_of(&mut self, day: CountedDay, length_us: i64) -> Window {
        let (span, rest) = day.span.split(self.order, length_us);
        if !rest.is_empty() {
            self.part = Some((CountedDay { span: rest, ..day }, length_us.saturating_mul(4)));
        }
        Window::all_of(span)
    }

    /// One window of as many sealed days as are needed for the wanted number of events.
    async fn days_together(&mut self, first: CountedDay, wanted: i64, connection: &mut PgConnection) -> Result<Window, ApiError> {
        let CountedDay { mut span, mut types, mut events } = first;
        while events < wanted {
            let Some(day) = self.days.next(connection).await? else { break };
            if day.span.to_us > unsealed_from_us() {
                self.ahead = Some(day);
                break;
            }
            span = TimeSpan { from_us: span.from_us.min(day.span.from_us), to_us: span.to_us.max(day.span.to_us) };
            types.extend(day.types);
            events += day.events;
        }
        types.sort_unstable();
        types.dedup();
        Ok(Window { span, types: Some(types) })
    }
}

/// The length of the part of a day that is expected to contain `wanted` events, with a margin. It assumes
/// that events are spread evenly over the time of the day that has passed.
fn part_us(day: &CountedDay, order: Order, wanted: i64) -> i64 {
    let now_us = Timestamp::now().as_microsecond().clamp(day.span.from_us, day.span.to_us);
    let (past_us, coming_us) = (now_us - day.span.from_us, day.span.to_us - now_us);
    let past_us = if past_us == 0 { coming_us } else { past_us };
    let part_us = i128::from(past_us) * i128::from(wanted.saturating_mul(MARGIN)) / i128::from(day.events.max(1));
    let part_us = i64::try_from(part_us).unwrap_or(i64::MAX).max(MIN_PART_US);
    // In descending order, the part of the day that has not happened yet comes first.
    if order == Order::Desc { part_us.saturating_add(coming_us) } else { part_us }
}

/// The span between the first and the last event of the project.
async fn known_span(project: i32, calendar: &Calendar, connection: &mut PgConnection) -> Result<TimeSpan, ApiError> {
    let days = days_of_project(project, connection).await?;
    Ok(days.map_or(TimeSpan { from_us: 0, to_us: 0 }, |(first, last)| TimeSpan {
        from_us: calendar.start_us(first),
        // One day more, because events of a day can have happened after the next one had begun.
        to_us: calendar.start_us(last.saturating_add(2.days())),
    }))
}

fn utc_day(day: Day) -> TimeSpan {
    let from_us = i64::from(day.0) * DAY_US;
    TimeSpan { from_us, to_us: from_us + DAY_US }
}
