//! Trends of people from the rows: a bitmap for each bucket and value.

use std::cmp::Reverse;
use std::collections::HashMap;

use futures::TryStreamExt;
use roaring::RoaringBitmap;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::series::Tally;
use super::{BREAKDOWN, Counting, rows};
use crate::error::ApiError;
use crate::query::filter::over_rows;
use crate::query::value::{MAX_NAMED, Values, too_many_for_each};

const USERS: &str = include_str!("../../../sql/trends/users.sql");

/// Maximum number of bitmaps in memory, of about 100 bytes each when they are small. Only a property with
/// many values needs that many.
const MAX_BITMAPS: usize = 300_000;

/// The people with one value of a property and one event type.
#[derive(Debug, Default)]
struct People {
    buckets: HashMap<usize, RoaringBitmap>,
}

/// A value, and the number of people with it in all buckets.
struct OfValue<'a> {
    text: Option<&'a str>,
    total: u64,
    people: People,
}

/// Reads the rows and counts different people.
pub(super) async fn count(connection: &mut PgConnection, counting: Counting<'_>) -> Result<Tally, ApiError> {
    let mut values = Values::default();
    let people = read(connection, counting, &mut values).await?;
    let texts = values.into_texts();
    let mut by_type: HashMap<usize, Vec<OfValue<'_>>> = HashMap::new();
    for ((place, number), people) in people {
        let of_value = OfValue { text: texts[number].as_deref(), total: people.total(), people };
        by_type.entry(place).or_default().push(of_value);
    }
    let mut tally = counting.nothing();
    for (place, mut of_type) in by_type {
        // Values of equal size are sorted by name, with null last.
        of_type.sort_by_key(|of| (Reverse(of.total), of.text.is_none(), of.text));
        let rest = of_type.split_off(of_type.len().min(MAX_NAMED));
        let other = rest.into_iter().map(|of| of.people).reduce(People::and);
        let named = of_type.into_iter().map(|of| (of.text, of.people));
        for (rank, (text, people)) in (1..).zip(named.chain(other.map(|people| (None, people)))) {
            tally.total(place, rank, text.map(str::to_owned), people.total());
            people.buckets.iter().for_each(|(bucket, users)| tally.set(place, rank, None, *bucket, users.len()));
        }
    }
    Ok(tally)
}

/// The people by the index of the type and the number of the value.
async fn read(
    connection: &mut PgConnection,
    counting: Counting<'_>,
    values: &mut Values,
) -> Result<HashMap<(usize, usize), People>, ApiError> {
    let arguments = rows::arguments(counting).map_err(ApiError::Internal)?;
    let mut sql = over_rows(USERS, arguments, counting.trends.breakdown.as_ref(), &counting.trends.filters);
    let mut people: HashMap<(usize, usize), People> = HashMap::new();
    let mut bitmaps = 0;
    // PostgreSQL plans the statement each time for its actual values, because a generic plan would read all
    // partitions.
    let mut rows = sql.build().persistent(false).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let Some((place, bucket, user)) = seen(&row, counting)? else { continue };
        let number = values.number_of(row.try_get(3)?, BREAKDOWN)?;
        let buckets = &mut people.entry((place, number)).or_default().buckets;
        let users = buckets.entry(bucket).or_insert_with(|| {
            bitmaps += 1;
            RoaringBitmap::new()
        });
        users.insert(user);
        if bitmaps > MAX_BITMAPS {
            return Err(too_many_for_each(BREAKDOWN));
        }
    }
    Ok(people)
}

/// The indexes of type and bucket, and the person; `None` outside the period.
fn seen(row: &PgRow, counting: Counting<'_>) -> Result<Option<(usize, usize, u32)>, sqlx::Error> {
    let bucket: Option<i32> = row.try_get(1)?;
    let place = counting.types.place(row.try_get(0)?);
    let user: i32 = row.try_get(2)?;
    let bucket = bucket.and_then(|bucket| usize::try_from(bucket).ok());
    Ok(place.zip(bucket).map(|(place, bucket)| (place, bucket, user.cast_unsigned())))
}

impl People {
    fn total(&self) -> u64 {
        self.buckets.values().fold(RoaringBitmap::new(), |all, users| all | users).len()
    }

    fn and(mut self, other: Self) -> Self {
        for (bucket, users) in other.buckets {
            *self.buckets.entry(bucket).or_default() |= users;
        }
        self
    }
}
