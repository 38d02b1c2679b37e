//! Top events: what happened most often.

use axum::Json;
use axum::extract::State;
use jiff_sqlx::ToSqlx;
use serde::Serialize;

use super::period::Period;
use super::source::Source;
use crate::auth::{Access, Read};
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::read_pool::ReadPool;

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    data: Vec<Count>,
}

#[derive(Debug, Serialize)]
struct Count {
    event_type: String,
    count: i64,
}

/// `GET /stats/top-events`
pub(crate) async fn top_events(
    State(reads): State<ReadPool>,
    access: Access<Read>,
    mut parameters: Parameters,
) -> Result<Json<Answer>, ApiError> {
    let period = Period::take(&mut parameters, access.project.zone()?.calendar.today());
    let limit = i64::from(parameters.number("limit", 10, 1..=100));
    let source = Source::take(&mut parameters);
    parameters.finish()?;
    let project = &access.project;
    let (from, to) = (period.from().to_sqlx(), period.to().to_sqlx());
    let zone = project.zone()?;
    let mut connection = reads.acquire(project.id).await?;
    let data = match source {
        Source::Rollups => {
            sqlx::query_file_as!(Count, "sql/stats/top_events.sql", project.id.0, from as _, to as _, limit)
                .fetch_all(&mut *connection)
                .await?
        }
        Source::Events => {
            sqlx::query_file_as!(Count, "sql/rows/top_events.sql", project.id.0, from as _, to as _, limit, zone.name)
                .fetch_all(&mut *connection)
                .await?
        }
    };
    connection.answered();
    Ok(Json(Answer { data }))
}
