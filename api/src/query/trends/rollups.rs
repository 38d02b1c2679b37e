//! Trends from the rollups: counters for events, bitmaps for people.

use std::mem::take;

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
    let mut uniting = Uniting::of(counting.nothing());
    let (from, to) = (trends.period.from().to_sqlx(), trends.period.to().to_sqlx());
    let numbers = types.numbers();
    let mut rows = sqlx::query_file!("sql/trends/bitmaps.sql", project.0, &numbers, from as _, to as _).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if let (Some(place), Some(bucket)) = (types.place(row.event_type_id), buckets.of_day(row.day.into())) {
            uniting.move_to(Some((place, bucket)));
            unite(&mut uniting.of_bucket, &row.bitmap)?;
        }
    }
    uniting.move_to(None);
    Ok(uniting.tally)
}

/// People on their way into a tally, in the order of types and days. All bitmaps of a long period together
/// could take more memory than there is.
struct Uniting {
    tally: Tally,
    /// The place of the type, and the bucket.
    current: Option<(usize, usize)>,
    of_bucket: RoaringBitmap,
    /// Those of the earlier buckets of the type.
    of_type: RoaringBitmap,
}

impl Uniting {
    fn of(tally: Tally) -> Self {
        Self { tally, current: None, of_bucket: RoaringBitmap::new(), of_type: RoaringBitmap::new() }
    }

    /// Begins a bucket, unless it is the current one, and ends the one before.
    fn move_to(&mut self, next: Option<(usize, usize)>) {
        if next == self.current {
            return;
        }
        if let Some((place, bucket)) = self.current {
            self.tally.set(place, 1, None, bucket, self.of_bucket.len());
            self.of_type |= take(&mut self.of_bucket);
            if next.is_none_or(|(next_place, _)| next_place != place) {
                self.tally.total(place, 1, None, take(&mut self.of_type).len());
            }
        }
        self.current = next;
    }
}
