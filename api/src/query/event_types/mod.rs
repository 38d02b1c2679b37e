//! Event types: their names, their numbers of events and users, and the properties of their events.

mod properties;

use std::collections::HashMap;

use futures::TryStreamExt;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx};
use roaring::RoaringBitmap;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

pub(super) use self::properties::EventTypeProperties;
use super::bitmap::unite;
use super::format::{Cell, Table};
use super::question::{Answer, Asker, Question};
use crate::auth::Zone;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Param, Parameters};

const QUERY: Param = Param::new(&["query"], "Only names that begin with this text.");

/// Number of days, up to today, whose events and users are counted.
const COUNTED_DAYS: i32 = 30;

/// `GET /event-types`
pub(crate) struct EventTypes {
    query: Option<String>,
    paging: Paging,
}

/// A page of event types.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventTypesAnswer {
    data: Vec<EventType>,
    /// The cursor of the next page; null on the last.
    next_cursor: Option<String>,
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventType {
    event_type: String,
    /// The number of its events in the last 30 days, up to today.
    events: i64,
    /// The number of people with such an event in the last 30 days.
    users: u64,
    /// The first day on which it occurred; null if no event of it is stored.
    first_day: Option<Date>,
    /// The last day on which it occurred.
    last_day: Option<Date>,
}

impl Question for EventTypes {
    type Answer = EventTypesAnswer;
    const ID: &'static str = "event_types";
    const PATH: &'static str = "/event-types";
    const SUMMARY: &'static str = "Event types";
    const ABOUT: &'static str = "Lists the event types of the project by name, with their events and users of the last 30 days.";

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        Self { query: parameters.text(QUERY), paging: Paging::take(parameters) }
    }

    async fn answer(self, asker: &Asker) -> Result<EventTypesAnswer, ApiError> {
        let project = asker.project.id.0;
        let to = asker.project.zone()?.calendar.today();
        let from = to.saturating_sub((COUNTED_DAYS - 1).days()).to_sqlx();
        let mut connection = asker.connection().await?;
        let after: Option<String> = self.paging.position(&asker.list(), &mut connection).await?;
        let query = self.query.unwrap_or_default();
        let limit = self.paging.limit as i64 + 1;
        let mut types =
            sqlx::query_file!("sql/event_types/page.sql", project, query, after, limit).fetch_all(&mut *connection).await?;
        let next_cursor = self.paging.next_cursor(&asker.list(), &mut types, |found| found.name.clone(), &mut connection).await?;
        let ids: Vec<i32> = types.iter().map(|found| found.id).collect();
        let events = events(&mut connection, project, from, to.to_sqlx(), &ids).await?;
        let users = users(&mut connection, project, from, to.to_sqlx(), &ids).await?;
        connection.answered();
        let data = types.into_iter().map(|found| EventType {
            events: events.get(&found.id).copied().unwrap_or(0),
            users: users.get(&found.id).copied().unwrap_or(0),
            event_type: found.name,
            first_day: found.first_day.map(Date::from),
            last_day: found.last_day.map(Date::from),
        });
        Ok(EventTypesAnswer { data: data.collect(), next_cursor })
    }
}

async fn events(
    connection: &mut PgConnection,
    project: i32,
    from: SqlDate,
    to: SqlDate,
    ids: &[i32],
) -> Result<HashMap<i32, i64>, ApiError> {
    let rows = sqlx::query_file!("sql/event_types/events.sql", project, from as _, to as _, ids).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.event_type_id, row.events)).collect())
}

/// The number of users of each type. The bitmaps are united as they arrive, so only one type is in memory at
/// a time.
async fn users(
    connection: &mut PgConnection,
    project: i32,
    from: SqlDate,
    to: SqlDate,
    ids: &[i32],
) -> Result<HashMap<i32, u64>, ApiError> {
    let mut rows = sqlx::query_file!("sql/event_types/bitmaps.sql", project, from as _, to as _, ids).fetch(connection);
    let mut users = HashMap::new();
    let (mut current, mut union) = (None, RoaringBitmap::new());
    while let Some(row) = rows.try_next().await? {
        if current != Some(row.event_type_id) {
            current = Some(row.event_type_id);
            union.clear();
        }
        unite(&mut union, &row.bitmap)?;
        users.insert(row.event_type_id, union.len());
    }
    Ok(users)
}

impl Answer for EventTypesAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        let day = |day: Option<Date>| day.map_or(Cell::Empty, Cell::plain);
        let row = |found: &EventType| {
            let name = Cell::text(Some(&found.event_type));
            vec![name, Cell::plain(found.events), Cell::plain(found.users), day(found.first_day), day(found.last_day)]
        };
        Some(Table::new(&["event_type", "events", "users", "first_day", "last_day"], self.data.iter().map(row).collect()))
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}
