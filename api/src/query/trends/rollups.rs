//! Trends from the rollups: counters for events, bitmaps for people.

use std::collections::HashMap;

use futures::TryStreamExt;
use jiff::tz::Offset;
use jiff_sqlx::ToSqlx;
use roaring::RoaringBitmap;
use sqlx::PgConnection;

use super::Counting;
use super::series::Tally;
use crate::error::ApiError;
use crate::query::bitmap::unite;

/// Adds up the counters of the days.
pub(super) async fn count(connection: &mut PgConnection, counting: Counting<'_>) -> Result<Tally, ApiError> {
    let Counting { project, trends, types, buckets } = counting;
    let mut tally = counting.nothing();
    let (from, to) = (trends.period.from().to_sqlx(), trends.period.to().to_sqlx());
    let chosen = types.chosen();
    let rows = sqlx::query_file!("sql/trends/counts.sql", project.0, chosen.as_deref() as _, from as _, to as _)
        .fetch_all(connection)
        .await?;
    for row in rows {
        if let (Some(place), Some(bucket)) = (types.place(row.event_type_id), buckets.of_day(row.day.into())) {
            tally.add(place, 1, None, bucket, u64::try_from(row.n).unwrap_or(0));
        }
    }
    Ok(tally)
}

/// Adds up the counters of the hours.
pub(super) async fn count_hours(connection: &mut PgConnection, counting: Counting<'_>) -> Result<Tally, ApiError> {
    let Counting { project, trends, types, buckets } = counting;
    let mut tally = counting.nothing();
    let (from, to) = (trends.period.from().to_sqlx(), trends.period.to().to_sqlx());
    let numbers = types.numbers();
    let rows = sqlx::query_file!("sql/trends/hours.sql", project.0, &numbers, from as _, to as _).fetch_all(connection).await?;
    for row in rows {
        let hour = i8::try_from(row.hour).unwrap_or_default();
        let bucket = Offset::from_seconds(row.utc_offset).ok().and_then(|offset| buckets.of_hour(row.day.into(), hour, offset));
        if let (Some(place), Some(bucket)) = (types.place(row.event_type_id), bucket) {
            tally.add(place, 1, None, bucket, u64::try_from(row.n).unwrap_or(0));
        }
    }
    Ok(tally)
}

/// Unites the bitmaps of the days.
pub(super) async fn unite_users(connection: &mut PgConnection, counting: Counting<'_>) -> Result<Tally, ApiError> {
    let Counting { project, trends, types, buckets } = counting;
    let mut tally = counting.nothing();
    let (from, to) = (trends.period.from().to_sqlx(), trends.period.to().to_sqlx());
    let numbers = types.numbers();
    let mut unions: HashMap<(usize, usize), RoaringBitmap> = HashMap::new();
    let mut rows = sqlx::query_file!("sql/trends/bitmaps.sql", project.0, &numbers, from as _, to as _).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if let (Some(place), Some(bucket)) = (types.place(row.event_type_id), buckets.of_day(row.day.into())) {
            unite(unions.entry((place, bucket)).or_default(), &row.bitmap)?;
        }
    }
    let mut totals: HashMap<usize, RoaringBitmap> = HashMap::new();
    for ((place, bucket), users) in unions {
        tally.set(place, 1, None, bucket, users.len());
        *totals.entry(place).or_default() |= users;
    }
    totals.into_iter().for_each(|(place, users)| tally.total(place, 1, None, users.len()));
    Ok(tally)
}
