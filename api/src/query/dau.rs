//! Active users: how many different users were seen in each day, week or month.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use roaring::RoaringBitmap;
use serde::Serialize;

use super::bitmap::unite;
use super::period::Period;
use super::source::Source;
use crate::auth::{Access, Project, Read};
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::read_pool::ReadPool;

/// How the period is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Granularity {
    Day,
    /// ISO weeks, named by their Monday.
    Week,
    /// Named by its first day.
    Month,
}

impl Granularity {
    /// The bucket that a day falls in.
    fn bucket(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(i32::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
        }
    }

    /// The bucket after this one; none after the last that a date can name, so that lists end.
    fn next(self, bucket: Date) -> Option<Date> {
        let step = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        };
        bucket.checked_add(step).ok()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl FromStr for Granularity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Day, Self::Week, Self::Month].into_iter().find(|granularity| granularity.name() == text).ok_or(())
    }
}

/// Whether buckets without anyone are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    Zero,
    None,
}

impl FromStr for Fill {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "zero" => Ok(Self::Zero),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    data: Vec<Bucket>,
    granularity: Granularity,
}

#[derive(Debug, Serialize)]
struct Bucket {
    date: Date,
    unique_users: u64,
}

struct Query {
    period: Period,
    granularity: Granularity,
    event_type: Option<String>,
}

impl Query {
    fn take(parameters: &mut Parameters, today: Date) -> Self {
        Self {
            period: Period::take(parameters, today),
            granularity: parameters.parsed(&["granularity"], "day, week or month").unwrap_or(Granularity::Day),
            event_type: parameters.text(&["event_type"]),
        }
    }
}

/// `GET /stats/dau`
pub(crate) async fn dau(
    State(reads): State<ReadPool>,
    access: Access<Read>,
    mut parameters: Parameters,
) -> Result<Json<Answer>, ApiError> {
    let query = Query::take(&mut parameters, access.project.zone()?.calendar.today());
    let fill = parameters.parsed(&["fill"], "zero or none").unwrap_or(Fill::Zero);
    let source = Source::take(&mut parameters);
    parameters.finish()?;
    let counts = match source {
        Source::Rollups => from_rollups(&reads, &access.project, &query).await?,
        Source::Events => from_events(&reads, &access.project, &query).await?,
    };
    Ok(Json(Answer { data: buckets(&query, fill, &counts), granularity: query.granularity }))
}

/// The answer where there are no events.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn empty_answer(mut parameters: Parameters, today: Date) {
    let query = Query::take(&mut parameters, today);
    if parameters.finish().is_ok() {
        assert!(buckets(&query, Fill::Zero, &BTreeMap::new()).len() <= 1100);
    }
}

fn buckets(query: &Query, fill: Fill, counts: &BTreeMap<Date, u64>) -> Vec<Bucket> {
    let first = query.granularity.bucket(query.period.from());
    std::iter::successors(Some(first), |bucket| query.granularity.next(*bucket))
        .take_while(|bucket| *bucket <= query.period.to())
        .map(|date| Bucket { date, unique_users: counts.get(&date).copied().unwrap_or(0) })
        .filter(|bucket| fill == Fill::Zero || bucket.unique_users > 0)
        .collect()
}

async fn from_rollups(reads: &ReadPool, project: &Project, query: &Query) -> Result<BTreeMap<Date, u64>, ApiError> {
    let (from, to) = (query.period.from(), query.period.to());
    // The users of a week are no sum of its days, so only days can do with counts.
    let want_bitmaps = query.granularity != Granularity::Day;
    let mut connection = reads.acquire(project.id).await?;
    let rows = sqlx::query_file!(
        "sql/stats/dau.sql",
        project.id.0,
        from.to_sqlx() as _,
        to.to_sqlx() as _,
        query.event_type.as_deref(),
        want_bitmaps
    )
    .fetch_all(&mut *connection)
    .await?;
    connection.answered();
    let mut counts = BTreeMap::new();
    let mut unions: BTreeMap<Date, RoaringBitmap> = BTreeMap::new();
    for row in rows {
        let bucket = query.granularity.bucket(row.day.into());
        if let Some(count) = row.users_count {
            counts.insert(bucket, u64::try_from(count).unwrap_or(0));
        }
        if let Some(bitmap) = row.bitmap {
            unite(unions.entry(bucket).or_default(), &bitmap)?;
        }
    }
    counts.extend(unions.into_iter().map(|(bucket, union)| (bucket, union.len())));
    Ok(counts)
}

async fn from_events(reads: &ReadPool, project: &Project, query: &Query) -> Result<BTreeMap<Date, u64>, ApiError> {
    let (from, to) = (query.period.from(), query.period.to());
    let mut connection = reads.acquire(project.id).await?;
    let rows = sqlx::query_file!(
        "sql/rows/dau.sql",
        project.id.0,
        from.to_sqlx() as _,
        to.to_sqlx() as _,
        query.event_type.as_deref(),
        project.zone()?.name,
        query.granularity.name()
    )
    .fetch_all(&mut *connection)
    .await?;
    connection.answered();
    Ok(rows.into_iter().map(|row| (row.bucket.into(), u64::try_from(row.users).unwrap_or(0))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let wednesday = jiff::civil::date(2025, 10, 1);
        assert_eq!(Granularity::Week.bucket(wednesday), jiff::civil::date(2025, 9, 29));
        assert_eq!(Granularity::Month.bucket(wednesday), wednesday);
        assert_eq!(Granularity::Day.bucket(wednesday), wednesday);
    }

    #[test]
    fn no_bucket_follows_the_last_date() {
        for granularity in [Granularity::Day, Granularity::Week, Granularity::Month] {
            assert_eq!(granularity.next(granularity.bucket(Date::MAX)), None);
        }
    }
}
