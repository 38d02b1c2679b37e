//! Trends of events from the rows, which PostgreSQL counts.

use futures::TryStreamExt;
use jiff_sqlx::ToSqlx;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, FromRow, PgConnection};

use super::Counting;
use super::series::Tally;
use crate::error::ApiError;
use crate::query::filter::over_rows;

const EVENTS: &str = include_str!("../../../sql/trends/events.sql");

/// The count of one bucket.
#[derive(Debug, FromRow)]
struct Count {
    event_type_id: i32,
    rank: i32,
    value: Option<String>,
    bucket: i32,
    n: i64,
}

/// Counts the rows.
pub(super) async fn count(connection: &mut PgConnection, counting: Counting<'_>) -> Result<Tally, ApiError> {
    let Counting { trends, types, .. } = counting;
    let mut tally = counting.nothing();
    let arguments = arguments(counting).map_err(ApiError::Internal)?;
    let mut sql = over_rows(EVENTS, arguments, trends.breakdown.as_ref(), &trends.filters);
    // PostgreSQL plans the statement each time for its actual values, because a generic plan would read all
    // partitions.
    let mut counts = sql.build_query_as::<Count>().persistent(false).fetch(connection);
    while let Some(Count { event_type_id, rank, value, bucket, n }) = counts.try_next().await? {
        let Some(place) = types.place(event_type_id) else { continue };
        let (bucket, n) = (usize::try_from(bucket).unwrap_or(0), u64::try_from(n).unwrap_or(0));
        tally.add(place, rank, value, bucket, n);
    }
    Ok(tally)
}

/// The arguments that all statements over rows have in common.
pub(super) fn arguments(counting: Counting<'_>) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let Counting { project, types, buckets, .. } = counting;
    let (starts, places): (Vec<_>, Vec<Option<i32>>) =
        buckets.stretches().map(|(start, bucket)| (start.to_sqlx(), bucket.and_then(|place| i32::try_from(place).ok()))).unzip();
    let mut arguments = PgArguments::default();
    arguments.add(project.0)?;
    arguments.add(types.chosen())?;
    arguments.add(buckets.start().to_sqlx())?;
    arguments.add(buckets.end().to_sqlx())?;
    arguments.add(starts)?;
    arguments.add(places)?;
    Ok(arguments)
}
