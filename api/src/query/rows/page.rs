//! A page of events: searches one window after the other, until the page is full or the time is over.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::{COLUMNS, Event, EventRow};
use super::selection::{Keys, Selection};
use super::span::{Order, TimeSpan, instant};
use super::walk::{Walk, Window};
use crate::archived;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::query::format::Table;
use crate::query::question::{Answer, Asker};

/// Time after which a page ends even if it is not full. Its cursor continues the search.
const TIME_BUDGET: Duration = Duration::from_secs(2);
/// A page takes no more events once it holds this many bytes. As an answer it takes up to twice as much, and as CSV
/// some more, and all connections to PostgreSQL can read pages at the same time.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsAnswer {
    pub(crate) data: Vec<Event>,
    /// The cursor of the next page; null on the last. A page may be shorter than `limit`, or empty, and
    /// still have a next one.
    pub(crate) next_cursor: Option<String>,
}

/// The time and id of the event after which a page begins.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Position(i64, Uuid);

impl Position {
    fn of(row: &EventRow) -> Self {
        Self(row.occurred_at_us(), row.event_id)
    }

    /// The position after all events of a span.
    fn end_of(span: TimeSpan, order: Order) -> Self {
        match order {
            Order::Desc => Self(span.from_us, Uuid::nil()),
            Order::Asc => Self(span.to_us - 1, Uuid::max()),
        }
    }

    /// The span of all events after this position. Events of its first instant may be before the position.
    fn rest(self, order: Order) -> TimeSpan {
        match order {
            Order::Desc => TimeSpan { to_us: self.0.saturating_add(1), ..TimeSpan::ALL },
            Order::Asc => TimeSpan { from_us: self.0, ..TimeSpan::ALL },
        }
    }
}

/// The events of a selection, page by page.
///
/// # Errors
/// Those of the database and of the cursor.
pub(crate) async fn events(asker: &Asker, selection: Selection, paging: Paging) -> Result<EventsAnswer, ApiError> {
    let mut connection = asker.connection().await?;
    let position: Option<Position> = paging.position(&asker.list(), &mut connection).await?;
    let page = Page::read(asker, &selection, position, paging.limit, &mut connection).await?;
    let next_cursor = match page.end {
        Some(end) => Some(asker.list().cursor(&end, &mut connection).await?),
        None => None,
    };
    if !page.is_cut {
        connection.answered();
    }
    Ok(EventsAnswer { data: page.rows.into_iter().map(Event::from).collect(), next_cursor })
}

/// The first events of a selection.
///
/// # Errors
/// Those of the database.
pub(crate) async fn newest(asker: &Asker, selection: Selection, limit: usize) -> Result<Vec<Event>, ApiError> {
    let mut connection = asker.connection().await?;
    let page = Page::read(asker, &selection, None, limit, &mut connection).await?;
    if !page.is_cut {
        connection.answered();
    }
    Ok(page.rows.into_iter().map(Event::from).collect())
}

/// A page while it is being filled.
struct Page {
    rows: Vec<EventRow>,
    bytes: usize,
    limit: usize,
    /// The position after which the next page begins; `None` if there is no next page.
    end: Option<Position>,
    /// Whether the last statement returned rows that were not read.
    is_cut: bool,
}

impl Page {
    async fn read(
        asker: &Asker,
        selection: &Selection,
        position: Option<Position>,
        limit: usize,
        connection: &mut PgConnection,
    ) -> Result<Self, ApiError> {
        let mut page = Self { rows: Vec::new(), bytes: 0, limit, end: None, is_cut: false };
        if let Some(keys) = selection.resolve(asker.project.id, connection).await? {
            page.fill(asker, selection, &keys, position, connection).await?;
        }
        Ok(page)
    }

    async fn fill(
        &mut self,
        asker: &Asker,
        selection: &Selection,
        keys: &Keys,
        position: Option<Position>,
        connection: &mut PgConnection,
    ) -> Result<(), ApiError> {
        let (started, order) = (Instant::now(), selection.order);
        let calendar = &asker.project.zone()?.calendar;
        let span = position.map_or(selection.span, |position| selection.span.intersection(position.rest(order)));
        let archived = archived::between(connection, keys.project, span.from_us, span.to_us).await?;
        let (span, beyond) = archived.map_or((span, TimeSpan::NONE), |archived| span.cut_before(order, archived));
        let mut walk = Walk::new(keys, calendar, order, span, connection).await?;
        // One event more than the page holds shows whether there is a next page.
        while let Some(window) = walk.next(self.limit + 1 - self.rows.len(), connection).await? {
            self.read_window(keys, &window, order, position, connection).await?;
            if self.rows.len() > self.limit {
                self.rows.truncate(self.limit);
                self.end = self.rows.last().map(Position::of);
                return Ok(());
            }
            if self.is_cut {
                self.end = self.rows.last().map(Position::of);
                return Ok(());
            }
            if started.elapsed() > TIME_BUDGET {
                self.end = Some(Position::end_of(window.span, order));
                return Ok(());
            }
        }
        // Further events may be on archived days. This page ends before them, and a page of nothing else is refused.
        let Some(archived) = archived else { return Ok(()) };
        if Walk::new(keys, calendar, order, beyond, connection).await?.next(1, connection).await?.is_none() {
            return Ok(());
        }
        if self.rows.is_empty() {
            return Err(ApiError::Archived(archived));
        }
        self.end = Some(Position::end_of(span, order));
        Ok(())
    }

    /// Adds the first events of a window.
    async fn read_window(
        &mut self,
        keys: &Keys,
        window: &Window,
        order: Order,
        position: Option<Position>,
        connection: &mut PgConnection,
    ) -> Result<(), ApiError> {
        let mut statement = statement(keys, window, order, position, self.limit + 1 - self.rows.len());
        // PostgreSQL plans the statement for its actual values, because they determine the partitions and the
        // index.
        let mut rows = statement.build_query_as::<EventRow>().persistent(false).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            self.bytes += row.bytes();
            self.rows.push(row);
            if self.bytes > MAX_PAGE_BYTES {
                self.is_cut = true;
                break;
            }
        }
        Ok(())
    }
}

/// The statement that reads the first events of a window.
fn statement(keys: &Keys, window: &Window, order: Order, position: Option<Position>, limit: usize) -> QueryBuilder<Postgres> {
    let direction = if order == Order::Desc { "desc" } else { "asc" };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut sql = QueryBuilder::new(
        "select e.event_id, e.client_event_id, t.name as event_type, e.user_id, e.anonymous_id, e.session_id, e.account_id, \
         e.occurred_at, e.received_at, e.properties from ",
    );
    if let Some(types) = &window.types {
        sql.push("unnest(").push_bind(types.clone()).push("::int[]) as kind (id) cross join lateral ");
    }
    sql.push("(select * from events e where ");
    keys.push_sql(&mut sql);
    if window.types.is_some() {
        sql.push(" and e.event_type_id = kind.id");
    } else if let Some(event_type_id) = keys.event_type_id {
        sql.push(" and e.event_type_id = ").push_bind(event_type_id);
    }
    sql.push(" and e.occurred_at >= ").push_bind(instant(window.span.from_us));
    sql.push(" and e.occurred_at < ").push_bind(instant(window.span.to_us));
    if let Some(Position(occurred_at_us, event_id)) = position {
        sql.push(" and (e.occurred_at, e.event_id) ").push(if order == Order::Desc { "< (" } else { "> (" });
        sql.push_bind(instant(occurred_at_us)).push(", ").push_bind(event_id).push(")");
    }
    let by_time = format!(" order by e.occurred_at {direction}, e.event_id {direction} limit ");
    sql.push(&by_time).push_bind(limit);
    sql.push(") e join event_types t on t.project_id = e.project_id and t.id = e.event_type_id");
    sql.push(&by_time).push_bind(limit);
    sql
}

impl Answer for EventsAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        Some(Table::new(&COLUMNS, self.data.iter().map(Event::cells).collect()))
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}
