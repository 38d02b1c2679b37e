//! Top events: the most frequent event types.

use jiff_sqlx::ToSqlx;
use serde::Serialize;
use utoipa::ToSchema;

use super::format::{Cell, Table};
use super::kept;
use super::period::{self, Period};
use super::question::{Answer, Asker, Question};
use super::rows::span::TimeSpan;
use super::source::Source;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const LIMIT: Param = Param::new(&["limit"], "How many event types to list at most.");

/// `GET /stats/top-events`
pub(crate) struct TopEvents {
    period: Period,
    limit: i64,
    source: Source,
}

/// The most frequent event types of a period, the most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopEventsAnswer {
    data: Vec<EventCount>,
}

/// How often an event type occurred.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventCount {
    event_type: String,
    count: i64,
}

impl Question for TopEvents {
    type Answer = TopEventsAnswer;
    const ID: &'static str = "top_events";
    const PATH: &'static str = "/stats/top-events";
    const SUMMARY: &'static str = "Most frequent event types";
    const ABOUT: &'static str = "Counts the events of each type in a period and lists the most frequent types. Types with equal \
                                 counts are sorted by name.";
    const READS_ROWS: bool = true;
    const NEEDS_WHOLE_PERIOD: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self {
            period: Period::take(parameters, zone.calendar.today()),
            limit: parameters.number(LIMIT, 10, 1..=100).into(),
            source: Source::take(parameters),
        }
    }

    async fn answer(self, asker: &Asker) -> Result<TopEventsAnswer, ApiError> {
        let project = asker.project.id.0;
        let (from, to) = (self.period.from().to_sqlx(), self.period.to().to_sqlx());
        let zone = &asker.project.zone()?.name;
        let mut connection = asker.connection().await?;
        let data = match self.source {
            Source::Rollups => {
                sqlx::query_file_as!(EventCount, "sql/stats/top_events.sql", project, from as _, to as _, self.limit)
                    .fetch_all(&mut *connection)
                    .await?
            }
            Source::Events => {
                let data =
                    sqlx::query_file_as!(EventCount, "sql/rows/top_events.sql", project, from as _, to as _, self.limit, zone)
                        .fetch_all(&mut *connection)
                        .await?;
                let span = TimeSpan::of_days(&asker.project.zone()?.calendar, self.period.from(), self.period.to());
                span.refuse_archived(asker.project.id, &mut connection).await?;
                data
            }
        };
        kept::check(asker, connection, self.source, self.period.from(), period::FROM.name()).await?;
        Ok(TopEventsAnswer { data })
    }
}

impl Answer for TopEventsAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        let row = |row: &EventCount| vec![Cell::text(Some(&row.event_type)), Cell::plain(row.count)];
        Some(Table::new(&["event_type", "count"], self.data.iter().map(row).collect()))
    }
}
